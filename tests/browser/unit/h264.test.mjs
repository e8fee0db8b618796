import assert from 'node:assert/strict';
import test from 'node:test';
import { Marking } from '../../../src/web/app/player/h264.js';

/** Bits as they are written: numbers of so many bits, and Exp-Golomb codes. */
class Writer {
  text = '';

  u(bits, value) {
    this.text += value.toString(2).padStart(bits, '0');
    return this;
  }

  ue(...values) {
    for (const value of values) {
      const code = (value + 1).toString(2);
      this.text += '0'.repeat(code.length - 1) + code;
    }
    return this;
  }

  /** A NAL unit with its start code; `head` is the byte with its type. */
  unit(head) {
    const bits = `${this.text}1`.padEnd(Math.ceil((this.text.length + 1) / 8) * 8, '0');
    return [0, 0, 1, head, ...bits.match(/.{8}/g).map((b) => parseInt(b, 2))];
  }
}

// Main profile, frame_num of 4 bits, POC type 2, 4 reference frames, frames only.
const sps = new Writer().u(8, 77).u(16, 40).ue(0, 0, 2, 4).u(1, 0).ue(44, 35).u(1, 1).unit(0x67);
const pps = new Writer().ue(0, 0).u(1, 1).u(1, 0).ue(0, 0, 0).u(1, 0).u(2, 0).ue(0, 0, 0).u(3, 4).unit(0x68);

/** A slice with operations of reference marking. */
function slice(type, frame, operations) {
  const w = new Writer().ue(0, type, 0).u(4, frame);
  if (type === 0) w.u(1, 0).u(1, 0);
  if (operations) w.u(1, 1).ue(...operations.flat(), 0);
  else w.u(1, 0);
  return w.ue(5, 9, 9, 9, 9, 9).unit(0x61);
}

/** The operations that are left of the last of `units`. */
function after(units) {
  const marking = new Marking();
  let last = null;
  for (const unit of units) {
    last = Uint8Array.from([0, 0, ...unit, 0, 0, 0]);
    marking.look(last, 0, last.length);
  }
  return Buffer.from(last.subarray(2, -3));
}

const start = (frame) => [[...sps, ...pps, ...slice(2, frame, null)]];

test('operations on what a decoder has stay as they are', () => {
  for (const [frame, operations] of [[9, [[1, 0]]], [9, [[1, 1], [1, 0], [1, 2]]], [3, [[1, 1], [1, 2]]]]) {
    const p = slice(0, frame + 1, operations);
    assert.ok(after([...start(frame), p]).equals(Buffer.from(p)), `${frame} ${JSON.stringify(operations)}`);
  }
});

test('an operation on what was never there becomes one without effect, and nothing moves', () => {
  // Of 4 frames the decoder makes up 6, 7 and 8 for the joined 9; 5 has slid out. At 2 it has made up 1 alone.
  for (const [frame, operations, left] of [
    [9, [[1, 4], [1, 1]], [[4, 1], [1, 1]]],
    [2, [[1, 2]], [[4, 0]]],
    [2, [[1, 9], [1, 1]], [[4, 3], [1, 1]]],
  ]) {
    const p = slice(0, frame + 1, operations);
    const got = after([...start(frame), p]);
    assert.equal(got.length, p.length);
    assert.ok(got.equals(Buffer.from(slice(0, frame + 1, left))), `${frame} ${JSON.stringify(operations)}`);
  }
});

test('what was let go once is not there again, and numbers that are missing are made up', () => {
  const gone = [...start(9), slice(0, 10, [[1, 0]]), slice(0, 11, [[1, 1]])];
  assert.ok(!after(gone).equals(Buffer.from(gone.at(-1))), 'twice the same');
  const gap = [...start(9), slice(0, 11, [[1, 0]])];
  assert.ok(after(gap).equals(Buffer.from(gap.at(-1))), '10 was made up');
  const wrap = [...start(14), slice(0, 15, null), slice(0, 0, null), slice(0, 1, [[1, 1]])];
  assert.ok(after(wrap).equals(Buffer.from(wrap.at(-1))), 'counted on over 15');
});

test('a header that goes on behind the packet, or is none, changes nothing', () => {
  const p = slice(0, 3, [[1, 2]]);
  const marking = new Marking();
  for (const unit of start(2)) marking.look(Uint8Array.from(unit), 0, unit.length);
  const cut = Uint8Array.from(p);
  marking.look(cut, 0, 5);
  assert.ok(Buffer.from(cut).equals(Buffer.from(p)));
  const noise = Uint8Array.from({ length: 184 }, (_, i) => [0, 0, 1, 0x67, 0, 0, 0, 0, 0][i % 9] ?? 0);
  new Marking().look(noise, 0, noise.length);
});
