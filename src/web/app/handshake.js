// What a terminal proves to the box, and the box to it: by the secret of a QR code, by a PIN (SPAKE2+, RFC 9383), and
// by the key that both made of that. `crypto.subtle` is not there on a page that came over plain HTTP.

import { ORDER, Point, hkdf, hmac, sha256 } from './noble.js';

// RFC 9383 §4, P-256.
const M = Point.fromHex('02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f');
const N = Point.fromHex('03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49');

const text = (words) => new TextEncoder().encode(words);
const NOTHING = new Uint8Array();

/** Base64url without padding. */
export function b64(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The bytes of that. Throws on what is none. */
export function unb64(words) {
  return Uint8Array.from(atob(words.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
}

/** `n` random bytes. */
export function random(n) {
  return crypto.getRandomValues(new Uint8Array(n));
}

/** Two byte strings are the same; takes as long whether they are or not. */
export function same(a, b) {
  return a.length === b.length && a.reduce((difference, byte, i) => difference | (byte ^ b[i]), 0) === 0;
}

function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const framed = (fields) => joined(...fields.flatMap((f) => [new Uint8Array([f.length >> 8, f.length & 255]), f]));

function number(bytes) {
  return bytes.reduce((n, byte) => (n << 8n) | BigInt(byte), 0n);
}

/** The 32 bytes of a scalar, most significant first. */
function scalar(n) {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * (31 - i))) & 255n));
}

/** The hash over all that both ends said before they prove anything. */
export function transcript({ box, fingerprint, mode, boxNonce, terminalNonce, name, role }) {
  return sha256(
    framed([text('stb-pair-v1'), text(box), fingerprint, text(mode), boxNonce, terminalNonce, text(name), text(role)]),
  );
}

const terminalKey = (common, t0) => hkdf(sha256, common, t0, text('terminal'), 32);

/** By the secret of a QR code: what the box has to show, what is shown to it, and the key. */
export function qr(secret, t0) {
  const k = hkdf(sha256, secret, t0, text('stb-pair-k'), 32);
  const proof = (who) => hmac(sha256, k, joined(text(who), t0));
  return { box: proof('B'), terminal: proof('T'), kt: terminalKey(k, t0) };
}

/** By PIN, first message: RFC 9383 §3.3. `x` is given in tests alone. */
export function pinStart(pin, salt, x = number(random(40)) % ORDER) {
  const both = hkdf(sha256, text(pin), salt, text('stb-pin-v1'), 80);
  const [w0, w1] = [both.slice(0, 40), both.slice(40)].map((w) => number(w) % ORDER);
  const share = Point.BASE.multiply(x).add(M.multiply(w0)).toBytes(false);
  return { w0, w1, x, share };
}

/** The second: checks what the box confirms, and confirms in turn; `null` when the box has another PIN. */
export function pinFinish({ w0, w1, x, share }, boxShare, boxConfirm, t0) {
  const theirs = Point.fromBytes(boxShare);
  theirs.assertValidity();
  const blind = theirs.subtract(N.multiply(w0));
  const [z, v] = [blind.multiply(x), blind.multiply(w1)].map((point) => point.toBytes(false));
  const length = (bytes) => Uint8Array.from({ length: 8 }, (_, i) => (i < 4 ? (bytes.length >> (8 * i)) & 255 : 0));
  const parts = [t0, NOTHING, NOTHING, M.toBytes(false), N.toBytes(false), share, boxShare, z, v, scalar(w0)];
  const main = sha256(joined(...parts.flatMap((part) => [length(part), part])));
  const keys = hkdf(sha256, main, NOTHING, text('ConfirmationKeys'), 64);
  const shared = hkdf(sha256, main, NOTHING, text('SharedKey'), 32);
  if (!same(hmac(sha256, keys.slice(32), share), boxConfirm)) return null;
  return { confirm: hmac(sha256, keys.slice(0, 32), boxShare), shared, kt: terminalKey(shared, t0) };
}

/** The proof for a session: that of `POST /api/v1/session` without a body. */
export function sessionProof(kt, boxNonce, terminalNonce, fingerprint) {
  const fields = [text('auth'), boxNonce, terminalNonce, text('POST'), text('/api/v1/session'), sha256(NOTHING), fingerprint];
  return hmac(sha256, hkdf(sha256, kt, NOTHING, text('auth'), 32), framed(fields));
}

/**
 * The `Authorization` field by which a terminal signs in.
 * @param {{slot: number, kt: string, fingerprint: string}} key what it keeps since its pairing
 * @param {string} nonce what the box challenged it with
 */
export function authorization({ slot, kt, fingerprint }, nonce) {
  const mine = random(16);
  const proof = sessionProof(unb64(kt), unb64(nonce), mine, unb64(fingerprint));
  return `STB slot="${slot}", nonce="${nonce}", cnonce="${b64(mine)}", proof="${b64(proof)}"`;
}
