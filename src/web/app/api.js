// Asking the box. A browser is known by a cookie that no script can read; where that is gone, it signs in by the key
// that it made with the box at pairing.

import { store } from './store.js';

/** An answer that is a refusal, or none (`status` 0). */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code ?? null;
  }
}

const PATIENCE_MS = 15_000;

/**
 * @param {function(): void} onOut what to do when the box does not know this browser any more
 */
export function makeApi(onOut) {
  let signing = null;

  async function raw(method, path, { body, headers = {}, patience = PATIENCE_MS } = {}) {
    const sent = { method, headers: { ...headers }, credentials: 'same-origin', cache: 'no-store' };
    if (body !== undefined) {
      sent.body = JSON.stringify(body);
      sent.headers['Content-Type'] = 'application/json';
    }
    const giveUp = new AbortController();
    const timer = patience && setTimeout(() => giveUp.abort(), patience);
    try {
      const reply = await fetch(path, { ...sent, signal: giveUp.signal });
      const text = await reply.text();
      return { reply, text };
    } catch (why) {
      throw new ApiError(0, 'unreachable', String(why?.message ?? why));
    } finally {
      clearTimeout(timer);
    }
  }

  async function ask(method, path, options) {
    const { reply, text } = await raw(method, path, options);
    const isJson = (reply.headers.get('content-type') ?? '').startsWith('application/json');
    const value = isJson ? JSON.parse(text) : text;
    if (!reply.ok) {
      const refusal = new ApiError(reply.status, value.code, value.error ?? reply.statusText);
      refusal.challenge = reply.headers.get('www-authenticate');
      throw refusal;
    }
    return value;
  }

  /** One at a time: who comes while another signs in waits for that. */
  function signIn(challenge) {
    signing ??= sign(challenge).finally(() => {
      signing = null;
    });
    return signing;
  }

  async function sign(challenge) {
    const key = store.get('key');
    const nonce = /nonce="([^"]+)"/.exec(challenge ?? '')?.[1];
    if (!key || !nonce) return false;
    const { authorization } = await import('./handshake.js');
    try {
      await ask('POST', '/api/v1/session', { headers: { Authorization: authorization(key, nonce) } });
      return true;
    } catch (why) {
      if (why.status !== 401) throw why;
      store.set('key', null); // the box has put it out
      return false;
    }
  }

  async function known(method, path, options) {
    try {
      return await ask(method, path, options);
    } catch (why) {
      if (why.status !== 401) throw why;
      if (await signIn(why.challenge)) return ask(method, path, options);
      onOut();
      throw why;
    }
  }

  return {
    /** The JSON value at `path`. */
    get: (path, options) => known('GET', path, options),
    post: (path, body = {}, options) => known('POST', path, { ...options, body }),
    patch: (path, body, options) => known('PATCH', path, { ...options, body }),
    del: (path, options) => known('DELETE', path, options),
    /** The same without signing in: for who is a stranger. `patience: 0` waits for as long as it takes. */
    ask,
    /** Makes sure that the box knows this browser, before something that cannot sign in itself (`<video>`). */
    renew: () => known('GET', '/api/v1/session'),
  };
}
