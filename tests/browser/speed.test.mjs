// How long it takes, measured by the page itself: from opening it to the list, from a tap to the picture.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { choose, pairByLink, plays, shown } from './support/app.mjs';
import { behaved, visitor } from './support/browser.mjs';
import { median, timekeeper } from './support/time.mjs';
import { long, origin } from './support/stb.mjs';

let own, page;

before(async () => {
  own = await visitor();
  page = own.page;
  await timekeeper(page);
  await pairByLink(page, origin);
});
after(() => own.close());

test('from opening the page to the list', async (t) => {
  const took = [];
  for (let i = 0; i < (long ? 21 : 5); i++) {
    await page.goto('about:blank');
    await page.goto(`${origin}/`);
    await page.waitForFunction(() => window.times.listed);
    took.push(await page.evaluate(() => window.times.listed));
  }
  t.diagnostic(`list: median ${median(took)} ms of ${took.length}, ${Math.min(...took)} to ${Math.max(...took)}`);
  if (long) assert.ok(median(took) < 300);
  behaved(own);
});

test('from a tap to the picture, where the ring is warm', async (t) => {
  await page.goto(`${origin}/`);
  await shown(page, 'channels');
  await choose(page, 2);
  await plays(page, 2); // while its mux is watched, the spare rings hold the others
  await choose(page, 1);
  await plays(page, 1);
  const took = [];
  for (let i = 0; i < (long ? 40 : 8); i++) {
    const number = i % 2 === 0 ? 2 : 1;
    await page.evaluate(() => { window.times.tap = window.times.picture = null; });
    await choose(page, number);
    await page.waitForFunction(() => window.times.picture !== null);
    took.push(await page.evaluate(() => Math.round(window.times.picture - window.times.tap)));
    await plays(page, number);
  }
  const [least, most] = [Math.min(...took), Math.max(...took)];
  t.diagnostic(`tap to picture: median ${median(took)} ms of ${took.length}, ${least} to ${most}`);
  if (long) assert.ok(median(took) < 500);
  behaved(own);
});
