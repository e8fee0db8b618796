// Reference marking at a join (ITU-T H.264 §7.3.3.3, §8.2.5.4). The first pictures behind an open group may tell the
// decoder to let go of pictures before it, which it never had. A strict one (ffmpeg in Chromium) gives up over that. It
// makes pictures up for the numbers that are missing (§8.2.5.2), from 1 on, and they leave it as others do; so that is
// followed here, and an operation on a picture that is not there is changed into one that does nothing and has as many
// bits: nothing else moves.

/** Reads the bits of a NAL unit, without the bytes that prevent emulation (§7.4.1.1). */
class Bits {
  constructor(d, from, to) {
    Object.assign(this, { d, from, to, at: from, bit: 0, zeros: 0 });
  }

  one() {
    if (this.at >= this.to) throw new RangeError('the header goes on behind the packet');
    const value = (this.d[this.at] >> (7 - this.bit)) & 1;
    this.bit += 1;
    if (this.bit === 8) {
      this.zeros = this.d[this.at] === 0 ? this.zeros + 1 : 0;
      this.bit = 0;
      this.at += 1;
      if (this.zeros >= 2 && this.d[this.at] === 3) {
        this.at += 1;
        this.zeros = 0;
      }
    }
    return value;
  }

  u(n) {
    let value = 0;
    for (let i = 0; i < n; i += 1) value = value * 2 + this.one();
    return value;
  }

  ue() {
    let zeros = 0;
    while (this.one() === 0) zeros += 1;
    return 2 ** zeros - 1 + this.u(zeros);
  }

  /** se(v), whose value nobody needs here. */
  skip(times = 1) {
    for (let i = 0; i < times; i += 1) this.ue();
  }
}

const HIGH = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/** What of a sequence parameter set (§7.3.2.1.1) is needed to read a slice header. */
function sps(r) {
  const profile = r.u(8);
  r.u(16);
  r.ue();
  let chroma = 1;
  let planes = 0;
  if (HIGH.includes(profile)) {
    chroma = r.ue();
    if (chroma === 3) planes = r.one();
    r.skip(2);
    r.one();
    if (r.one()) return null; // scaling lists: rare, and long to read
  }
  const frameNum = r.ue() + 4;
  const pocType = r.ue();
  let poc = 0;
  let noDelta = 0;
  if (pocType === 0) poc = r.ue() + 4;
  else if (pocType === 1) {
    noDelta = r.one();
    r.skip(2);
    r.skip(r.ue());
  }
  const refs = Math.max(1, r.ue());
  r.one();
  r.skip(2);
  return { chroma: planes ? 0 : chroma, planes, frameNum, pocType, poc, noDelta, refs, frames: r.one() };
}

/** The same of a picture parameter set (§7.3.2.2). */
function pps(r) {
  r.skip(2);
  r.one();
  const bottom = r.one();
  if (r.ue()) return null; // slice groups: no broadcast has them
  const refs = [r.ue() + 1, r.ue() + 1];
  const weighted = r.one();
  const weightedB = r.u(2);
  r.skip(3);
  r.u(2);
  return { bottom, refs, weighted, weightedB, redundant: r.one() };
}

/** Puts `value` into the bits of `d` from byte `at`, bit `bit`. */
function put(d, at, bit, text) {
  [...text].forEach((digit, i) => {
    const place = at + ((bit + i) >> 3);
    const mask = 0x80 >> ((bit + i) & 7);
    d[place] = digit === '1' ? d[place] | mask : d[place] & ~mask;
  });
}

/** An operation without effect, as long as `memory_management_control_operation` 1 with a number of `bits` bits. */
function nothing(bits) {
  // Letting go of a long-term picture, or saying how many there may be, means nothing where there are none.
  return bits === 1 ? '0111' : `00101${'0'.repeat((bits - 3) / 2)}1${'0'.repeat((bits - 3) / 2)}`;
}

export class Marking {
  constructor() {
    this.sps = null;
    this.pps = null;
    /** The numbers of the pictures that the decoder holds, counted on where frame_num wraps; the newest is last. */
    this.held = [];
    this.last = null;
  }

  /** Looks through what of a picture is in one packet, and changes what has to be. */
  look(d, from, to) {
    for (let i = from; i + 4 < to; i += 1) {
      if (d[i] || d[i + 1] || d[i + 2] !== 1) continue;
      const nal = d[i + 3];
      try {
        this.unit(nal & 31, nal >> 5, new Bits(d, i + 4, to));
      } catch (why) {
        if (!(why instanceof RangeError)) throw why;
      }
      i += 3;
    }
  }

  unit(type, ref, r) {
    if (type === 7) this.sps = sps(r);
    else if (type === 8) this.pps = pps(r);
    else if (type === 1 && ref && this.sps && this.pps) this.slice(r);
  }

  slice(r) {
    const { sps: s, pps: p } = this;
    if (r.ue() !== 0) return; // the first slice of a picture says it for all
    const type = r.ue() % 5; // 0: P, 1: B, 2: I
    r.ue();
    if (s.planes) r.u(2);
    const frame = r.u(s.frameNum);
    const field = s.frames ? 0 : r.one();
    if (field) r.one();
    if (s.pocType === 0) {
      r.u(s.poc);
      if (p.bottom && !field) r.skip();
    } else if (s.pocType === 1 && !s.noDelta) r.skip(p.bottom && !field ? 2 : 1);
    if (p.redundant) r.ue();
    if (type === 1) r.one();
    if (type === 0 || type === 1) this.references(r, type);
    const same = this.last !== null && frame === this.last % 2 ** s.frameNum;
    const number = this.arrive(frame);
    if (r.one()) this.operations(r, number, field);
    else if (!same) this.slide();
    if (!same) this.held.push(number);
  }

  /** Makes up what is missing before `frame`; its number, counted on. */
  arrive(frame) {
    const count = 2 ** this.sps.frameNum;
    const number = this.last === null ? frame : this.last + ((frame - this.last) % count + count) % count;
    for (let n = (this.last ?? 0) + 1; n < number; n += 1) {
      this.slide();
      this.held.push(n);
    }
    this.last = number;
    return number;
  }

  /** The oldest goes where there is no room (§8.2.5.3). */
  slide() {
    if (this.held.length >= this.sps.refs) this.held.shift();
  }

  references(r, type) {
    const { sps: s, pps: p } = this;
    const lists = type === 1 ? 2 : 1;
    let { refs } = p;
    if (r.one()) refs = Array.from({ length: lists }, () => r.ue() + 1);
    for (let list = 0; list < lists; list += 1) {
      if (r.one()) while (r.ue() !== 3) r.ue();
    }
    if (!(type === 0 ? p.weighted : p.weightedB === 1)) return;
    r.ue();
    if (s.chroma) r.ue();
    for (let list = 0; list < lists; list += 1) {
      for (let i = 0; i < refs[list]; i += 1) {
        if (r.one()) r.skip(2);
        if (s.chroma && r.one()) r.skip(4);
      }
    }
  }

  /** The operations of picture `number`. */
  operations(r, number, field) {
    for (;;) {
      const { at, bit } = r;
      const operation = r.ue();
      if (operation === 0) return;
      const value = r.ue();
      if (operation === 3) r.ue();
      if (operation !== 1) continue;
      const place = this.held.indexOf(number - (field ? (value + 1) >> 1 : value + 1));
      if (place >= 0) {
        if (!field) this.held.splice(place, 1);
        continue;
      }
      const bits = 2 * Math.floor(Math.log2(value + 1)) + 1;
      // Next to a byte that prevents emulation nothing is changed, nor is one made necessary.
      const end = at + ((bit + 3 + bits) >> 3);
      const before = r.d.slice(at - 2, end + 3);
      put(r.d, at, bit, nothing(bits));
      if (r.at - at !== (bit + 3 + bits) >> 3 || emulates(r.d, at - 2, end + 3)) r.d.set(before, at - 2);
    }
  }
}

function emulates(d, from, to) {
  for (let i = from; i + 2 < to; i += 1) if (!d[i] && !d[i + 1] && d[i + 2] <= 3) return true;
  return false;
}
