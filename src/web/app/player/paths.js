// Which way a channel's stream goes to the screen, decided from its components before anything is tuned.

/** Video codecs: what Media Source Extensions are asked for; `hls`: natively played HLS carries it in MPEG-TS. */
const VIDEO = {
  h264: { mime: 'video/mp4; codecs="avc1.640028"', hls: true },
  hevc: { mime: 'video/mp4; codecs="hvc1.1.6.L123.B0"' },
  // MPEG-2, AVS, AVS2, AVS3, VVC and VC-1: no browser decodes them from Media Source Extensions.
};

/** Audio codecs; `type`: the stream_type under which the demuxer takes the component. */
const AUDIO = {
  aac: { mime: 'audio/mp4; codecs="mp4a.40.2"', type: 0x0f, hls: 'audio/aac' },
  'aac-latm': { mime: 'audio/mp4; codecs="mp4a.40.2"', type: 0x11 },
  ac3: { mime: 'audio/mp4; codecs="ac-3"', type: 0x81, hls: 'audio/mp4; codecs="ac-3"' },
  eac3: { mime: 'audio/mp4; codecs="ec-3"', type: 0x87, hls: 'audio/mp4; codecs="ec-3"' },
  // Decoded by WebAssembly, and handed on as FLAC.
  mp2: { flac: true },
  // DRA, DTS, AC-4, SMPTE 302M and Opus: nothing takes them from a transport stream here.
};

/** The paths of MPEG-TS through Media Source Extensions. */
const BY_SOURCE = ['mse', 'mms'];

const isVideo = (c) => c.codec in VIDEO || ['mpeg2video', 'vvc', 'avs', 'avs2', 'avs3', 'vc1'].includes(c.codec);
const isText = (c) => c.codec === 'dvbsub' || c.codec === 'teletext';
const isAudio = (c) => !isVideo(c) && !isText(c);

/** FLAC in MP4 as this browser names it, or null. */
export function flacName(type) {
  return ['flac', 'fLaC'].find((name) => type(`audio/mp4; codecs="${name}"`)) ?? null;
}

/**
 * What this browser can do.
 * @returns {{paths: string[], type: (mime: string) => boolean, native: (mime: string) => boolean, wasm: boolean}}
 */
export function probe(video, scope = globalThis) {
  const source = scope.MediaSource ?? scope.ManagedMediaSource;
  const native = (mime) => video.canPlayType(mime) !== '';
  const paths = [];
  if (scope.MediaSource) paths.push('mse');
  else if (scope.ManagedMediaSource) paths.push('mms');
  if (native('application/vnd.apple.mpegurl')) paths.push('hls');
  return { paths, type: (mime) => Boolean(source?.isTypeSupported(mime)), native, wasm: Boolean(scope.WebAssembly) };
}

/** Whether `path` plays the video component. */
function shows(path, codec, caps) {
  const known = VIDEO[codec];
  if (!known) return false;
  return BY_SOURCE.includes(path) ? caps.type(known.mime) : Boolean(known.hls);
}

/** Whether `path` plays the audio component. */
function sounds(path, codec, caps) {
  const known = AUDIO[codec];
  if (!known) return false;
  if (!BY_SOURCE.includes(path)) return Boolean(known.hls) && caps.native(known.hls);
  return known.flac ? caps.wasm && flacName(caps.type) !== null : caps.type(known.mime);
}

/**
 * The way of `channel`. Of several playable audio tracks it is the first in `language`, or else the first.
 * @param {{components: {pid: number, codec: string, language: ?string}[]}} channel
 * @param {ReturnType<typeof probe>} caps
 * @param {{language?: ?string, prefer?: ?string, audio?: ?number}} wish `prefer`: a path to try first; `audio`: an index
 * @returns {{path: 'mse'|'mms'|'hls'|'external'|'none', audio: ?number, why: ?string}} `audio` is an index of
 *   `components`; `why` a key of the strings: `noSound` where only the picture can be shown, `codec` where another app
 *   is needed, `tooOld` where this browser has none of the ways.
 */
export function decide(channel, caps, wish = {}) {
  const components = channel.components ?? [];
  const video = components.find(isVideo);
  const audios = components.map((c, index) => ({ ...c, index })).filter(isAudio);
  if (!caps.paths.length) return { path: 'external', audio: null, why: 'tooOld' };
  const paths = [...caps.paths].sort((a, b) => Number(b === wish.prefer) - Number(a === wish.prefer));
  // Nothing was heard of its components yet: the stream itself will say.
  if (!video && !audios.length) return { path: paths[0], audio: null, why: null };
  let silent = null;
  for (const path of paths) {
    if (video && !shows(path, video.codec, caps)) continue;
    // Natively played HLS takes what it finds: the first track has to be one of its own.
    const choice = path === 'hls' ? audios.slice(0, 1) : audios;
    const playable = choice.filter((c) => sounds(path, c.codec, caps));
    const wanted = playable.find((c) => c.index === wish.audio)
      ?? playable.find((c) => wish.language && c.language === wish.language) ?? playable[0];
    if (wanted) return { path, audio: wanted.index, why: null };
    if (video && !audios.length) return { path, audio: null, why: null };
    if (video) silent ??= { path, audio: null, why: 'noSound' };
  }
  return silent ?? { path: 'external', audio: null, why: 'codec' };
}

/** The audio tracks that `path` can play, as indices of the channel's components. */
export function tracks(channel, path, caps) {
  if (!BY_SOURCE.includes(path)) return [];
  const components = channel.components ?? [];
  return components.flatMap((c, index) => (isAudio(c) && sounds(path, c.codec, caps) ? [index] : []));
}

/**
 * What the feed is told: which audio component to leave in the programme, under which stream_type, and which to hide.
 * @returns {{keep: number[][], hide: number[], mp2: ?number, h264: ?number, sound: boolean}} `keep`: pairs of PID and
 *   stream_type
 */
export function selection(channel, audio) {
  const components = channel.components ?? [];
  const chosen = components[audio] ?? null;
  const mp2 = chosen && AUDIO[chosen.codec]?.flac ? chosen.pid : null;
  const keep = chosen && mp2 === null ? [[chosen.pid, AUDIO[chosen.codec].type]] : [];
  const others = components.filter((c) => isAudio(c) && (c !== chosen || mp2 !== null)).map((c) => c.pid);
  const hide = [...others, ...(channel.without ?? [])];
  const h264 = components.find((c) => c.codec === 'h264')?.pid ?? null;
  return { keep, hide, mp2, h264, sound: !components.some(isVideo) };
}

/** The channel without its picture: what a stream of its sound alone has. */
export function listening(channel) {
  const components = channel.components ?? [];
  return { ...channel, components: components.filter(isAudio), without: components.filter(isVideo).map((c) => c.pid) };
}
