// What the box tells as it happens (server-sent events): one connection for the whole app, made again when it breaks.

const NAMES = ['hello', 'channels', 'now', 'tuners', 'status', 'alive', 'out'];
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;
/** The box says something every 15 s: one that does not is gone, though the connection does not know that yet. */
const SILENT_MS = 35_000;

/**
 * What happens: `channels` (fetch the list again), `now` ({number, now, next}), `tuners` (what can be watched may have
 * changed), `status` (only while somebody wants it), `open` ({version, app}: connected, perhaps again),
 * `lost` (the connection broke), `out` (this terminal was put out).
 * @param {object} app
 * @returns {{on: function(string, function(object)): function(): void, start: function(): void,
 *   stop: function(): void, connected: boolean}}
 */
export function createEvents(app) {
  const listeners = new Map();
  let source = null;
  let wanted = false;
  let connected = false;
  let gap = false;
  let withStatus = false;
  let wait = FIRST_WAIT_MS;
  let timer = 0;

  function tell(name, data) {
    for (const listener of [...(listeners.get(name) ?? [])]) {
      try {
        listener(data);
      } catch (why) {
        console.error(why);
      }
    }
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
    gap ||= connected;
    connected = false;
  }

  function connect() {
    close();
    if (!wanted || document.hidden) return;
    withStatus = (listeners.get('status')?.size ?? 0) > 0;
    const mine = new EventSource(`/api/v1/events${withStatus ? '?status=1' : ''}`);
    source = mine;
    for (const name of NAMES) mine.addEventListener(name, (event) => mine === source && came(name, event.data));
    mine.addEventListener('error', () => mine === source && broke());
    timer = setTimeout(broke, SILENT_MS);
  }

  function came(name, text) {
    clearTimeout(timer);
    timer = setTimeout(broke, SILENT_MS);
    let data = {};
    try {
      data = JSON.parse(text);
    } catch {
      return; // cut off by the end of the connection
    }
    if (name === 'hello') {
      connected = true;
      wait = FIRST_WAIT_MS;
      tell('open', data);
      if (gap) tell('channels', {}); // whatever happened meanwhile
      gap = false;
    } else if (name === 'out') {
      wanted = false;
      close();
      tell('out', data);
      app.out();
    } else {
      tell(name, data);
    }
  }

  /** A browser's own retries know no limit and no back-off, and stop at some errors: ours do neither. */
  function broke() {
    const was = connected;
    close();
    if (was) tell('lost', {});
    timer = setTimeout(again, wait * (0.5 + Math.random() / 2));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }

  /** A 401 cannot be told from a lost network here: asking for the session signs in again where that helps. */
  async function again() {
    try {
      await app.api.get('/api/v1/session');
    } catch {
      // whatever it is, the next attempt finds it out, too
    }
    if (!source) connect();
  }

  document.addEventListener('visibilitychange', () => {
    // A page that nobody sees needs no news, and a phone's radio its sleep.
    if (document.hidden) close();
    else if (wanted && !source) connect();
  });
  addEventListener('online', () => wanted && !connected && connect());
  addEventListener('pageshow', () => wanted && !source && connect());

  return {
    on(name, listener) {
      const all = listeners.get(name) ?? new Set();
      listeners.set(name, all.add(listener));
      const changed = () => name === 'status' && wanted && all.size > 0 !== withStatus;
      if (changed()) connect();
      return () => {
        all.delete(listener);
        if (changed()) connect();
      };
    },
    start() {
      wanted = true;
      if (!source) connect();
    },
    stop() {
      wanted = false;
      close();
    },
    get connected() {
      return connected;
    },
  };
}
