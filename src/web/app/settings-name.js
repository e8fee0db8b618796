// The box's name on the internet: how it stands, claiming one, and where the box can be reached.

import { button, el, replace } from './dom.js';
import { card, confirm, failure } from './settings-parts.js';
import { clock, moment } from './when.js';

const TICK_MS = 5000;
/** Names that are good in DNS; the box says what else is wrong. */
const LABEL = '[A-Za-z0-9][A-Za-z0-9\\-]{1,30}[A-Za-z0-9]';

/** Shows the name and what can be done with it. */
export function showName(place, app) {
  const { t, api } = app;
  const stands = el('div');
  const acts = el('div');
  const said = el('p', { role: 'status' });
  const code = el('div', { 'aria-live': 'polite' });
  const reach = el('div');
  place.append(card(t('name.title'), stands, code, acts, said), card(t('reach.title'), reach));
  let drawn = '';
  draw();
  const timer = setInterval(() => !document.hidden && draw(), TICK_MS);
  return { leave: () => clearInterval(timer) };

  async function draw() {
    try {
      const name = await api.get('/api/v1/name');
      replace(stands, standing(name));
      replace(reach, reached(name));
      // A form that somebody types into stays as long as nothing else is to be done.
      const what = JSON.stringify([name.state, name.name, name.service, name.has_recovery, name.move_pending, app.lang]);
      if (what !== drawn) replace(acts, actions(name));
      drawn = what;
    } catch (why) {
      replace(said, failure(t, why));
    }
  }

  function standing(name) {
    const state = name.state === 'none' && !name.service ? 'no-service' : name.state;
    return [
      name.name && el('p', null, el('strong', { class: 'big' }, name.name)),
      el('p', null, el('span', { class: `name-lamp name-lamp-${lamp(state)}`, 'aria-hidden': 'true' }), t(`name.${state}`)),
      name.waits_until && el('p', null, t('name.waits', { when: moment(name.waits_until) })),
      name.problem && el('p', { class: 'danger' }, name.problem),
      name.move_pending && el('p', { class: 'danger' }, t('name.moving')),
    ];
  }

  function actions(name) {
    if (!name.service) return null;
    const isHeld = !['none', 'claiming', 'lost'].includes(name.state);
    return [
      !isHeld && name.state !== 'claiming' && claimForm(),
      el(
        'div',
        { class: 'row' },
        name.has_recovery && button(t('name.recovery'), () => act({ cmd: 'recovery' })),
        name.move_pending && button(t('name.cancelMove'), () => act({ cmd: 'cancel-move' })),
        isHeld && button(t('name.release'), release, { class: 'danger' }),
      ),
    ];
  }

  function claimForm() {
    const input = el('input', {
      class: 'field',
      autocapitalize: 'none',
      autocomplete: 'off',
      spellcheck: 'false',
      pattern: LABEL,
      required: true,
    });
    const suggest = button(t('name.suggest'), async () => {
      const found = await attempt(() => api.post('/api/v1/name', { cmd: 'suggest' }));
      if (found) input.value = found.name;
    });
    const claim = (event) => {
      event.preventDefault();
      act({ cmd: 'claim', name: input.value.trim().toLowerCase() });
    };
    return el(
      'form',
      { onsubmit: claim },
      el('p', { class: 'muted' }, t('name.public')),
      el('label', null, t('name.wish'), input),
      el('div', { class: 'row' }, el('button', { class: 'button primary' }, t('name.claim')), suggest),
    );
  }

  async function release() {
    if (await confirm(app, t('name.release'), t('name.releaseAsk'))) act({ cmd: 'release' });
  }

  async function act(wish) {
    replace(said, t('app.loading'));
    const found = await attempt(() => api.post('/api/v1/name', wish, { patience: 0 }));
    if (!found) return;
    replace(said);
    if (found.recovery) {
      replace(code, el('div', { class: 'code' }, el('p', null, t('name.code')), el('p', { class: 'big' }, found.recovery)));
    }
    draw();
  }

  async function attempt(what) {
    try {
      return await what();
    } catch (why) {
      replace(said, failure(t, why));
      return null;
    }
  }

  /** Where the box is reached, as far as it is known. */
  function reached(name) {
    const known = [
      [t('reach.here'), location.origin],
      name.seen && [t('reach.seen'), name.seen],
      name.heard_s !== null && [t('reach.heard'), clock(Date.now() / 1000 - name.heard_s)],
      name.service && [t('reach.service'), name.service],
    ].filter(Boolean);
    return [
      el('dl', { class: 'facts-list' }, known.map(([what, value]) => [el('dt', null, what), el('dd', null, value)])),
      name.by_https && el('p', null, t('reach.byHttps')),
      location.protocol === 'http:' && el('p', { class: 'muted' }, t('reach.plain')),
    ];
  }
}

function lamp(state) {
  if (state === 'online') return 'good';
  return ['none', 'no-service', 'claiming', 'waiting', 'starting'].includes(state) ? 'idle' : 'bad';
}
