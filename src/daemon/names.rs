//! The box's name: from settings to its task, and what the local socket asks of it.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use smol::LocalExecutor;

use super::config::{SettingError, Settings};
use super::desk::Desk;
use super::questions::Question;
use super::{events, providers};
use crate::access::Told;
use crate::api::SetTopBox;
use crate::ddns::claim::Factory;
use crate::ddns::record::Service;
use crate::ddns::{NameEvent, Names, Phase, Save, Seams, Setup, TimeBy, suggest};
use crate::fetch::{Client, HttpUrl};
use crate::local::hub::Hub;
use crate::local::protocol::{
    ClaimView, ClaimedLine, Done, HandoverLine, KeyLine, NameLine, NameView, RecoveryLine, Request,
    SuggestionLine, line, text, word,
};
use crate::registration::{Label, ServicePublic};
use crate::store::{Kind, Loaded, Writer, load};
use crate::tls::TrustedTime;

/// What a run is told of the box's name.
#[derive(Debug, Default, PartialEq)]
pub(super) struct NameSettings {
    service: Option<String>,
    key: Option<ServicePublic>,
    zone: Option<String>,
    name: Option<Label>,
    port: u16,
    factory: Option<PathBuf>,
}

impl NameSettings {
    /// Takes the setting `ddns-…` or `factory`; `None`: it is none of these.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Option<Result<(), SettingError>> {
        let wrong =
            |key: &'static str, why: String| Err(SettingError::Named { key, value: value.into(), why });
        Some(match key {
            "ddns-service" => match HttpUrl::parse(value) {
                Ok(_) if value.len() <= crate::ddns::record::SERVICE_MAX => {
                    self.service = Some(value.trim_end_matches('/').into());
                    Ok(())
                }
                Ok(_) => wrong("ddns-service", "it is too long".into()),
                Err(why) => wrong("ddns-service", why.to_string()),
            },
            "ddns-key" => match ServicePublic::parse(value) {
                Some(public) => {
                    self.key = Some(public);
                    Ok(())
                }
                None => wrong("ddns-key", "the key of a name service is 43 letters of base64url".into()),
            },
            "ddns-zone" => match zone(value) {
                Some(zone) => {
                    self.zone = Some(zone);
                    Ok(())
                }
                None => wrong("ddns-zone", "a zone is a domain name, such as box.example".into()),
            },
            "ddns-name" => match Label::new(value) {
                Ok(name) if name.is_reserved() => {
                    wrong("ddns-name", "it is kept for the name service itself".into())
                }
                Ok(name) => {
                    self.name = Some(name);
                    Ok(())
                }
                Err(why) => wrong("ddns-name", why.to_string()),
            },
            "ddns-port" => match value.parse() {
                Ok(port) => {
                    self.port = port;
                    Ok(())
                }
                Err(_) => wrong("ddns-port", "a port is a number up to 65535".into()),
            },
            "factory" => {
                self.factory = Some(value.into());
                Ok(())
            }
            _ => return None,
        })
    }

    /// What `start` reads of them, before anything is started. The error is a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        let (service, _) = self.service()?;
        if let Some(service) = service {
            HttpUrl::parse(&service.url).map_err(|why| format!("ddns-service: {why}"))?;
        }
        self.factory().map(drop)
    }

    /// The service with its key and zone: all of them or none. The error is a sentence.
    fn service(&self) -> Result<(Option<Service>, String), String> {
        match (&self.service, self.key, &self.zone) {
            (Some(url), Some(key), Some(zone)) => {
                let url = url.as_str().try_into().map_err(|_| "ddns-service is too long")?;
                Ok((Some(Service { url, key: key.0 }), zone.clone()))
            }
            (None, None, None) if self.name.is_none() => Ok((None, String::new())),
            _ => Err("a name needs all of ddns-service, ddns-key and ddns-zone".into()),
        }
    }

    /// What the box's maker put into it. The error is a sentence.
    fn factory(&self) -> Result<Option<Factory>, String> {
        let Some(path) = &self.factory else { return Ok(None) };
        let read = fs::read_to_string(path).map_err(|e| e.to_string());
        let parsed = read.and_then(|text| Factory::parse(&text));
        parsed.map(Some).map_err(|why| format!("factory {}: {why}", path.display()))
    }
}

/// A domain name as it is signed: small letters, no dot at the end.
fn zone(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_label = |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(letters);
    (text.len() <= crate::ddns::record::ZONE_MAX && text.split('.').all(is_label)).then_some(text)
}

/// The box's name as settings and flash have it, and its task.
pub(super) fn start(
    settings: &Settings,
    state: &Path,
    stb: &Rc<SetTopBox>,
    executor: &LocalExecutor<'static>,
    (writer, hub): (&Rc<Writer>, &Rc<Hub>),
    (client, time): (Rc<Client>, TrustedTime),
    port: u16,
) -> Result<Rc<Names>, String> {
    let (service, zone) = settings.naming.service()?;
    if let Some(service) = &service {
        let url = HttpUrl::parse(&service.url).map_err(|why| format!("ddns-service: {why}"))?;
        if let Err(why) = client.check(&url) {
            log::warn!("ddns-service: {why}");
        }
    }
    let setup = Setup {
        service,
        zone,
        name: settings.naming.name.clone(),
        factory: settings.naming.factory()?,
        firmware: env!("CARGO_PKG_VERSION"),
        public_port: settings.naming.port,
        port,
        record: stb.access.take_registration(),
        counters: match load(state, Kind::Counter).map_err(|e| format!("state {e}"))? {
            Loaded::Nothing => Ok(None),
            Loaded::Record(record) | Loaded::HalfDamaged(record) => Ok(Some(record)),
            Loaded::Damaged => Err(()),
        },
        has_time: time.now().is_some(),
    };
    let has_service = setup.service.is_some();
    let names = Names::new(&stb.reactor, client, setup, seams(stb, writer, hub, time));
    let names = names.map_err(|e| format!("the box's name: {e}"))?;
    stb.registered.replace(names.held_name());
    let _first = stb.naming.set(Rc::clone(&names));
    if has_service {
        let task = Rc::clone(&names);
        executor
            .spawn(async move {
                if let Err(e) = task.run().await {
                    log::error!("the box's name: {e}");
                }
            })
            .detach();
    }
    Ok(names)
}

fn seams(stb: &Rc<SetTopBox>, writer: &Rc<Writer>, hub: &Rc<Hub>, time: TrustedTime) -> Seams {
    let of_access = Rc::clone(stb);
    let save: Save = Box::new(move |record| {
        let stb = Rc::clone(&of_access);
        Box::pin(async move { stb.access.save_registration(record).await })
    });
    let writer = Rc::clone(writer);
    let save_counters: Save = Box::new(move |record| {
        let writer = Rc::clone(&writer);
        Box::pin(async move { writer.saved(Kind::Counter, record).await })
    });
    let (of_clock, told) = (Rc::clone(stb), time.clone());
    let trust = move |by, utc: Duration| {
        let by = match by {
            TimeBy::Signature => Told::Signed,
            TimeBy::Ack => Told::InAck,
        };
        of_clock.access.trust_time(by, utc);
        told.set(utc);
    };
    let hub = Rc::clone(hub);
    let of_hosts = Rc::clone(stb);
    let tell = move |event: &NameEvent| {
        match event {
            NameEvent::Claimed { name, .. } => *of_hosts.registered.borrow_mut() = Some(name.clone()),
            NameEvent::Phase(Phase::None | Phase::Lost) => *of_hosts.registered.borrow_mut() = None,
            _ => {}
        }
        events::name(&hub, event);
    };
    Seams {
        save,
        save_counters,
        trust: Box::new(trust),
        utc: Box::new(move || time.now()),
        tell: Box::new(tell),
    }
}

/// What the local socket asks.
impl Desk {
    pub(super) fn name(&self) -> Vec<u8> {
        let status = self.names.status();
        let name = NameView {
            state: word(status.phase.word()),
            name: status.name.as_deref().map(text),
            service: status.service.as_deref().map(text),
            seen: status.seen.map(|at| text(&at.to_string())),
            heard_s: status.heard.map(|ago| ago.as_secs()),
            by_https: status.by_https,
            move_pending: status.move_pending,
            waits_until: status.waits_until,
            problem: status.problem.as_deref().map(text),
            has_recovery: status.has_recovery,
        };
        [line(&NameLine { name }), providers::lines(&self.providers), line(&Done::YES)].concat()
    }

    pub(super) async fn change_name(&self, request: &Request) -> Result<Vec<u8>, String> {
        let names = &self.names;
        let found = match request.cmd.as_str() {
            "name-claim" => {
                let name = request.name.as_deref().ok_or("which name?")?;
                let (recovery, handover) = (request.recovery.as_deref(), request.handover.as_deref());
                let granted = names.claim_name(name, recovery, handover).await?;
                line(&ClaimedLine {
                    claimed: ClaimView {
                        name: text(&granted.name),
                        recovery: granted.recovery.map(|code| word(&code)),
                        waits_until: granted.waits_until,
                    },
                })
            }
            "name-suggest" => {
                let label = suggest().map_err(|e| format!("no randomness: {e}"))?;
                line(&SuggestionLine { suggestion: text(label.as_str()) })
            }
            "name-key" => line(&KeyLine { key: text(&names.key().to_string()) }),
            "name-handover" => {
                let key = request.key.as_deref().ok_or("to the box with which key?")?;
                line(&HandoverLine { handover: text(&names.handover(key)?) })
            }
            "name-recovery" => line(&RecoveryLine { recovery: word(&names.take_recovery().await?) }),
            "name-cancel-move" => {
                names.cancel_move().await?;
                Vec::new()
            }
            "name-release" => {
                names.release(request.erase == Some(true)).await?;
                Vec::new()
            }
            other => return Err(format!("unknown cmd '{}'", other.escape_debug())),
        };
        Ok([found, line(&Done::YES)].concat())
    }
}

/// Says what a name is before one is claimed, and asks who sits there. `false`: no.
pub(super) fn consent(question: &Question) -> bool {
    if question.request.cmd != "name-claim" {
        return true;
    }
    eprintln!(
        "A name is public: everybody can look it up in DNS, and certificates for it stand in public logs.\n\
         Take one that does not tell who you are; 'stbcastd name suggest' offers one."
    );
    if question.yes || !io::stdin().is_terminal() {
        return true;
    }
    eprint!("Claim '{}'? [y/N] ", question.request.name.as_deref().unwrap_or_default());
    let _shown = io::stderr().flush();
    let mut answer = String::new();
    let _read = io::stdin().lock().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes")
}

/// A line of an answer on the box's name as a text for people.
pub(super) fn shown(cmd: &str, bytes: &[u8]) -> Option<String> {
    use crate::local::protocol::read;
    Some(match cmd {
        "name" => match read::<NameLine>(bytes) {
            Some(line) => status_text(&line.name),
            None => providers::text_of(&read(bytes)?),
        },
        "name-claim" => {
            let claimed = read::<ClaimedLine>(bytes)?.claimed;
            match (&claimed.recovery, claimed.waits_until) {
                (_, Some(until)) => format!(
                    "{} becomes this box's name at {until} s since 1970, unless the box that has it says no; it is asked for until then",
                    claimed.name
                ),
                (Some(code), None) => format!(
                    "{} is this box's name.\nRecovery code: {code}\nWrite it down now, it is not shown again: should this box be lost, it is what gives another the name.",
                    claimed.name
                ),
                (None, None) => format!("{} is this box's name", claimed.name),
            }
        }
        "name-suggest" => read::<SuggestionLine>(bytes)?.suggestion.as_str().into(),
        "name-key" => read::<KeyLine>(bytes)?.key.as_str().into(),
        "name-handover" => read::<HandoverLine>(bytes)?.handover.as_str().into(),
        "name-recovery" => read::<RecoveryLine>(bytes)?.recovery.as_str().into(),
        _ => return None,
    })
}

fn status_text(name: &NameView) -> String {
    let of = name.name.as_deref().unwrap_or("the name");
    let mut text = match name.state.as_str() {
        "none" if name.service.is_none() => "no name service is configured".into(),
        "none" => "this box has no name; 'stbcastd name claim NAME' asks for one".into(),
        "claiming" => format!("{of}: it is being claimed"),
        "waiting" => format!(
            "{of}: it becomes this box's at {} s since 1970, unless the box that has it says no",
            name.waits_until.unwrap_or_default()
        ),
        "starting" => format!("{of}: the name service has not answered yet"),
        "online" => format!("{of}: leads here"),
        "not-published" => {
            format!("{of}: leads nowhere, since this box is not at an address of the internet")
        }
        "suspended" => format!("{of}: the operator of the name service suspended it"),
        "unreachable" => format!("{of}: the name service cannot be reached"),
        "lost" => format!("{of}: it is another box's now"),
        other => format!("{of}: {other}"),
    };
    if let (Some(seen), Some(ago)) = (&name.seen, name.heard_s) {
        let way = if name.by_https { ", by HTTPS, since UDP does not come through" } else { "" };
        text += &format!("\nseen at {seen} {ago} s ago{way}");
    }
    if name.move_pending {
        text += "\nsomebody asked for it to be moved to another box; 'stbcastd name cancel-move' says no";
    }
    if name.has_recovery {
        text += "\nthere is a recovery code to be written down; 'stbcastd name recovery' shows it, once";
    }
    if let Some(problem) = &name.problem {
        text += &format!("\n{problem}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(lines: &[(&str, &str)]) -> Result<NameSettings, String> {
        let mut settings = NameSettings::default();
        for (key, value) in lines {
            settings.set(key, value).unwrap().map_err(|e| e.to_string())?;
        }
        Ok(settings)
    }

    #[test]
    fn a_name_needs_a_service_that_it_trusts() {
        let key = "A".repeat(43);
        let service = ("ddns-service", "https://names.example/");
        let (zone, key) = (("ddns-zone", "Box.Example."), ("ddns-key", key.as_str()));
        let settings = set(&[service, key, zone, ("ddns-name", "Alice")]).unwrap();
        let (service_of, zone_of) = settings.service().unwrap();
        assert_eq!(service_of.unwrap().url.as_str(), "https://names.example");
        assert_eq!(zone_of, "box.example");
        assert!(set(&[]).unwrap().service().unwrap().0.is_none());
        for some in [&[service, zone][..], &[service, key], &[key, zone], &[("ddns-name", "alice")]] {
            assert!(set(some).unwrap().service().is_err(), "{some:?}");
        }
    }

    #[test]
    fn the_error_names_the_setting_and_why() {
        for (key, value, part) in [
            ("ddns-service", "ftp://x", "https://"),
            ("ddns-key", "AAAA", "43"),
            ("ddns-zone", "a..b", "a..b"),
            ("ddns-name", "www", "kept"),
            ("ddns-name", "a b", "' '"),
        ] {
            let why = set(&[(key, value)]).unwrap_err();
            assert!(why.contains(part) && why.contains(key), "{why}");
        }
        assert!(NameSettings::default().set("listen", "x").is_none());
    }
}
