// A PIN: digits on the screen, so that no keyboard covers the page; one that is there works, too.

import { button, el, say } from './dom.js';

/**
 * @param {function} t
 * @param {number} length how many digits
 * @param {function(string): void} onWhole called with the digits when all are there
 * @returns {{element: HTMLElement, input: HTMLInputElement}}
 */
export function digits(t, length, onWhole) {
  let done = false;
  const input = el('input', {
    id: 'pair-pin',
    class: 'field pin-field',
    inputmode: 'none',
    pattern: '[0-9]*',
    maxlength: length,
    autocomplete: 'off',
    'aria-label': t('pin.label', { n: length }),
    oninput: () => set(input.value),
    onkeydown: (event) => event.key === 'Enter' && send(),
  });
  const go = button(t('pair.go'), send, { id: 'pair-send', class: 'primary wide', disabled: true });

  function set(text) {
    input.value = text.replace(/[^0-9]/g, '').slice(0, length);
    go.disabled = input.value.length < length;
    if (!go.disabled) send();
  }

  function send() {
    if (done || input.value.length < length) return;
    done = true;
    onWhole(input.value);
  }

  function type(digit) {
    say(t('pin.typed', { digit, n: Math.min(input.value.length + 1, length), of: length }));
    set(input.value + digit);
  }

  function rub() {
    set(input.value.slice(0, -1));
    say(t('pin.rubbed', { n: input.value.length, of: length }));
  }

  const key = (digit) => button(digit, () => type(digit), { class: 'pin-key', 'data-digit': digit });
  const keys = el('div', { class: 'pin-keys', role: 'group', 'aria-label': t('pin.keys') },
    ['1', '2', '3', '4', '5', '6', '7', '8', '9'].map(key),
    button(t('pin.clear'), () => set(''), { class: 'pin-key quiet' }),
    key('0'),
    button('⌫', rub, { class: 'pin-key quiet', 'aria-label': t('pin.rub') }),
  );
  return { element: el('div', { class: 'pin' }, input, keys, go), input };
}
