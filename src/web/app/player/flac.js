// PCM as FLAC (RFC 9639) in fragmented MP4 (ISO 14496-12): the one form in which every browser's Media Source
// Extensions take samples that are already decoded. The samples are stored as they are.

const bytes = (...list) => Uint8Array.from(list);
const u16 = (n) => [(n >> 8) & 255, n & 255];
const u32 = (n) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
const zeros = (n) => new Array(n).fill(0);

function box(type, ...parts) {
  const size = parts.reduce((sum, part) => sum + part.length, 8);
  const out = new Uint8Array(size);
  out.set(u32(size));
  for (let i = 0; i < 4; i += 1) out[4 + i] = type.charCodeAt(i);
  let at = 8;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function table(bits, polynomial) {
  return Array.from({ length: 256 }, (_, i) => {
    let crc = i << (bits - 8);
    for (let bit = 0; bit < 8; bit += 1) crc = crc & (1 << (bits - 1)) ? (crc << 1) ^ polynomial : crc << 1;
    return crc & ((1 << bits) - 1);
  });
}
const CRC8 = table(8, 0x07);
const CRC16 = table(16, 0x8005);

/** Most samples of a channel in a frame: an MPEG audio frame of layer II. */
export const BLOCK = 1152;

/** STREAMINFO (RFC 9639 §8.2), as the last metadata block. */
function streamInfo(rate, channels) {
  return [
    0x80, 0, 0, 34, ...u16(16), ...u16(BLOCK), ...zeros(6),
    rate >> 12, (rate >> 4) & 255, ((rate & 15) << 4) | ((channels - 1) << 1), 0xf0, ...zeros(4 + 16),
  ];
}

/** The initialisation segment of a track of 16 bits a sample; its time scale is the sample rate. */
export function init(rate, channels) {
  const matrix = [0, 1, 0, 0, ...zeros(12), 0, 1, 0, 0, ...zeros(12), 64, 0, 0, 0];
  const entry = box('fLaC', zeros(6), u16(1), zeros(8), u16(channels), u16(16), zeros(4), u16(rate & 0xffff), u16(0),
    box('dfLa', zeros(4), streamInfo(rate, channels)));
  const stbl = box('stbl', box('stsd', zeros(4), u32(1), entry), box('stts', zeros(8)), box('stsc', zeros(8)),
    box('stsz', zeros(12)), box('stco', zeros(8)));
  const dinf = box('dinf', box('dref', zeros(4), u32(1), box('url ', [0, 0, 0, 1])));
  const minf = box('minf', box('smhd', zeros(8)), dinf, stbl);
  const hdlr = box('hdlr', zeros(8), [...'soun'].map((c) => c.charCodeAt(0)), zeros(13));
  const mdia = box('mdia', box('mdhd', zeros(12), u32(rate), zeros(4), [0x55, 0xc4, 0, 0]), hdlr, minf);
  const tkhd = box('tkhd', [0, 0, 0, 7], zeros(8), u32(1), zeros(20), [1, 0, 0, 0], matrix, zeros(8));
  const mvhd = box('mvhd', zeros(12), u32(rate), zeros(4), [0, 1, 0, 0, 1, 0], zeros(10), matrix, zeros(24), u32(2));
  const mvex = box('mvex', box('trex', zeros(4), u32(1), u32(1), zeros(12)));
  return join([box('ftyp', bytes(105, 115, 111, 109, 0, 0, 0, 1, 105, 115, 111, 53)), box('moov', mvhd, box('trak', tkhd, mdia), mvex)]);
}

function join(parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The frame's number as UTF-8 would code it (RFC 9639 §9.1.5), below 2^16: it may wrap, nobody seeks by it. */
function coded(n) {
  if (n < 0x80) return [n];
  if (n < 0x800) return [0xc0 | (n >> 6), 0x80 | (n & 63)];
  return [0xe0 | (n >> 12), 0x80 | ((n >> 6) & 63), 0x80 | (n & 63)];
}

/** A frame of `pcm`, interleaved 16-bit samples of `channels` channels (RFC 9639 §9). */
export function frame(pcm, channels, number) {
  const samples = pcm.length / channels;
  const header = [0xff, 0xf8, 0x70, ((channels - 1) << 4) | 0x08, ...coded(number & 0xffff), ...u16(samples - 1)];
  header.push(header.reduce((crc, byte) => CRC8[crc ^ byte], 0));
  const out = new Uint8Array(header.length + channels * (1 + 2 * samples) + 2);
  out.set(header);
  let at = header.length;
  for (let channel = 0; channel < channels; channel += 1) {
    out[at] = 0x02; // verbatim
    at += 1;
    for (let i = channel; i < pcm.length; i += channels) {
      out[at] = pcm[i] >> 8;
      out[at + 1] = pcm[i];
      at += 2;
    }
  }
  let crc = 0;
  for (let i = 0; i < at; i += 1) crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >> 8) ^ out[i]];
  out.set(u16(crc), at);
  return out;
}

/**
 * A media segment of FLAC frames that follow one another.
 * @param {number} sequence 1, 2, …
 * @param {number} time of the first sample, in samples
 * @param {{data: Uint8Array, samples: number}[]} frames
 */
export function segment(sequence, time, frames) {
  const tfdt = box('tfdt', [1, 0, 0, 0], u32(Math.floor(time / 2 ** 32)), u32(time % 2 ** 32));
  const entries = frames.flatMap((f) => [...u32(f.samples), ...u32(f.data.length)]);
  const size = 8 + 16 + 8 + 16 + tfdt.length + 20 + entries.length; // moof, mfhd, traf, tfhd, tfdt, trun
  const trun = box('trun', [0, 0, 3, 1], u32(frames.length), u32(size + 8), entries);
  const tfhd = box('tfhd', [0, 2, 0, 0], u32(1));
  const moof = box('moof', box('mfhd', zeros(4), u32(sequence)), box('traf', tfhd, tfdt, trun));
  return join([moof, box('mdat', ...frames.map((f) => f.data))]);
}
