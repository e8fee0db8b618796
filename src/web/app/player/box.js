// The player's box: the one <video>, what lies over it, and its controls.

import { button, el, replace, svg } from '../dom.js';
import { controls } from './controls.js';
import { copy, device, link, target } from './external.js';

/** Controls over the picture go after so long (ms). */
const REST = 4000;

export function makeBox(app, player) {
  const { t } = app;
  const video = el('video', { playsinline: true, 'webkit-playsinline': true, preload: 'auto', 'aria-hidden': true, tabindex: -1 });
  const fields = el('canvas', { class: 'fields', hidden: true, 'aria-hidden': true });
  const frame = el('canvas', { class: 'frame', hidden: true, 'aria-hidden': true });
  const name = el('span', { class: 'name' });
  const cover = el('div', { class: 'cover', hidden: true, 'aria-hidden': true });
  const words = el('span', { role: 'status' });
  const wait = el('div', { class: 'wait', hidden: true }, el('span', { class: 'spin', 'aria-hidden': true }), words);
  const sound = el('button', { id: 'tap-for-sound', class: 'button', type: 'button', hidden: true, onclick: () => player.sound() });
  const notice = el('div', { class: 'notice', hidden: true });
  const bar = controls(app, player);
  const open = el('button', { class: 'open', type: 'button', onclick: () => app.go(`#/play/${player.number}`) });
  const close = el('button', { class: 'button close', type: 'button', onclick: () => player.stop() }, '✕');
  const top = el('div', { class: 'top' }, name, open, close);
  const screen = el('div', { class: 'screen' }, video, fields, cover, frame, wait, notice, sound, top);
  const root = el('section', { id: 'player', class: 'player', dataset: { state: 'idle', path: 'none', number: '' } }, screen, bar.root);
  const corner = document.getElementById('mini');
  let said = '';
  let resting = null;

  // With the picture all over the screen, or over the whole width, the controls go when nobody touches anything.
  const stir = () => {
    root.classList.remove('resting');
    clearTimeout(resting);
    resting = setTimeout(() => {
      const busy = root.querySelector(':focus-visible') ?? root.querySelector('.deck:hover');
      if (player.state === 'playing' && !busy) root.classList.add('resting');
    }, REST);
  };
  for (const event of ['pointermove', 'pointerdown', 'keydown', 'focusin']) root.addEventListener(event, stir);
  screen.addEventListener('dblclick', ({ target: on }) => [video, fields].includes(on) && bar.fullscreen());

  /** What is wrong, and what can be done about it. */
  function problem() {
    const { state, machine, channel, way } = player;
    const key = `${state} ${machine.why} ${machine.number} ${app.lang}`;
    const shown = ['failed', 'external', 'blocked', 'idle'].includes(state) && Boolean(channel ?? machine.why);
    notice.hidden = !shown;
    if (!shown) said = '';
    if (!shown || key === said) return;
    said = key;
    if (state === 'external') {
      replace(notice, el('p', { role: 'alert' }, t(`player.why.${way.why ?? 'codec'}`)), elsewhere(app, channel));
      return;
    }
    const again = button(t(state === 'failed' ? 'app.retry' : 'player.play'), () => player.again(), { class: 'primary' });
    if (state !== 'failed') {
      replace(notice, again);
      return;
    }
    const reason = `player.why.${machine.why}`;
    const sentence = t(reason) === reason ? t('player.why.box') : t(reason);
    const other = machine.why === 'decode' && channel ? elsewhere(app, channel) : null;
    replace(notice, el('p', { role: 'alert' }, sentence), el('div', { class: 'actions' }, again), other);
  }

  return {
    root,
    video,
    fields,

    update() {
      const { state, machine, channel, way, forced } = player;
      Object.assign(root.dataset, { state, path: channel ? way.path : 'none', number: machine.number ?? '' });
      root.setAttribute('aria-label', channel ? t('player.of', { name: channel.name }) : t('player.title'));
      name.textContent = channel ? `${channel.number} ${channel.name}` : '';
      open.setAttribute('aria-label', t('player.open'));
      close.setAttribute('aria-label', t('player.stop'));
      sound.hidden = !(forced && ['starting', 'playing', 'waiting'].includes(state));
      sound.textContent = t('player.tap-for-sound');
      wait.hidden = !['starting', 'waiting'].includes(state) || machine.parked;
      const waits = wait.hidden ? '' : t(machine.why ? 'player.again' : 'player.starting');
      words.className = machine.why ? '' : 'unseen';
      if (words.textContent !== waits) words.textContent = waits;
      const radio = channel && (channel.kind === 'radio' || player.soundOnly);
      cover.hidden = !radio || state === 'idle';
      if (radio) replace(cover, picture('note'), el('span', null, channel.name));
      problem();
      bar.update();
      if (!root.isConnected || root.parentElement === corner) this.mount(null);
      if (state !== 'playing') stir();
    },

    /** Into `slot`, or into the corner while something plays. */
    mount(slot) {
      const place = slot ?? corner;
      const seen = slot !== null || ['starting', 'playing', 'waiting', 'blocked'].includes(player.state);
      root.classList.toggle('mini', slot === null);
      root.hidden = !seen;
      if (root.parentElement === place) return;
      // Some browsers pause a video that is moved.
      const paused = video.paused;
      place.append(root);
      if (!paused && video.paused) player.startVideo();
    },

    /** The last picture stays while another stream begins. */
    keepFrame() {
      const { videoWidth: width, videoHeight: height } = video;
      if (!width || video.readyState < 2 || !frame.hidden) return;
      const scale = Math.min(1, 960 / width);
      Object.assign(frame, { width: Math.round(width * scale), height: Math.round(height * scale) });
      frame.getContext('2d').drawImage(video, 0, 0, frame.width, frame.height);
      frame.hidden = false;
    },

    dropFrame() {
      frame.hidden = true;
    },

    clear() {
      frame.hidden = true;
      fields.hidden = true;
    },
  };
}

/** The ways to another app. */
export function elsewhere(app, channel) {
  const { t } = app;
  const place = el('div', { class: 'actions' }, el('span', null, t('app.loading')));
  const on = device();
  link(app.api, channel.number).then((url) => {
    const { kind, href, download } = target(url, channel.name, on);
    const copied = el('span', { role: 'status' });
    const field = el('input', { value: url, readonly: true, 'aria-label': t('player.link'), onfocus: ({ target: it }) => it.select() });
    replace(place,
      el('a', { class: 'button primary', href, download, dataset: { external: kind } }, t(`player.in-${kind}`)),
      el('a', { class: 'button', href: url, dataset: { external: 'link' }, onclick: copyIt }, t('player.copy')), copied, field);

    async function copyIt(event) {
      event.preventDefault();
      if (await copy(url)) copied.textContent = t('app.copied');
      else field.select();
    }
  }, (why) => replace(place, el('p', null, why.message)));
  return place;
}

const PICTURES = {
  note: 'M12 3v10.6A4 4 0 1 0 14 17V7h4V3z',
  stop: 'M6 6h12v12H6z',
  play: 'M8 5v14l11-7z',
  up: 'M12 7l7 8H5z',
  down: 'M12 17l7-8H5z',
  loud: 'M3 9v6h4l5 5V4L7 9H3zm13.5 3A4.5 4.5 0 0 0 14 8v8a4.5 4.5 0 0 0 2.5-4zM14 3.2v2.1a7 7 0 0 1 0 13.4v2.1a9 9 0 0 0 0-17.6z',
  mute: 'M3 9v6h4l5 5V4L7 9H3zm18 .4L19.6 8 17 10.6 14.4 8 13 9.4l2.6 2.6-2.6 2.6 1.4 1.4 2.6-2.6 2.6 2.6 1.4-1.4-2.6-2.6z',
  audio: 'M12 3a7 7 0 0 0-7 7v7a3 3 0 0 0 3 3h2v-8H7v-2a5 5 0 0 1 10 0v2h-3v8h2a3 3 0 0 0 3-3v-7a7 7 0 0 0-7-7z',
  text: 'M4 5h16v14H4zm2 7v2h5v-2zm7 0v2h5v-2zm-7 3v2h8v-2zm10 0v2h2v-2z',
  pip: 'M3 5h18v14H3zm2 2v10h14V7zm6 4h6v4h-6z',
  fullscreen: 'M5 5h6v2H7v4H5zm8 0h6v6h-2V7h-4zM5 13h2v4h4v2H5zm12 0h2v6h-6v-2h4z',
  dots: 'M5 10a2 2 0 1 0 0 4 2 2 0 0 0 0-4zm7 0a2 2 0 1 0 0 4 2 2 0 0 0 0-4zm7 0a2 2 0 1 0 0 4 2 2 0 0 0 0-4z',
  more: 'M14 4h6v6h-2V7.4l-7.3 7.3-1.4-1.4L16.6 6H14zM5 6h6v2H6v10h10v-5h2v7H4V6z',
};

/** A picture for a control; what it means is said by the control's label. */
export function picture(which) {
  return svg('svg', { viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' }, svg('path', { d: PICTURES[which] }));
}
