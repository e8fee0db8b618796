// What the parts of the settings share.

import { button, dialog, el, replace } from './dom.js';

let cards = 0;

/** A part with its heading. */
export function card(title, ...children) {
  const id = `card-${(cards += 1)}`;
  return el('section', { class: 'card', 'aria-labelledby': id }, el('h2', { id }, title), ...children);
}

/** Why something did not work, for people. */
export function failure(t, why) {
  const words = why.status === 0 ? t('app.unreachable') : t('app.failed', { why: why.message });
  return el('span', { class: 'danger', role: 'alert' }, words);
}

/** Asks before something that cannot be taken back; true: it is to be done. */
export async function confirm(app, title, question) {
  let yes = false;
  const go = button(title, () => {
    yes = true;
    shown.close();
  }, { class: 'danger' });
  const no = button(app.t('app.cancel'), () => shown.close(), { autofocus: true });
  const shown = dialog(title, el('h2', null, title), el('p', null, question), el('div', { class: 'row' }, go, no));
  await shown.closed;
  return yes;
}

/**
 * Asks for one line of text.
 * @param {function(string): Promise<void>} save what is done with it; what it throws is shown, and the dialog stays
 */
export function askText(app, { title, label, value, most, save }) {
  const { t } = app;
  const input = el('input', { class: 'field', value, maxlength: most, autofocus: true, autocomplete: 'off', required: true });
  const said = el('p', { role: 'status' });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await save(input.value.trim());
      shown.close();
    } catch (why) {
      replace(said, failure(t, why));
    }
  };
  const form = el(
    'form',
    { onsubmit: submit },
    el('h2', null, title),
    el('label', null, label, input),
    said,
    el('div', { class: 'row' }, el('button', { class: 'button primary' }, t('settings.save')), button(t('app.cancel'), () => shown.close())),
  );
  const shown = dialog(title, form);
  input.select();
}
