// How a browser gets in, and stays in.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { go, pairByLink, press, shown } from './support/app.mjs';
import { behaved, visitor } from './support/browser.mjs';
import { at, invitation, lan, origin, terminals } from './support/stb.mjs';

const numbers = (page) => page.$$eval('[data-channel]', (tiles) => tiles.map((t) => Number(t.dataset.channel)));
/** In the page: something is said aloud. */
const sentence = () => document.querySelector('[role=alert]')?.textContent.trim().length > 3;
const listed = (page) => page.waitForSelector('[data-channel="4"]', { timeout: 15_000 });

test('one tap after the QR code, where the browser trusts the origin and where it does not', async () => {
  for (const base of [origin, lan].filter(Boolean)) {
    const own = await visitor({ size: 'phone' });
    const { role } = await pairByLink(own.page, base);
    assert.equal(await own.page.evaluate(() => isSecureContext), base === origin);
    await listed(own.page);
    assert.deepEqual(new Set(await numbers(own.page)), new Set([1, 2, 3, 4]));
    assert.equal((await terminals()).at(-1).role, role);
    assert.ok(!own.page.url().includes('#1.'), 'the secret is out of the address');
    behaved(own);
    await own.close();
  }
});

test('by PIN, with the digits on the screen, and a wrong one is said', async () => {
  const own = await visitor({ size: 'phone' });
  const { page } = own;
  const before = (await terminals()).length;
  await page.goto(`${origin}/`);
  await shown(page, 'pair');
  const { pin } = await invitation();
  const wrong = pin === '00000000' ? '11111111' : '00000000';
  await page.waitForSelector('[data-digit="0"]', { visible: true });
  for (const digit of wrong) await press(page, `[data-digit="${digit}"]`);
  await page.waitForFunction(sentence);
  assert.equal((await terminals()).length, before);
  for (const digit of pin) await press(page, `[data-digit="${digit}"]`);
  await shown(page, 'channels');
  await listed(page);
  assert.equal((await terminals()).length, before + 1);
  behaved(own);
  await own.close();
});

test('thirty days later, with all that scripts kept gone, the list opens', async () => {
  const profile = mkdtempSync(join(tmpdir(), 'stbcast-profile.'));
  const first = await visitor({ profile });
  await pairByLink(first.page, origin);
  const before = await terminals();
  await first.close();

  const again = await visitor({ profile });
  const wipe = await again.page.createCDPSession();
  const storageTypes = 'local_storage,session_storage,indexeddb,cache_storage,service_workers,file_systems';
  await wipe.send('Storage.clearDataForOrigin', { origin, storageTypes });
  const [cookie] = (await again.browser.cookies()).filter(({ name }) => name === 'stb');
  assert.ok(cookie.httpOnly && cookie.expires * 1000 > Date.now() + 30 * 86_400_000, 'it lasts');
  // The page's clock is a month on, too.
  await again.page.evaluateOnNewDocument((later) => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + later;
  }, 30 * 86_400_000);
  await again.page.goto(`${origin}/`);
  await listed(again.page);
  assert.equal(await again.page.evaluate(() => document.body.dataset.page), 'channels');
  assert.deepEqual(await terminals(), before, 'nobody was let in anew');
  behaved(again);
  await again.close();
  rmSync(profile, { recursive: true, force: true });
});

test('a terminal goes on in another browser', async () => {
  const [one, two] = [await visitor(), await visitor({ size: 'phone' })];
  await pairByLink(one.page, origin);
  const before = (await terminals()).length;
  await go(one.page, 'handover');
  await press(one.page, '#handover');
  const link = await one.page.waitForSelector('#handover-link', { visible: true });
  const url = await link.evaluate((a) => a.href || a.value || a.textContent);
  await two.page.goto(url);
  await press(two.page, '#pair-go');
  await shown(two.page, 'channels');
  await listed(two.page);
  assert.equal((await terminals()).length, before, 'it is the same terminal');
  const third = await visitor();
  await third.page.goto(url);
  await press(third.page, '#pair-go');
  await third.page.waitForFunction(sentence);
  assert.equal(await third.page.$('[data-channel]'), null, 'a code is good once');
  for (const own of [one, two, third]) {
    behaved(own);
    await own.close();
  }
});

test('inside another app the way to a real browser comes first', async () => {
  const android = 'Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0 Mobile Safari/537.36';
  for (const app of ['MicroMessenger/8.0.49(0x18003129)', 'AliApp(AP/10.5.96) AlipayClient/10.5.96', 'QQ/9.0.60.17095']) {
    const own = await visitor({ size: 'phone', language: 'zh-CN', agent: `${android} ${app}` });
    await own.page.goto(at((await invitation()).link, origin));
    await shown(own.page, 'pair');
    await own.page.waitForFunction(() => /Safari|Chrome|浏览器/.test(document.body.innerText));
    behaved(own);
    await own.close();
  }
});

test('to a stranger the page says nothing of this box', async () => {
  const own = await visitor();
  const bodies = [];
  own.page.on('response', async (r) => bodies.push(await r.text().catch(() => '')));
  await own.page.goto(`${origin}/`, { waitUntil: 'networkidle0' });
  await shown(own.page, 'pair');
  for (const secret of ['One HD', '综合频道', 'demo.box.test']) {
    assert.ok(bodies.every((body) => !body.includes(secret)), secret);
  }
  assert.deepEqual(own.refusals.filter(({ status }) => status !== 401), []);
  behaved(own);
  await own.close();
});
