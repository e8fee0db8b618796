import assert from 'node:assert/strict';
import test from 'node:test';
import { chase } from '../../../src/web/app/player/ts.js';

test('the pace keeps the picture near the newest one, without a leap', () => {
  const at = (behind, rate, more = 0) => chase([[0, 100]], 100 - behind, rate, more);
  assert.deepEqual(at(1.5, 1), {});
  assert.deepEqual(at(4, 1), { rate: 1.05 });
  assert.deepEqual(at(2.5, 1.05), {}, 'it is kept until it is near');
  assert.deepEqual(at(1.5, 1.05), { rate: 1 });
  assert.deepEqual(at(0.3, 1), { rate: 0.95 });
  assert.deepEqual(at(0.8, 0.95), {});
  assert.deepEqual(at(1.1, 0.95), { rate: 1 });
  assert.deepEqual(at(4, 1, 2), {}, 'a line that stutters gets more of a buffer');
  assert.equal(at(60, 1).seek, 98.2);
});

test('gaps and the empty start are leapt over', () => {
  assert.deepEqual(chase([], 0, 1), {});
  assert.ok(Math.abs(chase([[0.4, 3]], 0, 1).seek - 0.401) < 1e-9);
  assert.ok(Math.abs(chase([[0, 3], [4, 6]], 3, 1).seek - 4.001) < 1e-9);
  assert.deepEqual(chase([[0, 3]], 3, 1), {}, 'behind the end more is to come');
});
