// The guide as a grid: a row for each channel, time to the right, a line where now is. Only the rows in sight are there;
// a row's events are asked for when it comes into sight.

import { hue } from './channel-tile.js';
import { el, replace } from './dom.js';
import { openEvent } from './event-dialog.js';
import { zap } from './pad.js';
import { clock, span as spanOf } from './when.js';

/** In rem: the height of a row, the width of an hour. */
const ROW = 4.25;
const HOUR = 13;
/** Rows beyond the edges that are there already. */
const BEYOND = 3;
const TICK_MS = 20_000;

/** Shows the grid of a day. */
export function showGrid(place, app, { events, span }) {
  const { t, channels } = app;
  let list = shownIn(channels.list);
  if (list.length === 0) {
    replace(place, el('p', { class: 'muted none' }, t('channels.none')));
    return { leave() {} };
  }
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const left = (seconds) => ((seconds - span.from) / 3600) * HOUR;
  const width = left(span.until);
  const rows = new Map();
  /** Where the keyboard is: a row, and a time within it; a time of `null` is the channel. */
  const at = { row: 0, time: span.toNow ? span.at : span.from };

  const line = el('div', { class: 'now-line', 'aria-hidden': 'true' });
  const body = el('div', { class: 'grid-body', role: 'presentation' }, line);
  const hours = [];
  for (let hour = span.from; hour < span.until; hour += 1800) {
    hours.push(el('span', { style: { left: `${left(hour)}rem` } }, clock(hour)));
  }
  const head = el('div', { class: 'grid-head', 'aria-hidden': 'true' }, el('div', { class: 'grid-hours' }, hours));
  const grid = el(
    'div',
    {
      class: 'grid',
      role: 'grid',
      'aria-label': t('guide.title'),
      'aria-rowcount': list.length,
      onscroll: () => requestAnimationFrame(draw),
      onkeydown: key,
      onclick: tapped,
      onfocusin: focused,
      style: { '--width': `${width}rem`, '--row': `${ROW}rem` },
    },
    head,
    body,
  );
  replace(place, grid);
  body.style.height = `${list.length * ROW}rem`;
  if (span.toNow) grid.scrollLeft = (left(span.at) - HOUR / 3) * rem;
  moveLine();
  draw();
  const timer = setInterval(moveLine, TICK_MS);
  const resized = () => draw();
  addEventListener('resize', resized);

  return {
    leave() {
      clearInterval(timer);
      removeEventListener('resize', resized);
    },
    /** The list of channels changed. */
    renew() {
      const fresh = shownIn(channels.list);
      if (fresh.map((c) => `${c.number} ${c.name}`).join() === list.map((c) => `${c.number} ${c.name}`).join()) return;
      list = fresh;
      for (const [i, row] of rows) {
        row.node.remove();
        rows.delete(i);
      }
      body.style.height = `${list.length * ROW}rem`;
      draw();
    },
  };

  function moveLine() {
    const now = channels.clock();
    line.hidden = now === null || now < span.from || now >= span.until;
    line.style.left = `calc(var(--names) + ${left(now ?? 0)}rem)`;
    for (const row of rows.values()) row.update();
  }

  function draw() {
    const first = Math.max(0, Math.floor(grid.scrollTop / (ROW * rem)) - BEYOND);
    const last = Math.min(list.length - 1, Math.ceil((grid.scrollTop + grid.clientHeight) / (ROW * rem)) + BEYOND);
    const holds = grid.contains(document.activeElement) ? at.row : -1;
    for (const [i, row] of rows) {
      if ((i < first || i > last) && i !== holds) {
        row.node.remove();
        rows.delete(i);
      }
    }
    for (let i = first; i <= last; i++) if (!rows.has(i)) rows.set(i, makeRow(i));
    rows.forEach(keepTitle);
    rove();
  }

  /** The title of an event that began out of sight stands in sight. */
  function keepTitle(row) {
    const edge = grid.scrollLeft / rem;
    const cut = row.cells.find((cell) => left(cell.begins) < edge && left(cell.ends) > edge);
    if (row.cut && row.cut !== cut) row.cut.node.style.paddingLeft = '';
    if (cut) cut.node.style.paddingLeft = `${edge - left(cut.begins) + 0.5}rem`;
    row.cut = cut;
  }

  function makeRow(i) {
    const channel = list[i];
    const name = el(
      'a',
      { class: 'grid-link', tabIndex: -1, href: `#/play/${channel.number}`, dataset: { channel: channel.number } },
      el('span', { class: 'number', style: { '--hue': hue(channel.name) } }, channel.number),
      el('span', { class: 'words' }, channel.name),
    );
    const head = el('div', { class: 'grid-name', role: 'rowheader' }, name);
    const node = el('div', { class: 'grid-row', role: 'row', 'aria-rowindex': i + 1, style: { top: `${i * ROW}rem` } }, head);
    const row = { node, name, cells: [], cut: null, update() {}, loaded: null };
    body.append(node);
    row.loaded = events.of(channel.number, span.from, span.until).then(
      (found) => fillRow(row, channel, found),
      () => node.classList.add('failed'),
    );
    return row;
  }

  function fillRow(row, channel, found) {
    row.cells = found.map((event) => {
      const begins = Math.max(event.start, span.from);
      const ends = Math.min(event.start + event.duration, span.until);
      const title = event.title || t('guide.untitled');
      const node = el(
        'button',
        {
          type: 'button',
          class: 'grid-event',
          role: 'gridcell',
          tabIndex: -1,
          title: `${spanOf(event)} ${title}`,
          style: { left: `calc(var(--names) + ${left(begins)}rem)`, width: `${Math.max(0.25, left(ends) - left(begins))}rem` },
          onclick: () => openEvent(app, event, channel),
        },
        el('span', { class: 'title' }, title, el('span', { class: 'muted' }, spanOf(event))),
      );
      return { event, node, begins, ends };
    });
    row.update = () => {
      const now = channels.clock() ?? 0;
      for (const cell of row.cells) {
        cell.node.classList.toggle('on', cell.event.start <= now && now < cell.event.start + cell.event.duration);
        cell.node.classList.toggle('over', cell.event.start + cell.event.duration <= now);
      }
    };
    row.node.append(...row.cells.map((cell) => cell.node));
    row.update();
    keepTitle(row);
    rove();
  }

  /** One cell of the grid is where Tab comes to. */
  function rove() {
    for (const [i, row] of rows) {
      for (const node of [row.name, ...row.cells.map((cell) => cell.node)]) node.tabIndex = -1;
      if (i === at.row) spot(row).tabIndex = 0;
    }
    if (!rows.has(at.row)) rows.values().next().value.name.tabIndex = 0;
  }

  /** What the keyboard is on in `row`. */
  function spot(row) {
    if (at.time === null) return row.name;
    const cell = row.cells.find((c) => at.time < c.ends) ?? row.cells.at(-1);
    return cell?.node ?? row.name;
  }

  function focused(event) {
    for (const [i, row] of rows) {
      if (!row.node.contains(event.target)) continue;
      const cell = row.cells.find((c) => c.node === event.target);
      at.row = i;
      if (!cell && row.cells.length > 0) at.time = null;
      else if (cell && (at.time === null || at.time < cell.begins || at.time >= cell.ends)) at.time = cell.begins;
      rove();
    }
  }

  async function key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(grid.clientHeight / (ROW * rem)) - 1);
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[event.key];
    const along = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by === undefined && along === undefined && event.key !== 'Home' && event.key !== 'End') return;
    event.preventDefault();
    if (by !== undefined) return goTo(Math.min(list.length - 1, Math.max(0, at.row + by)));
    const row = rows.get(at.row);
    if (!row) return;
    if (along !== undefined) {
      const here = row.cells.findIndex((cell) => cell.node === spot(row));
      const to = at.time === null ? (along > 0 ? 0 : -1) : here + along;
      at.time = to < 0 ? null : (row.cells[Math.min(to, row.cells.length - 1)]?.begins ?? null);
    } else {
      at.time = event.key === 'End' ? span.until - 1 : span.toNow ? (channels.clock() ?? span.from) : span.from;
    }
    await goTo(at.row);
  }

  async function goTo(i) {
    at.row = i;
    const top = i * ROW * rem;
    const inner = grid.clientHeight - head.offsetHeight - ROW * rem;
    if (grid.scrollTop > top) grid.scrollTop = top;
    else if (grid.scrollTop < top - inner) grid.scrollTop = top - inner;
    draw();
    const row = rows.get(i);
    await row?.loaded;
    if (at.row !== i || !rows.has(i)) return;
    const node = spot(row);
    const names = row.name.offsetWidth;
    if (node !== row.name) {
      // A long event begins out of sight; its beginning is brought into it.
      const begins = node.offsetLeft - names;
      const isInSight = begins >= grid.scrollLeft && begins < grid.scrollLeft + grid.clientWidth - names - 3 * rem;
      const covers = begins < grid.scrollLeft && begins + node.offsetWidth > grid.scrollLeft + 8 * rem;
      if (!isInSight && !covers) grid.scrollLeft = begins - rem;
    }
    node.focus({ preventScroll: true });
  }

  function tapped(event) {
    const link = event.target.closest('a[data-channel]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    zap(app, Number(link.dataset.channel));
  }
}

/** Channels without a guide of their own are no rows: what only carries data. */
function shownIn(list) {
  return list.filter((channel) => channel.kind !== 'data');
}
