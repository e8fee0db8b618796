import assert from 'node:assert/strict';
import test from 'node:test';
import { combed, drops } from '../../../src/web/app/player/deinterlace.js';

/** A grey picture of `size` squared by a function of place. */
function picture(size, at) {
  const rgba = new Uint8ClampedArray(size * size * 4);
  for (let y = 0; y < size; y += 1) for (let x = 0; x < size; x += 1) rgba.fill(at(x, y), (y * size + x) * 4, (y * size + x) * 4 + 4);
  return rgba;
}

test('combs are seen, edges and noise are not', () => {
  const share = (at) => combed(picture(64, at), 64, 64);
  const box = (left) => (x) => (x >= left && x < left + 20 ? 220 : 30);
  assert.ok(share((x, y) => box(y % 2 ? 20 : 26)(x)) > 0.1, 'a box that moved between the fields');
  assert.equal(share(box(20)), 0, 'a box at rest');
  assert.equal(share((x, y) => (y > 30 ? 200 : 20)), 0, 'an edge across');
  assert.equal(share((x, y) => 100 + ((x * 7 + y * 13) % 9)), 0, 'noise');
  assert.equal(share((x, y) => y * 4), 0, 'a slope');
});

test('it goes when pictures drop, not for a few nor for want of pictures', () => {
  const from = { total: 100, dropped: 0 };
  assert.equal(drops(from, { total: 150, dropped: 10 }), true);
  assert.equal(drops(from, { total: 150, dropped: 3 }), false);
  assert.equal(drops(from, { total: 110, dropped: 8 }), false);
});
