// Ways to another player, for what no browser decodes: a link that the box makes, good for some hours.

/** How long (s) a link is good for. */
const LIFE = 12 * 3600;

/** What this device is, by what its browser says: 'android', 'ios' or 'desktop'. */
export function device(nav = navigator) {
  const agent = nav.userAgent ?? '';
  if (/Android/i.test(agent)) return 'android';
  // An iPad says it is a Mac; Macs have no touch screen.
  if (/iPhone|iPad|iPod/.test(agent) || (/Macintosh/.test(agent) && nav.maxTouchPoints > 1)) return 'ios';
  return 'desktop';
}

/** Asks the box for a link to `number`; its address. */
export async function link(api, number, origin = location.origin) {
  const { path } = await api.post('/api/v1/links', { channel: number, ttl: LIFE, connections: 1 });
  return origin + path;
}

/**
 * Where the other player is opened on this device.
 * @param {string} url of the stream
 * @param {string} name of the channel
 * @param {'android'|'ios'|'desktop'} on
 * @returns {{kind: 'vlc'|'file', href: string, download: ?string}}
 */
export function target(url, name, on) {
  if (on === 'android') {
    const { protocol, host, pathname, search } = new URL(url);
    const extras = `S.title=${encodeURIComponent(name)};`;
    const href = `intent://${host}${pathname}${search}#Intent;scheme=${protocol.slice(0, -1)};type=video/mp2t;package=org.videolan.vlc;${extras}end`;
    return { kind: 'vlc', href, download: null };
  }
  if (on === 'ios') return { kind: 'vlc', href: `vlc-x-callback://x-callback-url/stream?url=${encodeURIComponent(url)}`, download: null };
  const line = name.replace(/[\r\n,]+/g, ' ');
  const list = `#EXTM3U\n#EXTINF:-1,${line}\n${url}\n`;
  const href = `data:audio/x-mpegurl;charset=utf-8,${encodeURIComponent(list)}`;
  return { kind: 'file', href, download: `${name.replace(/[^\p{L}\p{N} _-]+/gu, '').trim() || 'channel'}.m3u` };
}

/** Puts `text` where it can be pasted; without a secure origin by a marked field. Whether it went. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement('textarea');
    field.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    return done;
  }
}
