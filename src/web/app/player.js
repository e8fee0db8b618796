// The page of the player, and the player that outlives it.

import { el, replace } from './dom.js';
import { Player } from './player/core.js';
import { span } from './when.js';

/** The player of `app`: one for the session. */
export function createPlayer(app) {
  return new Player(app);
}

/** `#/play/<number>` */
export async function show(root, app, params) {
  const number = Number(params[0]);
  const { player, t } = app;
  const slot = el('div', { class: 'slot' });
  const title = el('h1');
  const now = el('p', { class: 'now' });
  const next = el('p', { class: 'muted' });
  replace(root, slot, el('div', { class: 'about' }, title, now, next));
  player.mount(slot);
  if (player.number !== number) player.play(number, { gesture: false });

  const tell = () => {
    const channel = player.channel;
    if (!channel) {
      title.textContent = t('player.title');
      return;
    }
    title.textContent = `${channel.number} ${channel.name}`;
    const on = app.channels.programme?.(channel) ?? channel;
    now.textContent = on.now ? `${t('player.now')} ${span(on.now)} ${on.now.title}` : '';
    next.textContent = on.next ? `${t('player.next')} ${span(on.next)} ${on.next.title}` : '';
  };
  const offs = [player.on('channel', tell), app.channels.onChange?.(tell)];
  tell();
  return {
    leave() {
      offs.forEach((off) => off?.());
      if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
      player.mount(null);
    },
  };
}
