//! A session of a paired terminal: signs for a bearer token, shows it with every request, and signs anew when the box
//! has forgotten it, as it does when it restarts.
//!
//! Owns the bearer, in memory alone.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::bytes::{encoded, random};
use super::http::{self, Answer, HttpError, Request};
use super::json::{self, Exact};
use super::keys::Known;
use super::{Failure, accepted};
use crate::handshake::{Nonce, SessionRequest};

const PATH: &str = "/api/v1/session";
/// Characters of a bearer token.
const TOKEN: usize = 43;

/// What a paired terminal asks its box by.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) known: Known,
    bearer: Mutex<Option<Bearer>>,
}

/// The value of `Authorization` for a session. Never shown.
#[derive(Clone)]
struct Bearer(String);

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(..)")
    }
}

impl Session {
    pub(super) const fn of(known: Known) -> Self {
        Self { known, bearer: Mutex::new(None) }
    }

    /// Asks; an answer is a 200.
    pub(super) async fn ask(&self, request: Request<'_>) -> Result<Answer, Failure> {
        let bearer = match self.bearer() {
            Some(bearer) => bearer,
            None => self.sign_in(None).await?,
        };
        let answer = self.ask_as(&bearer, request).await?;
        if answer.status() != 401 {
            return accepted(answer, |text| text).await;
        }
        let bearer = self.sign_in(answer.challenge()).await?;
        let answer = self.ask_as(&bearer, request).await?;
        if answer.status() == 401 {
            return Err(self.not_known());
        }
        accepted(answer, |text| text).await
    }

    /// The box knows this terminal.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        self.ask(Request::new("GET", PATH)).await.map(drop)
    }

    fn bearer(&self) -> Option<Bearer> {
        self.bearer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask_as(&self, bearer: &Bearer, request: Request<'_>) -> Result<Answer, HttpError> {
        http::ask(&self.known.authority, &Request { authorization: Some(&bearer.0), ..request }).await
    }

    /// Signs over `challenge`, or over one that is asked for.
    async fn sign_in(&self, challenge: Option<Nonce>) -> Result<Bearer, Failure> {
        #[derive(Deserialize)]
        struct Granted {
            token: Exact,
        }

        let authority = &self.known.authority;
        let box_nonce = match challenge {
            Some(nonce) => nonce,
            None => {
                let answer = http::ask(authority, &Request::new("GET", PATH)).await?;
                answer.challenge().ok_or(HttpError::NotHttp)?
            }
        };
        let field = self.signature(&box_nonce, &Nonce(random()?));
        let request = Request { authorization: Some(&field), ..Request::new("POST", PATH) };
        let answer = http::ask(authority, &request).await?;
        if answer.status() == 401 {
            return Err(self.not_known());
        }
        let body = accepted(answer, |text| text).await?.body().await?;
        let Granted { token: Exact(token) } = json::read(&body).ok_or(Failure::ListUnknown)?;
        let sound = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if token.len() != TOKEN || !token.bytes().all(sound) {
            return Err(Failure::ListUnknown);
        }
        let bearer = Bearer(format!("Bearer {token}"));
        *self.bearer.lock().unwrap_or_else(PoisonError::into_inner) = Some(bearer.clone());
        Ok(bearer)
    }

    /// `STB slot="3", nonce="…", cnonce="…", proof="…"`.
    fn signature(&self, box_nonce: &Nonce, terminal_nonce: &Nonce) -> String {
        let Known { slot, fingerprint, key, .. } = &self.known;
        let proof = SessionRequest { box_nonce, terminal_nonce, body: &[], fingerprint }.sign(key);
        let [nonce, cnonce, proof] = [&box_nonce.0[..], &terminal_nonce.0, &proof].map(encoded);
        format!("STB slot=\"{slot}\", nonce=\"{nonce}\", cnonce=\"{cnonce}\", proof=\"{proof}\"")
    }

    fn not_known(&self) -> Failure {
        Failure::NotKnown { name: self.known.name.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::super::authority::Authority;
    use super::*;
    use crate::handshake::{BoxId, Fingerprint, Role, TerminalKey};

    const CHALLENGE: &str = "HTTP/1.1 401 No\r\nWWW-Authenticate: STB nonce=\"AQEBAQEBAQEBAQEBAQEBAQ\"\r\nContent-Length: 0\r\n\r\n";
    const DONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

    fn granted(token: &str) -> String {
        format!("HTTP/1.1 200 OK\r\n\r\n{{\"token\":\"{token}\",\"expires_s\":43200}}")
    }

    /// A box that gives these answers, a connection each, and hands back the requests.
    fn give(answers: &[&str]) -> (Session, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let known = Known {
            name: "stb".into(),
            authority: Authority::parse(&listener.local_addr().unwrap().to_string(), 0).unwrap(),
            id: BoxId([1; 8]),
            fingerprint: Fingerprint([2; 32]),
            slot: 3,
            role: Role::Owner,
            key: TerminalKey::new([7; 32]),
        };
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let server = thread::spawn(move || {
            let answer = |answer: String| {
                let (mut socket, _) = listener.accept().unwrap();
                let mut head = [0; 2048];
                let length = socket.read(&mut head).unwrap();
                socket.write_all(answer.as_bytes()).unwrap();
                String::from_utf8_lossy(&head[..length]).into_owned()
            };
            answers.into_iter().map(answer).collect()
        });
        (Session::of(known), server)
    }

    #[test]
    fn it_signs_once_and_shows_what_it_got() {
        let token = "A".repeat(43);
        let (session, server) = give(&[CHALLENGE, &granted(&token), DONE, DONE]);
        for _ in 0..2 {
            smol::block_on(session.ask(Request::new("GET", "/x"))).unwrap();
        }
        let asked = server.join().unwrap();
        assert!(!asked[0].contains("Authorization"), "{}", asked[0]);
        let nonces = (Nonce([1; 16]), Fingerprint([2; 32]));
        let part = |name: &str| {
            let at = asked[1].split_once(&format!("{name}=\"")).unwrap().1;
            at.split_once('"').unwrap().0.to_owned()
        };
        let cnonce = Nonce(super::super::bytes::decoded(&part(" cnonce")).unwrap());
        let request = SessionRequest {
            box_nonce: &nonces.0,
            terminal_nonce: &cnonce,
            body: &[],
            fingerprint: &nonces.1,
        };
        let proof = super::super::bytes::decoded(&part("proof")).unwrap();
        assert_eq!(request.verify(&TerminalKey::new([7; 32]), &proof), Ok(()));
        assert!(asked[1].starts_with("POST /api/v1/session HTTP/1.0\r\n") && part("slot") == "3");
        for asked in &asked[2..] {
            assert!(asked.contains(&format!("Authorization: Bearer {token}\r\n")), "{asked}");
        }
        assert!(!format!("{session:?}").contains("AAAA"));
    }

    #[test]
    fn a_forgotten_session_is_renewed_once() {
        let (old, new) = (granted(&"A".repeat(43)), granted(&"B".repeat(43)));
        let (session, server) = give(&[CHALLENGE, &old, CHALLENGE, &new, DONE]);
        smol::block_on(session.ask(Request::new("GET", "/x"))).unwrap();
        assert!(server.join().unwrap()[4].contains("Bearer BBBB"));
        let (session, server) = give(&[CHALLENGE, &old, CHALLENGE, &new, CHALLENGE]);
        let asked = smol::block_on(session.ask(Request::new("GET", "/x")));
        assert!(matches!(asked, Err(Failure::NotKnown { .. })), "{asked:?}");
        server.join().unwrap();
    }

    #[test]
    fn a_box_that_does_not_know_us_is_no_box_of_ours() {
        let (session, server) = give(&[CHALLENGE, CHALLENGE]);
        let asked = smol::block_on(session.check());
        assert!(matches!(asked, Err(Failure::NotKnown { .. })), "{asked:?}");
        server.join().unwrap();
        for token in ["", "short", &format!("{}\\r\\nX: y", "A".repeat(36)), &"A".repeat(44)] {
            let (session, server) = give(&[CHALLENGE, &granted(token)]);
            assert!(matches!(smol::block_on(session.check()), Err(Failure::ListUnknown)), "{token}");
            server.join().unwrap();
        }
        let (session, server) = give(&[DONE]);
        assert!(matches!(smol::block_on(session.check()), Err(Failure::Http(HttpError::NotHttp))));
        server.join().unwrap();
    }
}
