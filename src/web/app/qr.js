// Draws a QR code (ISO/IEC 18004) of a link: bytes, error correction level L, versions 1 to 15, which hold 520 bytes.

import { svg } from './dom.js';

/** Of each version, at level L: codewords in all, of them for error correction in a block, blocks. */
const TOTAL = [26, 44, 70, 100, 134, 172, 196, 242, 292, 346, 404, 466, 532, 581, 655];
const CORRECTION = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22];
const BLOCKS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6];

/** The masks of §7.8.2. */
const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/**
 * The modules of the code, row by row; true is dark.
 * @param {string} text
 * @returns {boolean[][]|null} `null` where it is too long
 */
export function qr(text) {
  const bytes = new TextEncoder().encode(text);
  const version = TOTAL.findIndex((_, i) => bytes.length + (i < 9 ? 2 : 3) <= capacity(i + 1)) + 1;
  if (version === 0) return null;
  const codewords = interleaved(packed(bytes, version), version);
  const drawn = MASKS.map((_, mask) => draw(codewords, version, mask));
  const costs = drawn.map(penalty);
  return drawn[costs.indexOf(Math.min(...costs))];
}

const capacity = (version) => TOTAL[version - 1] - CORRECTION[version - 1] * BLOCKS[version - 1];

/** Mode, length, bytes, end and padding (§7.4). */
function packed(bytes, version) {
  const bits = [];
  const push = (value, count) => {
    for (let i = count - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  push(4, 4);
  push(bytes.length, version < 10 ? 8 : 16);
  bytes.forEach((byte) => push(byte, 8));
  push(0, Math.min(4, capacity(version) * 8 - bits.length));
  push(0, -bits.length & 7);
  for (let pad = 0xec; bits.length < capacity(version) * 8; pad ^= 0xec ^ 0x11) push(pad, 8);
  return Array.from({ length: bits.length / 8 }, (_, i) => parseInt(bits.slice(i * 8, i * 8 + 8).join(''), 2));
}

/** Multiplies in the field of 256 with x⁸ + x⁴ + x³ + x² + 1. */
function times(a, b) {
  let product = 0;
  for (let i = 7; i >= 0; i--) product = (product << 1) ^ ((product >> 7) * 0x11d) ^ (((b >> i) & 1) * a);
  return product;
}

/** Reed and Solomon's remainder of `data`. */
function correction(data, degree) {
  const divisor = Array(degree).fill(0);
  divisor[degree - 1] = 1;
  for (let i = 0, root = 1; i < degree; i++, root = times(root, 2)) {
    for (let j = 0; j < degree; j++) divisor[j] = times(divisor[j], root) ^ (divisor[j + 1] ?? 0);
  }
  const rest = Array(degree).fill(0);
  for (const byte of data) {
    const factor = byte ^ rest.shift();
    rest.push(0);
    divisor.forEach((coefficient, i) => {
      rest[i] ^= times(coefficient, factor);
    });
  }
  return rest;
}

/** The blocks, a codeword of each in turn (§7.6). */
function interleaved(data, version) {
  const count = BLOCKS[version - 1];
  const short = Math.floor(data.length / count);
  const shorter = count - (data.length % count);
  const blocks = Array.from({ length: count }, (_, i) => {
    const from = i * short + Math.max(0, i - shorter);
    return data.slice(from, from + short + (i < shorter ? 0 : 1));
  });
  const ends = blocks.map((block) => correction(block, CORRECTION[version - 1]));
  const inTurn = (parts) => Array.from({ length: short + 1 }, (_, i) => parts.map((part) => part[i])).flat();
  const checks = Array.from({ length: CORRECTION[version - 1] }, (_, i) => ends.map((end) => end[i])).flat();
  return [...inTurn(blocks).filter((codeword) => codeword !== undefined), ...checks];
}

/** Remainder bits of a BCH code, behind its value. */
function bch(value, bits, generator) {
  let rest = value;
  for (let i = 0; i < bits; i++) rest = (rest << 1) ^ ((rest >> (bits - 1)) * generator);
  return (value << bits) | rest;
}

function draw(codewords, version, mask) {
  const size = version * 4 + 17;
  const dark = Array.from({ length: size }, () => Array(size).fill(false));
  const fixed = Array.from({ length: size }, () => Array(size).fill(false));
  const set = (x, y, is) => {
    dark[y][x] = Boolean(is);
    fixed[y][x] = true;
  };
  const square = (cx, cy, radius, rings) => {
    for (let dy = -radius; dy <= radius; dy++) {
      for (let dx = -radius; dx <= radius; dx++) {
        const [x, y] = [cx + dx, cy + dy];
        if (x >= 0 && y >= 0 && x < size && y < size) set(x, y, rings.includes(Math.max(Math.abs(dx), Math.abs(dy))));
      }
    }
  };
  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  const centres = alignments(version, size);
  centres.forEach((x, i) => {
    centres.forEach((y, j) => {
      const isCorner = (i === 0 && j === 0) || (i === 0 && j === centres.length - 1) || (i === centres.length - 1 && j === 0);
      if (!isCorner) square(x, y, 2, [0, 2]);
    });
  });
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) square(x, y, 4, [0, 1, 3]);
  describe(set, version, mask, size);
  fill(codewords, dark, fixed, size, MASKS[mask]);
  return dark;
}

function alignments(version, size) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.floor((version * 8 + count * 3 + 5) / (count * 4 - 4)) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, i) => size - 7 - step * (count - 2 - i))];
}

/** Format and version (§7.9, §7.10). */
function describe(set, version, mask, size) {
  const format = bch((1 << 3) | mask, 10, 0x537) ^ 0x5412;
  const bit = (i) => (format >> i) & 1;
  for (let i = 0; i < 15; i++) {
    const near = i < 6 ? i : i < 8 ? i + 1 : 14 - i + (i === 8 ? 1 : 0);
    if (i < 8) set(8, near, bit(i));
    else set(near, 8, bit(i));
    if (i < 8) set(size - 1 - i, 8, bit(i));
    else set(8, size - 15 + i, bit(i));
  }
  set(8, size - 8, true);
  if (version < 7) return;
  const number = bch(version, 12, 0x1f25);
  for (let i = 0; i < 18; i++) {
    const [a, b] = [size - 11 + (i % 3), Math.floor(i / 3)];
    set(a, b, (number >> i) & 1);
    set(b, a, (number >> i) & 1);
  }
}

/** The codewords in pairs of columns, up and down, from the right (§7.7.3). */
function fill(codewords, dark, fixed, size, mask) {
  let i = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      for (const x of [right, right - 1]) {
        const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
        if (fixed[y][x]) continue;
        const bit = i < codewords.length * 8 ? (codewords[i >> 3] >> (7 - (i & 7))) & 1 : 0;
        dark[y][x] = Boolean(bit) !== mask(x, y);
        i += 1;
      }
    }
  }
}

/** How hard it is to read (§7.8.3): long runs, blocks, one colour more than the other. */
function penalty(dark) {
  const size = dark.length;
  let cost = 0;
  for (const at of [(a, b) => dark[a][b], (a, b) => dark[b][a]]) {
    for (let a = 0; a < size; a++) {
      for (let b = 1, run = 1; b <= size; b++) {
        if (b < size && at(a, b) === at(a, b - 1)) run += 1;
        else {
          if (run >= 5) cost += run - 2;
          run = 1;
        }
      }
    }
  }
  for (let y = 1; y < size; y++) {
    for (let x = 1; x < size; x++) {
      const same = dark[y][x];
      if (dark[y - 1][x] === same && dark[y][x - 1] === same && dark[y - 1][x - 1] === same) cost += 3;
    }
  }
  const share = dark.flat().filter(Boolean).length / (size * size);
  return cost + Math.floor(Math.abs(share - 0.5) * 20) * 10;
}

/** The code as a picture, black on white with its quiet zone whatever the colours of the page; `null` if too long. */
export function drawQr(text, label) {
  const modules = qr(text);
  if (!modules) return null;
  const side = modules.length + 8;
  const d = modules.flatMap((row, y) => row.map((is, x) => (is ? `M${x + 4} ${y + 4}h1v1h-1z` : ''))).join('');
  return svg(
    'svg',
    { class: 'qr', viewBox: `0 0 ${side} ${side}`, role: 'img', 'aria-label': label, 'shape-rendering': 'crispEdges' },
    svg('rect', { width: side, height: side, fill: '#fff' }),
    svg('path', { d, fill: '#000' }),
  );
}
