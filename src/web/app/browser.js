// Which browser this is, as far as it must be known: a view inside another app is no place to live in.

const INSIDE = [
  ['pair.wechat', /MicroMessenger/i],
  ['pair.alipay', /AlipayClient/i],
  ['QQ', /\bQQ\/\d/],
  ['pair.weibo', /\bWeibo/i],
  ['pair.dingtalk', /DingTalk/i],
  ['pair.douyin', /aweme|BytedanceWebview/i],
  ['Facebook', /\bFBA[NV]\b/],
  ['Instagram', /Instagram/],
  ['LINE', /\bLine\/\d/],
  ['', /; wv\)/], // Android's WebView says so itself
];

/**
 * What can be known of a browser by what it says of itself.
 * @param {string} agent its User-Agent
 * @param {number} touches `navigator.maxTouchPoints`: an iPad says it is a Mac
 * @returns `{isIphone, isAndroid, inside, kind}`; `inside`: the app it is a view of, a name or the
 * key of one, '' if that is not known, else `null`
 */
export function look(agent = navigator.userAgent, touches = navigator.maxTouchPoints ?? 0) {
  const isIpad = /iPad/.test(agent) || (/Macintosh/.test(agent) && touches > 1);
  const isIphone = /iPhone|iPod/.test(agent) || isIpad;
  const isAndroid = /Android/.test(agent);
  const known = INSIDE.find(([, pattern]) => pattern.test(agent));
  // A view of an app has no "Safari" in its name; an app on the home screen has none either.
  const isView = isIphone && /AppleWebKit/.test(agent) && !/Safari\//.test(agent) && !isStandalone();
  const inside = known ? known[0] : isView ? '' : null;
  return { isIphone, isAndroid, inside, kind: kind(agent, isIpad) };
}

function kind(agent, isIpad) {
  const kinds = [
    [isIpad, 'iPad'],
    [/iPhone|iPod/.test(agent), 'iPhone'],
    [/Android/.test(agent), /Mobile/.test(agent) ? 'Android phone' : 'Android tablet'],
    [/Windows/.test(agent), 'Windows'],
    [/Macintosh/.test(agent), 'Mac'],
    [/CrOS/.test(agent), 'Chromebook'],
    [/Linux/.test(agent), 'Linux'],
  ];
  return kinds.find(([is]) => is)?.[1] ?? 'Browser';
}

/** The page was started from the home screen. */
export function isStandalone() {
  return navigator.standalone === true || matchMedia('(display-mode: standalone)').matches;
}

/** A link that has Android open `url` outside the app that shows it. */
export function androidIntent(url) {
  const { protocol, host, pathname, search, hash } = new URL(url);
  return `intent://${host}${pathname}${search}${hash}#Intent;scheme=${protocol.slice(0, -1)};action=android.intent.action.VIEW;end`;
}

/**
 * Puts `text` on the clipboard, also where the page has no right to it; says whether it is there.
 * @param {HTMLInputElement} field shows the text, to be copied by hand if all fails
 */
export async function copy(text, field) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    field.focus();
    field.select();
    return document.execCommand('copy'); // the way of pages that came over plain HTTP
  }
}
