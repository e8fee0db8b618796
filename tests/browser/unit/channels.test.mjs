// What the list makes of channels: what is on, which marks they get, who is next, what is found.

import assert from 'node:assert/strict';
import test from 'node:test';

import { chosen, marks, neighbour, programme } from '../../../src/web/app/channels.js';

const channel = (number, more = {}) => ({
  number,
  name: `Channel ${number}`,
  kind: 'tv',
  scrambled: false,
  available: 'now',
  groups: [],
  bouquets: [],
  now: null,
  next: null,
  ...more,
});

const numbers = (list) => list.map((c) => c.number);

test('an event that is over makes way for the next', () => {
  const now = { title: 'a', start: 1000, duration: 100 };
  const next = { title: 'b', start: 1100, duration: 200 };
  const at = (time, more) => {
    const shown = programme(channel(1, { now, next, ...more }), time);
    return [shown.now?.title, shown.next?.title, shown.progress];
  };
  assert.deepEqual(at(1000), ['a', 'b', 0]);
  assert.deepEqual(at(1025), ['a', 'b', 0.25]);
  assert.deepEqual(at(990), ['a', 'b', 0]);
  assert.deepEqual(at(1100), ['b', undefined, 0]);
  assert.deepEqual(at(1200), ['b', undefined, 0.5]);
  assert.deepEqual(at(1100, { next: { ...next, start: 1300 } }), [undefined, 'b', null]);
  assert.deepEqual(at(1100, { next: null }), [undefined, undefined, null]);
  assert.deepEqual(at(null), ['a', 'b', null]);
  assert.deepEqual(at(1000, { now: { ...now, duration: 0 }, next: null }), [undefined, undefined, null]);
});

test('the weightiest mark comes first, and free is said when there is no other', () => {
  assert.deepEqual(marks(channel(1), 'mse'), ['free']);
  assert.deepEqual(marks(channel(1, { available: 'tuner' }), 'hls'), ['tuner']);
  assert.deepEqual(marks(channel(1, { available: 'ask' }), 'external'), ['ask', 'external']);
  assert.deepEqual(marks(channel(1, { available: 'no', scrambled: true }), 'none'), ['scrambled', 'no', 'none']);
  assert.deepEqual(marks(channel(1, { locked: true }), 'mse'), ['locked']);
});

test('up and down go round and pass what cannot be watched', () => {
  const list = [
    channel(1),
    channel(2, { scrambled: true }),
    channel(3, { available: 'no' }),
    channel(10, { available: 'ask' }),
    channel(105),
  ];
  assert.deepEqual([1, 10, 105, 4, 200].map((n) => neighbour(list, n, 1)), [10, 105, 1, 10, 1]);
  assert.deepEqual([1, 10, 105, 4, 0].map((n) => neighbour(list, n, -1)), [105, 1, 10, 1, 105]);
  assert.equal(neighbour([], 1, 1), null);
});

test('search and filter work together', () => {
  const list = [
    channel(1, { name: 'CCTV-1 综合', groups: ['央视'] }),
    channel(10, { name: '浙江卫视', bouquets: ['Basic: A'] }),
    channel(105, { name: 'Radio 1', kind: 'radio' }),
  ];
  const favourites = new Set([10, 105]);
  const by = (typed, only) => numbers(chosen(list, { typed, only, favourites }));
  assert.deepEqual(by('', ''), [1, 10, 105]);
  assert.deepEqual(by('1', ''), [1, 10, 105]);
  assert.deepEqual(by('010', ''), [10, 105], 'digits begin a number; leading zeros do not count');
  assert.deepEqual(by('105', ''), [105]);
  assert.deepEqual(by('zj', ''), [10]);
  assert.deepEqual(by('radio', ''), [105]);
  assert.deepEqual(by('', 'favourites'), [10, 105]);
  assert.deepEqual(by('zj', 'favourites'), [10]);
  assert.deepEqual(by('', 'kind:radio'), [105]);
  assert.deepEqual(by('', 'group:央视'), [1]);
  assert.deepEqual(by('', 'bouquet:Basic: A'), [10]);
  assert.deepEqual(by('nothing like it', ''), []);
});
