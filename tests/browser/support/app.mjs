// The app as its users handle it: by what they can see and press.

import { at, invitation, until } from './stb.mjs';

/** Waits until the page of this name is shown. */
export const shown = (page, name, most) =>
  page.waitForSelector(`body[data-page="${name}"]`, { timeout: most ?? 15_000 });

/** Goes to the page of this name. */
export async function go(page, name) {
  await page.evaluate((to) => { location.hash = `#/${to}`; }, name);
  await shown(page, name.split('/')[0]);
}

/** Opens the link of the pairing window, taps once, and is at the list. Gives what the window showed. */
export async function pairByLink(page, base) {
  const window = await invitation();
  await page.goto(at(window.link, base));
  await press(page, '#pair-go');
  await shown(page, 'channels');
  await page.waitForSelector('[data-channel]');
  return window;
}

/** Presses what is found by `selector`, as a finger would where the screen has touch. */
export async function press(page, selector) {
  const target = await page.waitForSelector(selector, { visible: true, timeout: 15_000 });
  if (page.viewport()?.hasTouch) await target.tap();
  else await target.click();
}

/** What the one `<video>` and the player say of themselves. */
export const picture = (page) => page.evaluate(() => {
  const video = document.querySelector('video');
  const player = document.querySelector('#player');
  const quality = video?.getVideoPlaybackQuality();
  return {
    state: player?.dataset.state, path: player?.dataset.path, number: Number(player?.dataset.number),
    width: video?.videoWidth, frames: quality?.totalVideoFrames, dropped: quality?.droppedVideoFrames,
    audio: video?.webkitAudioDecodedByteCount, time: video?.currentTime, paused: video?.paused, muted: video?.muted,
    alert: document.querySelector('#player [role=alert]')?.textContent ?? '',
  };
});

/** Waits until channel `number` plays: sound is decoded and, where it `hasPicture`, pictures are, more and more. */
export async function plays(page, number, { hasPicture = true, most = 20_000 } = {}) {
  let seen, before;
  try {
    await until('', async () => {
      seen = await picture(page);
      if (seen.number !== number || seen.state !== 'playing') return (before = undefined);
      before ??= seen;
      // Another source starts its counts anew.
      if (seen.frames < before.frames || seen.audio < before.audio) before = seen;
      const grew = (key) => seen[key] > before[key];
      return seen.time !== before.time && grew('audio') && (!hasPicture || (seen.width > 0 && grew('frames')));
    }, most);
  } catch {
    throw new Error(`channel ${number} does not play: ${JSON.stringify(seen)} ${page.log?.join(' | ')}`);
  }
  return seen;
}

/** Goes to the list and presses the tile of a channel. */
export async function choose(page, number) {
  if (!(await page.$('body[data-page="channels"]'))) await go(page, 'channels');
  await press(page, `[data-channel="${number}"]`);
}

/** From the channel that plays to another: by the button to the next where it is that, else by the list. */
export async function zap(page, number) {
  const from = (await picture(page)).number;
  const act = { [from + 1]: 'up', [from - 1]: 'down' }[number];
  if (!act) return choose(page, number);
  if (!(await page.$('body[data-page="play"]'))) await go(page, `play/${from}`);
  await press(page, `[data-act=${act}]`);
}

/** Has this browser go `path` where it can: 'mse' or 'hls'; null: as the app decides. */
export async function prefer(page, path) {
  await page.evaluate(async (p) => (await import('/app/store.js')).store.set('path', p), path);
  await page.goto(`${new URL(page.url()).origin}/#/channels`);
  await page.reload();
  await shown(page, 'channels');
}
