// Views inside other apps are told from browsers, by what each says of itself.

import assert from 'node:assert/strict';
import test from 'node:test';

globalThis.matchMedia = () => ({ matches: false });
if (!globalThis.navigator) globalThis.navigator = {};
const { androidIntent, look } = await import('../../../src/web/app/browser.js');

const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)';
const ANDROID = 'Mozilla/5.0 (Linux; Android 13; V2148A) AppleWebKit/537.36 (KHTML, like Gecko)';
const MAC = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15';

test('browsers', () => {
  for (const [agent, kind, touches = 0] of [
    [`${IPHONE} Version/17.5 Mobile/15E148 Safari/604.1`, 'iPhone'],
    [`${IPHONE} CriOS/126.0 Mobile/15E148 Safari/604.1`, 'iPhone'],
    [`${ANDROID} Chrome/126.0.0.0 Mobile Safari/537.36`, 'Android phone'],
    [`${ANDROID} Chrome/126.0.0.0 Safari/537.36`, 'Android tablet'],
    [`${ANDROID} Chrome/110.0 Mobile MQQBrowser/14.9 Safari/537.36`, 'Android phone'],
    [MAC, 'Mac'],
    [MAC, 'iPad', 5],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', 'Linux'],
    ['Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36', 'Windows'],
    ['', 'Browser'],
  ]) {
    const seen = look(agent, touches);
    assert.equal(seen.kind, kind, agent);
    assert.equal(seen.inside, null, agent);
  }
});

test('views inside other apps', () => {
  for (const [agent, inside] of [
    [`${ANDROID} Version/4.0 Chrome/111.0 Mobile Safari/537.36 MicroMessenger/8.0.47`, 'pair.wechat'],
    [`${IPHONE} Mobile/15E148 MicroMessenger/8.0.40`, 'pair.wechat'],
    [`${IPHONE} Mobile/15E148 AlipayClient/10.5`, 'pair.alipay'],
    [`${ANDROID} Chrome/110.0 Mobile Safari/537.36 V1_AND_SQ_8.9 QQ/8.9.83`, 'QQ'],
    [`${IPHONE} Mobile/15E148`, ''],
    ['Mozilla/5.0 (Linux; Android 13; Pixel 6 Build/TQ3A; wv) AppleWebKit/537.36 Version/4.0 Chrome/114.0 Mobile Safari/537.36', ''],
  ]) {
    assert.equal(look(agent, 0).inside, inside, agent);
  }
});

test('the link that leaves such a view keeps what stands behind #', () => {
  assert.equal(
    androidIntent('http://192.168.1.20:8800/pair#1.a.b.c'),
    'intent://192.168.1.20:8800/pair#1.a.b.c#Intent;scheme=http;action=android.intent.action.VIEW;end',
  );
});
