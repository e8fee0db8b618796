// Keeps the app's files, so that it opens and says what is wrong where the box cannot be reached. The box's word goes
// first, always: what is kept is used when nothing comes. Lists, streams and rights are never kept.

const KEPT = 'stbcast';
const SHELL = [
  '/',
  '/app/style.css',
  '/app/main.js',
  '/app/api.js',
  '/app/dom.js',
  '/app/pages.js',
  '/app/store.js',
  '/app/strings.js',
  '/app/pair.js',
];

self.addEventListener('install', (event) => {
  self.skipWaiting();
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(SHELL)));
});

self.addEventListener('activate', (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener('fetch', (event) => {
  const { method, url, mode } = event.request;
  const { origin, pathname } = new URL(url);
  const isFile = pathname === '/' || pathname === '/pair' || pathname.startsWith('/app/');
  if (method !== 'GET' || origin !== self.location.origin || !isFile) return;
  const name = mode === 'navigate' ? '/' : pathname.replace(/^\/app\/[0-9a-f]{16}\//, '/app/'); // of any version
  event.respondWith(fresh(event.request, name));
});

async function fresh(request, name) {
  const cache = await caches.open(KEPT);
  try {
    const reply = await fetch(request);
    if (reply.ok) await cache.put(name, reply.clone());
    return reply;
  } catch (why) {
    const kept = await cache.match(name);
    if (kept) return kept;
    throw why;
  }
}
