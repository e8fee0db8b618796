// Settings: this browser, who was let in, links to hand out, the box's name and how it is reached.

import { button, el, replace } from './dom.js';
import { showLinks } from './settings-links.js';
import { showName } from './settings-name.js';
import { showTerminals } from './settings-terminals.js';
import { card, confirm, failure } from './settings-parts.js';

const AGES = [6, 10, 12, 14, 16, 18];

/** Shows what who asks may change. */
export async function show(root, app) {
  const { t, session, channels } = app;
  const isOwner = session.role === 'owner';
  replace(root, el('h1', null, t('settings.title')));
  await channels.ready.catch(() => null);
  const columns = el('div', { class: 'settings' });
  root.append(columns);
  columns.append(thisBrowser(app));
  const parts = [
    isOwner && showTerminals,
    session.role !== 'guest' && showLinks,
    isOwner && showName,
    isOwner && showParental,
  ].filter(Boolean);
  const open = [];
  for (const part of parts) {
    const place = el('div', { class: 'settings-part' });
    columns.append(place);
    open.push(part(place, app));
  }
  columns.append(await about(app));

  return { leave: () => open.forEach((part) => part?.leave?.()) };
}

function thisBrowser(app) {
  const { t, session, channels } = app;
  const said = el('p', { role: 'status' });
  const language = el(
    'select',
    { class: 'field', onchange: () => app.setLanguage(language.value) },
    el('option', { value: 'en', selected: app.lang === 'en', lang: 'en' }, 'English'),
    el('option', { value: 'zh', selected: app.lang === 'zh', lang: 'zh-CN' }, '中文'),
  );
  const forget = button(t('settings.forgetFavourites'), async () => {
    if (!(await confirm(app, t('settings.forgetFavourites'), t('settings.forgetFavouritesAsk')))) return;
    channels.forgetFavourites();
    forget.disabled = true;
    replace(said, t('settings.favouritesGone'));
  });
  forget.disabled = channels.favourites.length === 0;
  const out = button(t('settings.signOut'), async () => {
    if (!(await confirm(app, t('settings.signOut'), t('settings.signOutAsk')))) return;
    try {
      await app.signOut();
    } catch (why) {
      replace(said, failure(t, why));
    }
  }, { class: 'danger' });
  return card(
    t('settings.thisBrowser'),
    el('p', null, el('strong', null, session.name), ' ', el('span', { class: 'pill' }, t(`role.${session.role}`))),
    el('label', null, t('settings.language'), language),
    el('div', { class: 'row' }, button(t('settings.handOver'), () => app.handOver()), forget, out),
    el('p', { class: 'muted' }, t('settings.handOverWhat')),
    said,
  );
}

async function about(app) {
  const box = await app.api.get('/api/v1/box').catch(() => null);
  return el('p', { class: 'muted version' }, box ? `${box.product} ${box.version}` : '');
}

/** Parental lock: from which age on a PIN is asked for. Nothing where the box has none. */
async function showParental(place, app) {
  const { t, api } = app;
  let lock;
  try {
    lock = await api.get('/api/v1/parental');
  } catch {
    return;
  }
  const said = el('p', { role: 'status' });
  const ages = [...new Set([...AGES, ...(lock.age ? [lock.age] : [])])].sort((a, b) => a - b);
  const age = el(
    'select',
    { class: 'field' },
    el('option', { value: '', selected: lock.age === null }, t('parental.off')),
    ages.map((n) => el('option', { value: n, selected: n === lock.age }, t('parental.from', { n }))),
  );
  const pin = el('input', {
    class: 'field',
    type: 'password',
    inputmode: 'numeric',
    pattern: '[0-9]{4,8}',
    maxlength: 8,
    autocomplete: 'new-password',
    placeholder: lock.has_pin ? '••••' : '',
  });

  async function save(event) {
    event.preventDefault();
    const wish = { age: age.value === '' ? null : Number(age.value), ...(pin.value && { pin: pin.value }) };
    try {
      await api.post('/api/v1/parental', wish);
      if (pin.value) pin.placeholder = '••••';
      pin.value = '';
      replace(said, t('settings.saved'));
    } catch (why) {
      replace(said, failure(t, why));
    }
  }

  place.append(
    card(
      t('parental.title'),
      el('p', { class: 'muted' }, t('parental.what')),
      el(
        'form',
        { onsubmit: save },
        el('label', null, t('parental.age'), age),
        el('label', null, t(lock.has_pin ? 'parental.newPin' : 'parental.pin'), pin),
        button(t('settings.save'), null, { class: 'primary', type: 'submit' }),
      ),
      said,
    ),
  );
}
