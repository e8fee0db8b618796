// Chromium with a profile of its own, and a page of it that keeps account of what must not happen.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import puppeteer from 'puppeteer-core';
import { out } from './stb.mjs';

const PROGRAM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

/** What is looked at, in CSS pixels. */
export const SIZES = {
  small: { width: 320, height: 568, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  phone: { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  tablet: { width: 820, height: 1180, deviceScaleFactor: 1, isMobile: true, hasTouch: true },
  desktop: { width: 1366, height: 768 },
};

// Who is still here at the end was left by a test that failed: what it saw last is kept.
const visitors = new Set();
after(async () => {
  let number = 0;
  for (const { browser, close } of [...visitors]) {
    for (const page of await browser.pages()) {
      await page.screenshot({ path: join(out, `failed-${process.pid}-${++number}.png`) }).catch(() => {});
    }
    await close();
  }
});

/**
 * A browser of somebody: `{browser, page, offences, refusals, close()}`. `profile` is a directory to come back to.
 * @param {{language?: string, size?: string, dark?: boolean, profile?: string, agent?: string}} [as]
 */
export async function visitor({ language = 'en-GB', size = 'desktop', dark = false, profile, agent } = {}) {
  const own = profile ?? mkdtempSync(join(tmpdir(), 'stbcast-profile.'));
  const args = [`--lang=${language}`, `--accept-lang=${language}`, '--disable-gpu', '--disable-dev-shm-usage'];
  if (process.getuid() === 0) args.push('--no-sandbox');
  const browser = await puppeteer.launch({
    executablePath: PROGRAM, headless: true, args, userDataDir: own, defaultViewport: SIZES[size],
    env: { ...process.env, LANGUAGE: language },
  });
  const [page] = await browser.pages();
  if (agent) await page.setUserAgent(agent);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]);
  const account = await watched(page);
  const close = async () => {
    visitors.delete(visitor);
    await browser.close();
    if (!profile) rmSync(own, { recursive: true, force: true, maxRetries: 5 });
  };
  const visitor = { browser, page, close, ...account };
  visitors.add(visitor);
  return visitor;
}

/** Keeps account of a page: what it must not do, and which requests the box refused. */
export async function watched(page) {
  const offences = [], refusals = [];
  page.log = []; // its last words at the console, for who has to find out
  page.on('pageerror', (e) => offences.push(`exception: ${e.stack ?? e}`));
  page.on('dialog', (dialog) => { offences.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('console', (message) => {
    page.log = [...page.log.slice(-9), message.text()];
    // Requests that failed are in `refusals`, or the test cut the wire itself.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      offences.push(`console: ${message.text()}`);
    }
  });
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    const home = new URL(page.url() === 'about:blank' ? request.url() : page.url()).hostname;
    const local = ['data:', 'blob:', 'about:', 'chrome-error:'].includes(protocol);
    if (!local && !request.isNavigationRequest() && hostname !== home) offences.push(`request: ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) refusals.push({ status: response.status(), url: response.url() });
  });
  await page.evaluateOnNewDocument(() => {
    document.addEventListener('securitypolicyviolation', (e) => {
      console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`);
    });
  });
  return { offences, refusals };
}

/** Nothing happened that must not: no exception, no error at the console, no request elsewhere, no breach of policy. */
export function behaved({ offences }) {
  assert.deepEqual(offences, []);
}
