// MPEG-TS on its way to the demuxer: the programme map is left with one audio track, MPEG audio is taken out, and so are
// pictures that nobody can decode.
// ISO 13818-1: §2.4.3.2 packets, §2.4.3.6 PES, §2.4.4.4 PAT, §2.4.4.9 PMT.

import { Marking } from './h264.js';

const PACKET = 188;
/** A stream_type that the demuxer passes over: sections. */
const HIDDEN = 0x05;
/** A picture that is decoded so much (90 kHz) before or behind the last one belongs to another clock. */
const BACK = 90000;
const AHEAD = 20 * 90000;
/** Behind so many pictures in their order no leading one comes. */
const TRAILING = 16;
/** A PES packet of MPEG audio is well below this; what is longer is damaged. */
const PES_MAX = 65536 + 6;

/** 33 bits of a PTS or DTS at `at`. */
function timestamp(d, at) {
  return (d[at] & 0x0e) * 0x20000000 + (d[at + 1] << 22) + ((d[at + 2] & 0xfe) << 14) + (d[at + 3] << 7) + (d[at + 4] >> 1);
}

/** The difference of two 33-bit clocks, across a wrap. */
export function apart(a, b) {
  const d = a - b;
  if (d > 2 ** 32) return d - 2 ** 33;
  return d < -(2 ** 32) ? d + 2 ** 33 : d;
}

/** Rewrites a programme. Whole packets come out; `onPes` has each PES packet of the MPEG audio that was chosen. */
export class Filter {
  /**
   * @param {{keep: number[][], hide: number[], mp2: ?number, h264?: ?number, skip?: number}} selection of paths.js;
   *   `skip`: so many places to start are passed over, where the stream marks them
   * @param {(pts: ?number, payload: Uint8Array) => void} onPes
   */
  constructor({ keep, hide, mp2, skip = 0, h264 = null }, onPes) {
    this.h264 = h264;
    this.types = new Map([...hide.map((pid) => [pid, HIDDEN]), ...keep]);
    this.mp2 = mp2;
    this.skip = skip;
    this.passing = null; // the PID of the pictures that are passed over
    this.onPes = onPes;
    /** The DTS (90 kHz) of the first picture: where the demuxer's time begins. */
    this.base = null;
    /** The PID and the PTS of that picture. */
    this.video = null;
    this.first = 0;
    this.leading = false;
    this.decoded = null; // the last DTS
    /** The clock jumped: what follows does not fit what was there. */
    this.jumped = false;
    this.trailing = 0;
    this.marking = null; // of H.264 alone
    this.rest = new Uint8Array(0);
    this.pmt = null;
    this.section = null;
    this.pes = new Uint8Array(PES_MAX);
    this.filled = 0;
  }

  /** The packets that are whole with these bytes, in a buffer of their own. */
  push(bytes) {
    const all = new Uint8Array(this.rest.length + bytes.length);
    all.set(this.rest);
    all.set(bytes, this.rest.length);
    if (this.section) this.section.type = -1; // what it points at has left
    let at = 0;
    let end = 0;
    for (; at + PACKET <= all.length; ) {
      if (all[at] === 0x47) {
        if (this.packet(all, at)) {
          if (end !== at) all.copyWithin(end, at, at + PACKET);
          end += PACKET;
        }
        at += PACKET;
      } else {
        at += 1;
      }
    }
    this.rest = all.slice(at);
    return all.slice(0, end);
  }

  /** Whether the packet at `at` goes on. */
  packet(d, at) {
    const pid = ((d[at + 1] & 0x1f) << 8) | d[at + 2];
    const begins = (d[at + 1] & 0x40) !== 0;
    if ((d[at + 3] & 0x10) === 0) return true;
    const from = at + 4 + (d[at + 3] & 0x20 ? 1 + d[at + 4] : 0);
    const to = at + PACKET;
    if (from >= to) return true;
    if (pid === this.video) return this.follows(d, from, to, begins);
    if (begins && this.skip > 0 && this.passes(d, at, from, pid)) return false;
    if (pid === this.passing) return false;
    if (pid === 0 && begins) this.pat(d, from, to);
    else if (pid === this.pmt) this.map(d, from, to, begins);
    else if (pid === this.mp2) this.audio(d, from, to, begins);
    else if (begins && this.video === null) this.picture(d, from, to, pid);
    return true;
  }

  pat(d, from, to) {
    for (let i = from + 1 + d[from] + 8; i + 8 <= to; i += 4) {
      if (d[i] === 0xff && d[i + 1] === 0xff) return;
      if (d[i] | d[i + 1]) {
        this.pmt = ((d[i + 2] & 0x1f) << 8) | d[i + 3];
        return;
      }
    }
  }

  /** Walks through the map byte by byte, as it may lie in several packets. */
  map(d, from, to, begins) {
    let i = from;
    if (begins) {
      i += 1 + d[from];
      this.section = { n: 0, length: 3, info: 0, entry: 0, pid: 0, skip: 0, type: -1 };
    }
    const s = this.section;
    for (; s && i < to; i += 1) {
      const byte = d[i];
      if (s.n === 1) s.length = (byte & 0x0f) << 8;
      else if (s.n === 2) s.length += byte + 3;
      else if (s.n === 10) s.info = (byte & 0x0f) << 8;
      else if (s.n === 11) s.info += byte;
      else if (s.n >= 12 + s.info && s.n < s.length - 4) this.component(s, d, i);
      s.n += 1;
      if (s.n >= 3 && s.n >= s.length) this.section = null;
      if (!this.section) return;
    }
  }

  component(s, d, i) {
    const byte = d[i];
    if (s.entry === 5) {
      s.skip -= 1;
      if (s.skip === 0) s.entry = 0;
      return;
    }
    if (s.entry === 0) s.type = i;
    else if (s.entry === 1) s.pid = (byte & 0x1f) << 8;
    else if (s.entry === 2) {
      const type = this.types.get(s.pid | byte);
      if (type !== undefined && s.type >= 0) d[s.type] = type;
    } else if (s.entry === 3) s.skip = (byte & 0x0f) << 8;
    else s.skip += byte;
    s.entry += 1;
    if (s.entry === 5 && s.skip === 0) s.entry = 0;
  }

  /** A place to start carries the random_access_indicator (§2.4.3.5), and is passed over as often as was asked. */
  passes(d, at, from, pid) {
    const video = d[from] === 0 && d[from + 1] === 0 && d[from + 2] === 1 && (d[from + 3] & 0xf0) === 0xe0;
    if (!video) return false;
    const marked = d[at + 3] & 0x20 && d[at + 4] > 0 && d[at + 5] & 0x40;
    if (this.passing === null && !marked) this.skip = 0; // it marks none
    else if (this.passing === null) this.passing = pid;
    else if (marked) this.skip -= 1;
    if (this.skip === 0) this.passing = null;
    return this.passing !== null;
  }

  /** Video stream_ids are 0xe0 to 0xef. */
  picture(d, from, to, pid) {
    if (to - from < 19 || d[from] || d[from + 1] || d[from + 2] !== 1 || (d[from + 3] & 0xf0) !== 0xe0) return;
    if (!(d[from + 7] & 0x80)) return;
    this.video = pid;
    this.first = timestamp(d, from + 9);
    this.base = d[from + 7] & 0x40 ? timestamp(d, from + 14) : this.first;
    if (pid !== this.h264) return;
    this.marking = new Marking();
    this.marking.look(d, from, to);
  }

  /**
   * Of an open group of pictures the first ones in time lean on the group before, which is not there: decoders may give
   * up over them, so they stay out (the leading pictures of ISO 14496-15 §3.1).
   */
  follows(d, from, to, begins) {
    if (begins && to - from >= 19 && d[from + 7] & 0x80) {
      this.leading = this.near && apart(timestamp(d, from + 9), this.first) < 0;
      const decoded = timestamp(d, from + (d[from + 7] & 0x40 ? 14 : 9));
      const since = apart(decoded, this.decoded ?? decoded);
      this.jumped ||= since < -BACK || since > AHEAD;
      this.decoded = decoded;
    }
    if (begins && !this.leading && this.near) {
      this.trailing += 1;
      this.marking?.look(d, from, to);
    }
    return !this.leading;
  }

  /** Leading pictures come before the others in the stream. */
  get near() {
    return this.trailing < TRAILING;
  }

  audio(d, from, to, begins) {
    if (begins) this.filled = 0;
    else if (this.filled === 0) return;
    if (this.filled + to - from > PES_MAX) {
      this.filled = 0;
      return;
    }
    this.pes.set(d.subarray(from, to), this.filled);
    this.filled += to - from;
    const p = this.pes;
    if (this.filled < 9) return;
    const length = (p[4] << 8) | p[5];
    if (p[0] || p[1] || p[2] !== 1) this.filled = 0;
    if (length === 0 || this.filled < length + 6) return;
    const header = 9 + p[8];
    this.filled = 0;
    if (length + 6 > header) this.onPes(p[7] & 0x80 ? timestamp(p, 9) : null, p.slice(header, length + 6));
  }
}
