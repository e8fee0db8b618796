// What a terminal does in the handshake, written apart from the Rust side: both are held against the same vectors.
// Runs where crypto.subtle is absent, as it is on a page that came over plain HTTP.

import { p256 } from '@noble/curves/nist.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToNumberBE, concatBytes, numberToBytesBE } from '@noble/curves/utils.js';

const Point = p256.ProjectivePoint ?? p256.Point;
const ORDER = p256.CURVE.n;
// RFC 9383 §4, P-256.
const M = Point.fromHex('02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f');
const N = Point.fromHex('03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49');

const text = (s) => new TextEncoder().encode(s);

export const b64 = (bytes) => Buffer.from(bytes).toString('base64url');
export const unb64 = (s) => new Uint8Array(Buffer.from(s, 'base64url'));

const framed = (fields) => concatBytes(...fields.flatMap((f) => [new Uint8Array([f.length >> 8, f.length & 255]), f]));

export const same = (a, b) => a.length === b.length && a.reduce((diff, x, i) => diff | (x ^ b[i]), 0) === 0;

export function transcript({ box, fingerprint, mode, boxNonce, terminalNonce, name, role }) {
  return sha256(
    framed([text('stb-pair-v1'), text(box), fingerprint, text(mode), boxNonce, terminalNonce, text(name), text(role)]),
  );
}

export const terminalKey = (common, t0) => hkdf(sha256, common, t0, text('terminal'), 32);
export const derived = (kt, purpose) => hkdf(sha256, kt, new Uint8Array(), text(purpose), 32);

export function qr(secret, t0) {
  const k = hkdf(sha256, secret, t0, text('stb-pair-k'), 32);
  const proof = (who) => hmac(sha256, k, concatBytes(text(who), t0));
  return { k, box: proof('B'), terminal: proof('T'), kt: terminalKey(k, t0) };
}

// The terminal's end of SPAKE2+ (RFC 9383 §3.3), its first message.
export function pinStart(pin, salt, scalar) {
  const both = hkdf(sha256, text(pin), salt, text('stb-pin-v1'), 80);
  const [w0, w1] = [both.slice(0, 40), both.slice(40)].map((w) => bytesToNumberBE(w) % ORDER);
  const x = scalar ?? (bytesToNumberBE(p256.utils.randomPrivateKey()) % ORDER);
  const share = Point.BASE.multiply(x).add(M.multiply(w0)).toRawBytes(false);
  return { w0, w1, x, share };
}

// Its second: checks what the box confirms, and confirms in turn.
export function pinFinish({ w0, w1, x, share }, boxShare, boxConfirm, t0) {
  const theirs = Point.fromHex(boxShare);
  theirs.assertValidity();
  const blind = theirs.subtract(N.multiply(w0));
  const [z, v] = [blind.multiply(x), blind.multiply(w1)].map((p) => p.toRawBytes(false));
  const length = (bytes) => numberToBytesBE(bytes.length, 8).reverse();
  const parts = [t0, new Uint8Array(), new Uint8Array(), M.toRawBytes(false), N.toRawBytes(false), share, boxShare, z, v, numberToBytesBE(w0, 32)];
  const main = sha256(concatBytes(...parts.flatMap((part) => [length(part), part])));
  const keys = hkdf(sha256, main, new Uint8Array(), text('ConfirmationKeys'), 64);
  const shared = hkdf(sha256, main, new Uint8Array(), text('SharedKey'), 32);
  const expected = hmac(sha256, keys.slice(32), share);
  if (!same(expected, boxConfirm)) throw new Error('the box has another PIN');
  return { confirm: hmac(sha256, keys.slice(0, 32), boxShare), shared, kt: terminalKey(shared, t0) };
}

export function sessionProof(kt, boxNonce, terminalNonce, fingerprint, body = new Uint8Array()) {
  const fields = [text('auth'), boxNonce, terminalNonce, text('POST'), text('/api/v1/session'), sha256(body), fingerprint];
  return hmac(sha256, derived(kt, 'auth'), framed(fields));
}
