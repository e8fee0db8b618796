// The row of controls. Each gesture has its button here, each button its key.

import { button, dialog, el, replace } from '../dom.js';
import { elsewhere, picture } from './box.js';

/** The name of a language of ISO 639-2 in the app's, as far as the browser knows it. */
export function languageName(code, lang) {
  if (!code) return '';
  // Bibliographic codes, which broadcasts have, as the terminological ones, which browsers know.
  const term = { chi: 'zho', fre: 'fra', ger: 'deu', cze: 'ces', dut: 'nld', gre: 'ell', rum: 'ron', slo: 'slk', per: 'fas', may: 'msa', bur: 'mya', tib: 'bod' };
  try {
    return new Intl.DisplayNames([lang], { type: 'language' }).of(term[code] ?? code) ?? code;
  } catch {
    return code;
  }
}

export function controls(app, player) {
  const { t } = app;
  const make = (act, icon, fn) => el('button', { class: 'button', type: 'button', dataset: { act }, onclick: fn }, picture(icon));
  const live = () => ['starting', 'playing', 'waiting'].includes(player.state);
  const stop = make('stop', 'stop', () => (live() ? player.stop() : player.again()));
  const down = make('down', 'down', () => player.zap(-1));
  const up = make('up', 'up', () => player.zap(1));
  const mute = make('mute', 'loud', () => player.mute(!player.video.muted));
  const volume = el('input', {
    type: 'range', min: 0, max: 1, step: 0.05, class: 'volume', dataset: { act: 'volume' },
    oninput: () => player.setVolume(Number(volume.value)),
  });
  const audio = make('audio', 'audio', chooseAudio);
  const text = make('text', 'text', nextText);
  const listen = make('listen', 'note', () => player.play(player.channel.number, { gesture: true, soundOnly: !player.soundOnly }));
  const more = make('more', 'more', openElsewhere);
  const pip = make('pip', 'pip', () => smallWindow(player.video));
  const full = make('fullscreen', 'fullscreen', () => fullscreen());
  const menu = make('menu', 'dots', openMenu);
  const behind = el('span', { class: 'behind', hidden: true });
  const root = el('div', { class: 'deck', role: 'group' }, stop, down, up, mute, volume, behind, el('span', { class: 'space' }), audio, text, listen, more, menu, pip, full);

  const show = (control, label, shown = true) => {
    control.hidden = !shown;
    if (control.getAttribute('aria-label') === label) return;
    control.setAttribute('aria-label', label);
    control.title = label;
  };

  /** Subtitles as the browser knows them: of HLS. */
  const texts = () => [...(player.video.textTracks ?? [])].filter((track) => ['subtitles', 'captions'].includes(track.kind));

  function nextText() {
    const all = texts();
    const now = all.findIndex((track) => track.mode === 'showing');
    all.forEach((track, i) => {
      track.mode = i === now + 1 ? 'showing' : 'disabled';
    });
    update();
  }

  function chooseAudio() {
    const list = el('div', { class: 'player-choices', role: 'group' });
    const shown = dialog(t('player.audio'), el('h2', null, t('player.audio')), list,
      el('div', { class: 'actions' }, button(t('app.close'), () => shown.close())));
    const native = player.way.path === 'hls' && player.video.audioTracks ? [...player.video.audioTracks] : null;
    if (native) {
      replace(list, native.map((track, i) => choice(`${i + 1} ${languageName(track.language, app.lang) || track.label}`, track.enabled, () => {
        native.forEach((other) => {
          other.enabled = other === track;
        });
      })));
    } else {
      replace(list, player.audioTracks.map((track, i) => choice(
        `${i + 1} ${languageName(track.language, app.lang)} (${track.codec})`, track.chosen, () => player.chooseAudio(track))));
    }

    function choice(label, chosen, fn) {
      const choose = () => {
        shown.close();
        fn();
      };
      return button(label, choose, { 'aria-pressed': String(chosen) });
    }
  }

  function openElsewhere() {
    const shown = dialog(t('player.more'), el('h2', null, t('player.more')), el('p', null, t('player.more-what')),
      elsewhere(app, player.channel), el('div', { class: 'actions' }, button(t('app.close'), () => shown.close())));
  }

  /** What a narrow screen has no room for. */
  function openMenu() {
    const list = el('div', { class: 'player-choices' }, [audio, listen, more, pip]
      .filter((control) => !control.hidden && control.offsetParent === null)
      .map((control) => button(control.title, () => {
        shown.close();
        control.click();
      })));
    const shown = dialog(t('player.menu'), list, el('div', { class: 'actions' }, button(t('app.close'), () => shown.close())));
  }

  /** All over the screen; an iPhone can do that with its video alone. */
  function fullscreen() {
    const box = root.parentElement;
    const now = document.fullscreenElement ?? document.webkitFullscreenElement;
    if (now) return (document.exitFullscreen ?? document.webkitExitFullscreen).call(document);
    const ask = box.requestFullscreen ?? box.webkitRequestFullscreen;
    if (!ask) return player.video.webkitEnterFullscreen?.();
    const turn = () => screen.orientation?.lock?.('landscape').catch(() => {});
    return Promise.resolve(ask.call(box)).then(turn, () => {});
  }

  function update() {
    const { channel, video, way } = player;
    const playing = live();
    root.setAttribute('aria-label', t('player.controls'));
    replace(stop, picture(playing ? 'stop' : 'play'));
    show(stop, t(playing ? 'player.stop' : 'player.play'), Boolean(channel) && way.path !== 'external');
    show(down, t('player.down'));
    show(up, t('player.up'));
    const silent = video.muted || video.volume === 0;
    replace(mute, picture(silent ? 'mute' : 'loud'));
    show(mute, t(silent ? 'player.unmute' : 'player.mute'));
    show(volume, t('player.volume'));
    volume.value = silent ? 0 : video.volume;
    const native = way.path === 'hls' ? video.audioTracks?.length ?? 0 : 0;
    show(audio, t('player.audio'), player.audioTracks.length > 1 || native > 1);
    show(text, t('player.text'), texts().length > 0);
    const seen = channel && channel.kind !== 'radio' && way.path !== 'external' && way.path !== 'none';
    show(listen, t(player.soundOnly ? 'player.watch' : 'player.listen'), Boolean(seen));
    listen.setAttribute('aria-pressed', String(player.soundOnly));
    show(more, t('player.more'), Boolean(channel) && way.path !== 'external');
    show(menu, t('player.menu'), Boolean(channel) && way.path !== 'external');
    const pictured = Boolean(seen) && !player.soundOnly;
    show(pip, t('player.pip'), pictured && (document.pictureInPictureEnabled || Boolean(video.webkitSetPresentationMode)));
    show(full, t('player.fullscreen'), pictured);
    behind.hidden = way.path !== 'hls' || !playing;
    behind.textContent = t('player.behind');
  }

  addEventListener('keydown', (event) => {
    const typing = event.target.closest?.('input:not([type=range]), select, textarea, dialog');
    if (typing || event.ctrlKey || event.altKey || event.metaKey || document.body.dataset.page !== 'play') return;
    const onControl = event.target.closest?.('button, a, input');
    const keys = {
      k: () => stop.click(), m: () => mute.click(), f: fullscreen, s: () => texts().length && nextText(),
      PageUp: () => player.zap(1), PageDown: () => player.zap(-1), ArrowUp: () => player.zap(1), ArrowDown: () => player.zap(-1),
      '+': () => player.setVolume(player.video.volume + 0.1), '-': () => player.setVolume(player.video.volume - 0.1),
      ' ': () => stop.click(),
    };
    const fn = keys[event.key];
    if (!fn || (onControl && [' ', 'ArrowUp', 'ArrowDown'].includes(event.key))) return;
    event.preventDefault();
    fn();
  });

  return { root, update, fullscreen };
}

/** The picture in a small window over other apps, or back. */
async function smallWindow(video) {
  try {
    if (video.webkitSetPresentationMode) {
      const inside = video.webkitPresentationMode === 'picture-in-picture';
      video.webkitSetPresentationMode(inside ? 'inline' : 'picture-in-picture');
    } else if (document.pictureInPictureElement) await document.exitPictureInPicture();
    else await video.requestPictureInPicture();
  } catch (why) {
    console.warn('picture in picture:', why.message);
  }
}
