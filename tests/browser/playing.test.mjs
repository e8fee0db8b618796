// Tap, picture: each kind of service, by each way, and from one to the next.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { choose, go, pairByLink, picture, plays, prefer, press, zap } from './support/app.mjs';
import { behaved, visitor } from './support/browser.mjs';
import { command, long, origin, until, viewers } from './support/stb.mjs';

const TIMES = long ? 100 : 10;
let own, page;

before(async () => {
  own = await visitor();
  page = own.page;
  await pairByLink(page, origin);
});
after(() => own.close());

test('what somebody else watches changes the list, and a finger on a tile stays on it', async () => {
  const row = await page.waitForSelector('li[data-number="2"]');
  const [link] = await row.$$('a[data-channel]');
  const rate = () => row.$eval('.rate', (measured) => measured.textContent);
  assert.equal(await rate(), '', 'nobody has watched it yet');
  const gone = new AbortController();
  const stream = await fetch((await command('link', '2')).trim().split('\n').at(-1), { signal: gone.signal });
  const watching = stream.body.pipeTo(new WritableStream()).catch(() => {});
  const isTold = await until('its rate in the list', rate, 40_000).then(() => true, () => false);
  gone.abort();
  await watching;
  assert.ok(isTold, 'the list says what was measured');
  assert.ok(await link.evaluate((node) => node.isConnected), 'the tile is the one it was');
  await link.click();
  await plays(page, 2);
  behaved(own);
});

test('the pictures that the box has for channels are drawn, and a number where it has none', async () => {
  await go(page, 'channels');
  const drawn = () => page.$$eval('li .logo', (all) => all.map((logo) => logo.querySelector('img')?.naturalWidth > 0 || logo.textContent));
  await until('the pictures', async () => JSON.stringify(await drawn()) === '[true,true,true,"4"]');
  behaved(own);
});

test('television: H.264 with AAC, H.264 with MPEG audio, interlaced', async () => {
  for (const [number, width] of [[1, 1280], [2, 1920]]) {
    await choose(page, number);
    const seen = await plays(page, number);
    assert.equal(seen.width, width);
    assert.equal(seen.muted, false, 'a tap has sound');
  }
  behaved(own);
});

test('radio', async () => {
  await choose(page, 3);
  await plays(page, 3, { hasPicture: false });
  behaved(own);
});

test('what no browser decodes goes to a player, before anything is tuned', async () => {
  await press(page, '#player [data-act=stop]');
  await until('nobody watches', async () => (await viewers()) === 0);
  await choose(page, 4);
  await page.waitForSelector('#player[data-state=external] a[data-external], a[data-external]', { timeout: 15_000 });
  assert.equal(await viewers(), 0);
  const links = await page.$$eval('a[data-external]', (all) => all.map((a) => a.getAttribute('href')));
  assert.ok(links.length > 0 && links.every((href) => href.length > 8), `${links}`);
  behaved(own);
});

test('a name that is markup is text', async () => {
  await go(page, 'channels');
  const text = '<img src=x onerror=alert(1)>';
  const tile = await page.waitForSelector('[data-channel="4"]');
  assert.ok((await tile.evaluate((t) => t.textContent)).includes(text));
  await choose(page, 4);
  await until('its name where it is watched', () => page.evaluate((t) => document.body.innerText.includes(t), text));
  await go(page, 'guide');
  await until('its name in the guide', () => page.evaluate((t) => document.body.innerText.includes(t), text));
  assert.equal(await page.$('img[src="x"], img[onerror], script:not([src])'), null);
  behaved(own);
});

test('a play() that no tap caused begins without sound and says so', async () => {
  const fresh = await own.browser.newPage();
  await fresh.goto(`${origin}/#/play/1`);
  await plays(fresh, 1);
  if ((await picture(fresh)).muted) {
    await press(fresh, '#tap-for-sound');
    await until('sound', async () => (await picture(fresh)).muted === false);
  }
  await plays(fresh, 1);
  await fresh.close();
});

for (const path of ['mse', 'hls']) {
  test(`${TIMES} zaps by ${path}, and no tuner is refused`, async (t) => {
    await prefer(page, path);
    const from = own.refusals.length;
    // By HLS what the browser itself can decode, by TS all that it plays.
    const round = path === 'hls' ? [1, 3] : [1, 2, 3, 2];
    await choose(page, round[0]);
    assert.equal((await plays(page, round[0], { hasPicture: round[0] !== 3 })).path, path);
    const took = [];
    for (let i = 1; i <= TIMES; i++) {
      const number = round[i % round.length];
      const began = performance.now();
      await zap(page, number);
      assert.equal((await plays(page, number, { hasPicture: number !== 3 })).path, path);
      took.push(performance.now() - began);
    }
    took.sort((a, b) => a - b);
    t.diagnostic(`until frames are decoded, seen from outside: median ${Math.round(took[took.length >> 1])} ms`);
    assert.deepEqual(own.refusals.slice(from), [], 'no request was refused');
    assert.equal(await viewers(), 1, 'no ghost holds a stream');
    behaved(own);
  });
}
