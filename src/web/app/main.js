// The start: who is this browser to the box, and which page does the address name.

import { makeApi } from './api.js';
import { button, el, replace, say } from './dom.js';
import { PAGES, equip } from './pages.js';
import { store } from './store.js';
import { language, languageTag, setLanguage, t } from './strings.js';

const FIRST = 'channels';
const NAME = 'stbcast';
/** The version of the files that this page is of. */
const FILES = /^\/app\/([0-9a-f]{16})\//.exec(new URL(import.meta.url).pathname)?.[1];
const root = document.getElementById('main');
const nav = document.getElementById('nav');

const app = {
  api: makeApi(() => app.session && app.out()),
  t,
  store,
  session: null,
  /** It had a session, which the box ended. */
  wasOut: false,
  channels: null,
  events: null,
  player: null,
  /** The browser's offer to install, once it made one. */
  install: null,
  get lang() {
    return language;
  },
  /** Speaks 'en' or 'zh' from now on. */
  setLanguage(name) {
    setLanguage(name);
    route();
  },
  /** The page that takes this terminal to another browser. */
  handOver: () => app.go('#/handover'),
  /** The box and this browser forget each other, until it is paired anew. */
  async signOut() {
    await app.api.del('/api/v1/session');
    store.set('key', null);
    app.out();
    app.wasOut = false; // of its own will
  },
  /** The box does not know this browser any more. */
  out() {
    app.wasOut = app.session !== null;
    app.session = null;
    app.events?.stop();
    app.player?.stop();
    app.go('#/pair');
  },
  /** Leads to another page: '#/play/1'. */
  go(hash) {
    if (location.hash === hash) route();
    else location.hash = hash;
  },
  /** The box has these files now: a page of others, from before an upgrade, is loaded anew, once nothing plays. */
  renew(files) {
    newer = files !== FILES && files !== history.state?.renewed ? files : null;
    if (!newer || ['starting', 'playing', 'waiting'].includes(app.player?.state)) return;
    history.replaceState({ renewed: files }, ''); // should it get the former ones again, it goes on with them
    location.reload();
  },
  /** Who this browser is, asked again: after pairing. */
  async enter() {
    app.session = await app.api.get('/api/v1/session');
    await (equipped ??= equip(app));
    app.events?.start();
  },
};
let equipped = null;
/** Files of the box that are newer than this page's. */
let newer = null;

let current = null;
let turn = 0;

/** Shows the page that the address names. */
async function route() {
  const mine = ++turn;
  const [name, ...params] = isCode() ? ['pair'] : location.hash.replace(/^#\/?/, '').split('/');
  const wanted = app.session ? (Object.hasOwn(PAGES, name) ? name : FIRST) : 'pair';
  const page = PAGES[wanted];
  const left = current;
  current = null;
  await left?.leave?.();
  if (mine !== turn) return;
  if (newer) app.renew(newer);
  try {
    const module = await page.load();
    if (mine !== turn) return;
    navigation(wanted);
    const place = el('div', { class: `page page-${wanted}` });
    replace(root, place);
    scrollTo(0, 0);
    const shown = await module.show(place, app, params);
    if (mine !== turn) return shown?.leave?.();
    current = shown;
    // What had the focus is gone, unless the page took it.
    if (turn > 1 && !place.contains(document.activeElement)) root.focus({ preventScroll: true });
    document.body.dataset.page = wanted;
    const title = place.querySelector('h1')?.textContent;
    document.title = title ? `${title} – ${NAME}` : NAME;
  } catch (why) {
    if (mine === turn) failed(why);
  }
}

let isAway = false;

function failed(why) {
  if (why?.status === 401) return; // the pairing page comes
  console.error(why);
  isAway = why?.status === 0;
  const words = why?.status === 0 ? t('app.unreachable') : t('app.broken', { why: why?.message ?? why });
  replace(root, el('div', { class: 'page notice', role: 'alert' }, el('p', null, words), button(t('app.retry'), start)));
}

/** The links to pages; none while the box does not know who this is. */
function navigation(now) {
  document.getElementById('skip').textContent = t('app.skip');
  const may = (page) => app.session && page.label && (!page.owner || app.session.role === 'owner');
  const links = Object.entries(PAGES)
    .filter(([, page]) => may(page))
    .map(([name, page]) => el('a', { href: `#/${name}`, 'aria-current': name === now ? 'page' : null }, t(page.label)));
  const [other, tag] = language === 'zh' ? ['en', 'en'] : ['zh', 'zh-CN'];
  const switcher = button(t('app.language'), () => app.setLanguage(other), { class: 'quiet', lang: tag });
  nav.setAttribute('aria-label', t('app.nav'));
  replace(nav, links, switcher);
}

/** The address has a code to be let in by: of a QR code, or of another browser. */
function isCode() {
  return /^#[1h]\./.test(location.hash);
}

async function start() {
  isAway = false;
  document.documentElement.lang = languageTag();
  try {
    await app.enter();
  } catch (why) {
    if (why.status !== 401) return failed(why);
  }
  return route();
}

addEventListener('online', () => {
  if (isAway) start();
});

addEventListener('beforeinstallprompt', (event) => {
  event.preventDefault();
  app.install = event;
});
// Only a secure origin has service workers; without one the app needs the box for its files, as it does for all else.
navigator.serviceWorker?.register('/sw.js').catch((why) => console.warn(why));

document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  root.focus();
});
addEventListener('hashchange', () => {
  say('');
  route();
});
start();
