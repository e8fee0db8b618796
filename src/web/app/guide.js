// The guide: what is on and what comes, as a grid of channels and time or as a list of one channel.

import { button, el, replace } from './dom.js';
import { showGrid } from './guide-grid.js';
import { showList } from './guide-list.js';
import { day, midnight } from './when.js';

/** The guide is told for about a week. */
const DAYS = 8;
/** Requests at one time; the rest of a browser's connections are for the picture. */
const AT_ONCE = 3;

/** Shows the guide; `params[0]`: the channel whose list is shown. */
export async function show(root, app, params) {
  const { t, channels, store } = app;
  await channels.ready;
  const wide = matchMedia('(min-width: 44rem)').matches;
  const state = {
    view: params?.[0] ? 'list' : store.get('guide', wide ? 'grid' : 'list'),
    day: 0,
    number: Number(params?.[0]) || channels.last?.number || null,
  };
  const events = makeEvents(app.api);
  const place = el('div', { class: 'guide-place' });
  const views = el('div', { class: 'segments', role: 'group', 'aria-label': t('guide.view') });
  const days = el('select', { class: 'button', 'aria-label': t('guide.day'), onchange: () => choose({ day: Number(days.value) }) });
  const toNow = button(t('guide.now'), () => choose({ day: 0, now: true }));
  const extra = el('div', { class: 'row guide-extra' });
  replace(root, el('h1', { class: 'unseen' }, t('guide.title')), el('div', { class: 'row guide-bar' }, views, days, toNow, extra), place);
  let shown = null;
  draw();
  const stop = channels.onChange((change) => {
    if (change.all) shown?.renew?.();
  });

  return {
    leave() {
      stop();
      shown?.leave();
    },
  };

  function choose(change) {
    Object.assign(state, change);
    draw();
  }

  function draw() {
    const at = channels.clock() ?? Date.now() / 1000;
    const choice = (view) =>
      button(t(`guide.${view}`), () => {
        store.set('guide', view);
        choose({ view });
      }, { 'aria-pressed': String(state.view === view) });
    const focused = [...views.children].indexOf(document.activeElement);
    replace(views, choice('grid'), choice('list'));
    if (focused >= 0) views.children[focused].focus();
    replace(days, Array.from({ length: DAYS }, (_, n) => el('option', { value: n, selected: n === state.day }, dayName(at, n))));
    shown?.leave();
    replace(extra);
    const span = { from: midnight(at, state.day), until: midnight(at, state.day + 1), at, toNow: state.day === 0 };
    const view = { grid: showGrid, list: showList }[state.view];
    shown = view(place, app, { events, span, state, choose, extra });
    state.now = false;
  }

  function dayName(at, n) {
    if (n < 2) return t(n === 0 ? 'guide.today' : 'guide.tomorrow');
    return day(midnight(at, n));
  }
}

/** The guide's events, asked for a channel and a day at a time, and kept while the page is there. */
function makeEvents(api) {
  const known = new Map();
  const waiting = [];
  let running = 0;

  /** All pages of the answer. */
  async function ask(number, from, until) {
    const events = [];
    let after = '';
    for (;;) {
      const page = await api.get(`/api/v1/epg?channel=${number}&from=${Math.floor(from)}&until=${Math.ceil(until)}${after}`);
      events.push(...page.channels.flatMap((channel) => channel.events));
      if (!page.next) return events;
      after = `&after=${page.next}`;
    }
  }

  async function run() {
    // What was wished for last is what is looked at.
    while (running < AT_ONCE && waiting.length > 0) {
      const wish = waiting.pop();
      running += 1;
      ask(wish.number, wish.from, wish.until)
        .then(wish.done, (why) => {
          known.delete(wish.name);
          wish.failed(why);
        })
        .finally(() => {
          running -= 1;
          run();
        });
    }
  }

  return {
    /** The events of a channel that are on between two times, in their order. */
    of(number, from, until) {
      const name = `${number} ${from}`;
      if (!known.has(name)) {
        known.set(name, new Promise((done, failed) => waiting.push({ name, number, from, until, done, failed })));
        run();
      }
      return known.get(name);
    },
  };
}
