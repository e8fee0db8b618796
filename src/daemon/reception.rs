//! Who is let in and who is put out, as the local socket asks for it.

use std::time::Duration;

use qrcodegen_no_heap::{QrCode, QrCodeEcc, Version};
use serde::Serialize;

use super::desk::Desk;
use crate::access::TerminalName;
use crate::api::TerminalView;
use crate::handshake::{Invitation, Role};
use crate::local::protocol::{
    Done, PairingLine, PairingView, PlayerLine, QR_SIDE, QrLine, QrView, Request, line, text, word,
};
use crate::local::server::Number;
use crate::pairing::{Modes, Stay, Terms};
use crate::sys::clock;
use crate::tuner::request::ID as TUNER_QUESTION;

/// The largest QR code that is drawn.
const QR_VERSION: Version = Version::new(8);

#[derive(Serialize)]
struct TerminalLine<'a> {
    terminal: TerminalView<'a>,
}

/// What a request of these needs, and it does not say.
const SLOT: &str = "which slot?";

impl Desk {
    /// Opens the window for a new terminal.
    pub(super) fn pair(&self, request: &Request) -> Result<Vec<u8>, String> {
        let modes = match request.mode.as_deref().unwrap_or("both") {
            "qr" => Modes::Qr,
            "pin" => Modes::Pin,
            "both" => Modes::Both,
            other => return Err(format!("mode '{}': one of qr, pin, both", other.escape_debug())),
        };
        let role = request.role.as_deref().unwrap_or("viewer");
        let role = Role::named(role).filter(|role| *role != Role::Player);
        let role = role.ok_or("role: one of owner, viewer, guest; a player is let in by 'player'")?;
        let stay = request.for_s.map(|seconds| Stay {
            channels: request.channels.clone().unwrap_or_default(),
            lifetime: Duration::from_secs(seconds.into()),
        });
        if role == Role::Guest && self.stb.access.wall_clock().is_none() {
            return Err("the box does not know the time, so it cannot tell when a guest ends".into());
        }
        let terms = Terms { modes, role, guest: stay, first: !self.stb.access.has_owner() };
        let shown = self.stb.pairing.open(terms).map_err(|e| e.to_string())?;
        let access = &self.stb.access;
        let link = shown.secret.and_then(|secret| {
            let invitation = Invitation::new(access.box_id(), secret, &access.fingerprint());
            let address = self.reachable().into_iter().next()?;
            Some(format!("http://{address}/pair#{}", invitation.fragment()))
        });
        let view = PairingView {
            link: link.as_deref().map(text),
            pin: shown.pin.as_ref().map(|pin| word(pin.digits())),
            role: word(shown.role.name()),
            expires_s: shown.ends.saturating_sub(clock::boot()).as_secs(),
        };
        let code = link.as_deref().and_then(qr).map(|qr| line(&QrLine { qr })).unwrap_or_default();
        Ok([line(&PairingLine { pairing: view }), code, line(&Done::YES)].concat())
    }

    /// Answers a question for the screen.
    pub(super) fn answer_for_screen(&self, request: &Request, by: Number) -> Result<Vec<u8>, String> {
        let (ask, allow) = request.ask.zip(request.allow).ok_or("answer needs ask and allow")?;
        if ask & TUNER_QUESTION != 0 {
            return self.answer_for_tuner((ask, allow), by);
        }
        if self.stb.pairing.answer(ask, allow) {
            Ok(line(&Done::YES))
        } else {
            Err(format!("question {ask} does not wait for an answer any more"))
        }
    }

    /// Lists who was let in.
    pub(super) fn terminals(&self) -> Vec<u8> {
        let terminals = self.stb.access.terminals();
        let lines =
            terminals.iter().flat_map(|t| line(&TerminalLine { terminal: TerminalView::of(t, None) }));
        lines.chain(line(&Done::YES)).collect()
    }

    pub(super) async fn rename(&self, request: &Request) -> Result<Vec<u8>, String> {
        let slot = request.slot.ok_or(SLOT)?;
        let name = request.name.as_deref().and_then(TerminalName::new).ok_or("which name?")?;
        match self.stb.access.rename(slot, name).await {
            Ok(true) => Ok(line(&Done::YES)),
            Ok(false) => Err(no_terminal(slot)),
            Err(e) => Err(e.to_string()),
        }
    }

    pub(super) async fn revoke(&self, request: &Request) -> Result<Vec<u8>, String> {
        let slot = request.slot.ok_or(SLOT)?;
        let revoked = self.stb.access.revoke(slot).await.map_err(|e| e.to_string())?;
        if !revoked {
            return Err(no_terminal(slot));
        }
        Ok(line(&Done::YES))
    }

    pub(super) async fn revoke_all(&self) -> Result<Vec<u8>, String> {
        self.stb.access.revoke_all().await.map_err(|e| e.to_string())?;
        Ok(line(&Done::YES))
    }

    /// Lets a player in, which keeps the URL of its playlist.
    pub(super) async fn player(&self, request: &Request) -> Result<Vec<u8>, String> {
        let name = request.name.as_deref().and_then(TerminalName::new).ok_or("which name?")?;
        let (slot, path) = self.stb.let_player_in(name).await.map_err(|(_, sentence)| sentence)?;
        let address = self.reachable().into_iter().next().ok_or("the box has no address")?;
        let url = text(&format!("http://{address}{path}"));
        Ok([line(&PlayerLine { slot, url }), line(&Done::YES)].concat())
    }

    /// Makes the box who it never was.
    pub(super) async fn factory_reset(&self) -> Result<Vec<u8>, String> {
        self.stb.pairing.close();
        self.names.forget();
        let reset = self.stb.access.factory_reset().await;
        self.stb.pairing.renew(self.stb.access.fingerprint());
        reset.map_err(|e| e.to_string())?;
        Ok(line(&Done::YES))
    }

    /// This program stays.
    pub(super) async fn commit(&self) -> Result<Vec<u8>, String> {
        self.stb.access.commit().await.map_err(|e| e.to_string())?;
        Ok(line(&Done::YES))
    }
}

fn no_terminal(slot: u8) -> String {
    format!("there is no terminal in slot {slot}")
}

/// `link` as a QR code, as small as it gets at 15 % of damage.
fn qr(link: &str) -> Option<QrView> {
    const BYTES: usize = QR_VERSION.buffer_len();
    let (mut scratch, mut out) = ([0; BYTES], [0; BYTES]);
    let code = QrCode::encode_text(
        link,
        &mut scratch,
        &mut out,
        QrCodeEcc::Medium,
        Version::MIN,
        QR_VERSION,
        None,
        true,
    );
    let code = code.ok()?;
    let module = |x, y| if code.get_module(x, y) { '1' } else { '0' };
    let rows = (0..code.size()).map(|y| (0..code.size()).map(|x| module(x, y)).collect());
    Some(QrView { size: usize::try_from(code.size()).ok()?, rows: rows.collect() })
}

const _: () = assert!(QR_SIDE == QR_VERSION.value() as usize * 4 + 17);
