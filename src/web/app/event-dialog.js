// All that is told of an event, and the way to its channel.

import { button, dialog, el } from './dom.js';
import { zap } from './pad.js';
import { clock, longDay } from './when.js';

/**
 * Opens the details of `event` of `channel`.
 * @param {object} event as `/api/v1/epg` has it
 * @param {object} channel of the list
 */
export function openEvent(app, event, channel) {
  const { t } = app;
  const at = app.channels.clock();
  const end = event.start + event.duration;
  const isOn = at !== null && event.start <= at && at < end;
  const watch = button(t(isOn ? 'guide.watch' : 'guide.tune'), () => {
    shown.close();
    zap(app, channel.number);
  }, { class: 'primary', autofocus: true });
  const shown = dialog(
    event.title || t('guide.untitled'),
    el(
      'div',
      { class: 'event-details' },
      el('p', { class: 'muted' }, `${channel.number} ${channel.name}`),
      el('h2', null, event.title || t('guide.untitled')),
      el('p', { class: 'when' }, when(t, event, end), isOn && el('span', { class: 'pill' }, t('guide.running'))),
      isOn && el('span', { class: 'progress', 'aria-hidden': 'true' }, el('span', { style: { '--done': (at - event.start) / event.duration } })),
      facts(t, event),
      event.text && el('p', { class: 'text' }, event.text),
      event.extended && event.extended !== event.text && el('p', { class: 'text' }, event.extended),
    ),
    el('div', { class: 'row actions' }, watch, button(t('app.close'), () => shown.close())),
  );
}

function when(t, event, end) {
  const minutes = t('guide.minutes', { n: Math.round(event.duration / 60) });
  return `${longDay(event.start)}, ${clock(event.start)}–${clock(end)} (${minutes})`;
}

/** What it is about, from which age, and whether it is scrambled, as pills. */
function facts(t, event) {
  const contents = [...new Set(event.content.map((content) => content.level_1))].filter((level) => level >= 1 && level <= 10);
  const age = Math.max(0, ...event.ratings.map((rating) => rating.age ?? 0));
  const all = [
    ...contents.map((level) => t(`content.${level}`)),
    age > 0 && t('guide.age', { n: age }),
    event.scrambled && t('guide.scrambled'),
  ].filter(Boolean);
  return all.length > 0 && el('p', { class: 'facts' }, all.map((words) => el('span', { class: 'pill' }, words)));
}
