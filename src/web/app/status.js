// How the box does, drawn anew each second: who has which tuner and why, what rings hold and how far behind everybody
// is, the last zaps, what is wrong with the signals, memory and the main loop. For owners.

import { el, replace } from './dom.js';
import { curve, gauge, lamp, ring, waterfall } from './status-draw.js';

/** Seconds that curves show. */
const ROOM = 60;
/** A fault that was counted so lately is one now. */
const LATELY_MS = 10_000;
const LAMPS = [
  'sync_losses', 'no_sync', 'pat_errors', 'continuity_errors', 'transport_errors', 'broken_sections', 'pcr_errors',
];

/** Shows the status until it is left. */
export async function show(root, app) {
  const { t } = app;
  replace(root, el('h1', null, t('status.title')));
  if (app.session?.role !== 'owner') {
    root.append(el('p', { class: 'notice' }, t('status.owners')));
    return { leave() {} };
  }
  const lost = el('p', { class: 'danger', role: 'status' });
  const parts = Object.fromEntries(['box', 'receivers', 'muxes', 'rings', 'zaps'].map((name) => {
    const body = el('div');
    const section = el('section', { class: `card status-${name}`, 'aria-labelledby': `status-${name}` });
    section.append(el('h2', { id: `status-${name}` }, t(`status.${name}`)), body);
    return [name, { section, body }];
  }));
  root.append(lost, el('div', { class: 'status' }, Object.values(parts).map((p) => p.section)));
  const memory = { loop: [], cnr: new Map(), faults: new Map() };

  function draw(status) {
    remember(memory, status);
    const words = wordsOf(t, status);
    replace(parts.box.body, box(words, status, memory));
    replace(parts.receivers.body, receivers(words, status, memory));
    replace(parts.muxes.body, muxes(words, status, memory));
    replace(parts.rings.body, rings(words, status));
    replace(parts.zaps.body, zaps(words, status));
    replace(lost);
  }

  draw(await app.api.get('/api/v1/status'));
  const off = [
    app.events?.on('status', draw),
    app.events?.on('lost', () => replace(lost, t('status.lost'))),
  ];
  return { leave: () => off.forEach((end) => end?.()) };
}

/** Keeps of each status what curves and lamps need. */
function remember(memory, status) {
  const keep = (values, value) => {
    values.push(value);
    if (values.length > ROOM) values.shift();
  };
  keep(memory.loop, status.loop.p99_us / 1000);
  for (const r of status.receivers) {
    if (!memory.cnr.has(r.number)) memory.cnr.set(r.number, []);
    keep(memory.cnr.get(r.number), r.cnr_mdb ?? r.cnr_permille);
  }
  const now = performance.now();
  for (const mux of status.muxes) {
    for (const name of LAMPS) {
      const key = `${name} ${mux.mux}`;
      const before = memory.faults.get(key);
      const grew = before !== undefined && mux[name] > before.count;
      memory.faults.set(key, { count: mux[name], at: grew ? now : (before?.at ?? null) });
    }
  }
}

/** What numbers are called. */
function wordsOf(t, status) {
  const channels = new Map(status.rings.filter((r) => r.channel).map((r) => [r.channel, r.name]));
  const words = {
    t,
    state: (state) => t(`status.state.${state}`),
    who: (terminal) => terminal || t('status.link'),
    channel: (number) => (channels.get(number) ? `${number} ${channels.get(number)}` : `${number}`),
    mb: (bytes) => (bytes / 1e6).toFixed(1),
    seconds(s) {
      if (s >= 172_800) return t('status.d', { n: Math.floor(s / 86_400) });
      if (s >= 7200) return t('status.h', { n: Math.floor(s / 3600) });
      if (s >= 120) return t('status.min', { n: Math.floor(s / 60) });
      return t('status.s', { n: s < 10 && !Number.isInteger(s) ? s.toFixed(1) : Math.round(s) });
    },
  };
  words.ms = (ms) => (ms < 1000 ? t('status.ms', { n: ms }) : words.seconds(ms / 1000));
  return words;
}

function box({ t, mb, seconds }, status, memory) {
  const { memory: m, loop } = status;
  const own = m.pss_kib === null ? null : m.pss_kib - (m.rings_kib ?? 0);
  const mib = (kib) => (kib / 1024).toFixed(1);
  const ms = (us) => (us / 1000).toFixed(us < 10_000 ? 1 : 0);
  const facts = {
    version: status.version, board: status.board, time: seconds(status.uptime_s),
    n: status.watching, mb: mb(status.bytes_sent),
  };
  const times = { p50: ms(loop.p50_us), p99: ms(loop.p99_us), max: ms(loop.max_us), budget: ms(loop.budget_us) };
  const budget = loop.budget_us / 1000;
  return [
    el('p', null, t('status.boxLine', facts)),
    own !== null && gauge(t('status.memory', { n: mib(own), of: mib(m.budget_kib) }), own, m.budget_kib),
    m.rings_kib !== null
      && gauge(t('status.memoryRings', { n: mib(m.rings_kib), of: mib(m.rings_budget_kib) }), m.rings_kib, m.rings_budget_kib),
    el('p', null, t('status.loop', times)),
    curve(t('status.loopGraph', { n: memory.loop.length, budget: times.budget }), memory.loop, {
      most: Math.max(budget * 1.25, ...memory.loop), limit: budget, room: ROOM,
    }),
  ];
}

function receivers(words, { receivers: all, rings: fed, viewers }, memory) {
  const { t, state, who, channel } = words;
  if (all.length === 0) return el('p', { class: 'muted' }, t('status.noReceivers'));
  return all.map((r) => {
    const channels = fed.filter((one) => one.tuner === r.number).map((one) => one.channel);
    const watching = viewers.filter((v) => channels.includes(v.channel));
    const users = t(`status.users.${r.users ?? 'none'}`);
    const people = watching.map((v) => `${who(v.terminal)}, ${channel(v.channel)}`).join('; ');
    return el(
      'article',
      { class: 'receiver' },
      el('h3', null, t('status.tuner', { n: r.number }), ' ', el('span', { class: `tag ${r.state}` }, state(r.state))),
      el('p', null, [r.name ?? r.device, r.mux, t(`status.whose.${r.whose}`)].filter(Boolean).join(' · ')),
      r.error && el('p', { class: 'danger' }, r.error),
      el('p', null, t('status.for', { who: people ? `${users} (${people})` : users })),
      signal(words, r, memory.cnr.get(r.number)),
    );
  });
}

function signal({ t }, r, values) {
  const thousandths = (n) => (n / 1000).toFixed(1);
  const parts = [
    r.cnr_mdb !== null && t('status.cnr', { n: thousandths(r.cnr_mdb) }),
    r.cnr_mdb === null && r.cnr_permille !== null && t('status.cnrPart', { n: (r.cnr_permille / 10).toFixed(0) }),
    r.strength_mdbm !== null && t('status.strength', { n: thousandths(r.strength_mdbm) }),
    r.strength_mdbm === null && r.strength_permille !== null
      && t('status.strengthPart', { n: (r.strength_permille / 10).toFixed(0) }),
    r.lock_ms !== null && t('status.tuned', { tune: r.tune_ms, lock: r.lock_ms }),
  ].filter(Boolean);
  if (parts.length === 0) return null;
  const known = values.some((value) => value !== null);
  const most = r.cnr_mdb === null ? 1000 : 40_000;
  return [el('p', null, parts.join(', ')), known && curve(parts[0], values, { most, room: ROOM })];
}

function muxes({ t, state }, { muxes: all }, memory) {
  return all.map((mux) => el(
    'article',
    { class: 'mux' },
    el('h3', null, mux.mux, ' ', el('span', { class: `tag ${mux.state}` }, state(mux.state))),
    mux.error && el('p', { class: 'danger' }, mux.error),
    mux.services > 0 && [
      el('p', null, t('status.mux', { watched: mux.watched, n: mux.services })),
      el('ul', { class: 'lamps', 'aria-label': t('status.lamps') }, LAMPS.map((name) => fault(t, mux, name, memory))),
    ],
  ));
}

function fault(t, mux, name, memory) {
  const { count, at } = memory.faults.get(`${name} ${mux.mux}`);
  const isNow = at !== null && performance.now() - at < LATELY_MS;
  const kind = count === 0 ? 'good' : isNow ? 'now' : 'past';
  return el('li', null, lamp(kind), el('span', null, t(`status.lamp.${name}`), ': ', t(`status.lamp.${kind}`, { n: count })));
}

function rings(words, { rings: all, viewers }) {
  const { t, state, who, channel, mb, seconds, ms } = words;
  if (all.length === 0) return el('p', { class: 'muted' }, t('status.noRings'));
  return all.map((one) => {
    const isIn = (v) => v.channel === one.channel && v.tracks === one.tracks;
    const here = viewers.filter((v) => one.state === 'watched' && isIn(v));
    const label = t('status.ring', {
      channel: (one.channel ? channel(one.channel) : `${one.service}`) + (one.tracks === 'audio' ? ` (${t('status.audio')})` : ''),
      state: state(one.state),
      time: one.held_ms === null ? '–' : seconds(one.held_ms / 1000), n: mb(one.fill), of: mb(one.capacity),
    });
    const lines = here.map((v) => t('status.viewer', {
      who: who(v.terminal), path: v.path.toUpperCase(), state: state(v.state),
      lag: v.lag_ms === null ? `${mb(v.lag_bytes)} MB` : ms(v.lag_ms), rate: (v.rate / 1e6).toFixed(1),
    }));
    return el(
      'article',
      { class: 'ring' },
      el('p', { 'aria-hidden': 'true' }, label),
      ring(label, one, here.map((v) => v.lag_bytes)),
      lines.length > 0 && el('ul', { class: 'who' }, lines.map((line) => el('li', null, line))),
    );
  });
}

function zaps(words, { zaps: all }) {
  const { t, who, channel, seconds, ms } = words;
  if (all.length === 0) return el('p', { class: 'muted' }, t('status.noZaps'));
  const most = Math.max(200, ...all.map((zap) => zap.total_ms));
  const used = [...new Set(all.flatMap((zap) => zap.stages.map((s) => s.stage)))];
  const legend = el('ul', { class: 'legend', 'aria-hidden': 'true' }, used.map((stage) => (
    el('li', null, el('span', { class: `swatch stage-${stage}` }), t(`status.stage.${stage}`))
  )));
  return [legend, el('ol', { class: 'zaps' }, all.map((zap) => {
    const facts = { who: who(zap.terminal), channel: channel(zap.channel), ago: seconds(zap.ago_s), ms: zap.total_ms };
    const label = t(zap.done ? 'status.zap' : 'status.zapOpen', facts);
    const stages = zap.stages.filter((s) => s.ms > 0).map((s) => `${t(`status.stage.${s.stage}`)} ${s.ms}`).join(' · ');
    const began = zap.behind_ms ? t('status.behind', { time: ms(zap.behind_ms) }) : '';
    return el(
      'li',
      null,
      el('p', null, label),
      waterfall(`${label}. ${stages}`, zap.stages, most),
      el('p', { class: 'muted small' }, [stages, began].filter(Boolean).join('; ')),
    );
  }))];
}
