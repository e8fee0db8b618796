// MPEG-TS through Media Source Extensions (or ManagedMediaSource): mpegts.js demuxes in its worker what feed.js fetches.

import { flacName, selection } from './paths.js';

/** Behind the newest picture (s): the pace is quickened above the first, until the second. */
const BEHIND = 3.5;
const NEAR = 1.8;
const QUICK = 1.05;
/** So near (s) that the next delay would be seen: the pace is slowed below the first, until the second. */
const TIGHT = 0.5;
const AMPLE = 1;
const SLOW = 0.95;
/** Further behind than this (s), a jump is kinder than minutes of quickened sound. */
const LOST = 12;
/** Each time the buffer ran dry, that much more (s) is kept of it, up to so much. */
const MORE = 0.8;
const MOST = 4;
/** Before the first picture a browser gets so long (ms) to begin by itself: some do where one track begins later. */
const GRACE = globalThis.chrome ? 800 : 200;
/** How often (ms) the place in the buffer is looked at; more often until there is a picture. */
const LOOK = 250;
const LOOK_SOON = 30;

/** Where the time should go, for a buffer `[start, end][]` and `now` in it: `{seek}`, `{rate}` or neither. */
export function chase(ranges, now, rate, more = 0) {
  if (!ranges.length) return {};
  const end = ranges.at(-1)[1];
  const inside = ranges.some(([from, to]) => now >= from - 0.001 && now < to);
  if (!inside) {
    const next = ranges.find(([from]) => from > now);
    // Over a gap, or into the buffer; at the end of it more is to come.
    return next ? { seek: next[0] + 0.001 } : {};
  }
  const behind = end - now;
  if (behind > LOST) return { seek: end - NEAR - more };
  if (behind > BEHIND + more) return { rate: QUICK };
  if (behind < TIGHT + more) return { rate: SLOW };
  const settled = rate > 1 ? behind < NEAR + more : behind > AMPLE + more;
  return rate !== 1 && settled ? { rate: 1 } : {};
}

/**
 * What runs in the worker before the demuxer. It stands in a string, as the worker is made of one: the demuxer asks for
 * its stream by `fetch`, and gets it of feed.js.
 */
const before = (feed) => `{
  const feed = import(${JSON.stringify(feed)}), get = fetch.bind(self);
  let gen = 0;
  addEventListener('message', ({ data }) => {
    if ('gen' in data) { gen = data.gen; feed.then((f) => f.stop(), () => {}); }
  });
  self.fetch = (url, options) => { const g = gen; return feed.then((f) => f.open(get, url, options, g)); };
}`;

let library = null;

/** Loads mpegts.js, once. It makes a Blob of its worker while it loads; what is to run before goes into that. */
export function load() {
  library ??= (async () => {
    const Real = self.Blob;
    const feed = new URL('./feed.js', import.meta.url).href;
    self.Blob = class extends Real {
      constructor(parts, options) {
        const script = options?.type?.startsWith('text/javascript');
        super(script ? [before(feed), ...parts] : parts, options);
      }
    };
    try {
      return await import('../mpegts.js');
    } finally {
      self.Blob = Real;
    }
  })();
  library.catch(() => {
    library = null; // the next try loads it again
  });
  return library;
}

/** Plays MPEG-TS on `video`; tells `on(type, details)`: bytes, refused, ended, broken, dry. */
export class TsEngine {
  constructor(video, on) {
    this.video = video;
    this.on = on;
    this.player = null;
    this.turn = 0;
    this.more = 0;
    this.topic = `stb-feed-${Math.random().toString(36).slice(2)}`;
    this.heard = new BroadcastChannel(this.topic);
    this.heard.onmessage = ({ data }) => data.turn === this.turn && this.tell(data);
    this.timer = null;
    video.addEventListener('error', () => this.open && this.on('broken', { why: video.error?.message }));
    video.addEventListener('waiting', () => {
      const { buffered, currentTime } = video;
      if (!this.open || this.soon || (buffered.length && buffered.end(buffered.length - 1) - currentTime > 0.3)) return;
      this.more = Math.min(MOST, this.more + MORE);
      this.on('dry');
    });
    video.addEventListener('playing', () => {
      this.soon = false;
    });
  }

  tell({ bytes, refused, ended }) {
    if (bytes) this.on('bytes', { bytes });
    if (refused) this.on('refused', refused);
    if (ended) this.on('ended', { why: ended });
  }

  /** True where `start` begins at once, within a tap. */
  get ready() {
    return this.player !== null;
  }

  /** Has the library there before the first tap. */
  async prepare() {
    if (this.player) return;
    const { createPlayer } = await load();
    if (this.player) return;
    this.player = createPlayer(this.video, { liveSync: false, bufferCleanupMaxBackward: 30, bufferCleanupMinBackward: 10 });
    this.player.on('error', (error) => this.open && this.on('broken', { why: `${error.detail} ${error.info ?? ''}` }));
  }

  /**
   * Begins `url`, instead of what is played. `channel` and `audio` say what is in it and which audio component is wanted;
   * `skip` places to start are passed over: the decoder gave up there.
   */
  start(url, channel, audio, skip = 0) {
    this.turn += 1;
    this.open = true;
    this.soon = true;
    this.since = null;
    this.more = Math.max(0, this.more - MORE);
    this.video.playbackRate = 1;
    const scope = self.MediaSource ?? self.ManagedMediaSource;
    const wish = { topic: this.topic, turn: this.turn, flac: flacName((mime) => scope.isTypeSupported(mime)), skip, ...selection(channel, audio) };
    const address = new URL(url, location.href);
    address.hash = encodeURIComponent(JSON.stringify(wish));
    this.player.loadSegments([{ url: address.href }]);
    this.look();
  }

  /** Keeps near the newest picture. */
  look() {
    clearTimeout(this.timer);
    if (!this.open) return;
    const { buffered, currentTime, playbackRate } = this.video;
    const ranges = Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
    const { seek, rate } = chase(ranges, currentTime, playbackRate, this.more);
    if (ranges.length) this.since ??= performance.now();
    const patient = this.soon && performance.now() - this.since < GRACE;
    const moves = currentTime !== this.was && seek - currentTime < LOST; // it finds its way
    this.was = currentTime;
    if (seek !== undefined && !patient && !moves) this.video.currentTime = seek;
    if (rate !== undefined) this.video.playbackRate = rate;
    this.timer = setTimeout(() => this.look(), this.soon ? LOOK_SOON : LOOK);
  }

  /** Lets the stream go; the tuner with it. */
  stop() {
    if (!this.open) return;
    this.open = false;
    this.turn += 1;
    clearTimeout(this.timer);
    this.player?.destroy();
    this.player = null;
    this.prepare().catch(() => {}); // it is there when it is wanted again
  }
}
