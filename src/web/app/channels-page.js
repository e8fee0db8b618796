// The channels, as on the television: the last one large, then all of them, found by number, name or initials.

import { freeDot, hue, logo, onNow, pills, rate } from './channel-tile.js';
import { button, el, replace, say } from './dom.js';
import { icon } from './icons.js';
import { openPad, zap } from './pad.js';

/** Bars move so often. */
const TICK_MS = 10_000;

/** Where the list was left: the channel that was tapped, to come back to. */
let leftAt = null;

/** Shows the list. */
export async function show(root, app) {
  const { t, channels } = app;
  const state = { typed: '', only: app.store.get('filter', '') };
  const rows = new Map();
  let big = null;
  const list = el('ul', { class: 'channels', 'aria-label': t('channels.title') });
  const hero = el('div', { class: 'hero-place' });
  const none = el('p', { class: 'muted none', hidden: true });
  const bar = toolbar(app, state, filter);
  replace(root, el('h1', { class: 'unseen' }, t('channels.title')), bar.node, hero, list, none);
  list.addEventListener('click', tapped);
  hero.addEventListener('click', tapped);
  root.addEventListener('keydown', moved);

  if (channels.list.length === 0) replace(list, Array.from({ length: 8 }, () => el('li', { class: 'channel ghost' })));
  await channels.ready;
  draw();
  comeBack();

  const stop = channels.onChange((change) => {
    if (change.all) draw();
    else if (change.last) drawHero();
    else changed(change);
  });
  const timer = setInterval(() => {
    if (!document.hidden) for (const row of [...rows.values(), big]) row?.update();
  }, TICK_MS);

  return {
    leave() {
      stop();
      clearInterval(timer);
      bar.leave();
    },
  };

  /** Draws the list anew; rows stay, so that nothing jumps. */
  function draw() {
    const fresh = [];
    for (const channel of channels.list) {
      const row = rows.get(channel.number) ?? makeRow(app, channel.number);
      row.draw(channel);
      rows.set(channel.number, row);
      fresh.push(row.node);
    }
    const there = new Set(channels.list.map((channel) => channel.number));
    for (const number of rows.keys()) if (!there.has(number)) rows.delete(number);
    if (fresh.length !== list.children.length || fresh.some((node, i) => node !== list.children[i])) {
      const focused = document.activeElement?.closest?.('.channel')?.dataset.number;
      list.replaceChildren(...fresh);
      if (focused) rows.get(Number(focused))?.link.focus({ preventScroll: true });
    }
    bar.draw();
    filter();
    drawHero();
  }

  function changed({ number, favourite }) {
    const row = rows.get(number);
    row?.update();
    if (favourite) {
      row?.star();
      if (state.only === 'favourites') filter();
    }
    if (big?.number === number) big.update();
  }

  function filter() {
    const found = channels.chosen(state);
    const shown = new Set(found.map((channel) => channel.number));
    for (const [number, row] of rows) row.node.hidden = !shown.has(number);
    const isAll = state.typed === '' && state.only === '';
    hero.hidden = !isAll;
    none.hidden = found.length > 0;
    none.textContent = t(why());
    if (state.typed) say(t('channels.found', { n: found.length }));
    return found;
  }

  function why() {
    if (channels.list.length === 0) return 'channels.none';
    return state.only === 'favourites' && !state.typed ? 'channels.noFavourites' : 'channels.notFound';
  }

  function drawHero() {
    const last = channels.last;
    const channel = last ?? channels.list.find((c) => c.kind === 'tv' && c.available !== 'no' && !c.scrambled);
    if (!channel) big = null;
    else if (big?.number !== channel.number) big = makeHero(app, channel.number);
    big?.draw(channel, Boolean(last));
    if (hero.firstChild !== (big?.node ?? null)) replace(hero, big?.node);
  }

  function tapped(event) {
    const link = event.target.closest('a[data-channel]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    leftAt = { number: Number(link.dataset.channel), y: scrollY };
    zap(app, leftAt.number);
  }

  /** Arrows walk through the list; Enter in the search plays what was found first. */
  function moved(event) {
    const isSearch = event.target.matches('input[type=search]');
    if (isSearch && event.key === 'Enter') {
      const [first] = filter();
      if (first) zap(app, first.number);
      return;
    }
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || event.target.matches('select')) return;
    const links = [...root.querySelectorAll('a[data-channel]')].filter((a) => a.offsetParent !== null);
    const at = links.indexOf(document.activeElement?.closest('.channel, .hero')?.querySelector('a[data-channel]'));
    if (at < 0 && by < 0) return;
    const to = links[at + by];
    event.preventDefault();
    if (to) to.focus();
    else if (by < 0) bar.focus();
  }

  function comeBack() {
    const row = rows.get(leftAt?.number);
    if (!row) return;
    scrollTo(0, leftAt.y);
    row.link.focus({ preventScroll: true });
    leftAt = null;
  }
}

/** Search, number pad, filters. */
function toolbar(app, state, filter) {
  const { t, channels, store } = app;
  const input = el('input', {
    class: 'field',
    type: 'search',
    placeholder: t('channels.search'),
    'aria-label': t('channels.search'),
    autocomplete: 'off',
    spellcheck: 'false',
    enterkeyhint: 'go',
    oninput() {
      state.typed = input.value;
      filter();
    },
  });
  const pad = button(icon('pad'), () => openPad(app), { class: 'square', 'aria-label': t('pad.title'), title: t('pad.title') });
  const chips = el('div', { class: 'chips', role: 'group', 'aria-label': t('channels.filter') });
  const node = el('div', { class: 'finder' }, el('div', { class: 'search' }, input, pad), chips);

  function choose(only) {
    state.only = only;
    store.set('filter', only || null);
    draw();
    filter();
  }

  function draw() {
    const has = (kind) => channels.list.some((channel) => channel.kind === kind);
    const kinds = ['tv', 'radio', 'data'].filter(has);
    const of = (key) => [...new Set(channels.list.flatMap((channel) => channel[key]))];
    const known = ['', 'favourites', ...kinds.map((kind) => `kind:${kind}`)];
    const groups = of('groups').map((name) => [`group:${name}`, name]);
    const bouquets = of('bouquets').map((name) => [`bouquet:${name}`, name]);
    known.push(...[...groups, ...bouquets].map(([value]) => value));
    if (channels.list.length > 0 && !known.includes(state.only)) state.only = '';
    const chip = (only, ...words) =>
      button(words, () => choose(only), { class: 'chip', 'aria-pressed': String(state.only === only) });
    const focused = document.activeElement?.closest?.('.chips') && [...chips.children].indexOf(document.activeElement);
    replace(
      chips,
      chip('', t('channels.all')),
      chip('favourites', icon('star'), el('span', { class: 'unseen' }, t('channels.favourites'))),
      kinds.length > 1 && kinds.map((kind) => chip(`kind:${kind}`, t(`kind.${kind}`))),
      groups.length + bouquets.length > 0 && select(groups, bouquets),
    );
    if (typeof focused === 'number' && focused >= 0) chips.children[focused]?.focus();
  }

  function select(groups, bouquets) {
    const options = (all) => all.map(([value, name]) => el('option', { value, selected: value === state.only }, name));
    const part = (label, all) => all.length > 0 && el('optgroup', { label }, options(all));
    const isChosen = /^(group|bouquet):/.test(state.only);
    return el(
      'select',
      {
        class: `button chip ${isChosen ? 'chosen' : ''}`,
        'aria-label': t('channels.groups'),
        onchange: (event) => choose(event.target.value),
      },
      el('option', { value: '' }, t('channels.groups')),
      part(t('channels.group'), groups),
      part(t('channels.bouquet'), bouquets),
    );
  }

  function slash(event) {
    if (event.key !== '/' || event.target.closest('input, select, textarea, dialog')) return;
    event.preventDefault();
    input.focus();
  }
  addEventListener('keydown', slash);
  draw();
  return { node, draw, focus: () => input.focus(), leave: () => removeEventListener('keydown', slash) };
}

/**
 * One channel of the list. Its elements stay as long as it does, and are filled anew where the box says something else:
 * who has a finger on it meanwhile still taps it.
 */
function makeRow(app, number) {
  const now = onNow(app, number);
  const measured = el('span', { class: 'rate muted' });
  const link = el('a', { class: 'pick', href: `#/play/${number}`, dataset: { channel: number } });
  const favourite = button(icon('star'), () => app.channels.setFavourite(number, !app.channels.isFavourite(number)), {
    class: 'quiet star',
  });
  const node = el('li', { class: 'channel', dataset: { number } }, link, favourite);
  const star = () => favourite.setAttribute('aria-pressed', String(app.channels.isFavourite(number)));
  star();
  const fresh = renewal();

  function draw(channel) {
    now.update();
    measured.textContent = rate(app, channel);
    const playability = app.channels.playability(channel);
    if (!fresh({ ...channel, now: 0, next: 0, rate: 0 }, playability)) return;
    node.classList.toggle('off', ['scrambled', 'no', 'none'].includes(playability.marks[0]));
    const favour = app.t('channels.favour', { name: channel.name });
    favourite.setAttribute('aria-label', favour);
    favourite.title = favour;
    const marks = pills(app, channel);
    const prefix = channel.logo && el('span', { class: 'number' }, number);
    replace(
      link,
      logo(channel),
      el(
        'span',
        { class: 'what' },
        el('span', { class: 'name' }, prefix, channel.name, freeDot(app, channel)),
        now.title,
        now.bar,
        el('span', { class: 'after' }, now.next, measured),
        marks.length > 0 && el('span', { class: 'marks' }, marks),
      ),
    );
  }
  return { node, link, star, draw, update: now.update };
}

/** The largest tile; it stays as the rows do. */
function makeHero(app, number) {
  const now = onNow(app, number);
  const link = el('a', { class: 'pick', href: `#/play/${number}`, dataset: { channel: number } });
  const node = el('div', { class: 'hero' }, link);
  const fresh = renewal();

  function draw(channel, isLast) {
    now.update();
    if (!fresh(channel.name, channel.logo, isLast)) return;
    node.style.setProperty('--hue', hue(channel.name));
    replace(
      link,
      el('span', { class: 'hero-play', 'aria-hidden': 'true' }, icon('play')),
      el(
        'span',
        { class: 'what' },
        el('span', { class: 'over' }, app.t(isLast ? 'channels.last' : 'channels.first')),
        el('span', { class: 'name' }, el('span', { class: 'number' }, number), channel.name),
        now.title,
        now.times,
        now.bar,
        now.next,
      ),
      channel.logo && logo(channel),
    );
  }
  return { node, number, draw, update: now.update };
}

/** A function that says whether it is called with something else than the last time. */
function renewal() {
  let before = null;
  return (...facts) => {
    const said = JSON.stringify(facts);
    const is = said !== before;
    before = said;
    return is;
  };
}
