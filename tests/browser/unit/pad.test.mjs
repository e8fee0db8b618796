// Digits make a number: when it is complete, and what it leads to.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAUSE_MS, dialled, gather } from '../../../src/web/app/pad.js';
import { mockTimers } from './timers.mjs';

const list = [1, 2, 10, 105, 1050].map((number) => ({ number, name: `C${number}` }));

test('a number is complete when no further digit leads elsewhere', () => {
  const at = (typed) => {
    const { channel, more } = dialled(list, typed);
    return [channel?.number ?? null, more];
  };
  assert.deepEqual(at('1'), [1, true]);
  assert.deepEqual(at('2'), [2, false]);
  assert.deepEqual(at('10'), [10, true]);
  assert.deepEqual(at('105'), [105, true]);
  assert.deepEqual(at('1050'), [1050, false]);
  assert.deepEqual(at('002'), [2, false]);
  assert.deepEqual(at('7'), [null, false]);
  assert.deepEqual(at(''), [null, false]);
});

test('1-0-5 waits for its pause, 2 does not, an unknown number ends in nothing', (context) => {
  const tick = mockTimers(context);
  const ended = [];
  const shown = [];
  const digits = gather(
    { channels: { list } },
    { show: (typed) => shown.push(typed), done: (channel, typed) => ended.push([channel?.number ?? null, typed]) },
  );
  [...'105'].forEach(digits.push);
  tick(PAUSE_MS - 1);
  assert.deepEqual(ended, []);
  tick(1);
  assert.deepEqual(ended, [[105, '105']]);
  assert.deepEqual(shown, ['1', '10', '105', '']);
  digits.push('2');
  assert.deepEqual(ended.pop(), [2, '2'], 'at once');
  [...'77'].forEach(digits.push);
  tick(PAUSE_MS);
  assert.deepEqual(ended.pop(), [null, '77']);
  [...'19'].forEach(digits.push);
  digits.back();
  digits.end();
  assert.deepEqual(ended.pop(), [1, '1']);
  digits.push('1');
  digits.clear();
  tick(PAUSE_MS);
  assert.equal(ended.length, 1);
});
