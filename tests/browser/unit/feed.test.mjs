import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { frame, init, segment } from '../../../src/web/app/player/flac.js';
import { Decoder, Track } from '../../../src/web/app/player/mp2.js';
import { apart, Filter } from '../../../src/web/app/player/packets.js';

const demo = readFileSync(new URL('../../data/demo.ts', import.meta.url));
const PIDS = { video: 513, fra: 514, eng: 515 };

/** Packets of the demo mux that belong to its second service, from the third picture on that can be started at. */
function service() {
  const wanted = [PIDS.video, PIDS.fra, PIDS.eng];
  const packets = [];
  let starts = 0;
  for (let at = 0; at < demo.length; at += 188) {
    const pid = ((demo[at + 1] & 31) << 8) | demo[at + 2];
    if (pid === PIDS.video && demo[at + 3] & 0x20 && demo[at + 4] && demo[at + 5] & 0x40) starts += 1;
    if (starts >= 3 && wanted.includes(pid)) packets.push(demo.subarray(at, at + 188));
  }
  return packets;
}

/** A packet with a section. */
function packet(pid, section) {
  const p = Buffer.alloc(188, 0xff);
  p.set([0x47, 0x40 | (pid >> 8), pid & 255, 0x10, 0, ...section]);
  return p;
}

const pat = packet(0, [0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0, 0, 0, 0, 0]);
const entries = [[0x1b, 513, []], [0x03, 514, [0x0a, 4, 102, 114, 97, 0]], [0x06, 515, [0x6a, 1, 0]]]
  .flatMap(([type, pid, info]) => [type, 0xe0 | (pid >> 8), pid & 255, 0xf0, info.length, ...info]);
const pmt = packet(256, [2, 0xb0, 13 + entries.length, 0, 1, 0xc1, 0, 0, 0xe2, 1, 0xf0, 0, ...entries, 0, 0, 0, 0]);

function types(bytes) {
  const section = bytes.subarray(bytes.length - 188 + 5);
  return [12, 12 + 5, 12 + 5 + 11].map((at) => section[at]);
}

test('one audio track is left, under the type that the demuxer knows', () => {
  const filter = new Filter({ keep: [[515, 0x81]], hide: [514], mp2: null }, () => {});
  assert.deepEqual(types(filter.push(Buffer.concat([pat, pmt]))), [0x1b, 0x05, 0x81]);
  const all = new Filter({ keep: [], hide: [], mp2: null }, () => {});
  assert.deepEqual(types(all.push(Buffer.concat([pat, pmt]))), [0x1b, 0x03, 0x06]);
});

test('packets come out whole however the bytes come in', () => {
  const stream = Buffer.concat([pat, pmt, ...service().slice(0, 300)]);
  const reference = Buffer.from(new Filter({ keep: [], hide: [514], mp2: null }, () => {}).push(stream));
  for (const size of [1, 7, 187, 189, 4096]) {
    const filter = new Filter({ keep: [], hide: [514], mp2: null }, () => {});
    const out = [];
    for (let at = 0; at < stream.length; at += size) out.push(filter.push(stream.subarray(at, at + size)));
    // A map that lies in two pieces of the stream is written to all the same: packets wait until they are whole.
    assert.ok(Buffer.concat(out).equals(reference), `pieces of ${size}`);
  }
});

test('leading pictures of an open group stay out, all others go on', () => {
  const stream = service();
  const filter = new Filter({ keep: [], hide: [], mp2: null }, () => {});
  const out = Buffer.from(filter.push(Buffer.concat(stream)));
  const times = [];
  for (let at = 0; at < out.length; at += 188) {
    const pid = ((out[at + 1] & 31) << 8) | out[at + 2];
    const from = at + 4 + (out[at + 3] & 0x20 ? 1 + out[at + 4] : 0);
    if (pid === PIDS.video && out[at + 1] & 0x40) {
      const p = out.subarray(from + 9, from + 14);
      times.push((p[0] & 0x0e) * 2 ** 29 + (p[1] << 22) + ((p[2] & 0xfe) << 14) + (p[3] << 7) + (p[4] >> 1));
    }
  }
  assert.ok(times.length > 400, `${times.length} pictures`);
  assert.ok(times.every((time) => time >= times[0]), 'none is shown before the first');
  const gone = stream.length - out.length / 188;
  assert.ok(gone > 0 && gone < 60, `${gone} packets of leading pictures`);
});

test('a place to start can be passed over', () => {
  const stream = Buffer.concat(service());
  const [first, second, third] = [0, 1, 2].map((skip) => {
    const filter = new Filter({ keep: [], hide: [], mp2: null, skip }, () => {});
    filter.push(stream);
    return filter.first;
  });
  assert.ok(apart(second, first) > 0 && apart(third, second) > 0);
});

test('a clock that jumps is noticed, one that wraps or has a hole is not', () => {
  const picture = (dts) => {
    const stamp = (t, mark) => [mark | (Math.floor(t / 2 ** 30) % 8) * 2, (t / 2 ** 22) & 255, ((t / 2 ** 14) & 254) | 1, (t / 2 ** 7) & 255, ((t * 2) & 254) | 1];
    const time = (dts + 2 ** 33) % 2 ** 33;
    const p = Buffer.alloc(188, 0xff);
    p.set([0x47, 0x42, 1, 0x10, 0, 0, 1, 0xe0, 0, 0, 0x80, 0xc0, 10, ...stamp(time, 0x31), ...stamp(time, 0x11), 0, 0, 0, 1, 9]);
    return p;
  };
  const jumps = (...times) => {
    const filter = new Filter({ keep: [], hide: [], mp2: null }, () => {});
    filter.push(Buffer.concat(times.map((t) => picture(t * 90000))));
    assert.equal(filter.base, (times[0] * 90000 + 2 ** 33) % 2 ** 33);
    return filter.jumped;
  };
  assert.equal(jumps(10, 10.04, 10.08), false);
  assert.equal(jumps(10, 10.04, 15), false, 'a hole');
  assert.equal(jumps(-0.06, -0.02, 0.02), false, 'a wrap');
  assert.equal(jumps(10, 10.04, 3), true);
  assert.equal(jumps(10, 10.04, 3600), true);
});

test('clocks of 33 bits wrap', () => {
  assert.equal(apart(5, 2 ** 33 - 5), 10);
  assert.equal(apart(2 ** 33 - 5, 5), -10);
  assert.equal(apart(900, 300), 600);
});

test('MPEG audio becomes a track, every frame of it, in time', async () => {
  const wasm = readFileSync(new URL('../../../src/web/vendor/mp2_decoder.wasm', import.meta.url));
  const decoder = await Decoder.load(new Response(wasm));
  const given = [];
  const track = new Track(decoder, (kind, data) => given.push([kind, data]));
  let packets = 0;
  const filter = new Filter({ keep: [], hide: [514, 515], mp2: 514 }, (pts, payload) => {
    packets += 1;
    if (filter.base !== null) track.push(pts, payload, filter.base);
  });
  filter.push(Buffer.concat(service()));
  track.flush();
  assert.equal(given[0][0], 'init');
  assert.ok(packets > 150 && track.number > packets * 4.5, `${track.number} frames in ${packets} packets`);
  const media = given.filter(([kind]) => kind === 'media');
  assert.equal(media.length, 1, 'without a hole it is one run');
  // The first sound is at most a frame behind the first picture; 1152 samples a frame at 48 kHz.
  const view = new DataView(media[0][1].buffer);
  const tfdt = Buffer.from(media[0][1].buffer).indexOf('tfdt');
  const first = Number(view.getBigUint64(tfdt + 8));
  assert.ok(first >= 0 && first <= 1152, `${first} samples`);
});

test('FLAC frames carry their samples and their check sums', () => {
  const pcm = Int16Array.from({ length: 2304 }, (_, i) => (i * 37) % 30000 - 15000);
  const data = frame(pcm, 2, 300);
  assert.deepEqual([data[0], data[1]], [0xff, 0xf8]);
  const crc = data.reduce((sum, byte) => {
    let next = sum ^ (byte << 8);
    for (let bit = 0; bit < 8; bit += 1) next = next & 0x8000 ? ((next << 1) ^ 0x8005) & 0xffff : (next << 1) & 0xffff;
    return next;
  }, 0);
  assert.equal(crc, 0, 'over a frame with its check sum it is 0');
  const view = new DataView(data.buffer);
  const body = data.length - 2 - 2 * (1 + 2 * 1152);
  assert.equal(data[body], 2);
  for (const i of [0, 1, 1151]) {
    assert.equal(view.getInt16(body + 1 + 2 * i), pcm[2 * i]);
    assert.equal(view.getInt16(body + 1 + 2 * 1152 + 1 + 2 * i), pcm[2 * i + 1]);
  }
  const made = segment(1, 2 ** 33, [{ data, samples: 1152 }]);
  assert.ok(Buffer.from(made).subarray(-data.length).equals(Buffer.from(data)));
  assert.ok(Buffer.from(init(48000, 2)).includes('fLaC'));
});
