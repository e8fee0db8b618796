import assert from 'node:assert/strict';
import test from 'node:test';
import { device, link, target } from '../../../src/web/app/player/external.js';

const URL_ = 'http://192.168.1.20:8800/live/4.ts?name=a%20b&t=x-_1';

test('each device has its way to another player', () => {
  assert.deepEqual(target(URL_, 'A & B', 'android'), {
    kind: 'vlc', download: null,
    href: 'intent://192.168.1.20:8800/live/4.ts?name=a%20b&t=x-_1#Intent;scheme=http;type=video/mp2t;package=org.videolan.vlc;S.title=A%20%26%20B;end',
  });
  const ios = target(URL_, 'A', 'ios');
  assert.equal(new URL(ios.href).searchParams.get('url'), URL_);
  assert.ok(ios.href.startsWith('vlc-x-callback://x-callback-url/stream?'));
});

test('a computer gets a playlist of one entry, whatever the channel is called', () => {
  for (const [name, file] of [['综合 One', '综合 One.m3u'], ['<img src=x>', 'img srcx.m3u'], ['a\nhttp://evil/', 'ahttpevil.m3u'], ['/', 'channel.m3u']]) {
    const { kind, href, download } = target(URL_, name, 'desktop');
    assert.deepEqual([kind, download], ['file', file]);
    const lines = decodeURIComponent(href.slice(href.indexOf(',') + 1)).split('\n');
    assert.equal(lines.length, 4, name);
    assert.deepEqual([lines[0], lines[2], lines[3]], ['#EXTM3U', URL_, '']);
  }
});

test('devices are known by what they say', () => {
  const agents = {
    'Mozilla/5.0 (Linux; Android 14) Chrome/130': 'android',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)': 'ios',
    'Mozilla/5.0 (X11; Linux x86_64)': 'desktop',
  };
  for (const [userAgent, expected] of Object.entries(agents)) assert.equal(device({ userAgent, maxTouchPoints: 5 }), expected);
  const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)';
  assert.deepEqual([device({ userAgent: mac, maxTouchPoints: 5 }), device({ userAgent: mac, maxTouchPoints: 0 })], ['ios', 'desktop']);
});

test('the box is asked for a link to that channel alone', async () => {
  const asked = [];
  const api = { post: async (...words) => (asked.push(words), { path: '/live/4.ts?t=x' }) };
  assert.equal(await link(api, 4, 'http://b'), 'http://b/live/4.ts?t=x');
  assert.deepEqual(asked, [['/api/v1/links', { channel: 4, ttl: 43200, connections: 1 }]]);
});
