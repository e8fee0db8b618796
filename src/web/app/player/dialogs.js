// What the player asks the viewer: a PIN for what is rated above the box's age, and whether the television may be asked.

import { button, dialog, el, replace } from '../dom.js';

const PIN_MAX = 8;
/** The television is given half a minute (ms); no answer is a no. */
const PATIENCE = 40000;

/** Asks for the parental PIN; `then` once the box took it. */
export function askPin(app, then) {
  const { t } = app;
  const field = el('input', {
    type: 'password', inputmode: 'numeric', autocomplete: 'off', maxlength: PIN_MAX, class: 'player-pin',
    'aria-label': t('player.pin'), id: 'parental-pin',
  });
  const said = el('p', { role: 'alert', class: 'danger' });
  const form = el('form', { onsubmit: send },
    el('h2', null, t('player.locked')), el('p', null, t('player.locked-what')), field, said,
    el('div', { class: 'actions' },
      button(t('app.cancel'), () => shown.close()),
      el('button', { class: 'button primary', type: 'submit' }, t('app.ok'))));
  const shown = dialog(t('player.locked'), form);
  field.focus();

  async function send(event) {
    event.preventDefault();
    try {
      await app.api.post('/api/v1/parental/unlock', { pin: field.value });
      shown.close();
      then();
    } catch (why) {
      field.value = '';
      field.focus();
      const words = { pin: 'player.pin-wrong', 'cool-down': 'player.pin-later' }[why.code];
      said.textContent = words ? t(words) : why.message;
    }
  }
}

/** Asks whether to ask who sits at the television; `then` once its tuner may be had. */
export function askTelevision(app, channel, then) {
  const { t } = app;
  const said = el('p', { role: 'status' }, t('player.ask-what', { name: channel.name }));
  const cancel = button(t('app.cancel'), () => shown.close());
  const yes = button(t('player.ask-yes'), ask, { class: 'primary' });
  const actions = el('div', { class: 'actions' }, cancel, yes);
  const shown = dialog(t('player.ask'), el('h2', null, t('player.ask')), said, actions);
  let open = true;
  shown.closed.then(() => {
    open = false;
  });
  yes.focus();

  async function ask() {
    said.textContent = t('player.asking');
    replace(actions, cancel);
    try {
      await app.api.post(`/api/v1/channels/${channel.number}/ask`, {}, { patience: PATIENCE });
      if (!open) return;
      shown.close();
      then();
    } catch (why) {
      const known = ['refused', 'busy', 'cool-down', 'no', 'scrambled'].includes(why.code);
      said.textContent = known ? t(`player.ask-${why.code}`) : why.message;
      cancel.textContent = t('app.close');
    }
  }
}
