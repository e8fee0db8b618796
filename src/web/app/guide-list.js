// The guide as a list: the day of one channel.

import { el, replace } from './dom.js';
import { openEvent } from './event-dialog.js';
import { icon } from './icons.js';
import { clock } from './when.js';

const TICK_MS = 20_000;

/** Shows the list of one channel; `extra` is the place for its own controls. */
export function showList(place, app, { events, span, state, choose, extra }) {
  const { t, channels } = app;
  const channel = channels.get(state.number) ?? channels.list[0];
  if (!channel) {
    replace(place, el('p', { class: 'muted none' }, t('channels.none')));
    return { leave() {} };
  }
  controls();
  const list = el('ol', { class: 'events', 'aria-label': `${channel.number} ${channel.name}` });
  replace(place, list);
  let rows = [];
  let gone = false;
  fetchAll();
  const timer = setInterval(() => rows.forEach((row) => row.update()), TICK_MS);

  return {
    leave() {
      gone = true;
      clearInterval(timer);
    },
  };

  function controls() {
    const step = (by, label, sign) => {
      const to = channels.list[channels.list.indexOf(channel) + by];
      return el('button', {
        type: 'button',
        class: 'button square',
        'aria-label': label,
        title: label,
        disabled: !to,
        onclick: () => {
          choose({ number: to.number });
          // The controls were drawn anew; the finger is where it was.
          extra.querySelectorAll('button')[by < 0 ? 0 : 1]?.focus({ preventScroll: true });
        },
      }, icon(sign));
    };
    const pick = el(
      'select',
      { class: 'button guide-channel', 'aria-label': t('guide.channel'), onchange: () => choose({ number: Number(pick.value) }) },
      channels.list.map((c) => el('option', { value: c.number, selected: c === channel }, `${c.number} ${c.name}`)),
    );
    replace(extra, step(-1, t('guide.before'), 'left'), pick, step(1, t('guide.after'), 'right'));
  }

  async function fetchAll() {
    replace(list, el('li', { class: 'muted' }, t('app.loading')));
    try {
      const found = await events.of(channel.number, span.from, span.until);
      if (gone) return;
      rows = found.map(makeRow);
      replace(list, rows.map((row) => row.node));
      if (rows.length === 0) replace(list, el('li', { class: 'muted none' }, t('guide.none')));
      const on = rows.find((row) => row.isOn());
      if (span.toNow && on) on.node.scrollIntoView({ block: 'center' });
    } catch (why) {
      if (!gone) replace(list, el('li', { class: 'danger', role: 'alert' }, t('app.failed', { why: why.message })));
    }
  }

  function makeRow(event) {
    const bar = el('span', { class: 'progress', 'aria-hidden': 'true' }, el('span'));
    const content = event.content[0]?.level_1;
    const button = el(
      'button',
      { type: 'button', class: 'tile event', onclick: () => openEvent(app, event, channel) },
      el('time', { class: 'at' }, clock(event.start)),
      el(
        'span',
        { class: 'what' },
        el('span', { class: 'name' }, event.title || t('guide.untitled')),
        el('span', { class: 'next muted' }, [event.text, content >= 1 && content <= 10 && !event.text && t(`content.${content}`)]),
        bar,
      ),
    );
    const node = el('li', null, button);
    const ends = event.start + event.duration;
    const isOn = () => {
      const at = channels.clock() ?? 0;
      return event.start <= at && at < ends;
    };
    const update = () => {
      const at = channels.clock() ?? 0;
      bar.hidden = !isOn();
      bar.firstChild.style.setProperty('--done', event.duration > 0 ? (at - event.start) / event.duration : 0);
      node.className = ends <= at ? 'over' : isOn() ? 'on' : '';
      if (isOn()) button.setAttribute('aria-current', 'time');
      else button.removeAttribute('aria-current');
    };
    update();
    return { node, update, isOn };
  }
}
