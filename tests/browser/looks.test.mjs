// Every page in every size, both languages, light and dark: it fits, it can be pressed, axe finds nothing serious.
// The pictures are for people to look at.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pairByLink, plays, shown } from './support/app.mjs';
import { SIZES, behaved, visitor } from './support/browser.mjs';
import { at, invitation, long, origin, out } from './support/stb.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PAGES = ['channels', 'play', 'guide', 'settings', 'status', 'handover'];
const HASHES = { play: 'play/1', external: 'play/4' };
const LANGUAGES = ['en-GB', 'zh-CN'];
let owner;

before(async () => {
  owner = await visitor();
  await pairByLink(owner.page, origin);
});
after(() => owner.close());

/** The owner in another language, size and light: the same cookie in a browser of its own. */
async function again(as) {
  const own = await visitor(as);
  await own.browser.setCookie(...(await owner.browser.cookies()));
  return own;
}

async function open(page, name) {
  await page.goto(`${origin}/#/${HASHES[name] ?? name}`);
  await shown(page, name === 'external' ? 'play' : name);
  if (name === 'play') await plays(page, 1);
  if (name === 'channels') await page.waitForSelector('[data-channel]');
  await new Promise((settled) => { setTimeout(settled, 300); });
}

/** What does not fit beside each other, or is too small for a thumb: sentences, best none. */
const misfits = (page) => page.evaluate(() => {
  const found = [];
  const root = document.scrollingElement;
  if (root.scrollWidth > innerWidth + 1) {
    const over = (e) => e.getBoundingClientRect().right > innerWidth + 1;
    const wide = [...document.querySelectorAll('body *')].filter(over).slice(0, 3).map((e) => e.outerHTML.slice(0, 90));
    found.push(`${root.scrollWidth} px wide in ${innerWidth}: ${wide.join(' ')}`);
  }
  const corner = document.querySelector('#player.mini:not([hidden])');
  const end = document.querySelector('main > :last-child').getBoundingClientRect().bottom + scrollY;
  if (corner && root.scrollHeight - end < corner.offsetHeight) found.push('the corner hides the end of the page');
  const pressed = 'button, a[href], input, select, summary, [role=button], [tabindex="0"]';
  for (const e of document.querySelectorAll(pressed)) {
    const { width, height } = e.getBoundingClientRect();
    // A link within a sentence is as high as its line (WCAG 2.5.8); what is visually hidden is pressed by its label.
    const inline = e.tagName === 'A' && getComputedStyle(e).display === 'inline';
    const box = e.matches('input[type=checkbox], input[type=radio]') ? e.closest('label')?.getBoundingClientRect() : null;
    const [w, h] = box ? [box.width, box.height] : [width, height];
    if (!e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || inline || w <= 1) continue;
    const [across, down] = [w, h].map(Math.round);
    if (across < 48 || down < 48) found.push(`${across} × ${down}: ${e.outerHTML.slice(0, 120)}`);
  }
  return found;
});

/** Takes a picture, and adds to `found` what does not fit, with where it was seen. */
async function look(own, name, as, found) {
  const place = `${name}-${as.size}-${as.language.slice(0, 2)}-${as.dark ? 'dark' : 'light'}`;
  await own.page.screenshot({ path: join(out, `${place}.png`) });
  for (const what of await misfits(own.page)) found.set(what, [...(found.get(what) ?? []), place]);
}

test('every page fits, from 320 px on, and thumbs can press it', async () => {
  const found = new Map();
  for (const [i, size] of Object.keys(SIZES).entries()) {
    for (const [j, language] of LANGUAGES.entries()) {
      for (const dark of long ? [false, true] : [(i + j) % 2 === 1]) {
        const as = { size, language, dark };
        const stranger = await visitor(as);
        await stranger.page.goto(at((await invitation()).link, origin));
        await stranger.page.waitForSelector('#pair-go');
        await look(stranger, 'pair', as, found);
        await stranger.page.goto(`${origin}/?`);
        await stranger.page.waitForSelector('#pair-pin');
        await look(stranger, 'pin', as, found);
        await stranger.close();
        const own = await again(as);
        for (const name of [...PAGES, 'external']) {
          await open(own.page, name);
          assert.equal((await own.page.$eval('html', (e) => e.lang)).slice(0, 2), language.slice(0, 2));
          await look(own, name, as, found);
        }
        behaved(own);
        await own.close();
      }
    }
  }
  assert.deepEqual([...found].map(([what, where]) => `${what}: ${where}`), []);
});

test('with text of twice the size', async () => {
  const found = [];
  const own = await again({ size: 'phone', language: 'en-GB' });
  const devtools = await own.page.createCDPSession();
  await devtools.send('Page.enable');
  await devtools.send('Page.setFontSizes', { fontSizes: { standard: 32, fixed: 26 } });
  for (const name of PAGES) {
    await open(own.page, name);
    await own.page.screenshot({ path: join(out, `${name}-phone-en-twice.png`) });
    const wide = (await misfits(own.page)).filter((what) => what.includes(' px wide '));
    found.push(...wide.map((what) => `${name}: ${what}`));
  }
  assert.deepEqual(found, []);
  await own.close();
});

test('axe finds nothing serious', async () => {
  const found = [];
  for (const [language, dark] of [['en-GB', false], ['zh-CN', true]]) {
    const own = await again({ size: 'phone', language, dark });
    for (const name of ['pair', ...PAGES, 'external']) {
      if (name === 'pair') {
        const stranger = await visitor({ size: 'phone', language, dark });
        await stranger.page.goto(at((await invitation()).link, origin));
        await stranger.page.waitForSelector('#pair-go');
        found.push(...(await audit(stranger.page, name)));
        await stranger.close();
        continue;
      }
      await open(own.page, name);
      found.push(...(await audit(own.page, name)));
    }
    await own.close();
  }
  assert.deepEqual(found, []);
});

async function audit(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const where = ({ nodes }) => nodes.slice(0, 2).map((node) => node.html.slice(0, 120)).join(' | ');
  return bad.map((v) => `${name}: ${v.id}: ${v.help}: ${where(v)}`);
}

test('with the keyboard alone: to a channel, another by its number, back, away', async () => {
  const own = await again({ size: 'desktop' });
  const { page } = own;
  await open(page, 'channels');
  const focused = () => page.evaluate(() => document.activeElement?.closest('[data-channel]')?.dataset.channel);
  for (let i = 0; i < 40 && (await focused()) === undefined; i++) await page.keyboard.press('Tab');
  assert.ok(await focused(), 'Tab comes to a tile');
  const ring = await page.evaluate(() => {
    const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement);
    return outlineStyle !== 'none' || boxShadow !== 'none';
  });
  assert.ok(ring, 'who has the focus is seen');
  await page.keyboard.press('Enter');
  await shown(page, 'play');
  await page.keyboard.press('2');
  await plays(page, 2);
  await page.keyboard.press('1');
  await plays(page, 1);
  await page.keyboard.press('Escape');
  await shown(page, 'channels');
  behaved(own);
  await own.close();
});
