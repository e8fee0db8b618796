// Being let in, without a page: what is said to the box and in which order.

import { ApiError } from './api.js';
import { b64, pinFinish, pinStart, qr, random, same, transcript, unb64 } from './handshake.js';

/** A step that failed: `key` is what the page says of it. */
export class PairingError extends Error {
  constructor(key) {
    super(key);
    this.key = key;
  }
}

/**
 * The parts of `#1.<id>.<secret>.<half of the fingerprint>`, the fragment that a QR code leads to; `null` if it is none.
 */
export function readLink(fragment) {
  const [version, id, secret, half, ...more] = fragment.replace(/^#/, '').split('.');
  if (version !== '1' || !half || more.length > 0) return null;
  try {
    const link = { id, secret: unb64(secret), half: unb64(half) };
    return link.secret.length === 16 && link.half.length === 16 ? link : null;
  } catch {
    return null;
  }
}

/**
 * By the secret of a QR code.
 * @param {object} ask the `ask` of api.js
 * @param {{id: string, secret: Uint8Array, half: Uint8Array}} link
 * @param {string} name what this terminal is to be called
 * @param {function(object): void} onWait called when only the answer of who sits at the TV is missing
 * @returns what the box says of the terminal, with the key that was made: `{slot, role, name, key}`
 */
export async function pairByQr(ask, link, name, onWait) {
  return pair(ask, 'qr', name, onWait, (hello, fingerprint, t0) => {
    if (hello.id !== link.id || !same(fingerprint.slice(0, 16), link.half)) throw new PairingError('pair.other-box');
    const proofs = qr(link.secret, t0);
    if (!same(proofs.box, unb64(hello.proof))) throw new PairingError('pair.used');
    return { proof: proofs.terminal, kt: proofs.kt };
  });
}

/** By the eight digits on the TV. */
export async function pairByPin(ask, pin, name, onWait) {
  return pair(ask, 'pin', name, onWait, async (hello, _, t0) => {
    const started = pinStart(pin, unb64(hello.salt));
    const body = { attempt: hello.attempt, share: b64(started.share) };
    const answer = await ask('POST', '/api/v1/pair/share', { body });
    const finished = pinFinish(started, unb64(answer.share), unb64(answer.confirm), t0);
    // The attempt is spent as the box counts it, whether or not a proof is sent that it would not take.
    if (!finished) throw new PairingError('pair.wrong-pin');
    return { proof: finished.confirm, kt: finished.kt };
  });
}

async function pair(ask, mode, name, onWait, prove) {
  try {
    const terminalNonce = random(16);
    const hello = await ask('POST', '/api/v1/pair/hello', { body: { mode, nonce: b64(terminalNonce), name } });
    const fingerprint = unb64(hello.fingerprint);
    const boxNonce = unb64(hello.nonce);
    const t0 = transcript({ box: hello.box, fingerprint, mode, boxNonce, terminalNonce, name, role: hello.role });
    const { proof, kt } = await prove(hello, fingerprint, t0);
    onWait(hello);
    const body = { attempt: hello.attempt, proof: b64(proof) };
    const done = await ask('POST', '/api/v1/pair/finish', { body, patience: 0 });
    return { ...done, key: { slot: done.slot, kt: b64(kt), fingerprint: hello.fingerprint } };
  } catch (why) {
    throw why instanceof ApiError ? refused(why) : why;
  }
}

/** What a refusal of the box means for who wants to be let in. */
function refused(why) {
  const keys = {
    0: 'app.unreachable',
    401: 'pair.wrong',
    403: 'pair.declined',
    404: 'pair.closed',
    409: 'pair.full',
    429: 'pair.exhausted',
  };
  const failure = new PairingError(keys[why.status] ?? 'pair.failed');
  failure.message = why.message;
  return failure;
}
