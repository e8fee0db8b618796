// MPEG audio layer II becomes a track that the browser plays: decoded by WebAssembly, handed on as FLAC in MP4.

import { apart } from './packets.js';
import { BLOCK, frame, init, segment } from './flac.js';

/** Of a frame that is looked for in the middle of the stream: header and the longest frame (ISO 11172-3 §2.4.3.1). */
const INPUT = 65536;
/** Time stamps that stray by less (s) are followed without a gap: they are rounded, samples are not. */
const STRAY = 0.04;

/** The decoder: minimp3 without layer III, in WebAssembly. */
export class Decoder {
  /** @param {WebAssembly.Exports} exports of mp2_decoder.wasm */
  constructor(exports) {
    this.wasm = exports;
    exports._initialize();
    this.decoder = exports.mpeg_audio_decoder_create();
    this.input = exports.malloc(INPUT);
    this.output = exports.malloc(BLOCK * 2 * 2);
    this.info = exports.malloc(24);
  }

  /** Compiles and starts it. */
  static async load(response) {
    const imports = { env: { emscripten_notify_memory_growth() {} } };
    const made = await WebAssembly.instantiate(await (await response).arrayBuffer(), imports);
    return new Decoder(made.instance.exports);
  }

  /** All frames in `data`, as stereo: `{rate, pcm}`. */
  * frames(data) {
    const { memory, mpeg_audio_decode_frame: decode } = this.wasm;
    for (let at = 0; at + 4 <= data.length; ) {
      const part = data.subarray(at, at + INPUT);
      new Uint8Array(memory.buffer, this.input, part.length).set(part);
      const samples = decode(this.decoder, this.input, part.length, this.output, this.info);
      const [, rate, channels, , , used] = new Int32Array(memory.buffer, this.info, 6);
      if (used <= 0) return;
      at += used;
      if (samples > 0) yield { rate, pcm: stereo(new Int16Array(memory.buffer, this.output, samples * channels), channels) };
    }
  }

  /** Another stream begins. */
  reset() {
    this.wasm.mpeg_audio_decoder_reset(this.decoder);
  }
}

function stereo(pcm, channels) {
  if (channels === 2) return pcm.slice();
  const both = new Int16Array(pcm.length * 2);
  pcm.forEach((sample, i) => both.fill(sample, 2 * i, 2 * i + 2));
  return both;
}

/** PES packets in, MP4 out. */
export class Track {
  /** @param {Decoder} decoder @param {(kind: 'init'|'media', data: Uint8Array) => void} give */
  constructor(decoder, give) {
    this.decoder = decoder;
    this.give = give;
    this.rate = 0;
    this.next = null; // time of the next sample, in samples
    this.sequence = 0;
    this.number = 0;
    this.run = { time: 0, frames: [] };
    decoder.reset();
  }

  /** @param {?number} pts 90 kHz @param {Uint8Array} payload @param {number} base 90 kHz: time 0 of the picture */
  push(pts, payload, base) {
    let time = pts === null ? null : apart(pts, base) / 90000;
    for (const { rate, pcm } of this.decoder.frames(payload)) {
      if (rate !== this.rate) this.begin(rate);
      const samples = pcm.length / 2;
      if (time !== null && (this.next === null || Math.abs(time - this.next / rate) > STRAY)) {
        this.flush();
        this.next = Math.round(time * rate);
      }
      time = null; // the others of this packet follow the first
      if (this.next === null) continue;
      // What is heard before the first picture is left out.
      if (this.next >= 0) {
        if (!this.run.frames.length) this.run.time = this.next;
        this.run.frames.push({ data: frame(pcm, 2, this.number), samples });
        this.number += 1;
      }
      this.next += samples;
    }
  }

  /** What the browser expects first; it may come before the first packet, with a guess. */
  begin(rate) {
    this.flush();
    this.next = null;
    this.rate = rate;
    this.give('init', init(rate, 2));
  }

  /** Hands on what is there. */
  flush() {
    if (!this.run.frames.length) return;
    this.sequence += 1;
    this.give('media', segment(this.sequence, this.run.time, this.run.frames));
    this.run = { time: 0, frames: [] };
  }
}
