// The player itself: the state machine's hands. One <video> for the whole session; pages mount its box.

import { Deinterlacer } from './deinterlace.js';
import { askTelevision, askPin } from './dialogs.js';
import { HlsEngine } from './hls.js';
import { start, step } from './machine.js';
import { decide, listening, probe, tracks } from './paths.js';
import { Presence } from './presence.js';
import { TsEngine } from './ts.js';
import { makeBox } from './box.js';

/** The machine's clock ticks so often (ms). */
const TICK = 500;
/** An end that the box noted longer ago (s) is of another stream. */
const RECENT = 15;

export class Player {
  constructor(app) {
    this.app = app;
    this.machine = start();
    this.machine.hidden = document.hidden;
    this.listeners = new Map();
    this.channel = null;
    this.wanted = null; // a number without a channel, as yet
    this.way = { path: 'none', audio: null, why: null };
    this.soundOnly = false;
    this.forced = false; // muted because nothing was tapped
    this.plays = false; // a pause that nobody asked for is the system's
    this.turn = 0;
    this.viewer = `w-${Math.random().toString(36).slice(2, 12)}${Date.now().toString(36)}`;
    this.box = makeBox(app, this);
    this.video = this.box.video;
    this.caps = remembering(probe(this.video));
    this.video.volume = app.store.get('volume', 1);
    this.video.muted = app.store.get('muted', false);
    const ts = new TsEngine(this.video, (type, details) => this.heard(type, details));
    const hls = new HlsEngine(this.video, (type, details) => this.heard(type, details));
    this.engines = { mse: ts, mms: ts, hls };
    this.fields = new Deinterlacer(this.video, this.box.fields, () => this.emit('state'));
    this.presence = new Presence(this);
    this.listen();
    if (this.caps.paths.some((path) => path !== 'hls')) {
      const soon = window.requestIdleCallback ?? ((fn) => setTimeout(fn, 500));
      soon(() => ts.prepare().catch(() => {}));
    }
    setInterval(() => this.tell('tick'), TICK);
    this.box.update();
  }

  get state() {
    return this.machine.state;
  }

  get number() {
    return this.machine.number;
  }

  /** Calls `fn` at each `event`: 'state' or 'channel'; the answer ends that. */
  on(event, fn) {
    if (!this.listeners.has(event)) this.listeners.set(event, new Set());
    this.listeners.get(event).add(fn);
    return () => this.listeners.get(event).delete(fn);
  }

  emit(event) {
    this.box.update();
    this.listeners.get(event)?.forEach((fn) => fn());
  }

  /** How `channel` would be played here: `{path, audio, why}`, as paths.js decides. */
  can(channel, audio = null) {
    const { store } = this.app;
    return decide(channel, this.caps, { prefer: store.get('path'), language: store.get('audio-language'), audio });
  }

  /**
   * Plays channel `number` instead of what is played. Within a tap (`gesture`) it starts with sound.
   * @param {{gesture?: boolean, audio?: ?number, soundOnly?: boolean}} [wish] `audio`: an index of its components
   */
  play(number, { gesture = false, audio = null, soundOnly = false } = {}) {
    const channel = this.app.channels?.get(number);
    if (!channel) return this.playLater(number, { gesture, soundOnly });
    const other = channel.number !== this.channel?.number;
    this.channel = channel;
    this.soundOnly = soundOnly;
    this.way = this.can(this.shown, audio);
    this.gesture = gesture;
    if (gesture && this.forced) this.sound();
    this.tell('play', { number: channel.number, path: this.way.path });
    if (other) this.emit('channel');
    return undefined;
  }

  /** A link leads here before the list is there. */
  async playLater(number, wish) {
    const turn = ++this.turn;
    this.wanted = number;
    const listed = await Promise.resolve(this.app.channels?.ready).then(() => true, () => false);
    if (turn !== this.turn) return;
    if (this.app.channels?.get(number)) this.play(number, wish);
    else {
      Object.assign(this, { channel: null, way: { path: 'none', audio: null, why: null } });
      this.machine.number = number;
      this.tell('refused', { status: 404, code: listed ? null : 'network' });
      this.emit('channel');
    }
  }

  /** The channel as it is asked for: with its picture or without. */
  get shown() {
    return this.soundOnly ? listening(this.channel) : this.channel;
  }

  /** Ends the stream; the box shows nothing. */
  stop() {
    this.turn += 1;
    this.tell('stop');
    this.plays = false;
    this.video.pause();
  }

  /** The same again: after a failure, a stop, a tap where nothing may start by itself. */
  again(gesture = true) {
    if (this.state === 'blocked') {
      this.tell('tapped');
      this.sound();
      this.startVideo();
    } else if (this.channel) {
      this.play(this.channel.number, { gesture, audio: this.way.audio, soundOnly: this.soundOnly });
    } else if (this.wanted) {
      this.play(this.wanted, { gesture });
    }
  }

  /** The channel above (1) or below (-1). */
  zap(by) {
    const from = this.number ?? this.channel?.number ?? 0;
    const number = by > 0 ? this.app.channels?.up(from) : this.app.channels?.down(from);
    if (number === null || number === undefined) return;
    this.play(number, { gesture: true });
    if (document.body.dataset.page === 'play') this.app.go(`#/play/${number}`);
  }

  /** The audio tracks that can be chosen: `{index, codec, language, chosen}`. */
  get audioTracks() {
    if (!this.channel) return [];
    const { components } = this.shown;
    return tracks(this.shown, this.way.path, this.caps)
      .map((index) => ({ ...components[index], index, chosen: index === this.way.audio }));
  }

  chooseAudio(track) {
    if (track.language) this.app.store.set('audio-language', track.language);
    this.play(this.channel.number, { gesture: true, audio: track.index, soundOnly: this.soundOnly });
  }

  /** Sound where it was muted because nothing had been tapped. */
  sound() {
    this.forced = false;
    this.video.muted = false;
    this.app.store.set('muted', false);
    if (this.video.volume === 0) this.video.volume = 1;
  }

  mute(muted) {
    this.forced = false;
    this.video.muted = muted;
    this.app.store.set('muted', muted);
  }

  setVolume(volume) {
    this.video.volume = Math.min(1, Math.max(0, volume));
    if (volume > 0 && this.video.muted) this.mute(false);
    this.app.store.set('volume', this.video.volume);
  }

  /** Puts the box into `slot`; without one into the corner, as long as something plays. */
  mount(slot) {
    this.box.mount(slot);
  }

  tell(type, details = {}) {
    const { state, why } = this.machine;
    for (const act of step(this.machine, { type, ...details }, performance.now())) this.act(act);
    if (this.machine.state !== state || this.machine.why !== why || type === 'play') this.emit('state');
  }

  act({ act, which }) {
    if (act === 'open' || act === 'rebuild') this.begin(act === 'rebuild' ? 1 : 0);
    else if (act === 'close') this.end();
    else if (act === 'keep-frame') this.box.keepFrame();
    else if (act === 'drop-frame') this.shownUp();
    else if (act === 'clear') this.box.clear();
    else if (which === 'parental') askPin(this.app, () => this.again());
    else askTelevision(this.app, this.channel, () => this.again());
  }

  /** Takes up the stream; `skip`: at so many places to start behind the first. */
  begin(skip) {
    const turn = ++this.turn;
    const engine = this.engines[this.machine.path];
    this.refresh();
    this.fields.end();
    for (const other of new Set(Object.values(this.engines))) if (other !== engine) other.stop();
    const go = () => {
      engine.start(this.url(), this.shown, this.way.audio, skip);
      this.startVideo();
    };
    if (engine.ready) {
      go();
      return;
    }
    if (this.gesture) this.video.play().catch(() => {}); // within the tap; what is to be played comes a moment later
    engine.prepare().then(() => turn === this.turn && go(), () => turn === this.turn && this.tell('refused', { status: 0 }));
  }

  /** What is in the channel may have changed since it was tapped. */
  refresh() {
    const channel = this.app.channels?.get(this.number);
    if (!channel || channel === this.channel) return;
    this.channel = channel;
    const way = this.can(this.shown, this.way.audio);
    if (way.path === this.machine.path) this.way = way;
  }

  end() {
    this.turn += 1;
    this.plays = false;
    this.fields.end();
    for (const engine of new Set(Object.values(this.engines))) engine.stop();
  }

  url() {
    const { number, stream } = this.channel;
    const wanted = this.machine.path === 'hls' ? stream.replace(`/live/${number}.ts`, `/live/${number}/index.m3u8`) : stream;
    return `${wanted}&v=${this.viewer}${this.soundOnly ? '&tracks=audio' : ''}`;
  }

  async startVideo() {
    const turn = this.turn;
    this.plays = true;
    const untouched = !this.gesture && navigator.userActivation?.hasBeenActive === false;
    if (untouched && !this.video.muted) this.quiet();
    try {
      await this.video.play();
    } catch (why) {
      if (turn !== this.turn || why.name !== 'NotAllowedError') return;
      if (this.video.muted) {
        this.tell('blocked');
        return;
      }
      this.quiet();
      await this.video.play().catch((again) => turn === this.turn && again.name === 'NotAllowedError' && this.tell('blocked'));
    }
  }

  /** Without a tap there is no sound. */
  quiet() {
    this.forced = true;
    this.video.muted = true;
  }

  /** There is a picture, or sound. */
  shownUp() {
    this.box.dropFrame();
    if (this.video.videoWidth && !this.fields.running) this.fields.begin();
    this.app.channels?.watched?.(this.number);
  }

  /** What an engine tells. */
  async heard(type, details) {
    const turn = this.turn;
    if (type === 'bytes' || type === 'dry') return this.tell(type);
    if (type === 'broken') {
      console.warn('player:', details.why);
      return this.tell('broken');
    }
    if (type === 'ended') {
      const reason = await this.reason();
      return turn === this.turn && this.tell('ended', { reason });
    }
    if (details.status === 401) {
      // The cookie may be gone: asked for anything, the app signs in again, or leads to the pair page.
      const known = await this.app.api.get('/api/v1/session').then(() => true, () => false);
      if (turn === this.turn) this.tell('refused', known ? { status: 0 } : details);
      return undefined;
    }
    if (details.status === 409 && !details.code) this.app.channels?.load?.();
    return turn === this.turn && this.tell('refused', details);
  }

  async reason() {
    try {
      const { reason, ago_s: ago } = await this.app.api.get(`/api/v1/ended?v=${this.viewer}`);
      return ago <= RECENT ? reason : 'network';
    } catch (why) {
      return why.status === 401 ? 'put-out' : 'network';
    }
  }

  listen() {
    const { video } = this;
    const silent = () => {
      this.tell('silent', { silent: video.muted || video.volume === 0 });
      this.box.update();
    };
    video.addEventListener('volumechange', silent);
    silent();
    video.addEventListener('playing', () => this.machine.open && this.tell('picture'));
    video.addEventListener('timeupdate', () => {
      if (this.machine.state === 'waiting' && video.readyState >= 3 && !video.paused && this.machine.open) this.tell('picture');
    });
    video.addEventListener('pause', () => this.paused());
    document.addEventListener('visibilitychange', () => (document.hidden ? this.tell('hide') : this.back()));
    addEventListener('pageshow', ({ persisted }) => persisted && this.back());
    document.addEventListener('resume', () => !document.hidden && this.back());
    addEventListener('online', () => this.tell('online'));
    addEventListener('pagehide', ({ persisted }) => {
      if (!persisted) this.end();
      else this.tell('hide');
    });
  }

  back() {
    this.tell('silent', { silent: this.video.muted || this.video.volume === 0 });
    this.tell('show');
    if (this.machine.open && this.video.paused && this.plays) this.startVideo();
  }

  /** The system paused: headphones were pulled, a call came, its lock screen was tapped, the page went away. */
  paused() {
    if (!this.plays || !this.machine.open || this.video.ended || this.video.seeking) return;
    if (document.hidden) this.tell('silent', { silent: true });
    else if (this.state === 'playing') this.stop();
  }
}

/** Asking a browser what it decodes takes a while; it does not change its mind. */
function remembering(caps) {
  const known = new Map();
  const once = (ask) => (mime) => {
    const key = `${ask.name}${mime}`;
    if (!known.has(key)) known.set(key, ask(mime));
    return known.get(key);
  };
  const { type, native } = caps;
  return { ...caps, type: once(function source(mime) { return type(mime); }), native: once(function element(mime) { return native(mime); }) };
}
