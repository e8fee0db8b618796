// Codes that a reader of another maker read; each version's layout is held by one of them.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';

import { qr } from '../../../src/web/app/qr.js';

const text = (modules) => modules.map((row) => row.map((dark) => (dark ? '#' : '.')).join('')).join('\n');

test('the smallest is drawn module for module', () => {
  const wanted = `
#######..#.##.#######
#.....#.##.#..#.....#
#.###.#.##..#.#.###.#
#.###.#..#.#..#.###.#
#.###.#.#...#.#.###.#
#.....#.#..##.#.....#
#######.#.#.#.#######
........#####........
##.#..##.##...###.##.
#.##.#.##.#...##....#
#..####..#..##....#.#
#...#....###...#.#...
.#.#..####..#.###...#
........#.##.....#.##
#######.#.#..#.###.#.
#.....#..#####..#...#
#.###.#..#.#..#.....#
#.###.#.##.#....#..##
#.###.#...#.#..###..#
#.....#.###..##.#....
#######.#.###...##.#.`;
  assert.equal(`\n${text(qr('stbcast'))}`, wanted);
});

test('alignment patterns, version bits and several blocks are where readers look', () => {
  for (const [length, size, hash] of [
    [134, 41, '416529248ded6c39'],
    [300, 61, '4b7534cb5655a923'],
    [520, 77, 'a5233918ad007b80'],
  ]) {
    const modules = qr('x'.repeat(length));
    assert.equal(modules.length, size);
    assert.equal(createHash('sha256').update(text(modules)).digest('hex').slice(0, 16), hash, `${length} bytes`);
  }
});

test('what is too long is none', () => {
  assert.ok(qr('x'.repeat(520)));
  assert.equal(qr('x'.repeat(521)), null);
});
