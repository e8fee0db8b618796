// How a channel looks: its logo or a tile drawn for it, what is on, and what is to be known before it is tapped.

import { el, replace } from './dom.js';
import { icon } from './icons.js';
import { clock, span } from './when.js';

/** The icon of each mark. */
const ICONS = {
  scrambled: 'key',
  locked: 'lock',
  no: 'none',
  none: 'none',
  ask: 'tv',
  external: 'away',
  tuner: 'tuner',
};

/** Hues on which white is read well, and none of mustard. */
const HUES = [205, 218, 232, 250, 268, 288, 318, 338, 354, 12, 152, 168, 182, 195];

/** A colour for each name, the same on every phone. */
export function hue(name) {
  let hash = 2166136261;
  for (const c of name) hash = Math.imul(hash ^ c.codePointAt(0), 16777619);
  return HUES[((hash ^ (hash >>> 15)) >>> 0) % HUES.length];
}

/** The logo that the box has, or a tile with the number. */
export function logo(channel) {
  const drawn = () => {
    const digits = String(channel.number);
    return el('span', { class: `logo drawn digits-${digits.length}`, style: { '--hue': hue(channel.name) } }, digits);
  };
  if (!channel.logo) return drawn();
  const picture = el('img', { src: channel.logo, alt: '', loading: 'lazy', decoding: 'async' });
  const tile = el('span', { class: 'logo' }, picture);
  picture.addEventListener('error', () => tile.replaceWith(drawn()));
  return tile;
}

/** The dot of a channel that is free now: the rule, so it takes no words. */
export function freeDot(app, channel) {
  if (!app.channels.playability(channel).marks.includes('free')) return null;
  const words = app.t('mark.free');
  return el('span', { class: 'free', title: words }, el('span', { class: 'unseen' }, words));
}

/** The pills of a channel: what it is where it is no television, and what is to be known before a tap. */
export function pills(app, channel) {
  const { marks } = app.channels.playability(channel);
  const kind = channel.kind !== 'tv' && pill(channel.kind === 'radio' ? 'radio' : null, app.t(`kind.${channel.kind}`));
  const found = marks.filter((mark) => mark !== 'free');
  return [kind, ...found.map((mark) => pill(ICONS[mark], app.t(`mark.${mark}`), `mark-${mark}`))].filter(Boolean);
}

function pill(sign, words, more = '') {
  return el('span', { class: `pill ${more}` }, sign && icon(sign), el('span', null, words));
}

/** '5.2 Mbit/s', or nothing where it was not measured. */
export function rate(app, channel) {
  if (!channel.rate) return '';
  return app.t('channels.rate', { n: (channel.rate / 1e6).toFixed(channel.rate < 1e7 ? 1 : 0) });
}

/**
 * What is on at the channel `number`: title, times, bar, what comes next. `update()` draws what has changed since.
 * @returns {{title: Node, times: Node, bar: Node, next: Node, update: function(): void}}
 */
export function onNow(app, number) {
  const title = el('span', { class: 'now' });
  const times = el('span', { class: 'times muted' });
  const bar = el('span', { class: 'progress', 'aria-hidden': 'true' }, el('span'));
  const next = el('span', { class: 'next muted' });
  let drawn = null;

  function update() {
    const channel = app.channels.get(number);
    if (!channel) return;
    const { now, next: following, progress } = app.channels.programme(channel);
    const said = JSON.stringify([now, following]);
    if (said !== drawn) {
      drawn = said;
      title.textContent = now?.title ?? '';
      times.textContent = now ? span(now) : '';
      replace(next, following && el('span', { class: 'at' }, clock(following.start)), following && ` ${following.title}`);
      title.hidden = times.hidden = !now;
      next.hidden = !following;
    }
    bar.hidden = progress === null;
    bar.firstChild.style.setProperty('--done', progress ?? 0);
  }

  update();
  return { title, times, bar, next, update };
}
