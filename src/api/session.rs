//! `/api/v1/session`: who am I, sign in, forget me; hand-over to another browser, origin or home-screen app.

use std::io;

use base64ct::{Base64UrlUnpadded, Encoding};
use embedded_io_async::{Read, Write};
use serde::{Deserialize, Serialize};

use super::visit::{Visit, decoded, forget_cookie, json, read_body, refuse, set_cookie};
use super::{SetTopBox, reply};
use crate::access::{CODE, CODE_TTL, Caller, NoCode, Refusal, Signed, TTL_MAX};
use crate::handshake::{Nonce, PROOF};
use crate::http::{Exchange, Method, Status};
use crate::sys::clock;

/// Who a terminal is.
#[derive(Serialize)]
struct SelfView<'a> {
    slot: u8,
    generation: u16,
    role: &'a str,
    name: &'a str,
    #[serde(rename = "box")]
    of_box: &'a str,
    until_s: Option<u64>,
    /// Only when it signed for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_s: Option<u64>,
}

#[derive(Serialize)]
struct CodeView<'a> {
    code: &'a str,
    expires_s: u64,
}

#[derive(Deserialize)]
struct Code<'a> {
    code: &'a str,
}

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    match visit.request.method {
        Method::Post => sign_in(stb, visit, exchange).await,
        Method::Delete => forget(stb, visit, exchange).await,
        _ => who_am_i(stb, visit, exchange).await,
    }
}

async fn who_am_i<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    match visit.identify(stb, &mut exchange, Caller::may_speak_for_itself) {
        Ok(caller) => introduce(stb, &caller, None, exchange).await,
        Err(why) => refuse(stb, exchange, &why).await,
    }
}

/// A terminal signed for a session.
async fn sign_in<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let signature = visit.request.said.authorization.and_then(Signature::parse);
    let signature = signature.filter(|_| visit.request.body.is_empty() && !visit.request.said.is_ambiguous);
    let session = signature.ok_or(Refusal::NotKnown).and_then(|Signature { slot, nonce, cnonce, proof }| {
        let signed = Signed { slot, nonce: Nonce(nonce), cnonce: Nonce(cnonce), proof: &proof };
        stb.access.sign_in(signed, visit.door, clock::boot())
    });
    match session {
        Ok((caller, token)) => {
            // A page of ours whose cookie was lost; a program that says no origin keeps to its token.
            if visit.request.said.origin.is_some()
                && let Some(cookie) = stb.access.cookie_of(&caller, visit.door)
            {
                set_cookie(&mut exchange, visit.door, &cookie);
            }
            introduce(stb, &caller, Some(&token), exchange).await
        }
        Err(why) => refuse(stb, exchange, &why).await,
    }
}

async fn introduce<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    caller: &Caller,
    token: Option<&str>,
    exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let Some(terminal) = caller.slot().and_then(|slot| stb.access.terminal(slot)) else {
        return refuse(stb, exchange, &Refusal::NotKnown).await;
    };
    let view = SelfView {
        slot: terminal.slot,
        generation: terminal.generation,
        role: terminal.role.name(),
        name: terminal.name.as_str(),
        of_box: stb.name(),
        until_s: terminal.guest.as_ref().map(|terms| terms.until),
        token,
        expires_s: token.map(|_| TTL_MAX.as_secs()),
    };
    json(exchange, &view).await
}

/// The browser's cookie is taken away, also one that is good no more.
async fn forget<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    forget_cookie(&mut exchange, visit.door);
    match visit.caller(stb).and_then(|caller| caller.may_speak_for_itself()) {
        Ok(()) => exchange.reply(Status::Ok, "application/json", b"{}").await,
        Err(why) => refuse(stb, exchange, &why).await,
    }
}

/// `POST /api/v1/session/handover`: a one-use code for the caller's slot.
pub(super) async fn hand_over<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let caller = match visit.identify(stb, &mut exchange, Caller::may_speak_for_itself) {
        Ok(caller) => caller,
        Err(why) => return refuse(stb, exchange, &why).await,
    };
    match stb.access.hand_over(&caller, clock::boot()) {
        Ok(code) => {
            let mut text = [0; 22];
            let code = Base64UrlUnpadded::encode(&code, &mut text).unwrap_or_default();
            json(exchange, &CodeView { code, expires_s: CODE_TTL.as_secs() }).await
        }
        Err(NoCode::Full(n)) => {
            let sentence = format!("{n} codes wait to be used already");
            exchange.refuse(Status::ServiceUnavailable, &sentence).await
        }
        Err(NoCode::NoEntropy(_)) => exchange.refuse(Status::ServiceUnavailable, reply::NO_RANDOMNESS).await,
    }
}

/// `POST /api/v1/session/redeem`: the code's slot, for this browser.
pub(super) async fn redeem<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let Some(Code { code }) = read_body(&visit.request) else {
        return exchange.refuse(Status::BadRequest, "the body is to be {\"code\":\"…\"}").await;
    };
    let redeemed = decoded::<CODE>(code).ok_or(Refusal::NotKnown);
    match redeemed.and_then(|code| stb.access.redeem(&code, visit.door, clock::boot())) {
        Ok((caller, cookie)) => {
            set_cookie(&mut exchange, visit.door, &cookie);
            introduce(stb, &caller, None, exchange).await
        }
        Err(why) => refuse(stb, exchange, &why).await,
    }
}

/// The fields of `Authorization: STB slot="…", nonce="…", cnonce="…", proof="…"`.
struct Signature {
    slot: u8,
    nonce: [u8; 16],
    cnonce: [u8; 16],
    proof: [u8; PROOF],
}

impl Signature {
    fn parse(authorization: &str) -> Option<Self> {
        let parameters = authorization.strip_prefix("STB ")?;
        let value = |name: &str| {
            let pairs = parameters.split(',').filter_map(|pair| pair.trim_ascii().split_once('='));
            let mut values = pairs.filter(|(n, _)| *n == name).map(|(_, value)| value);
            let value = values.next()?.strip_prefix('"')?.strip_suffix('"')?;
            values.next().is_none().then_some(value)
        };
        Some(Self {
            slot: value("slot")?.parse().ok()?,
            nonce: decoded(value("nonce")?)?,
            cnonce: decoded(value("cnonce")?)?,
            proof: decoded(value("proof")?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_has_all_its_parts_once() {
        let [n, c, p] = ["AAAAAAAAAAAAAAAAAAAAAA", "AQEBAQEBAQEBAQEBAQEBAQ", &"A".repeat(43)];
        let good = format!("STB slot=\"3\", nonce=\"{n}\", cnonce=\"{c}\",proof=\"{p}\"");
        let read = Signature::parse(&good).unwrap();
        assert_eq!((read.slot, read.nonce, read.cnonce, read.proof), (3, [0; 16], [1; 16], [0; 32]));
        for (from, to) in [
            ("STB ", "Bearer "),
            ("slot=\"3\"", "slot=\"256\""),
            ("slot=\"3\"", "slot=3"),
            ("slot=\"3\"", "slot=\"3\", slot=\"4\""),
            ("cnonce", "cn"),
            (p, &"A".repeat(42)),
            (n, "AAAA"),
            (n, "AAAAAAAAAAAAAAAAAAAA=="),
        ] {
            assert!(Signature::parse(&good.replacen(from, to, 1)).is_none(), "{from} → {to}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(text in "(STB )?\\PC{0,200}") {
            let _ = Signature::parse(&text);
        }
    }
}
