// Links to hand out: one channel or all, for some hours, in any player.

import { copy } from './browser.js';
import { button, el, replace } from './dom.js';
import { drawQr } from './qr.js';
import { card, failure } from './settings-parts.js';

const HOURS = [1, 2, 4, 8, 12];
const PLAYERS = [1, 2, 4];

/** Shows the form for a link. */
export function showLinks(place, app) {
  const { t, api, channels } = app;
  const option = (value, words) => el('option', { value }, words);
  const channel = el(
    'select',
    { class: 'field' },
    option(0, t('links.all')),
    channels.list.filter((c) => c.kind !== 'data').map((c) => option(c.number, `${c.number} ${c.name}`)),
  );
  if (channels.last) channel.value = channels.last.number;
  const hours = el('select', { class: 'field' }, HOURS.map((n) => option(n, t(n === 1 ? 'links.hour' : 'links.hours', { n }))));
  const players = el('select', { class: 'field' }, PLAYERS.map((n) => option(n, n)));
  const made = el('div', { 'aria-live': 'polite' });

  async function make(event) {
    event.preventDefault();
    try {
      const wish = { channel: Number(channel.value), ttl: Number(hours.value) * 3600, connections: Number(players.value) };
      const link = await api.post('/api/v1/links', wish);
      replace(made, linkBox(app, location.origin + link.path), el('p', { class: 'muted' }, t('links.who')));
    } catch (why) {
      replace(made, failure(t, why));
    }
  }

  place.append(
    card(
      t('links.title'),
      el('p', { class: 'muted' }, t('links.what')),
      el(
        'form',
        { onsubmit: make },
        el('label', null, t('links.channel'), channel),
        el('div', { class: 'halves' }, el('label', null, t('links.for'), hours), el('label', null, t('links.players'), players)),
        el('button', { class: 'button primary' }, t('links.make')),
      ),
      made,
    ),
  );
}

/** A link to be scanned, copied or shared. */
export function linkBox(app, url) {
  const { t } = app;
  const field = el('input', { class: 'field', value: url, readonly: true, 'aria-label': t('links.link'), onfocus: () => field.select() });
  const said = el('span', { role: 'status' });
  const copies = button(t('app.copy'), async () => {
    replace(said, (await copy(url, field)) ? t('app.copied') : t('pair.copy-by-hand'));
  });
  const shares = navigator.share && button(t('links.share'), () => navigator.share({ url }).catch(() => {}));
  return el('div', { class: 'link-box' }, drawQr(url, t('links.qr')), el('div', { class: 'what' }, field, el('div', { class: 'row' }, copies, shares, said)));
}
