import assert from 'node:assert/strict';
import test from 'node:test';
import { HIDDEN, SILENCE, start, step } from '../../../src/web/app/player/machine.js';

/** A machine with a clock, that notes what it was told to do. */
class Rig {
  constructor() {
    this.machine = start();
    this.now = 1000;
  }

  /** What the event makes to be done, as words. */
  tell(type, details = {}) {
    return step(this.machine, { type, ...details }, this.now).map((a) => a.act);
  }

  /** Lets `ms` pass in ticks of half a second; all that is to be done. */
  pass(ms, each = () => []) {
    const acts = [];
    for (let left = ms; left > 0; left -= 500) {
      this.now += 500;
      acts.push(...each(this), ...this.tell('tick'));
    }
    return acts;
  }

  get state() {
    return this.machine.state;
  }
}

function playing(number = 1, path = 'mse') {
  const rig = new Rig();
  assert.deepEqual(rig.tell('play', { number, path }), ['keep-frame', 'open']);
  rig.tell('bytes');
  rig.tell('picture');
  assert.equal(rig.state, 'playing');
  return rig;
}

const bytes = (rig) => rig.tell('bytes');

test('from a tap to a picture, to another channel, and away', () => {
  const rig = new Rig();
  assert.equal(rig.state, 'idle');
  rig.tell('play', { number: 5, path: 'mse' });
  assert.equal(rig.state, 'starting');
  rig.tell('bytes');
  assert.deepEqual(rig.tell('picture'), ['drop-frame']);
  assert.equal(rig.state, 'playing');
  assert.deepEqual(rig.tell('play', { number: 6, path: 'mse' }), ['keep-frame', 'open']);
  assert.equal(rig.machine.number, 6);
  assert.deepEqual(rig.tell('play', { number: 7, path: 'hls' }), ['keep-frame', 'close', 'open']);
  assert.deepEqual(rig.tell('stop'), ['close', 'clear']);
  assert.deepEqual([rig.state, rig.machine.number], ['idle', null]);
  assert.deepEqual(rig.pass(60000), [], 'idle stays idle');
});

test('what no path plays goes to another app, and lets the former stream go', () => {
  const rig = playing();
  assert.deepEqual(rig.tell('play', { number: 4, path: 'external' }), ['keep-frame', 'close', 'clear']);
  assert.equal(rig.state, 'external');
  assert.deepEqual(rig.tell('show'), []);
  assert.deepEqual(rig.pass(30000), []);
});

test('hidden and silent, the tuner is let go after ten seconds, and the same channel comes back when shown', () => {
  const rig = playing(7);
  rig.tell('silent', { silent: true });
  rig.tell('hide');
  assert.deepEqual(rig.pass(HIDDEN - 500, bytes), []);
  assert.deepEqual(rig.pass(500, bytes), ['keep-frame', 'close']);
  assert.deepEqual(rig.pass(60000), [], 'and it stays so');
  assert.deepEqual(rig.tell('show'), ['open']);
  assert.equal(rig.machine.number, 7);
  assert.equal(rig.state, 'waiting');
  rig.tell('picture');
  assert.equal(rig.state, 'playing');
});

test('hidden with sound goes on; muted there, ten seconds count from the mute', () => {
  const rig = playing();
  rig.tell('hide');
  assert.deepEqual(rig.pass(60000, bytes), []);
  rig.tell('silent', { silent: true });
  assert.deepEqual(rig.pass(HIDDEN - 500, bytes), []);
  assert.deepEqual(rig.pass(500, bytes), ['keep-frame', 'close']);
});

test('three seconds without a byte open the stream again, the last frame kept; each further try waits longer', () => {
  const rig = playing();
  assert.deepEqual(rig.pass(SILENCE - 500), []);
  assert.deepEqual(rig.pass(500), ['keep-frame', 'open']);
  assert.equal(rig.state, 'waiting');
  const gaps = [];
  for (let i = 0; i < 6; i += 1) {
    assert.deepEqual(rig.tell('refused', { status: 0 }), ['keep-frame', 'close']);
    const before = rig.now;
    while (!rig.pass(500).includes('open')) assert.ok(rig.now - before < 20000);
    gaps.push(rig.now - before);
  }
  assert.deepEqual(gaps, [1000, 2000, 4000, 8000, 8000, 8000]);
});

test('three tries after a silence are given up after three seconds, the fourth gets the time of a tuner', () => {
  const rig = playing();
  const opened = [];
  for (let ms = 0; ms < 27500; ms += 500) if (rig.pass(500).includes('open')) opened.push(ms + 500);
  assert.deepEqual(opened, [3000, 6000, 9000, 13000]);
  rig.tell('bytes');
  assert.deepEqual(rig.pass(SILENCE), ['keep-frame', 'open'], 'bytes make it begin anew');
});

test('online and pageshow do not wait for the next try, and do nothing where bytes come', () => {
  const rig = playing();
  assert.deepEqual(rig.tell('online'), []);
  for (let i = 0; i < 5; i += 1) rig.tell('refused', { status: 0 });
  assert.deepEqual(rig.tell('online'), ['open']);
  rig.tell('picture');
  rig.now += 60000; // frozen: no tick came
  assert.deepEqual(rig.tell('show'), ['keep-frame', 'open']);
});

test('the first byte may take as long as a tuner', () => {
  const rig = new Rig();
  rig.tell('play', { number: 1, path: 'mse' });
  assert.deepEqual(rig.pass(14500), []);
  assert.deepEqual(rig.pass(500), ['keep-frame', 'open']);
  assert.equal(rig.state, 'starting');
});

test('HLS may pause as long as segments do', () => {
  const rig = playing(1, 'hls');
  assert.deepEqual(rig.pass(7500), []);
  assert.deepEqual(rig.pass(500), ['keep-frame', 'open']);
});

test('a decoder is rebuilt twice, then the viewer is told; a steady picture forgives', () => {
  const rig = playing();
  assert.deepEqual(rig.tell('broken'), ['keep-frame', 'rebuild']);
  assert.deepEqual(rig.tell('broken'), ['keep-frame', 'rebuild']);
  assert.deepEqual(rig.tell('broken'), ['keep-frame', 'close']);
  assert.deepEqual([rig.state, rig.machine.why], ['failed', 'decode']);
  assert.deepEqual(rig.tell('broken'), []);

  const steady = playing();
  for (let i = 0; i < 5; i += 1) {
    assert.deepEqual(steady.tell('broken'), ['keep-frame', 'rebuild']);
    steady.tell('picture');
    steady.pass(31000, bytes);
  }
});

test('a refusal is final, or waits, or asks', () => {
  const cases = [
    [{ status: 404 }, 'failed', 'gone', ['close']],
    [{ status: 401 }, 'failed', 'signed-out', ['close']],
    [{ status: 403 }, 'failed', 'not-allowed', ['close']],
    [{ status: 403, code: 'parental' }, 'failed', 'parental', ['close', 'dialog']],
    [{ status: 409, code: 'ask' }, 'failed', 'ask', ['close', 'dialog']],
    [{ status: 409, code: 'scrambled' }, 'failed', 'scrambled', ['close']],
    [{ status: 409 }, 'failed', 'renamed', ['close']],
    [{ status: 503, code: 'no-tuner' }, 'failed', 'no-tuner', ['close']],
    [{ status: 503, code: 'ring' }, 'failed', 'ring', ['close']],
    [{ status: 503, code: 'not-yet' }, 'starting', 'box', ['open']],
    [{ status: 409, code: 'replaced' }, 'starting', 'box', ['open']],
    [{ status: 503 }, 'starting', 'box', ['open']],
    [{ status: 0 }, 'starting', 'network', ['open']],
  ];
  for (const [refusal, state, why, acts] of cases) {
    const rig = new Rig();
    rig.tell('play', { number: 1, path: 'mse' });
    const got = rig.tell('refused', refusal);
    assert.deepEqual([rig.state, rig.machine.why, got.filter((a) => a !== 'keep-frame')], [state, why, acts], JSON.stringify(refusal));
    if (state === 'failed') assert.deepEqual(rig.pass(30000), []);
  }
});

test('an end that a new try mends is mended, the others are said', () => {
  for (const reason of ['source', 'shutdown', 'stalled', 'too-slow', 'network']) {
    const rig = playing();
    assert.deepEqual(rig.tell('ended', { reason }), ['keep-frame', 'open'], reason);
    assert.equal(rig.state, 'waiting');
  }
  for (const reason of ['tv-moved', 'tv-took', 'taken', 'put-out', 'parental']) {
    const rig = playing();
    const acts = rig.tell('ended', { reason });
    assert.deepEqual(acts, ['keep-frame', 'close', ...(reason === 'parental' ? ['dialog'] : [])]);
    assert.deepEqual([rig.state, rig.machine.why], ['failed', reason]);
    assert.deepEqual(rig.pass(30000), []);
    assert.deepEqual(rig.tell('online'), [], 'and nothing but the viewer begins again');
  }
});

test('blocked until a tap; no reconnect is tried meanwhile', () => {
  const rig = new Rig();
  rig.tell('play', { number: 1, path: 'mse' });
  rig.tell('blocked');
  assert.equal(rig.state, 'blocked');
  assert.deepEqual(rig.pass(60000), []);
  rig.tell('tapped');
  rig.tell('picture');
  assert.equal(rig.state, 'playing');
});

test('a late picture does not revive what failed or stopped', () => {
  const rig = playing();
  rig.tell('ended', { reason: 'put-out' });
  assert.deepEqual(rig.tell('picture'), []);
  assert.equal(rig.state, 'failed');
  rig.tell('stop');
  rig.tell('picture');
  assert.equal(rig.state, 'idle');
});
