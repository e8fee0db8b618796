// The channels as this browser knows them: the box's list, what is on, and what its owner made of it (favourites, the
// last one watched). Pages draw from here and hear of changes; nobody else asks the box for the list.

import { find, key } from './pinyin.js';

/** A list older than this is asked for again when somebody looks; with events it is asked for when the box says so. */
const STALE_MS = 60_000;
const STALE_WITH_EVENTS_MS = 600_000;
/** Several things change at a time: a list is asked for once. */
const PAUSE_MS = 300;
/** Times far from what the box said are not made from its clock: an event's bounds for the question "only the clock". */
const NEVER = 4294967295;

/**
 * @typedef {{title: string, start: number, duration: number}} Event
 * @typedef {{number: number, name: string, provider: string, kind: string, scrambled: boolean, available: string,
 *   components: {pid: number, codec: string, language: string|null}[], groups: string[], bouquets: string[],
 *   now: Event|null, next: Event|null, logo?: string|null, locked?: boolean, rate?: number|null}} Channel
 */

/**
 * What is on by the time `at`: where the present event is over, the next one counts as begun.
 * @param {Channel} channel
 * @param {number|null} at seconds since 1970
 * @returns {{now: Event|null, next: Event|null, progress: number|null}} progress is 0 to 1
 */
export function programme(channel, at) {
  let { now, next } = channel;
  const ends = (event) => event.start + event.duration;
  if (at !== null && now && ends(now) <= at) [now, next] = next && next.start <= at ? [next, null] : [null, next];
  if (now && next && next.start <= now.start) next = null; // told before it began
  const progress = now && at !== null && now.duration > 0 ? (at - now.start) / now.duration : null;
  return { now, next, progress: progress === null ? null : Math.min(1, Math.max(0, progress)) };
}

/**
 * What is to be known before a channel is tapped, the weightiest first: `scrambled`, `locked`, `no` (its mux cannot be
 * had), `none` (nothing here plays it), `ask` (the television is asked), `external` (another app plays it), `tuner`
 * (a free one is tuned), `free`.
 * @param {Channel} channel
 * @param {string} path what the player would take: 'mse', 'mms', 'hls', 'external', 'none'
 * @returns {string[]}
 */
export function marks(channel, path) {
  const found = [
    channel.scrambled && 'scrambled',
    channel.locked && 'locked',
    channel.available === 'no' && 'no',
    path === 'none' && 'none',
    channel.available === 'ask' && 'ask',
    path === 'external' && 'external',
    channel.available === 'tuner' && 'tuner',
  ].filter(Boolean);
  return found.length > 0 ? found : ['free'];
}

/**
 * The channel before or behind `number` of those that can be watched, from the end back to the beginning.
 * @param {Channel[]} list in order of numbers
 * @param {number} number
 * @param {1|-1} by
 * @returns {number|null}
 */
export function neighbour(list, number, by) {
  const numbers = list.filter((c) => c.available !== 'no' && !c.scrambled).map((c) => c.number);
  if (by < 0) numbers.reverse();
  const beyond = numbers.find((n) => (n - number) * by > 0);
  return beyond ?? numbers[0] ?? null;
}

/**
 * The channels that fit what was typed and chosen.
 * @param {Channel[]} list
 * @param {{typed?: string, only?: string, favourites?: Set<number>, keys?: Map<Channel, string[]>}} wish `only` is
 *   '' (all), 'favourites', 'kind:radio', 'group:News' or 'bouquet:Basic'
 */
export function chosen(list, { typed = '', only = '', favourites = new Set(), keys = new Map() }) {
  const [what, ...rest] = only.split(':');
  const value = rest.join(':');
  const fits = (channel) => {
    if (what === 'favourites') return favourites.has(channel.number);
    if (what === 'kind') return channel.kind === value;
    if (what === 'group') return channel.groups.includes(value);
    if (what === 'bouquet') return channel.bouquets.includes(value);
    return true;
  };
  const wanted = typed.trim();
  const digits = /^\d+$/.test(wanted) ? wanted.replace(/^0+(?=\d)/, '') : null;
  const isFound = (channel) => {
    if (wanted === '') return true;
    if (digits && String(channel.number).startsWith(digits)) return true;
    return find(keys.get(channel) ?? key(channel.name), wanted) >= 0;
  };
  return list.filter((channel) => fits(channel) && isFound(channel));
}

/** The model of `app`; it loads once it is asked to. */
export function createChannels(app) {
  const { api, store } = app;
  const listeners = new Set();
  let list = [];
  let byNumber = new Map();
  let keys = new Map();
  let favourites = new Set(store.get('favourites', []));
  /** What the box's clock is ahead of this browser's, in seconds; `null` while it has none. */
  let ahead = null;
  let loadedAt = -Infinity;
  let loading = null;
  let again = null;

  const tell = (change) => listeners.forEach((fn) => fn(change));

  async function fetchList() {
    const asked = Date.now();
    const [channels, guide] = await Promise.all([
      api.get('/api/v1/channels?all=1'),
      api.get(`/api/v1/epg?from=${NEVER}&until=${NEVER}`).catch(() => null),
    ]);
    if (guide?.clock) ahead = guide.clock.utc - (asked + Date.now()) / 2000;
    list = channels.channels.sort((a, b) => a.number - b.number);
    byNumber = new Map(list.map((channel) => [channel.number, channel]));
    keys = new Map(list.map((channel) => [channel, key(channel.name)]));
    loadedAt = performance.now();
    tell({ all: true });
    return list;
  }

  /** Asks the box for the list; who asks meanwhile gets the same answer. */
  function load() {
    loading ??= fetchList().finally(() => {
      loading = null;
    });
    return loading;
  }

  function loadSoon() {
    again ??= setTimeout(() => {
      again = null;
      load().catch(() => {}); // the page that shows it says that the box is silent; the next look asks again
    }, PAUSE_MS);
  }

  function look() {
    if (document.hidden || !app.session) return;
    const stale = app.events?.connected ? STALE_WITH_EVENTS_MS : STALE_MS;
    if (performance.now() - loadedAt >= stale) loadSoon();
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && !app.events?.connected) loadedAt = Math.min(loadedAt, performance.now() - STALE_MS);
    look();
  });
  addEventListener('online', () => app.session && loadSoon());
  setInterval(look, 15_000);

  const model = {
    load,
    /** The list, once: asked for where it is not there yet. */
    get ready() {
      return list.length > 0 ? Promise.resolve(list) : load();
    },
    get list() {
      return list;
    },
    get: (number) => byNumber.get(Number(number)) ?? null,
    /** Calls `fn({all: true})` or `fn({number})` after a change; the answer ends that. */
    onChange(fn) {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
    /** The time as the broadcast has it, in seconds since 1970; `null` where it tells none. */
    clock: () => (ahead === null ? null : Date.now() / 1000 + ahead),
    programme: (channel) => programme(channel, model.clock()),
    playability(channel) {
      const { path } = app.player?.can(channel) ?? { path: 'mse' };
      return { path, marks: marks(channel, path) };
    },
    chosen: (wish) => chosen(list, { ...wish, favourites, keys }),
    up: (number) => neighbour(list, number, 1),
    down: (number) => neighbour(list, number, -1),
    isFavourite: (number) => favourites.has(number),
    get favourites() {
      return [...favourites];
    },
    setFavourite(number, is) {
      if (is) favourites.add(number);
      else favourites.delete(number);
      store.set('favourites', [...favourites]);
      tell({ number, favourite: true });
    },
    forgetFavourites() {
      favourites = new Set();
      store.set('favourites', null);
      tell({ all: true });
    },
    /** The channel watched last, as long as it is there. */
    get last() {
      return byNumber.get(store.get('last')) ?? null;
    },
    /** Takes note that `number` is watched. */
    watched(number) {
      if (store.get('last') === number) return;
      store.set('last', number);
      tell({ last: true });
    },
    /** Follows what the box tells: list, tuners, what is on. */
    follow(events) {
      events.on('channels', loadSoon);
      events.on('tuners', loadSoon);
      events.on('now', ({ number, now, next }) => {
        const channel = byNumber.get(number);
        if (!channel) return;
        Object.assign(channel, { now, next });
        tell({ number });
      });
    },
  };
  load().catch(() => {}); // while the page that shows it is being loaded
  return model;
}
