// This terminal in another browser, at another address of the box, or on the home screen: a link with a code that is
// good once, for ten minutes. The code stands behind `#`, which no server is sent.

import { androidIntent, copy, isStandalone, look } from './browser.js';
import { button, el, replace } from './dom.js';

/** Shows how to go on elsewhere. */
export async function show(root, app) {
  const { t } = app;
  const { isIphone } = look();
  const made = el('div', { class: 'handed', 'aria-live': 'polite' });
  const installed = el('div', { class: 'handed', 'aria-live': 'polite' });
  replace(
    root,
    el('section', { class: 'pair' },
      el('h1', null, t('handover.title')),
      el('h2', null, t('handover.browser')),
      el('p', null, t('handover.what')),
      button(t('handover.make'), () => make(app, made), { id: 'handover', class: 'primary wide' }),
      made,
      !isStandalone() && [
        el('h2', null, t('handover.home')),
        installed,
        isIphone
          ? button(t('handover.prepare'), () => prepare(app, installed), { class: 'wide' })
          : install(app, installed),
      ],
      button(t('app.back'), () => history.back(), { class: 'quiet wide' }),
    ),
  );
  return {
    leave() {
      // A code that was put into the address for the home screen is nothing for the history.
      if (location.hash.startsWith('#h.')) history.replaceState(null, '', '/');
    },
  };
}

async function code(app) {
  return (await app.api.post('/api/v1/session/handover')).code;
}

/** The other origin of this box that is known: its name, as its owner may ask for it. */
async function otherOrigin(app) {
  if (app.session.role !== 'owner') return null;
  const named = await app.api.get('/api/v1/name').catch(() => null);
  if (named?.state !== 'online' || !named.name) return null;
  const origin = `${location.protocol}//${named.name}${location.port ? `:${location.port}` : ''}`;
  return origin === location.origin ? null : origin;
}

async function make(app, place) {
  const { t } = app;
  try {
    const other = await otherOrigin(app);
    const here = await oneLink(app, location.origin, 'handover-link');
    const there = other && (await oneLink(app, other, 'handover-name'));
    replace(place, here, there && [el('p', null, t('handover.name')), there], el('p', { class: 'muted' }, t('handover.once')));
    document.getElementById('handover-link').select();
  } catch (why) {
    failed(app, place, why);
  }
}

async function oneLink(app, origin, id) {
  const { t } = app;
  const url = `${origin}/pair#h.${await code(app)}`;
  const field = el('input', { id, class: 'field', readonly: true, value: url, 'aria-label': t('pair.link') });
  const copied = el('p', { class: 'muted', role: 'status' });
  const toClipboard = async () => replace(copied, (await copy(url, field)) ? t('app.copied') : t('pair.copy-by-hand'));
  return [
    field,
    button(t('pair.copy-link'), toClipboard, { class: 'wide' }),
    look().isAndroid && el('a', { class: 'button wide', href: androidIntent(url) }, t('handover.open')),
    copied,
  ];
}

/** An iPhone's home screen has a storage of its own, and opens the address that was shown: with a code in it. */
async function prepare(app, place) {
  const { t } = app;
  try {
    const key = await code(app);
    document.querySelector('link[rel=manifest]')?.remove(); // whose start address would be taken instead
    history.replaceState(null, '', `/#h.${key}`);
    replace(place, el('p', null, t('handover.share')), el('p', { class: 'muted' }, t('handover.once')));
  } catch (why) {
    failed(app, place, why);
  }
}

/** Where the browser offers to install, a button; else where to find it. */
function install(app, place) {
  const { t } = app;
  if (!app.install) return el('p', null, t(isSecureContext ? 'handover.menu' : 'handover.shortcut'));
  return button(t('handover.install'), async () => {
    await app.install.prompt();
    const { outcome } = await app.install.userChoice;
    app.install = null;
    replace(place, outcome === 'accepted' ? t('handover.installed') : '');
  }, { class: 'wide' });
}

function failed({ t }, place, why) {
  replace(place, el('p', { class: 'danger', role: 'alert' }, t('app.failed', { why: why.message })));
}
