// A terminal for a shell, as the web app is going to be: pairs by QR link or PIN and keeps nothing but a cookie.
//
//   node terminal.mjs qr LINK NAME            node terminal.mjs pin http://ADDRESS PIN NAME
//   node terminal.mjs get URL COOKIE          node terminal.mjs handover http://ADDRESS COOKIE
//   node terminal.mjs session http://ADDRESS SLOT KT FINGERPRINT
//
// Each prints one JSON object; a refusal is {"status":…,"error":…} and exit status 1.

import { randomBytes } from 'node:crypto';
import { b64, pinFinish, pinStart, qr, same, sessionProof, transcript, unb64 } from './handshake.mjs';

delete globalThis.crypto?.subtle;

class Refused extends Error {}

async function ask(origin, method, path, { body, headers = {} } = {}) {
  const sent = { method, headers: { Origin: origin, ...headers } };
  if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers['Content-Type'] = 'application/json';
  }
  const reply = await fetch(origin + path, sent);
  const text = await reply.text();
  const value = text.startsWith('{') ? JSON.parse(text) : { text };
  if (!reply.ok) throw new Refused(JSON.stringify({ status: reply.status, ...value, challenge: reply.headers.get('www-authenticate') }));
  return { value, cookie: reply.headers.getSetCookie().map((c) => c.split(';')[0])[0] };
}

async function pair(origin, mode, name, expectations, prove) {
  const terminalNonce = randomBytes(16);
  const hello = (await ask(origin, 'POST', '/api/v1/pair/hello', { body: { mode, nonce: b64(terminalNonce), name } })).value;
  const fingerprint = unb64(hello.fingerprint);
  expectations(hello, fingerprint);
  const boxNonce = unb64(hello.nonce);
  const t0 = transcript({ box: hello.box, fingerprint, mode, boxNonce, terminalNonce, name, role: hello.role });
  const { proof, kt } = await prove(hello, t0);
  const done = await ask(origin, 'POST', '/api/v1/pair/finish', { body: { attempt: hello.attempt, proof: b64(proof) } });
  return { ...done.value, cookie: done.cookie, fingerprint: hello.fingerprint, kt: b64(kt) };
}

const commands = {
  async qr(link, name) {
    const { origin, hash } = new URL(link);
    const [version, id, secret, half] = hash.slice(1).split('.');
    if (version !== '1') throw new Error('a link of another version');
    const expectations = (hello, fingerprint) => {
      if (hello.id !== id || !same(fingerprint.slice(0, 16), unb64(half))) throw new Error('another box answers');
    };
    return pair(origin, 'qr', name, expectations, (hello, t0) => {
      const proofs = qr(unb64(secret), t0);
      if (!same(proofs.box, unb64(hello.proof))) throw new Error('the box has another secret');
      return { proof: proofs.terminal, kt: proofs.kt };
    });
  },
  async pin(origin, pin, name) {
    return pair(origin, 'pin', name, () => {}, async (hello, t0) => {
      const started = pinStart(pin, unb64(hello.salt));
      const body = { attempt: hello.attempt, share: b64(started.share) };
      const answer = (await ask(origin, 'POST', '/api/v1/pair/share', { body })).value;
      const { confirm, kt } = pinFinish(started, unb64(answer.share), unb64(answer.confirm), t0);
      return { proof: confirm, kt };
    });
  },
  async get(url, cookie) {
    const { origin, pathname, search } = new URL(url);
    return (await ask(origin, 'GET', pathname + search, { headers: { Cookie: cookie } })).value;
  },
  async handover(origin, cookie) {
    const { code } = (await ask(origin, 'POST', '/api/v1/session/handover', { body: {}, headers: { Cookie: cookie } })).value;
    const redeemed = await ask(origin, 'POST', '/api/v1/session/redeem', { body: { code } });
    return { ...redeemed.value, cookie: redeemed.cookie, code };
  },
  async session(origin, slot, kt, fingerprint) {
    const challenge = await ask(origin, 'GET', '/api/v1/session').catch((e) => JSON.parse(e.message).challenge);
    const nonce = /nonce="([^"]+)"/.exec(challenge)[1];
    const cnonce = randomBytes(16);
    const proof = b64(sessionProof(unb64(kt), unb64(nonce), cnonce, unb64(fingerprint)));
    const Authorization = `STB slot="${slot}", nonce="${nonce}", cnonce="${b64(cnonce)}", proof="${proof}"`;
    return (await ask(origin, 'POST', '/api/v1/session', { headers: { Authorization } })).value;
  },
};

const [command, ...words] = process.argv.slice(2);
try {
  console.log(JSON.stringify(await commands[command](...words)));
} catch (e) {
  console.log(e instanceof Refused ? e.message : JSON.stringify({ error: e.message }));
  process.exit(1);
}
