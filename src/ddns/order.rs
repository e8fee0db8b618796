//! What the owner asks for.

use smol::channel::bounded;

use super::claim::{Title, decoded, encoded};
use super::record::{Counters, Pending, Record};
use super::runner::Names;
use crate::registration::{BoxKey, BoxPublic, Handover, Label, RecoveryCode, Signature, Statement};
use crate::sys::{clock, random};

/// What a claim that was asked for came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The whole name.
    pub name: String,
    /// For the owner to write down: it is not shown again.
    pub recovery: Option<heapless::String<19>>,
    /// The name is this box's from this time on, in seconds since 1970, unless the box that has it says no.
    pub waits_until: Option<u64>,
}

/// No name service is configured.
const NO_SERVICE: &str =
    "no name service is configured (settings 'ddns-service', 'ddns-key' and 'ddns-zone')";
const UNDER_WAY: &str = "a claim is under way; 'stbcastd name' shows how it stands";
const NO_NAME: &str = "this box has no name; 'stbcastd name claim NAME' asks for one";

/// Every refusal is a sentence for the owner.
impl Names {
    /// Asks for a name, and waits for the answer. It goes on being asked for where the answer is "not now".
    pub async fn claim_name(
        &self,
        name: &str,
        recovery: Option<&str>,
        handover: Option<&str>,
    ) -> Result<Granted, String> {
        let label = Label::new(name).map_err(|why| format!("'{}': {why}", name.escape_debug()))?;
        if label.is_reserved() {
            return Err(format!("'{label}' is kept for the name service itself"));
        }
        let title = title(recovery, handover)?;
        let kept = |text: Option<&str>| text.and_then(|text| text.try_into().ok());
        let (told, kept) = {
            let mut book = self.book.borrow_mut();
            let held = book.held(&self.setup).filter(|held| !held.is_lost);
            if let Some(held) = held.filter(|held| held.name().as_ref() != Some(&label)) {
                return Err(format!(
                    "this box has the name {}; 'stbcastd name release' gives that up",
                    held.fqdn()
                ));
            }
            if book.claiming {
                return Err(UNDER_WAY.into());
            }
            let is_kept = !matches!(title, Title::None);
            let pending = Pending {
                name: label.as_str().try_into().unwrap_or_default(),
                recovery: match &title {
                    Title::Recovery(code) => Some(code.shown()),
                    _ => None,
                },
                handover: kept(handover),
            };
            let wanted = book.wanted_for(&self.setup, label, title).ok_or(NO_SERVICE)?;
            book.claim_now(Some(wanted), clock::boot());
            // A recovery takes days, and the box may be switched off meanwhile.
            let kept = is_kept.then(|| {
                book.record.pending = Some(pending);
                (self.seams.save)(book.record.write())
            });
            let (tell, told) = bounded(1);
            book.waiter = Some(tell);
            (told, kept)
        };
        self.wake();
        // Who is told that the box goes on asking may pull the plug then.
        if let Some(kept) = kept
            && let Err(e) = kept.await
        {
            log::warn!("the claim is not kept on flash, and ends with this run: {e}");
        }
        told.recv().await.unwrap_or_else(|_| Err("the claim was given up".into()))
    }

    /// Says that the name is not to be moved to another box.
    pub async fn cancel_move(&self) -> Result<(), String> {
        let (held, key) = self.held()?;
        let name = held.name().ok_or(NO_NAME)?;
        self.reach.cancel(&held, &name, &key).await
    }

    /// Gives the name up; with `erase` the service forgets all that it knows of it.
    pub async fn release(&self, erase: bool) -> Result<(), String> {
        let (held, key) = self.held()?;
        let name = held.name().ok_or(NO_NAME)?;
        if self.book.borrow().claiming {
            return Err(UNDER_WAY.into());
        }
        self.reach.release(&held, &name, &key, erase).await?;
        log::info!("the name {} was given up", held.fqdn());
        let record = {
            let mut book = self.book.borrow_mut();
            book.record.held = None;
            book.wanted = None;
            book.stop_heart();
            book.record.write()
        };
        self.wake();
        (self.seams.save)(record).await.map_err(|e| e.to_string())
    }

    /// What gives the name to the box with the key `to`: to be typed in there.
    pub fn handover(&self, to: &str) -> Result<String, String> {
        let (held, key) = self.held()?;
        let name = held.name().ok_or(NO_NAME)?;
        let to = BoxPublic::parse(to).ok_or_else(|| {
            format!("'{}' is no key of a box; 'stbcastd name key' prints it there", to.escape_debug())
        })?;
        let handover = Handover { zone: &held.zone, name: &name, to };
        Ok(encoded(&handover.sign(&key).0).as_str().into())
    }

    /// The whole name that the box has.
    #[must_use]
    pub fn held_name(&self) -> Option<String> {
        self.held().ok().map(|(held, _)| held.fqdn())
    }

    /// Who the box is to name services.
    #[must_use]
    pub fn key(&self) -> BoxPublic {
        self.book.borrow().record.key.public()
    }

    /// The recovery code, for the owner to write down. It is forgotten by this.
    pub async fn take_recovery(&self) -> Result<heapless::String<19>, String> {
        let (code, record) = {
            let mut book = self.book.borrow_mut();
            let code = book.record.held.as_mut().and_then(|held| held.recovery.take());
            let code = code.ok_or("there is no recovery code, or it was shown already")?;
            (code, book.record.write())
        };
        (self.seams.save)(record).await.map_err(|e| e.to_string())?;
        Ok(code)
    }

    /// The box becomes who it never was: of the name and its keys nothing is kept. Without a new key the old one stays
    /// in memory until the box starts again.
    pub fn forget(&self) {
        let mut book = self.book.borrow_mut();
        let mut seed = [0; 32];
        let made = random::fill(&mut seed).is_ok();
        let factory = self.setup.factory.as_ref().map(|factory| factory.key.clone());
        let new = made.then(|| BoxKey::from_seed(seed));
        book.record = Record::new(factory.or(new).unwrap_or_else(|| book.record.key.clone()));
        book.counters = Counters::default();
        (book.wanted, book.waits_until, book.problem, book.waiter) = (None, None, None, None);
        book.life += 1;
        book.stop_heart();
        drop(book);
        self.wake();
    }

    fn held(&self) -> Result<(super::record::Held, BoxKey), String> {
        let book = self.book.borrow();
        let held = book.held(&self.setup).filter(|held| !held.is_lost).ok_or(NO_NAME)?;
        Ok((held.clone(), book.record.key.clone()))
    }
}

fn title(recovery: Option<&str>, handover: Option<&str>) -> Result<Title, String> {
    Ok(match (recovery, handover) {
        (Some(code), _) => Title::Recovery(
            RecoveryCode::parse(code)
                .ok_or("the recovery code has four groups of four letters and digits")?,
        ),
        (None, Some(signature)) => Title::Handover(Signature(
            decoded(signature)
                .ok_or("the hand-over is what 'stbcastd name handover KEY' printed at the old box")?,
        )),
        (None, None) => Title::None,
    })
}
