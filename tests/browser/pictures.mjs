// Makes the pictures of the README in tests/pictures: a phone that watches, and two plots of what is measured here.
//
//   node --test tests/browser/pictures.mjs     some minutes; best on a machine that does nothing else

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { choose, go, pairByLink, plays, prefer } from './support/app.mjs';
import { visitor } from './support/browser.mjs';
import { bars, line } from './support/plot.mjs';
import { wire } from './support/proxy.mjs';
import { command, origin, port, root, stbcastd, until } from './support/stb.mjs';
import { median, timekeeper } from './support/time.mjs';

const place = join(root, 'tests/pictures');
const MACHINE = `${cpus().length} cores of ${cpus()[0].model.trim() || process.arch}, test build, loopback`;
const MOST = 200_000;

before(() => mkdirSync(place, { recursive: true }));

function keep(name, bytes) {
  writeFileSync(join(place, name), bytes);
  assert.ok(statSync(join(place, name)).size < MOST / 2, name);
}

test('a phone', async () => {
  const own = await visitor({ size: 'phone', dark: true });
  await pairByLink(own.page, origin);
  await choose(own.page, 1);
  await plays(own.page, 1);
  await go(own.page, 'channels');
  await sleep(2000);
  await own.page.setViewport({ ...own.page.viewport(), deviceScaleFactor: 1.5 });
  await plays(own.page, 1);
  keep('phone.webp', await own.page.screenshot({ type: 'webp', quality: 70 }));
  await own.close();
});

/** Medians of a zap's stages: what the app takes, what the box takes, and what is the browser's. */
async function stages(page, spy, path, [one, other]) {
  await prefer(page, path);
  const seen = [[], [], []];
  for (let i = 0; i < 42; i++) {
    const number = i % 2 === 0 ? other : one;
    await page.evaluate(() => { window.times.tap = window.times.picture = null; });
    spy.streams();
    await choose(page, number);
    if (i > 1 && number === one) {
      await page.waitForFunction(() => window.times.picture !== null);
      const at = await page.evaluate(() => [window.times.tap, window.times.picture].map((t) => t + performance.timeOrigin));
      const { asked, answered } = spy.streams().at(-1);
      const app = asked - at[0], box = answered - asked;
      [app, box, at[1] - at[0] - app - box].forEach((ms, k) => seen[k].push(ms));
    }
    await plays(page, number, { hasPicture: number !== 3 });
  }
  return seen.map(median);
}

test('from the tap to the picture', async (t) => {
  const own = await visitor({ size: 'phone' });
  const spy = await wire(new URL(origin).port);
  await timekeeper(own.page);
  await pairByLink(own.page, spy.origin);
  const rows = [
    { name: 'MPEG-TS', values: await stages(own.page, spy, 'mse', [1, 3]) },
    { name: 'HLS', values: await stages(own.page, spy, 'hls', [1, 3]) },
  ];
  t.diagnostic(JSON.stringify(rows));
  const names = ['the app', 'the box', 'the browser'];
  keep('zap.svg', bars('From the tap to the picture', names, rows, 'ms', `medians of 20 zaps from the radio to channel 1, whose ring is warm; ${MACHINE}`));
  await own.close();
  spy.close();
});

/** Seconds of processor time that a process has used. */
function used(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

test('processor by viewers', async (t) => {
  const state = mkdtempSync(join(tmpdir(), 'stbcast-pictures.'));
  // The demo's second service, 21 times as fast, has 10 Mbit/s with its tables.
  const source = `file:${join(root, 'tests/data/demo.ts')}?loop&speed=21`;
  const listen = `127.0.0.1:${port + 3}`;
  const stb = spawn(stbcastd, ['run', '--state', state, '--source', source, '--listen', listen, '--log', 'error']);
  const ask = (...words) => command(...words, '--state', state).catch(() => '');
  try {
    const url = (await until('a link', () => ask('link', '2', '--connections', '0', '--ttl', '1h'))).trim();
    const points = [];
    for (const many of [1, 2, 5, 10, 20, 30]) {
      let bytes = 0;
      const agent = new http.Agent();
      const viewers = Array.from({ length: many }, () => http.get(url, { agent }, (reply) => {
        reply.on('data', (data) => { bytes += data.length; });
        reply.on('error', () => {});
      }).on('error', () => {}));
      await sleep(3000);
      const [before, began, had] = [used(stb.pid), performance.now(), bytes];
      await sleep(10_000);
      const seconds = (performance.now() - began) / 1000;
      const mbits = ((bytes - had) * 8) / seconds / many / 1e6;
      points.push([many, ((used(stb.pid) - before) / seconds) * 100]);
      t.diagnostic(`${many} viewers of ${mbits.toFixed(1)} Mbit/s: ${points.at(-1)[1].toFixed(1)} % of a core`);
      assert.ok(mbits > 9, 'each gets all of it');
      viewers.forEach((viewer) => viewer.destroy());
      await sleep(500);
    }
    const axes = ['viewers of 10 Mbit/s each', '% of one core'];
    keep('viewers.svg', line('What viewers cost the box', points, axes, `10 s each; ${MACHINE}`));
  } finally {
    stb.kill();
    rmSync(state, { recursive: true, force: true });
  }
});
