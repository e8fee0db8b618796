//! A terminal: pairs by QR link or PIN, signs in, keeps its cookie. Each step can be taken by itself, and wrong.

use std::net::{Ipv4Addr, SocketAddr};

use base64ct::{Base64UrlUnpadded, Encoding};
use stbcast::handshake::{
    Ephemeral, Fingerprint, Hello, Invitation, Mode, Nonce, PROOF, Pin, PinTerminal, QrTerminal, Role, SHARE,
    SessionRequest, TerminalKey, Transcript,
};

use super::http::{Client, Reply, Viewer};
use super::stb::{Stb, number, text};

/// Where phones are, if they are nowhere else.
pub const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;

pub fn b64(bytes: &[u8]) -> String {
    let mut text = vec![0; bytes.len() * 4 / 3 + 4];
    Base64UrlUnpadded::encode(bytes, &mut text).expect("the text has room").to_owned()
}

/// Exactly `N` bytes.
pub fn unb64<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let length =
        Base64UrlUnpadded::decode(text, &mut bytes).unwrap_or_else(|e| panic!("'{text}': {e}")).len();
    assert_eq!(length, N, "'{text}'");
    bytes
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    stbcast::sys::random::fill(&mut bytes).expect("there is randomness");
    bytes
}

/// What the box's screen shows of an open window.
#[derive(Clone, Debug)]
pub struct Shown {
    pub link: Option<String>,
    pub pin: Option<String>,
    pub role: String,
}

impl Shown {
    /// Of the first line of the box's answer.
    pub fn read(line: &str) -> Self {
        assert!(line.starts_with("{\"pairing\":"), "{line}");
        let value = |name| text(line, name).map(str::to_owned);
        Self { link: value("link"), pin: value("pin"), role: value("role").expect("a role is shown") }
    }

    pub fn link(&self) -> &str {
        self.link.as_deref().expect("a link is shown")
    }

    pub fn pin(&self) -> &str {
        self.pin.as_deref().expect("a PIN is shown")
    }
}

/// Opens pairing at the local socket; `more` is of the request's JSON, as in `,"role":"viewer"`.
pub fn open_pairing(stb: &Stb, more: &str) -> Shown {
    Shown::read(&stb.query(&format!("{{\"cmd\":\"pair\"{more}}}")).expect("the box answers")[0])
}

/// The box's first terminal, which owns it.
pub fn owner(stb: &Stb) -> Terminal {
    let shown = open_pairing(stb, "");
    assert_eq!(shown.role, "owner", "the first owns the box");
    Phone::new(stb, "Owner").pair_by_qr(shown.link()).expect("the owner is let in")
}

/// One more terminal, of the role that `more` names.
pub fn one_more(stb: &Stb, name: &str, more: &str) -> Terminal {
    let shown = open_pairing(stb, more);
    Phone::new(stb, name)
        .pair_by_qr(shown.link())
        .unwrap_or_else(|r| panic!("{name}: {} {}", r.head, r.text()))
}

/// One request from an address of this machine, with its reply.
pub fn ask_from(
    source: Ipv4Addr,
    address: SocketAddr,
    (method, path): (&str, &str),
    fields: &str,
    body: Option<&str>,
) -> Reply {
    let mut client = Client::connect_from(source, address);
    client.send(&asked(address, (method, path), fields, body));
    if method != "HEAD" {
        return client.reply();
    }
    let mut reply = client.head();
    reply.body = client.receive_all();
    reply
}

/// The bytes of such a request.
pub fn asked(address: SocketAddr, (method, path): (&str, &str), fields: &str, body: Option<&str>) -> Vec<u8> {
    let content =
        body.map(|body| format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    let (content, body) = (content.unwrap_or_default(), body.unwrap_or_default());
    format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}{content}\r\n{body}")
        .into()
}

/// A phone that is not paired.
#[derive(Clone, Debug)]
pub struct Phone {
    pub source: Ipv4Addr,
    pub address: SocketAddr,
    pub name: String,
}

/// A hello that was answered.
pub struct Begun {
    pub attempt: String,
    pub transcript: Transcript,
    pub fingerprint: Fingerprint,
    /// What the box sent.
    pub welcome: String,
}

impl Phone {
    pub fn new(stb: &Stb, name: &str) -> Self {
        Self { source: HOME, address: stb.address, name: name.to_owned() }
    }

    /// The same at another address.
    pub fn at(&self, source: Ipv4Addr) -> Self {
        Self { source, ..self.clone() }
    }

    pub fn post(&self, path: &str, body: &str) -> Reply {
        ask_from(self.source, self.address, ("POST", path), "", Some(body))
    }

    /// The first message. An answer that is no welcome comes back as it is.
    pub fn hello(&self, mode: Mode) -> Result<Begun, Reply> {
        let terminal_nonce = Nonce(random());
        let (mode_name, nonce, name) = (mode.name(), b64(&terminal_nonce.0), self.name.as_str());
        let body = format!("{{\"mode\":\"{mode_name}\",\"nonce\":\"{nonce}\",\"name\":\"{name}\"}}");
        let reply = ok(self.post("/api/v1/pair/hello", &body))?;
        let welcome = reply.text();
        let field = |name| text(&welcome, name).unwrap_or_else(|| panic!("'{name}' in {welcome}"));
        let fingerprint = Fingerprint(unb64(field("fingerprint")));
        let transcript = Transcript::of(&Hello {
            box_name: field("box"),
            fingerprint: &fingerprint,
            mode,
            box_nonce: &Nonce(unb64(field("nonce"))),
            terminal_nonce: &terminal_nonce,
            terminal_name: name,
            role: Role::named(field("role")).expect("the box names a role"),
        });
        let attempt = field("attempt").to_owned();
        Ok(Begun { attempt, transcript: transcript.expect("names are short"), fingerprint, welcome })
    }

    /// Its proof for the QR code's `link`, and the key; the box's proof is checked first.
    pub fn prove_by_qr(&self, begun: &Begun, link: &str) -> ([u8; PROOF], TerminalKey) {
        let invitation = invitation(link);
        assert!(invitation.is_to(&begun.fingerprint), "another box answers");
        let box_proof = unb64(text(&begun.welcome, "proof").expect("the box proves itself"));
        let terminal = QrTerminal::start(&invitation.secret, &begun.transcript);
        terminal.finish(&box_proof).expect("the box has the secret")
    }

    /// Its share for `pin`.
    pub fn start_by_pin(&self, begun: &Begun, pin: &str) -> (PinTerminal, [u8; SHARE]) {
        let salt = unb64(text(&begun.welcome, "salt").expect("the box sends a salt"));
        let pin = Pin::parse(pin).expect("a PIN has eight digits");
        PinTerminal::start(&pin, &salt, &begun.transcript, Ephemeral::new(random()))
    }

    /// Sends a share. The box's share and confirmation come back.
    pub fn share(&self, attempt: &str, share: &[u8]) -> Result<([u8; SHARE], [u8; PROOF]), Reply> {
        let body = format!("{{\"attempt\":\"{attempt}\",\"share\":\"{}\"}}", b64(share));
        let answer = ok(self.post("/api/v1/pair/share", &body))?.text();
        let field = |name| text(&answer, name).unwrap_or_else(|| panic!("'{name}' in {answer}"));
        Ok((unb64(field("share")), unb64(field("confirm"))))
    }

    /// The last message, as it is answered.
    pub fn finish(&self, attempt: &str, proof: &[u8]) -> Reply {
        self.post(
            "/api/v1/pair/finish",
            &format!("{{\"attempt\":\"{attempt}\",\"proof\":\"{}\"}}", b64(proof)),
        )
    }

    pub fn pair_by_qr(&self, link: &str) -> Result<Terminal, Reply> {
        let begun = self.hello(Mode::Qr)?;
        let (proof, key) = self.prove_by_qr(&begun, link);
        let reply = ok(self.finish(&begun.attempt, &proof))?;
        Ok(Terminal::new(self, &begun, key, &reply))
    }

    pub fn pair_by_pin(&self, pin: &str) -> Result<Terminal, Reply> {
        let begun = self.hello(Mode::Pin)?;
        let (terminal, share) = self.start_by_pin(&begun, pin);
        let (box_share, box_confirm) = self.share(&begun.attempt, &share)?;
        let (proof, key) = terminal.finish(&box_share, &box_confirm).expect("the box has this PIN");
        let reply = ok(self.finish(&begun.attempt, &proof))?;
        Ok(Terminal::new(self, &begun, key, &reply))
    }

    /// One guess at the PIN: the box's answer to the share tells whether it was right.
    pub fn guess(&self, pin: &str) -> Result<bool, Reply> {
        let begun = self.hello(Mode::Pin)?;
        let (terminal, share) = self.start_by_pin(&begun, pin);
        let (box_share, box_confirm) = self.share(&begun.attempt, &share)?;
        Ok(terminal.finish(&box_share, &box_confirm).is_ok())
    }
}

/// What the link of a QR code says.
pub fn invitation(link: &str) -> Invitation {
    let fragment = link.split_once('#').expect("the secret is in the fragment").1;
    Invitation::parse(fragment).expect("the fragment is an invitation")
}

/// An eight-digit PIN that is not `pin`.
pub fn other_pin(pin: &str) -> String {
    let first = if pin.starts_with('0') { '1' } else { '0' };
    format!("{first}{}", &pin[1..])
}

fn ok(reply: Reply) -> Result<Reply, Reply> {
    if reply.status == 200 { Ok(reply) } else { Err(reply) }
}

/// A phone that was let in.
#[derive(Clone, Debug)]
pub struct Terminal {
    pub source: Ipv4Addr,
    pub address: SocketAddr,
    pub slot: u8,
    pub role: String,
    pub key: TerminalKey,
    pub fingerprint: Fingerprint,
    /// The cookie's value.
    pub cookie: String,
}

impl Terminal {
    fn new(phone: &Phone, begun: &Begun, key: TerminalKey, reply: &Reply) -> Self {
        let said = reply.text();
        Self {
            source: phone.source,
            address: phone.address,
            slot: number(&said, "slot").try_into().expect("a slot is a byte"),
            role: text(&said, "role").expect("the box says the role").to_owned(),
            key,
            fingerprint: begun.fingerprint,
            cookie: cookie(reply).expect("a browser gets a cookie"),
        }
    }

    /// The header field with its cookie.
    pub fn by_cookie(&self) -> String {
        format!("Cookie: stb={}\r\n", self.cookie)
    }

    /// A request with its cookie.
    pub fn ask(&self, method: &str, path: &str, body: Option<&str>) -> Reply {
        ask_from(self.source, self.address, (method, path), &self.by_cookie(), body)
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, None)
    }

    /// A stream with its cookie, whatever the answer is.
    pub fn watch(&self, path: &str) -> Viewer {
        Viewer::ask(&format!("http://{}{path}", self.address), &self.by_cookie())
    }

    /// The `Authorization` field of a signed session request, over a nonce that the box gives for it.
    pub fn signature(&self) -> (String, [u8; PROOF]) {
        let challenge = ask_from(self.source, self.address, ("GET", "/api/v1/session"), "", None);
        assert_eq!(challenge.status, 401);
        let field = challenge.field("www-authenticate").expect("a 401 comes with a challenge");
        let nonce =
            field.strip_prefix("STB nonce=\"").and_then(|f| f.strip_suffix('"')).expect("it has a nonce");
        let cnonce = random::<16>();
        let proof = SessionRequest {
            box_nonce: &Nonce(unb64(nonce)),
            terminal_nonce: &Nonce(cnonce),
            body: &[],
            fingerprint: &self.fingerprint,
        }
        .sign(&self.key);
        (format!("STB slot=\"{}\", nonce=\"{nonce}\", cnonce=\"{}\"", self.slot, b64(&cnonce)), proof)
    }

    /// Sends such a request with this proof.
    pub fn send_signed(&self, signature: &str, proof: &[u8]) -> Reply {
        let field = format!("Authorization: {signature}, proof=\"{}\"\r\n", b64(proof));
        ask_from(self.source, self.address, ("POST", "/api/v1/session"), &field, None)
    }

    /// Signs in; gives the bearer token.
    pub fn sign_in(&self) -> Result<String, Reply> {
        let (signature, proof) = self.signature();
        let reply = ok(self.send_signed(&signature, &proof))?.text();
        Ok(text(&reply, "token").expect("a session has a token").to_owned())
    }

    /// The token of a link that it hands out.
    pub fn hand_out(&self, channel: u16) -> Result<String, Reply> {
        let body = format!("{{\"channel\":{channel},\"ttl\":600,\"connections\":0}}");
        let reply = ok(self.ask("POST", "/api/v1/links", Some(&body)))?.text();
        Ok(text(&reply, "token").expect("a link has a token").to_owned())
    }
}

/// The cookie that a reply sets; `None` where it sets none. Panics where it is not kept from scripts and other sites.
pub fn cookie(reply: &Reply) -> Option<String> {
    let value = reply.field("set-cookie")?.strip_prefix("stb=").expect("the cookie is called stb");
    let (value, attributes) = value.split_once("; ").expect("it has attributes");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict; Max-Age=34560000");
    Some(value.to_owned())
}
