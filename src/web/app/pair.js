// Letting this browser in: by the link of a QR code (one tap), by a PIN, or by a code from another browser.

import { ApiError } from './api.js';
import { androidIntent, copy, isStandalone, look } from './browser.js';
import { button, el, replace, say } from './dom.js';
import { digits } from './pin.js';

const FIELD_CHARS = 64;

/** Shows what there is to do, by what the address has behind `#`. */
export async function show(root, app) {
  const fragment = location.hash;
  const isLink = /^#1\./.test(fragment);
  const isCode = /^#h\./.test(fragment);
  const { inside } = look();
  if (inside !== null && (isLink || isCode)) elsewhere(root, app, inside, () => begin(root, app, fragment));
  else begin(root, app, fragment);
  return { leave() {} };
}

function begin(root, app, fragment) {
  if (/^#1\./.test(fragment)) byLink(root, app, fragment);
  else if (/^#h\./.test(fragment)) byCode(root, app, fragment.slice(3));
  else byPin(root, app);
}

/** In a view of another app: what it keeps is lost when that app likes. */
function elsewhere(root, { t }, inside, goOn) {
  const { isIphone } = look();
  const browser = isIphone ? 'Safari' : t('pair.chrome');
  const link = el('input', { class: 'field', readonly: true, value: location.href, 'aria-label': t('pair.link') });
  const copied = el('p', { class: 'muted', role: 'status' });
  replace(
    root,
    el('section', { class: 'pair' },
      el('h1', null, t('pair.elsewhere', { browser })),
      el('p', null, inside ? t('pair.inside', { app: t(inside) }) : t('pair.inside-some')),
      isIphone
        ? el('p', null, t('pair.menu', { browser }))
        : el('a', { class: 'button primary wide', href: androidIntent(location.href) }, t('pair.open-in', { browser })),
      isIphone ? null : el('p', { class: 'muted' }, t('pair.menu', { browser })),
      link,
      button(t('pair.copy-link'), async () => {
        replace(copied, (await copy(location.href, link)) ? t('app.copied') : t('pair.copy-by-hand'));
      }, { class: 'wide' }),
      copied,
      button(t('pair.here'), goOn, { class: 'quiet wide' }),
    ),
  );
}

/** The QR code's link: one tap. */
async function byLink(root, app, fragment) {
  const { t } = app;
  const { pairByQr, readLink } = await import('./pairing.js');
  const link = readLink(fragment);
  if (!link) return sorry(root, app, 'pair.bad-link');
  const name = nameField(app);
  const known = app.session ? el('p', null, t('pair.again', { name: app.session.name })) : null;
  const go = button(t('pair.go'), () => run(root, app, (wait) => pairByQr(app.api.ask, link, name.value(), wait)), {
    class: 'primary wide',
    id: 'pair-go',
  });
  replace(
    root,
    el('section', { class: 'pair' },
      el('h1', null, t('pair.title')),
      el('p', null, t('pair.what')),
      known,
      go,
      known && button(t('pair.to-channels'), () => leaveTo(app, '#/channels'), { class: 'wide' }),
      name.element,
    ),
  );
  go.focus();
}

/** A code from another browser, origin or the home screen's link. */
function byCode(root, app, code) {
  const { t } = app;
  if (app.session) return leaveTo(app, '#/channels'); // a home-screen link has its old code for ever
  const redeem = () =>
    run(root, app, async () => {
      try {
        return await app.api.ask('POST', '/api/v1/session/redeem', { body: { code } });
      } catch (why) {
        if (why instanceof ApiError) why.key = why.status === 401 || why.status === 400 ? 'pair.code-used' : 'app.unreachable';
        throw why;
      }
    });
  const go = button(t('pair.go-on'), redeem, { class: 'primary wide', id: 'pair-go' });
  replace(root, el('section', { class: 'pair' }, el('h1', null, t('pair.title')), el('p', null, t('pair.code')), go));
  go.focus();
}

/** By the digits on the TV. */
async function byPin(root, app, problem = null) {
  const { t } = app;
  const { pairByPin } = await import('./pairing.js');
  const name = nameField(app);
  const pad = digits(t, 8, (pin) => {
    run(root, app, (wait) => pairByPin(app.api.ask, pin, name.value(), wait), (why) => byPin(root, app, why));
  });
  replace(
    root,
    el('section', { class: 'pair' },
      el('h1', null, t('pair.title')),
      app.wasOut && !problem && el('p', { role: 'status' }, t('pair.out')),
      problem && el('p', { class: 'danger', role: 'alert' }, problem),
      el('p', null, t('pair.by-qr')),
      el('p', null, t('pair.by-pin')),
      pad.element,
      location.protocol === 'http:' && el('p', { class: 'muted' }, t('pair.plain')),
      name.element,
    ),
  );
}

/** Runs `pairing` and goes on to the channels, or says what was wrong. */
async function run(root, app, pairing, onFailure) {
  const { t } = app;
  const words = el('p', { role: 'status' }, t('pair.working'));
  replace(root, el('section', { class: 'pair' }, el('h1', null, t('pair.title')), words, el('progress', { 'aria-label': t('pair.working') })));
  try {
    const done = await pairing((hello) => replace(words, t('pair.wait', { name: hello.box })));
    if (done.key) app.store.set('key', done.key);
    app.wasOut = false;
    await app.enter();
    say(t('pair.done'));
    leaveTo(app, '#/channels');
  } catch (why) {
    const said = t(why.key ?? 'app.failed', { why: why.message });
    if (onFailure) onFailure(said);
    else sorry(root, app, said);
  }
}

function sorry(root, app, words) {
  const { t } = app;
  replace(
    root,
    el('section', { class: 'pair' },
      el('h1', null, t('pair.title')),
      el('p', { class: 'danger', role: 'alert' }, t(words)),
      app.session && button(t('pair.to-channels'), () => leaveTo(app, '#/channels'), { class: 'primary wide' }),
      button(t('pair.use-pin'), () => byPin(root, app), { class: 'wide' }),
    ),
  );
}

/** The code in the address is used up: neither history nor bookmarks are to have it. */
function leaveTo(app, hash) {
  history.replaceState(null, '', `/${hash}`);
  app.go(hash);
}

function nameField({ t, store }) {
  const app = isStandalone() ? ` (${t('pair.app')})` : '';
  const input = el('input', {
    class: 'field',
    value: store.get('name') ?? look().kind + app,
    maxlength: FIELD_CHARS,
    autocomplete: 'off',
    enterkeyhint: 'done',
  });
  const element = el('details', null, el('summary', null, t('pair.name')), el('label', null, t('pair.name-what'), input));
  return {
    element,
    value() {
      const name = input.value.trim() || look().kind;
      store.set('name', name);
      return name;
    },
  };
}
