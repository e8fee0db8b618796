// The app's end of the handshake, held against the vectors that the box's end is held against.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';

const root = new URL('../../../', import.meta.url);
// Served, a file of others lies beside those that are ours.
const served = mkdtempSync(path.join(tmpdir(), 'stbcast-app-'));
for (const file of ['app/handshake.js', 'app/pairing.js', 'app/api.js', 'app/store.js', 'vendor/noble.js']) {
  cpSync(new URL(`src/web/${file}`, root), path.join(served, path.basename(file)));
}
writeFileSync(path.join(served, 'package.json'), '{"type":"module"}');
globalThis.crypto ??= webcrypto;
test.after(() => rmSync(served, { recursive: true }));
const load = (name) => import(pathToFileURL(path.join(served, name)));
const { authorization, b64, pinFinish, pinStart, qr, sessionProof, transcript, unb64 } = await load('handshake.js');
const { readLink } = await load('pairing.js');

const vectors = JSON.parse(readFileSync(new URL('tests/data/handshake.json', root)));
const hex = (words) => Uint8Array.from(Buffer.from(words, 'hex'));
const equal = (bytes, expected, what) => assert.equal(Buffer.from(bytes).toString('hex'), expected, what);

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

test('by the secret of a QR code', () => {
  for (const v of vectors.qr) {
    const t0 = heard(v);
    equal(t0, v.t0, 'T0');
    const proofs = qr(hex(v.secret), t0);
    equal(proofs.box, v.box_proof, 'B');
    equal(proofs.terminal, v.terminal_proof, 'T');
    equal(proofs.kt, v.kt, 'Kt');
    const link = readLink(`#${v.fragment}`);
    assert.equal(link.id, v.fragment.split('.')[1]);
    equal(link.secret, v.secret, 'the link has the secret');
    equal(link.half, v.fingerprint.slice(0, 32), 'and half of the fingerprint');
  }
});

test('what is no link of a QR code', () => {
  const good = `#${vectors.qr[0].fragment}`;
  for (const bad of ['', '#', '#/channels', good.replace('#1', '#2'), `${good}.x`, good.slice(0, -3), good.replace(/\.[^.]*$/, ''), '#1.a.!.b']) {
    assert.equal(readLink(bad), null, bad);
  }
});

test('by PIN', () => {
  for (const v of vectors.pin) {
    const t0 = heard(v);
    equal(t0, v.t0, 'T0');
    const started = pinStart(v.pin, hex(v.salt), BigInt(`0x${v.x}`));
    equal(started.share, v.share_p, 'share');
    const finished = pinFinish(started, hex(v.share_v), hex(v.confirm_v), t0);
    equal(finished.confirm, v.confirm_p, 'confirmation');
    equal(finished.kt, v.kt, 'Kt');
    const other = pinStart(v.pin.replace(/^./, (c) => (c === '0' ? '1' : '0')), hex(v.salt), BigInt(`0x${v.x}`));
    assert.equal(pinFinish(other, hex(v.share_v), hex(v.confirm_v), t0), null, 'a PIN that is not the box’s');
  }
});

test('signing in', () => {
  for (const v of vectors.session.filter((v) => v.body === '')) {
    equal(sessionProof(hex(v.kt), hex(v.box_nonce), hex(v.terminal_nonce), hex(v.fingerprint)), v.proof, 'proof');
    const key = { slot: 7, kt: b64(hex(v.kt)), fingerprint: b64(hex(v.fingerprint)) };
    const field = authorization(key, b64(hex(v.box_nonce)));
    const [, cnonce, proof] = /^STB slot="7", nonce="[\w-]{22}", cnonce="([\w-]{22})", proof="([\w-]{43})"$/.exec(field);
    const expected = sessionProof(hex(v.kt), hex(v.box_nonce), unb64(cnonce), hex(v.fingerprint));
    assert.equal(proof, b64(expected), 'over a nonce of its own');
  }
});
