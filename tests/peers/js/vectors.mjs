// Holds this side of the handshake against the vectors that the Rust side is held against.

import { readFileSync } from 'node:fs';
import { hexToBytes as hex, bytesToHex, bytesToNumberBE } from '@noble/curves/utils.js';
import { derived, pinFinish, pinStart, qr, sessionProof, transcript } from './handshake.mjs';

delete globalThis.crypto?.subtle;
const vectors = JSON.parse(readFileSync(process.argv[2]));
let checked = 0;

function equal(bytes, expected, what) {
  if (bytesToHex(bytes) !== expected) throw new Error(`${what}: ${bytesToHex(bytes)} is not ${expected}`);
  checked += 1;
}

const heard = (v) =>
  transcript({
    box: v.box,
    fingerprint: hex(v.fingerprint),
    mode: v.mode,
    boxNonce: hex(v.box_nonce),
    terminalNonce: hex(v.terminal_nonce),
    name: v.name,
    role: v.role,
  });

for (const v of vectors.qr) {
  const t0 = heard(v);
  equal(t0, v.t0, 'T0');
  const proofs = qr(hex(v.secret), t0);
  equal(proofs.k, v.k, 'K');
  equal(proofs.box, v.box_proof, 'B');
  equal(proofs.terminal, v.terminal_proof, 'T');
  equal(proofs.kt, v.kt, 'Kt');
  for (const purpose of ['auth', 'cookie', 'link', 'player']) equal(derived(proofs.kt, purpose), v[purpose], purpose);
}
for (const v of vectors.pin) {
  const t0 = heard(v);
  equal(t0, v.t0, 'T0');
  const started = pinStart(v.pin, hex(v.salt), bytesToNumberBE(hex(v.x)));
  equal(started.share, v.share_p, 'shareP');
  const finished = pinFinish(started, hex(v.share_v), hex(v.confirm_v), t0);
  equal(finished.confirm, v.confirm_p, 'confirmP');
  equal(finished.shared, v.k_shared, 'K_shared');
  equal(finished.kt, v.kt, 'Kt');
}
const sessions = Array.isArray(vectors.session) ? vectors.session : [vectors.session];
for (const v of sessions) {
  const [kt, boxNonce, terminalNonce, fingerprint] = [v.kt, v.box_nonce, v.terminal_nonce, v.fingerprint].map(hex);
  const body = new TextEncoder().encode(v.body);
  equal(sessionProof(kt, boxNonce, terminalNonce, fingerprint, body), v.proof, 'session');
}
console.log(`${checked} values checked`);
if (checked < 20) process.exit(1);
