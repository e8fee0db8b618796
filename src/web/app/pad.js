// The number pad: digits that make a channel's number, on the screen and on a keyboard or a remote control.

import { button, dialog, el, replace, say } from './dom.js';

/** So long a number may still get a digit. */
export const PAUSE_MS = 1500;

/**
 * What `typed` leads to: the channel, and whether a further digit could lead to another.
 * @param {{number: number}[]} list
 * @param {string} typed digits
 * @returns {{channel: object|null, more: boolean}}
 */
export function dialled(list, typed) {
  const number = Number(typed);
  const wanted = String(number);
  return {
    channel: (typed !== '' && list.find((c) => c.number === number)) || null,
    more: typed.length < 5 && list.some((c) => c.number !== number && String(c.number).startsWith(wanted)),
  };
}

/** Plays `number` and shows it. Called within the tap or the key press, where a browser wants one before it sounds. */
export function zap(app, number) {
  if (!app.channels.get(number)) return;
  app.player?.play(number, { gesture: true });
  app.go(`#/play/${number}`);
}

/**
 * Gathers digits. `show` hears what there is after each, `done` gets the channel after a pause, or at once where no
 * further digit could lead elsewhere.
 */
export function gather(app, { show, done }) {
  let typed = '';
  let timer = null;

  function end() {
    const { channel } = dialled(app.channels.list, typed);
    const was = typed;
    clear();
    done(channel, was);
  }

  function clear() {
    clearTimeout(timer);
    typed = '';
    show('', null);
  }

  function push(digit) {
    typed = (typed + digit).slice(-5);
    const { channel, more } = dialled(app.channels.list, typed);
    show(typed, channel);
    clearTimeout(timer);
    if (channel && !more) end();
    else timer = setTimeout(end, PAUSE_MS);
  }

  function back() {
    typed = typed.slice(0, -1);
    show(typed, dialled(app.channels.list, typed).channel);
    clearTimeout(timer);
    if (typed) timer = setTimeout(end, PAUSE_MS);
  }

  return { push, back, clear, end: () => typed && end(), get typed() { return typed; } };
}

/** What stands beside the digits. */
function named(app, typed, channel) {
  if (channel) return channel.name;
  return typed && !dialled(app.channels.list, typed).more ? app.t('pad.none') : '';
}

/** Opens the pad on the screen. */
export function openPad(app) {
  const { t } = app;
  const number = el('output', { class: 'pad-number' });
  const name = el('div', { class: 'pad-name muted' });
  const digits = gather(app, {
    show(typed, channel) {
      number.textContent = typed || '–';
      name.textContent = named(app, typed, channel);
    },
    done(channel, typed) {
      if (!channel) {
        number.textContent = typed;
        name.textContent = t('pad.none');
        say(`${typed}: ${t('pad.none')}`);
        return;
      }
      shown.close();
      say(`${channel.number} ${channel.name}`);
      zap(app, channel.number);
    },
  });
  const key = (digit) => button(digit, () => digits.push(digit), { class: 'pad-key', dataset: { digit } });
  const act = (label, sign, fn) => button(sign, fn, { class: 'pad-key quiet', 'aria-label': label, title: label });
  const keys = el(
    'div',
    { class: 'pad-keys' },
    [...'123456789'].map(key),
    act(t('pad.back'), '⌫', digits.back),
    key('0'),
    act(t('pad.go'), '↵', digits.end),
  );
  const box = el('div', { class: 'pad' }, el('div', { class: 'pad-shown' }, number, name), keys);
  const shown = dialog(t('pad.title'), box, button(t('app.close'), () => shown.close(), { class: 'quiet wide' }));
  number.textContent = '–';
  box.closest('dialog').addEventListener('keydown', (event) => {
    if (/^[0-9]$/.test(event.key)) digits.push(event.key);
    else if (event.key === 'Backspace') digits.back();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  shown.closed.then(digits.clear);
}

/**
 * Keys that work wherever nothing is typed: digits, PageUp and PageDown (as on a remote control, CH+ and CH−), and at
 * the picture ArrowUp and ArrowDown.
 */
export function installKeys(app) {
  const number = el('strong');
  const name = el('span');
  const shown = el('div', { class: 'dialled', hidden: true }, number, name);
  document.body.append(shown);
  let timer = null;
  const digits = gather(app, {
    show(typed, channel) {
      clearTimeout(timer);
      shown.hidden = typed === '';
      number.textContent = typed;
      name.textContent = named(app, typed, channel);
    },
    done(channel, typed) {
      replace(number, typed);
      name.textContent = channel ? channel.name : app.t('pad.none');
      shown.hidden = false;
      clearTimeout(timer);
      timer = setTimeout(() => {
        shown.hidden = true;
      }, PAUSE_MS);
      say(`${typed} ${name.textContent}`);
      if (channel) zap(app, channel.number);
    },
  });

  function step(by) {
    const from = playing(app);
    if (from === null) return false;
    const to = by > 0 ? app.channels.up(from) : app.channels.down(from);
    if (to !== null) zap(app, to);
    return true;
  }

  function handle(event) {
    const { key } = event;
    if (/^[0-9]$/.test(key)) return digits.push(key) ?? true;
    if (digits.typed && key === 'Backspace') return digits.back() ?? true;
    if (digits.typed && key === 'Enter') return digits.end() ?? true;
    if (digits.typed && key === 'Escape') return digits.clear() ?? true;
    const isPlay = location.hash.startsWith('#/play');
    if (key === 'ChannelUp' || key === 'ChannelDown') return step(key === 'ChannelUp' ? 1 : -1);
    if (!isPlay) return false;
    if (key === 'Escape') return app.go('#/channels') ?? true;
    if (key === 'PageUp' || key === 'ArrowUp') return step(1);
    if (key === 'PageDown' || key === 'ArrowDown') return step(-1);
    return false;
  }

  addEventListener('keydown', (event) => {
    if (!app.session || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest?.('input, select, textarea, [contenteditable], dialog')) return;
    if (handle(event)) event.preventDefault();
  });
}

/** The channel at the picture, or the last one. */
function playing(app) {
  const [, shown] = /^#\/play\/(\d+)/.exec(location.hash) ?? [];
  return shown ? Number(shown) : (app.channels.last?.number ?? app.channels.list[0]?.number ?? null);
}
