#!/usr/bin/env python3
"""Writes handshake.json: fixed inputs of the pairing handshake with what must come out of them.

A second implementation with nothing but Python's standard library, to judge the one in src/handshake and clients in
other languages. It is slow and its time depends on its secrets: for vectors only. `make_handshake.py > handshake.json`
"""

import base64
import hashlib
import hmac
import json

# P-256 (FIPS 186-5) and the points M and N of RFC 9383, section 4.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
A = P - 3
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def decompress(text):
    x = int(text[2:], 16)
    y = pow(x**3 + A * x + B, (P + 1) // 4, P)
    assert (y * y - x**3 - A * x - B) % P == 0
    return x, y if y % 2 == int(text[:2], 16) % 2 else P - y


M = decompress("02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f")
N = decompress("03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49")


def add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and (p[1] + q[1]) % P == 0:
        return None
    if p == q:
        slope = (3 * p[0] ** 2 + A) * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope**2 - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def multiply(k, p):
    product = None
    while k:
        if k & 1:
            product = add(product, p)
        p, k = add(p, p), k >> 1
    return product


def negative(p):
    return p[0], P - p[1]


def encode(p):
    return b"\x04" + p[0].to_bytes(32, "big") + p[1].to_bytes(32, "big")


def sha256(data):
    return hashlib.sha256(data).digest()


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(salt, ikm, info, length):
    """RFC 5869."""
    key = mac(salt or bytes(32), ikm)
    out, block = b"", b""
    while len(out) < length:
        block = mac(key, block + info + bytes([len(out) // 32 + 1]))
        out += block
    return out[:length]


def framed(fields):
    return b"".join(len(f).to_bytes(2, "big") + f for f in fields)


def spake2plus(context, prover, verifier, w0, w1, x, y):
    """RFC 9383, sections 3.3 and 3.4: both ends at once."""
    share_p = add(multiply(x, G), multiply(w0, M))
    share_v = add(multiply(y, G), multiply(w0, N))
    z = multiply(x, add(share_v, negative(multiply(w0, N))))
    v = multiply(w1, add(share_v, negative(multiply(w0, N))))
    assert z == multiply(y, add(share_p, negative(multiply(w0, M))))
    assert v == multiply(y, multiply(w1, G))
    parts = [context, prover, verifier, encode(M), encode(N)]
    parts += [encode(share_p), encode(share_v), encode(z), encode(v), w0.to_bytes(32, "big")]
    main = sha256(b"".join(len(p).to_bytes(8, "little") + p for p in parts))
    confirmation = hkdf(b"", main, b"ConfirmationKeys", 64)
    return {
        "w0": w0.to_bytes(32, "big"),
        "w1": w1.to_bytes(32, "big"),
        "x": x.to_bytes(32, "big"),
        "y": y.to_bytes(32, "big"),
        "share_p": encode(share_p),
        "share_v": encode(share_v),
        "confirm_p": mac(confirmation[:32], encode(share_v)),
        "confirm_v": mac(confirmation[32:], encode(share_p)),
        "k_shared": hkdf(b"", main, b"SharedKey", 32),
    }


def hello(box, mode, name, role, seed):
    """The public values of a pairing, and T0 of them."""
    random = lambda what, length: sha256(f"{seed} {what}".encode())[:length]
    fields = {
        "box": box,
        "fingerprint": sha256(random("public key", 32)),
        "mode": mode,
        "box_nonce": random("box nonce", 16),
        "terminal_nonce": random("terminal nonce", 16),
        "name": name,
        "role": role,
    }
    values = [v if isinstance(v, bytes) else v.encode() for v in fields.values()]
    return fields | {"t0": sha256(framed([b"stb-pair-v1", *values]))}, random


def keys_of(t0, shared):
    kt = hkdf(t0, shared, b"terminal", 32)
    derived = {name: hkdf(b"", kt, name.encode(), 32) for name in ("auth", "cookie", "link", "player")}
    return {"kt": kt} | derived


def qr(box, name, role, seed):
    case, random = hello(box, "qr", name, role, seed)
    secret, box_id = random("secret", 16), random("box id", 8)
    b64 = lambda value: base64.urlsafe_b64encode(value).decode().rstrip("=")
    fragment = ".".join(["1", b64(box_id), b64(secret), b64(case["fingerprint"][:16])])
    k = hkdf(case["t0"], secret, b"stb-pair-k", 32)
    proofs = {"box_proof": mac(k, b"B" + case["t0"]), "terminal_proof": mac(k, b"T" + case["t0"])}
    invitation = {"box_id": box_id, "secret": secret, "fragment": fragment}
    return case | invitation | {"k": k} | proofs | keys_of(case["t0"], k)


def pin(box, name, role, digits, seed):
    case, random = hello(box, "pin", name, role, seed)
    salt = random("salt", 16)
    w = hkdf(salt, digits.encode(), b"stb-pin-v1", 80)
    w0, w1 = (int.from_bytes(half, "big") % ORDER for half in (w[:40], w[40:]))
    x, y = (int.from_bytes(random(what, 32), "big") % ORDER for what in "xy")
    run = spake2plus(case["t0"], b"", b"", w0, w1, x, y)
    return case | {"pin": digits, "salt": salt} | run | keys_of(case["t0"], run["k_shared"])


def session(seed, body):
    random = lambda what, length: sha256(f"{seed} {what}".encode())[:length]
    kt, fingerprint = random("kt", 32), random("fingerprint", 32)
    nonce, cnonce = random("nonce", 16), random("cnonce", 16)
    signed = [b"auth", nonce, cnonce, b"POST", b"/api/v1/session", sha256(body.encode()), fingerprint]
    proof = mac(hkdf(b"", kt, b"auth", 32), framed(signed))
    names = ("kt", "fingerprint", "box_nonce", "terminal_nonce", "body", "proof")
    return dict(zip(names, (kt, fingerprint, nonce, cnonce, body, proof)))


def rfc9383():
    """Appendix C, the suite that we use; what it lists of the result is held against ours."""
    given = {
        "w0": "bb8e1bbcf3c48f62c08db243652ae55d3e5586053fca77102994f23ad95491b3",
        "w1": "7e945f34d78785b8a3ef44d0df5a1a97d6b3b460409a345ca7830387a74b1dba",
        "x": "d1232c8e8693d02368976c174e2088851b8365d0d79a9eee709c6a05a2fad539",
        "y": "717a72348a182085109c8d3917d6c43d59b224dc6a7fc4f0483232fa6516d8b3",
    }
    listed = {
        "share_p": "04ef3bd051bf78a2234ec0df197f7828060fe9856503579bb1733009042c15c0c1"
        "de127727f418b5966afadfdd95a6e4591d171056b333dab97a79c7193e341727",
        "share_v": "04c0f65da0d11927bdf5d560c69e1d7d939a05b0e88291887d679fcadea75810fb"
        "5cc1ca7494db39e82ff2f50665255d76173e09986ab46742c798a9a68437b048",
        "confirm_p": "926cc713504b9b4d76c9162ded04b5493e89109f6d89462cd33adc46fda27527",
        "confirm_v": "9747bcc4f8fe9f63defee53ac9b07876d907d55047e6ff2def2e7529089d3e68",
        "k_shared": "0c5f8ccd1413423a54f6c1fb26ff01534a87f893779c6e68666d772bfd91f3e7",
    }
    context = "SPAKE2+-P256-SHA256-HKDF-SHA256-HMAC-SHA256 Test Vectors"
    scalars = [int(given[name], 16) for name in ("w0", "w1", "x", "y")]
    run = spake2plus(context.encode(), b"client", b"server", *scalars)
    assert all(run[name].hex() == value for name, value in listed.items())
    return {"context": context, "prover": "client", "verifier": "server"} | given | listed


vectors = {
    "qr": [
        qr("stb", "Anna's phone", "owner", "qr 1"),
        qr("客厅的盒子", "", "guest", "qr 2"),
    ],
    "pin": [
        pin("stb", "Anna's phone", "owner", "12345678", "pin 1"),
        pin("Wohnzimmer", "Küche 😀", "viewer", "00000000", "pin 2"),
        pin("", "x" * 200, "player", "99999999", "pin 3"),
    ],
    "session": [session("session 1", ""), session("session 2", "{}")],
    "rfc9383": rfc9383(),
}
hex_of = lambda value: value.hex() if isinstance(value, bytes) else value
for kind in ("qr", "pin", "session"):
    vectors[kind] = [{name: hex_of(value) for name, value in case.items()} for case in vectors[kind]]
print(json.dumps(vectors, indent=1, ensure_ascii=False))
