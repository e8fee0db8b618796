// Plays HLS in Chromium by hls.js, by Shaka Player or as Chromium does by itself, and says what came of it.
//
//   node hls.mjs hlsjs|shaka|native INDEX SECONDS
//
// The page is at the box's own origin, as the app is; its files are put in between. The exit code is 0 where it played:
// time went on, sound was decoded, pictures were where there are some, and the player never ran out of what it plays once
// it had begun. Waits with more than that at hand are told, and are the decoder's on a busy machine.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import puppeteer from 'puppeteer-core';

const [kind, index, seconds] = process.argv.slice(2);
const { resolve } = createRequire(import.meta.url);
const PROGRAM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
/** In seconds: what is shorter is no stall that anybody sees. */
const WAIT = 0.25;
/** Who waits with so many seconds at hand does not wait for the box. */
const AT_HAND = 0.5;
const LIBRARIES = { hlsjs: 'hls.js/dist/hls.js', shaka: 'shaka-player/dist/shaka-player.compiled.js' };

const browser = await puppeteer.launch({
  executablePath: PROGRAM,
  args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--mute-audio'],
  protocolTimeout: (Number(seconds) + 120) * 1000,
});
try {
  const page = await browser.newPage();
  const { origin } = new URL(index);
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (pathname === '/player.html') {
      return request.respond({
        contentType: 'text/html',
        body: '<!doctype html><video playsinline></video><script src="/player.js"></script>',
      });
    }
    if (pathname === '/player.js') {
      const library = LIBRARIES[kind] ? readFileSync(resolve(LIBRARIES[kind])) : '';
      return request.respond({ contentType: 'text/javascript', body: library });
    }
    return request.continue();
  });
  await page.goto(`${origin}/player.html`);
  const seen = await page.evaluate(play, kind, index, Number(seconds));
  console.log(JSON.stringify(seen));
  const pictures = index.includes('/live/3/') || seen.frames > 0 && seen.width > 0;
  const played = seen.played > Number(seconds) * 0.98 - 1 && seen.audio > 0 && pictures;
  const stalled = seen.waits.some(({ lasted, ahead }) => lasted > WAIT && ahead < AT_HAND);
  if (!played || stalled || seen.errors.length > 0) process.exitCode = 1;
} finally {
  await browser.close();
}

/** Runs in the page: plays for so many seconds of the wall from the first picture or sound on. */
async function play(kind, index, seconds) {
  const video = document.querySelector('video');
  const seen = { kind, errors: [], waits: [], began: null, latency: [] };
  const start = performance.now();
  const at = () => Math.round(performance.now() - start) / 1000;
  video.addEventListener('error', () => seen.errors.push(`video: ${video.error?.message}`));
  const ahead = () => {
    const { buffered, currentTime: now } = video;
    const ends = Array.from(buffered, (_, n) => [buffered.start(n), buffered.end(n)]);
    return Math.round(((ends.find(([from, to]) => from <= now && now <= to)?.[1] ?? now) - now) * 1000) / 1000;
  };
  let waiting = null;
  const goesOn = () => {
    if (waiting === null) return;
    seen.waits.push({ ...waiting, lasted: Math.round((at() - waiting.at) * 1000) / 1000 });
    waiting = null;
  };
  video.addEventListener('waiting', () => {
    if (seen.began !== null) waiting ??= { at: at(), ahead: ahead() };
  });
  video.addEventListener('playing', goesOn);
  video.addEventListener('timeupdate', () => { if (video.readyState > 2) goesOn(); });
  const begun = new Promise((done, fail) => {
    video.addEventListener('timeupdate', () => {
      if (video.currentTime > 0 && seen.began === null) { seen.began = at(); seen.from = video.currentTime; done(); }
    });
    setTimeout(() => fail(new Error(`nothing plays: ${JSON.stringify(seen)}`)), 40_000);
  });
  let latency = () => null;
  if (kind === 'hlsjs') {
    const hls = new Hls();
    hls.on(Hls.Events.ERROR, (_, e) => {
      // Sound and pictures of a broadcast begin apart, by as much as the encoder looks ahead.
      const isJoin = e.details === 'bufferSeekOverHole' && (seen.began === null || at() < seen.began + 1);
      // What it did not want any more once it knew where the live edge is.
      const isChoice = e.details === 'aborted' && !e.fatal && seen.began === null;
      if (!isJoin && !isChoice) seen.errors.push(`${at()} ${e.fatal ? 'fatal ' : ''}${e.details}`);
    });
    hls.loadSource(index);
    hls.attachMedia(video);
    latency = () => hls.latency;
  } else if (kind === 'shaka') {
    const player = new shaka.Player();
    player.addEventListener('error', (e) => seen.errors.push(`shaka ${e.detail.code} ${e.detail.data}`));
    await player.attach(video);
    await player.load(index);
    latency = () => Date.now() / 1000 - player.getPlayheadTimeAsDate() / 1000;
  } else {
    seen.can = video.canPlayType('application/vnd.apple.mpegurl');
    video.src = index;
  }
  video.play().catch((e) => seen.errors.push(`play: ${e.message}`));
  await begun;
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until && !video.error) {
    await new Promise((done) => setTimeout(done, 1000));
    const now = latency();
    if (now !== null) seen.latency.push(now);
  }
  goesOn();
  const sorted = seen.latency.sort((a, b) => a - b);
  seen.latency = sorted.length ? { least: sorted[0], median: sorted[sorted.length >> 1], most: sorted.at(-1) } : null;
  const quality = video.getVideoPlaybackQuality();
  return {
    ...seen,
    played: video.currentTime - seen.from,
    width: video.videoWidth,
    frames: quality.totalVideoFrames,
    dropped: quality.droppedVideoFrames,
    audio: video.webkitAudioDecodedByteCount,
  };
}
