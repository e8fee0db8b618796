// The graphs of the status: SVG, each with a sentence that says the same.

import { el, svg } from './dom.js';

const WIDE = 600;

/** A picture that a screen reader reads as `label`. */
function picture(label, height, props, ...children) {
  const box = { viewBox: `0 0 ${WIDE} ${height}`, preserveAspectRatio: 'none', ...props };
  return svg('svg', { role: 'img', 'aria-label': label, ...box }, ...children);
}

const part = (value, most) => Math.min(1, Math.max(0, most > 0 ? value / most : 0));

/**
 * How much of `most` that is; red above it.
 * @param {string} label
 */
export function gauge(label, of, most) {
  const kind = of > most ? 'over' : 'fill';
  const bar = picture(
    label,
    16,
    { class: 'gauge' },
    svg('rect', { class: 'track', width: WIDE, height: 16 }),
    svg('rect', { class: kind, width: WIDE * part(of, most), height: 16 }),
  );
  return el('div', { class: 'graph' }, el('p', { 'aria-hidden': 'true' }, label), bar);
}

/**
 * A line through `values`, the last at the right; `most` is the height, `limit` a line across.
 * @param {string} label
 * @param {(number|null)[]} values
 */
export function curve(label, values, { most, limit = null, room = values.length }) {
  const height = 60;
  const x = (i) => ((i + room - values.length) * WIDE) / Math.max(1, room - 1);
  const y = (value) => height - 2 - part(value, most) * (height - 4);
  let path = '';
  let pen = 'M';
  values.forEach((value, i) => {
    if (value === null) {
      pen = 'M';
      return;
    }
    path += `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = 'L';
  });
  return picture(
    label,
    height,
    { class: 'curve' },
    svg('rect', { class: 'track', width: WIDE, height }),
    limit !== null && svg('line', { class: 'limit', x1: 0, x2: WIDE, y1: y(limit), y2: y(limit) }),
    path && svg('path', { class: 'line', d: path }),
  );
}

/**
 * A ring as it is filled: its newest byte at the right, and a mark where each viewer is.
 * @param {string} label
 * @param {number[]} lags bytes
 */
export function ring(label, { fill, capacity }, lags) {
  const at = (lag) => WIDE * (1 - part(lag, capacity));
  const mark = (lag) => svg('path', { class: 'viewer', d: `M${Math.min(WIDE - 4, Math.max(4, at(lag)))} 0v24` });
  return picture(
    label,
    24,
    { class: 'ring' },
    svg('rect', { class: 'track', width: WIDE, height: 24 }),
    svg('rect', { class: 'fill', x: at(fill), width: WIDE - at(fill), height: 24 }),
    lags.map(mark),
  );
}

/**
 * The stages of a zap, one behind the other.
 * @param {string} label
 * @param {{stage: string, ms: number}[]} stages
 * @param {number} most milliseconds of the whole width
 */
export function waterfall(label, stages, most) {
  let from = 0;
  const bars = stages.map(({ stage, ms }) => {
    const [x, width] = [WIDE * part(from, most), Math.max(2, WIDE * part(ms, most))];
    from += ms;
    return svg('rect', { class: `stage-${stage}`, x, y: 2, width, height: 16 });
  });
  return picture(label, 20, { class: 'waterfall' }, svg('rect', { class: 'track', width: WIDE, height: 20 }), bars);
}

/** A lamp: `good`, `past` or `now`. Its shape says it, too. */
export function lamp(kind) {
  const shape = {
    good: svg('circle', { cx: 8, cy: 8, r: 6 }),
    past: svg('path', { d: 'M8 1l7 13H1z' }),
    now: svg('rect', { x: 2, y: 2, width: 12, height: 12 }),
  };
  return svg('svg', { class: `lamp ${kind}`, viewBox: '0 0 16 16', 'aria-hidden': 'true' }, shape[kind]);
}
