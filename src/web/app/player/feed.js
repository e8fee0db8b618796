// Runs in the demuxer's worker, before it: fetches the stream in its place, so that the page hears of bytes, refusals and
// ends, one audio track is left, and MPEG audio goes its own way.

import { Decoder, Track } from './mp2.js';
import { Filter } from './packets.js';

/** The page is told of bytes so often (ms). */
const TELL = 250;
/** What broadcast MPEG audio has, until the stream says otherwise. */
const RATE = 48000;

let decoder = null;
let current = null;
/** What waits until the demuxer has told of the picture: a browser takes no second track once the first has begun. */
let waiting = null;

const post = self.postMessage?.bind(self);
self.postMessage = (message, transfer) => {
  post(message, transfer);
  if (message.type === 'init-segment' && message.track === 'video') release();
};

function release() {
  const all = waiting ?? [];
  waiting = null;
  all.forEach((message) => post(message, [message.data]));
}

/** Ends the stream that is being fetched. */
export function stop() {
  current?.abort();
  current = null;
  waiting = null;
}

async function refusal(reply) {
  const told = await reply.json().catch(() => ({}));
  return { status: reply.status, code: told.code ?? null, error: told.error ?? null };
}

/**
 * The stream as the demuxer is to have it.
 * @param {typeof fetch} get the browser's
 * @param {string} address what is behind `#` is the feed's: JSON of `{topic, turn, keep, hide, mp2, sound, flac}`
 * @param {RequestInit} options the demuxer's
 * @param {number} gen which the messages to the demuxer's other half carry
 */
export async function open(get, address, options, gen) {
  const url = new URL(address);
  const wish = JSON.parse(decodeURIComponent(url.hash.slice(1)));
  url.hash = '';
  const topic = new BroadcastChannel(wish.topic);
  const say = (what) => topic.postMessage({ turn: wish.turn, ...what });
  const abort = new AbortController();
  current = abort;
  abort.signal.addEventListener('abort', () => topic.close());
  const live = () => !abort.signal.aborted;
  if (wish.mp2 !== null) decoder ??= Decoder.load(get(new URL('../mp2_decoder.wasm', import.meta.url)));
  try {
    const [reply, ready] = await Promise.all([get(url, { ...options, signal: abort.signal, cache: 'no-store' }), wish.mp2 === null ? null : decoder]);
    if (!reply.ok) {
      say({ refused: await refusal(reply) });
      return new Promise(() => {});
    }
    const track = ready && sound(ready, wish, gen);
    return new Response(body(reply.body.getReader(), wish, track, say, live), { headers: { 'Content-Type': 'video/mp2t' } });
  } catch (error) {
    if (live()) say({ refused: { status: 0, code: null, error: String(error) } });
    return new Promise(() => {});
  }
}

/** The track of MPEG audio, in the messages that the demuxer sends. */
function sound(ready, wish, gen) {
  waiting = [];
  const give = (kind, data) => {
    const message = { type: `${kind}-segment`, track: 'audio', data: data.buffer, codec: wish.flac, container: 'audio/mp4', gen };
    if (waiting) waiting.push(message);
    else post(message, [message.data]);
  };
  const track = new Track(ready, give);
  track.begin(RATE); // both tracks have to be known before either begins
  if (wish.sound) release();
  return track;
}

function body(reader, wish, track, say, live) {
  let told = 0;
  let bytes = 0;
  const filter = new Filter(wish, (pts, payload) => {
    if (wish.sound) filter.base ??= pts;
    if (filter.base !== null) track?.push(pts, payload, filter.base);
  });
  const next = async () => {
    const { done, value } = await reader.read();
    if (done) throw new Error('the box ended the stream');
    bytes += value.length;
    if (Date.now() - told >= TELL) {
      told = Date.now();
      say({ bytes });
    }
    const packets = filter.push(value);
    track?.flush();
    if (filter.jumped) {
      reader.cancel().catch(() => {});
      throw new Error('the clock jumped');
    }
    return packets;
  };
  return new ReadableStream({
    async pull(controller) {
      try {
        let packets;
        do packets = await next(); while (!packets.length);
        controller.enqueue(packets);
      } catch (error) {
        if (live()) say({ ended: String(error) });
        return new Promise(() => {}); // the page decides; until then the picture stands
      }
    },
    cancel: () => reader.cancel(),
  });
}
