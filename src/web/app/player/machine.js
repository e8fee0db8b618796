// What the player does when: a pure state machine. It is told events with the time, and answers with what to do.
//
//   idle ─play→ starting ─picture→ playing ─silence, network→ waiting ─picture→ playing
//     starting, waiting ─refused, undecodable→ failed      starting ─nothing may start by itself→ blocked ─tap→ starting
//     play of what no path plays → external                any ─stop→ idle
//
// Hidden and silent: after 10 s the stream is let go (its tuner with it) and taken up again when shown; hidden with sound
// goes on. No byte for 3 s: the stream is opened again, under the same viewer id, so that the box ends the former one;
// three of these tries wait no longer than that, either, as other connections may have died with the stream's.
// A decoder that gives up is rebuilt at the next place to start, twice; then the viewer is told.

/** No byte for so long (ms), and the stream is opened again. */
export const SILENCE = 3000;
/** Hidden and silent for so long (ms), and the tuner is let go. */
export const HIDDEN = 10000;
/** A picture this long (ms) after a rebuild makes the rebuilds forgotten. */
const STEADY = 30000;
/** How often a decoder is rebuilt. */
const REBUILDS = 2;
/** Waits before the tries to open again (ms); the last one repeats. */
const WAITS = [0, 1000, 2000, 4000, 8000];
/** The first bytes may take this long (ms): a tuner locks, a mux is searched. */
const FIRST = 15000;

/** Bytes without a picture for so long (ms): the decoder does not take them. */
const UNSEEN = 10000;
/** Segments come every two seconds or so: HLS that brings nothing for so long (ms) has lost its way. */
const SEGMENTS = 8000;

/** So many tries after a silence are given up soon: they may go into connections that went dead with the stream's. */
const HASTY = 3;
const isHasty = ({ silences }) => silences > 0 && silences <= HASTY;

/** How long `m` may bring nothing. */
function patience(m) {
  if (m.path === 'hls') return m.bytes ? SEGMENTS : FIRST + 10000;
  return m.bytes || isHasty(m) ? SILENCE : FIRST;
}

/** Ends of a stream that a new try mends; the others are said. */
const MENDS = ['source', 'shutdown', 'stalled', 'too-slow', 'network'];
/** Refusals that a new try may mend, though not at once; and words of those that it does not. */
const LATER = [0, 429, 500, 502, 503, 504];
const FINAL = ['no-tuner', 'tuner', 'ring'];

/** A machine that does nothing yet. */
export function start() {
  return {
    state: 'idle', number: null, path: null, why: null,
    open: false, parked: false, hidden: false, hiddenAt: 0, silent: false,
    heard: 0, bytes: false, since: 0, tries: 0, silences: 0, again: null, rebuilds: 0, pictureAt: null,
  };
}

const open = (m, now, act = 'open') => {
  Object.assign(m, { open: true, parked: false, again: null, heard: now, bytes: false });
  return [{ act, number: m.number, path: m.path }];
};

const close = (m) => {
  if (!m.open) return [];
  m.open = false;
  return [{ act: 'close' }];
};

const fail = (m, why) => {
  const acts = [{ act: 'keep-frame' }, ...close(m)];
  Object.assign(m, { state: 'failed', why, again: null, parked: false });
  return acts;
};

/** Opens again, now or a while later; the last frame stays on the screen. */
const retry = (m, now, why) => {
  const wait = WAITS[Math.min(m.tries, WAITS.length - 1)];
  m.tries += 1;
  m.state = m.pictureAt === null ? 'starting' : 'waiting';
  m.why = why;
  const acts = [{ act: 'keep-frame' }];
  if (wait === 0) return [...acts, ...open(m, now)];
  m.again = now + wait;
  return [...acts, ...close(m)];
};

/** Nothing came for too long. */
const unheard = (m, now) => {
  if (m.pictureAt !== null) m.silences += 1;
  if (isHasty(m)) m.tries = 0;
  return retry(m, now, 'network');
};

/** Somebody looks again, or the network is back: what waits does not wait longer. */
const hurry = (m, now) => {
  if (m.parked || (m.again !== null && ['starting', 'waiting'].includes(m.state))) {
    m.tries = m.silences = 0;
    m.state = m.pictureAt === null ? 'starting' : 'waiting';
    return open(m, now);
  }
  return m.open && ['playing', 'waiting'].includes(m.state) && now - m.heard > patience(m) ? unheard(m, now) : [];
};

const EVENTS = {
  play(m, now, { number, path }) {
    const acts = [{ act: 'keep-frame' }, ...(path === m.path ? [] : close(m))];
    Object.assign(m, { number, path, why: null, tries: 0, silences: 0, rebuilds: 0, pictureAt: null });
    if (path === 'external' || path === 'none') {
      Object.assign(m, { state: path === 'none' ? 'failed' : 'external', why: path === 'none' ? 'codec' : null, again: null });
      return [...acts, ...close(m), { act: 'clear' }];
    }
    m.state = 'starting';
    return [...acts, ...open(m, now)];
  },
  stop(m) {
    const acts = close(m);
    Object.assign(m, start(), { hidden: m.hidden, hiddenAt: m.hiddenAt, silent: m.silent });
    return [...acts, { act: 'clear' }];
  },
  bytes(m, now) {
    if (!m.bytes) m.since = now;
    Object.assign(m, { heard: now, bytes: true, silences: 0 });
    return [];
  },
  picture(m, now) {
    if (!m.open || m.state === 'failed') return [];
    m.pictureAt ??= now;
    Object.assign(m, { state: 'playing', why: null, tries: 0, heard: now, bytes: true });
    return [{ act: 'drop-frame' }];
  },
  // The buffer ran dry; bytes may still come.
  dry(m, now) {
    if (m.state === 'playing') Object.assign(m, { state: 'waiting', since: now });
    return [];
  },
  // Without a gesture nothing may start here.
  blocked(m) {
    if (m.state === 'starting' || m.state === 'waiting') m.state = 'blocked';
    return [];
  },
  tapped(m, now) {
    if (m.state === 'blocked') Object.assign(m, { state: 'starting', since: now });
    return [];
  },
  // The stream could not be opened.
  refused(m, now, { status, code }) {
    if (code === 'replaced' || (LATER.includes(status) && !FINAL.includes(code))) return retry(m, now, status ? 'box' : 'network');
    const acts = fail(m, code ?? ({ 401: 'signed-out', 403: 'not-allowed', 404: 'gone', 409: 'renamed' }[status] ?? 'box'));
    return code === 'parental' || code === 'ask' ? [...acts, { act: 'dialog', which: code }] : acts;
  },
  // The stream ended; `reason` is the box's word, or `network` where it knows none.
  ended(m, now, { reason }) {
    if (MENDS.includes(reason)) return retry(m, now, reason);
    const acts = fail(m, reason);
    return reason === 'parental' ? [...acts, { act: 'dialog', which: reason }] : acts;
  },
  // The decoder gave up.
  broken(m, now) {
    if (m.state === 'failed' || !m.open) return [];
    if (m.pictureAt !== null && now - m.pictureAt > STEADY) m.rebuilds = 0;
    if (m.rebuilds >= REBUILDS) return fail(m, 'decode');
    m.rebuilds += 1;
    m.state = m.pictureAt === null ? 'starting' : 'waiting';
    if (m.pictureAt !== null) m.pictureAt = now;
    return [{ act: 'keep-frame' }, ...open(m, now, 'rebuild')];
  },
  hide(m, now) {
    Object.assign(m, { hidden: true, hiddenAt: now });
    return [];
  },
  show(m, now) {
    Object.assign(m, { hidden: false, since: now });
    return hurry(m, now);
  },
  online: hurry,
  // Mute, or volume 0: hidden, it is not worth a tuner.
  silent(m, now, { silent }) {
    if (silent && !m.silent && m.hidden) m.hiddenAt = now;
    m.silent = silent;
    return [];
  },
  tick(m, now) {
    const live = ['starting', 'playing', 'waiting', 'blocked'].includes(m.state);
    if (live && m.hidden && m.silent && !m.parked && now - m.hiddenAt >= HIDDEN) {
      const acts = [{ act: 'keep-frame' }, ...close(m)];
      Object.assign(m, { parked: true, again: null, state: m.state === 'blocked' ? 'blocked' : 'waiting' });
      return acts;
    }
    if (m.again !== null && now >= m.again) return open(m, now);
    if (!m.open || !['starting', 'playing', 'waiting'].includes(m.state)) return [];
    if (now - m.heard >= patience(m)) return unheard(m, now);
    const unseen = m.state !== 'playing' && m.bytes && !m.hidden;
    return unseen && now - m.since >= UNSEEN ? EVENTS.broken(m, now) : [];
  },
};

/**
 * One step.
 * @param {ReturnType<typeof start>} machine is changed
 * @param {{type: string}} event
 * @param {number} now ms, of a clock that only goes forward
 * @returns {{act: string}[]} what is to be done, in this order: `open` and `rebuild` (with number and path), `close`,
 *   `keep-frame` and `drop-frame` (the last picture over the video), `clear`, `dialog` (`which`: parental or ask)
 */
export function step(machine, event, now) {
  return EVENTS[event.type](machine, now, event);
}
