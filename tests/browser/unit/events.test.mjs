// The one connection that tells what happens: when it is made again.

import assert from 'node:assert/strict';
import test from 'node:test';

import { createEvents } from '../../../src/web/app/events.js';
import { mockTimers } from './timers.mjs';

/** A browser with connections that do what they are told. */
function browser(context) {
  const before = { document: globalThis.document, EventSource: globalThis.EventSource, addEventListener: globalThis.addEventListener };
  context.after(() => Object.assign(globalThis, before));
  const made = [];
  globalThis.EventSource = class extends EventTarget {
    constructor(url) {
      super();
      made.push(Object.assign(this, { url, closed: false }));
    }

    close() {
      this.closed = true;
    }

    say(name, data = {}) {
      this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
    }
  };
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
  globalThis.addEventListener = () => {};
  return made;
}

test('a connection that says nothing is made again, one that lives is not', async (context) => {
  const tick = mockTimers(context);
  const made = browser(context);
  const told = [];
  const events = createEvents({ api: { get: async () => ({}) } });
  for (const name of ['open', 'lost', 'channels']) events.on(name, () => told.push(name));
  events.start();
  made[0].say('hello', { version: '1' });
  for (let i = 0; i < 10; i++) {
    tick(15_000);
    made[0].say('alive');
  }
  assert.deepEqual([made.length, told], [1, ['open']]);
  tick(36_000);
  assert.deepEqual([made[0].closed, events.connected, told], [true, false, ['open', 'lost']]);
  tick(1_000);
  await new Promise(setImmediate);
  assert.equal(made.length, 2, 'the next one');
  made[1].say('hello', { version: '1' });
  assert.deepEqual(told, ['open', 'lost', 'open', 'channels'], 'what was missed is fetched');
});

test('one that never says a word is given up, too', async (context) => {
  const tick = mockTimers(context);
  const made = browser(context);
  createEvents({ api: { get: async () => ({}) } }).start();
  tick(36_000);
  tick(1_000);
  await new Promise(setImmediate);
  assert.deepEqual([made.length, made[0].closed], [2, true]);
});
