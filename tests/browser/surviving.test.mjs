// What life does to a phone that watches: it sleeps, it loses its network, it is put out.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { choose, go, pairByLink, picture, plays, press, shown } from './support/app.mjs';
import { behaved, visitor } from './support/browser.mjs';
import { wire } from './support/proxy.mjs';
import { command, long, origin, terminals, until, viewers } from './support/stb.mjs';

let own, page, line;

before(async () => {
  line = await wire(new URL(origin).port);
  own = await visitor({ size: 'phone' });
  page = own.page;
  await pairByLink(page, line.origin);
  await choose(page, 1);
  await plays(page, 1);
});
afterEach(() => behaved(own));
after(async () => {
  await own.close();
  line.close();
});

/** How long it took until pictures came again. */
async function comesBack(t, why) {
  const began = performance.now();
  const { width } = await plays(page, 1);
  assert.ok(width > 0);
  t.diagnostic(`${why}: a picture after ${Math.round(performance.now() - began)} ms`);
}

test('a page that was frozen plays the same channel when it thaws', async (t) => {
  const cover = await own.browser.newPage();
  await cover.bringToFront(); // what nobody sees is frozen
  const devtools = await page.createCDPSession();
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
  await sleep(long ? 30_000 : 6000);
  await devtools.send('Page.setWebLifecycleState', { state: 'active' });
  await page.bringToFront();
  await comesBack(t, 'thawed');
  await cover.close();
});

test('a wire that is cut', async (t) => {
  line.cut();
  await until('the page to notice', async () => (await picture(page)).state !== 'playing');
  const pictures = '#player canvas:not([hidden]), video';
  const stays = (all) => [...document.querySelectorAll(all)].some((e) => (e.videoWidth ?? e.width) > 0);
  assert.ok(await page.evaluate(stays, pictures), 'the last picture stays');
  line.mend();
  await comesBack(t, 'mended');
});

test('a wire that goes dead without a word', async (t) => {
  line.hush();
  await until('the page to notice', async () => (await picture(page)).state !== 'playing');
  await comesBack(t, 'noticed');
});

test('a network that forgets all connections, the used ones and an idle one', async (t) => {
  await sleep(16_000); // the box closes those that nobody used for so long
  await page.evaluate(async () => (await fetch('/api/v1/session', { cache: 'no-store' })).text());
  line.forget();
  await until('the page to notice', async () => (await picture(page)).state !== 'playing');
  await comesBack(t, 'forgotten');
});

test('a phone without a network', async (t) => {
  await page.setOfflineMode(true);
  line.cut(); // what flows already is not stopped by that mode
  await until('the page to notice', async () => (await picture(page)).state !== 'playing');
  line.mend();
  await page.setOfflineMode(false);
  await comesBack(t, 'online');
});

test('hidden and silent, it frees the tuner; hidden with sound, it goes on', async (t) => {
  const cover = await own.browser.newPage();
  await page.bringToFront();
  await plays(page, 1);
  await page.$eval('video', (v) => { v.muted = true; });
  await cover.bringToFront();
  await until('the tuner to be free', async () => (await viewers()) === 0, 25_000);
  await page.bringToFront();
  await comesBack(t, 'shown again');
  await page.$eval('video', (v) => { v.muted = false; });
  await cover.bringToFront();
  await sleep(13_000);
  assert.equal(await viewers(), 1);
  await page.bringToFront();
  await plays(page, 1);
  await cover.close();
});

test('pages come and go, the picture stays', async () => {
  for (const name of ['channels', 'guide', 'settings']) {
    await go(page, name);
    await plays(page, 1);
  }
  assert.equal(await viewers(), 1, 'it is one stream all the time');
});

test('who is put out while it watches is told so, and sees no more', async () => {
  const guest = await visitor({ size: 'phone' });
  await pairByLink(guest.page, origin);
  await choose(guest.page, 2);
  await plays(guest.page, 2);
  const { slot } = (await terminals()).at(-1);
  await command('revoke', String(slot));
  await shown(guest.page, 'pair');
  await until('its stream to end', async () => (await viewers()) === 1);
  assert.equal(await guest.page.$('[data-channel]'), null);
  behaved(guest);
  await guest.close();
});

test('it ends where somebody ends it, in the corner or on its page', async () => {
  await press(page, '#player.mini .close');
  await until('nobody to watch', async () => (await viewers()) === 0);
  await choose(page, 1);
  await plays(page, 1);
  await press(page, '#player [data-act=stop]');
  await until('nobody to watch', async () => (await viewers()) === 0);
});

test('a page from before an upgrade is loaded anew, though not while it plays', async () => {
  const [former, tab] = ['0123456789abcdef', await own.browser.newPage()];
  const text = await (await fetch(origin)).text();
  const html = text.replaceAll(/\/app\/[0-9a-f]{16}\//g, `/app/${former}/`);
  assert.ok(html.includes(`"/app/${former}/main.js"`));
  await tab.setBypassServiceWorker(true);
  const devtools = await tab.createCDPSession();
  let loads = 0;
  devtools.on('Fetch.requestPaused', ({ requestId }) => {
    loads += 1;
    if (loads > 1) return devtools.send('Fetch.continueRequest', { requestId });
    const responseHeaders = [{ name: 'Content-Type', value: 'text/html' }];
    const body = Buffer.from(html).toString('base64');
    return devtools.send('Fetch.fulfillRequest', { requestId, responseCode: 200, responseHeaders, body });
  });
  await devtools.send('Fetch.enable', { patterns: [{ resourceType: 'Document' }] });
  await tab.goto(`${line.origin}/#/play/1`);
  await plays(tab, 1);
  await go(tab, 'channels');
  await plays(tab, 1);
  assert.equal(loads, 1);
  await press(tab, '#player.mini .close');
  await until('the picture to end', async () => (await picture(tab)).state === 'idle');
  await tab.evaluate(() => { location.hash = '#/guide'; });
  await until('the files that the box has', () => tab.evaluate((old) => (
    document.body.dataset.page === 'guide' && !document.querySelector('[rel=stylesheet]').href.includes(old)
  ), former).catch(() => false));
  assert.equal(loads, 2);
  await tab.close();
});
