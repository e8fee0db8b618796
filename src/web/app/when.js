// Times as people read them, in the language of the app and the time zone of this browser.

import { languageTag } from './strings.js';

const formats = new Map();

function format(kind, options) {
  const name = `${languageTag()} ${kind}`;
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat(languageTag(), options));
  return formats.get(name);
}

const date = (seconds) => new Date(seconds * 1000);

/** '20:15' */
export function clock(seconds) {
  return format('clock', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(date(seconds));
}

/** '20:15–21:45' */
export function span({ start, duration }) {
  return `${clock(start)}–${clock(start + duration)}`;
}

/** 'Wed 25 Nov' */
export function day(seconds) {
  return format('day', { weekday: 'short', day: 'numeric', month: 'short' }).format(date(seconds));
}

/** 'Wednesday, 25 November' */
export function longDay(seconds) {
  return format('long', { weekday: 'long', day: 'numeric', month: 'long' }).format(date(seconds));
}

/** '25 Nov 2026, 20:15' */
export function moment(seconds) {
  const options = { year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' };
  return format('moment', { ...options, hourCycle: 'h23' }).format(date(seconds));
}

/** The midnight before `seconds`, `days` later; a day may have 23 or 25 hours. */
export function midnight(seconds, days = 0) {
  const at = date(seconds);
  return new Date(at.getFullYear(), at.getMonth(), at.getDate() + days).getTime() / 1000;
}
