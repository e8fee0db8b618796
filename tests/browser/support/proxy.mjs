// A wire between browser and box that can be cut, or die without a word.

import { connect, createServer } from 'node:net';

/**
 * Listens at a free port of 127.0.0.1 and passes all on to `port`.
 * `cut()` resets what goes through and refuses more until `mend()`; after `hush()` streams stay open and nothing more comes
 * through them, as behind a router that forgot them; all else works. After `forget()` nothing comes through any
 * connection that is there; new ones work.
 * `streams()` tells what was asked for below /live/ since it was called last: `{path, asked, answered}`, ms since 1970.
 */
export async function wire(port) {
  const ends = new Set();
  let whole = true;
  let requests = [];
  const open = new Map();
  const note = (what, [near, far], data) => {
    const now = performance.timeOrigin + performance.now();
    if (what === 'asked') {
      const [, path] = /^GET (\/live\/\S+)/.exec(data.subarray(0, 200).toString('latin1')) ?? [];
      open.delete(near);
      if (path) requests.push(open.set(near, { path, asked: now, far }).get(near));
    } else if (open.has(near)) {
      open.get(near).answered ??= now;
    }
  };
  const server = createServer((near) => {
    if (!whole) return near.resetAndDestroy();
    const far = connect(port, '127.0.0.1');
    const pair = [near, far];
    near.on('data', (data) => note('asked', pair, data));
    far.on('data', (data) => note('answered', pair, data));
    for (const [from, to] of [pair, [far, near]]) {
      ends.add(from);
      from.on('error', () => {});
      from.on('close', () => { open.delete(from); if (ends.delete(from)) to.destroy(); });
      from.pipe(to);
    }
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const reset = () => ends.forEach((end) => end.resetAndDestroy());
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    cut() { whole = false; reset(); },
    mend() { whole = true; },
    hush() { open.forEach(({ far }) => { far.unpipe(); far.pause(); }); },
    forget() {
      for (const end of ends) end.unpipe().pause();
      ends.clear(); // neither end hears of the other's
    },
    streams() { return requests.splice(0); },
    close() { whole = false; reset(); server.close(); },
  };
}
