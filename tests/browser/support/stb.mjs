// The box of scripts/demo, which each file of tests starts for itself, as who sits at it sees and commands it.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { scan } from './scan.mjs';

/** The checkout. */
export const root = resolve(fileURLToPath(import.meta.url), '../../../..');
const target = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');
/** Where pictures and logs go. */
export const out = join(target, 'browser');
/** Tests that take minutes are wanted, too. */
export const long = process.env.BROWSER_LONG === '1';

const place = mkdtempSync(join(tmpdir(), 'stbcast-browser.'));
const log = join(out, `${basename(process.argv[1], '.test.mjs')}.log`);
/** The box's port; the name service has the two behind it. */
export const port = 20_000 + (process.pid % 4000) * 5;
/** A secure origin. */
export const origin = `http://127.0.0.1:${port}`;

mkdirSync(out, { recursive: true });
writeFileSync(log, '');
// With a terminal of its own, as a newcomer has one.
const line = `scripts/demo --port ${port} --seconds ${long ? 3600 : 600}`;
const demo = spawn('script', ['--quiet', '--flush', '--command', line, log], {
  cwd: root, stdio: 'ignore', env: { ...process.env, TMPDIR: place },
});
const over = new Promise((done) => { demo.once('exit', done); });
process.once('exit', () => demo.kill());
after(async () => {
  demo.kill();
  await over;
  rmSync(place, { recursive: true, force: true });
});

/** All that the demo has printed. */
export const said = () => readFileSync(log, 'utf8').replaceAll('\r', '');

/**
 * Waits until `look` gives something true, and gives that.
 * @param {string} what @param {() => any} look @param {number} [most] milliseconds
 */
export async function until(what, look, most = 15_000) {
  for (const began = Date.now(); Date.now() - began < most; await sleep(50)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`waited ${most} ms for ${what}`);
}

// The first build takes minutes.
await until('the demo', () => {
  if (demo.exitCode !== null) throw new Error(`the demo ended:\n${said()}`);
  return /^PIN {3}\d{8}$/m.test(said());
}, 1_200_000);

/** Where the box is reached from its network: an insecure origin. None, if this machine has no network. */
export const lan = /serving on (http:\/\/(?!127\.)[^/\s]+)\//.exec(said())?.[1] ?? null;

/**
 * What the pairing window that is open now shows: `{link, pin, role}`, the link as a camera reads it. Each terminal that
 * was let in closes one.
 */
export async function invitation() {
  const window = await until('a pairing window', () => {
    const last = said().split(/pairing opened$/m).at(-1);
    const shown = /^link {2}(\S+)\nPIN {3}(\d{8})\nfor a terminal of role (\w+)/m.exec(last);
    return shown && !/^paired: /m.test(last) && { code: last, link: shown[1], pin: shown[2], role: shown[3] };
  });
  assert.equal(scan(window.code), window.link, 'the code leads where the link below it does');
  return window;
}

/** The same way in by another address of the box. */
export const at = (link, base) => base + link.slice(new URL(link).origin.length);

/** The box's program. */
export const stbcastd = join(target, 'debug/stbcastd');

/** A command of the box's own, or of another that `words` name by `--state`: what `stbcastd ...words` prints. */
export async function command(...words) {
  const state = readdirSync(place).find((name) => name.startsWith('stbcast-demo.'));
  const which = words.includes('--state') ? [] : ['--state', join(place, state)];
  return (await promisify(execFile)(stbcastd, [...words, ...which])).stdout;
}

/** The lines of JSON of a command. */
async function facts(...words) {
  const lines = (await command(...words, '--json')).split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line));
}

/** How many watch now. */
export const viewers = async () => (await facts('status')).at(-1).viewers;

/** Who was let in: `{slot, name, role, …}` each. */
export const terminals = async () => (await facts('terminals')).map((l) => l.terminal).filter(Boolean);
