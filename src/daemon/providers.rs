//! Other providers of dynamic DNS: from settings to their tasks.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use smol::LocalExecutor;

use super::config::Settings;
use super::start::loaded;
use crate::api::SetTopBox;
use crate::board;
use crate::ddns::Names;
use crate::ddns::providers::{Means, ProviderSetting, ProviderState, ProviderStatus, Providers};
use crate::fetch::Client;
use crate::local::protocol::{ProviderLine, ProviderView, line, text, word};
use crate::store::{Kind, Loaded, Writer};
use crate::sys::clock;
use crate::tls::TrustedTime;

/// How often the box's word on the time, and on where it is seen, is passed on.
const PASS_ON: Duration = Duration::from_secs(10);

/// What goes out to others by HTTP: whom it trusts, and at what time.
pub(super) fn outward(settings: &Settings, stb: &SetTopBox) -> (Rc<Client>, TrustedTime) {
    let time = TrustedTime::default();
    if let Some(utc) = stb.access.wall_clock() {
        time.set(utc);
    }
    let ca_file = settings.ca_file.as_deref().unwrap_or_else(|| Path::new(board::CA_FILE));
    (Rc::new(Client::new(ca_file, time.clone())), time)
}

/// Starts the tasks of the providers that are configured.
pub(super) fn start(
    settings: &Settings,
    state: &Path,
    stb: &Rc<SetTopBox>,
    executor: &LocalExecutor<'static>,
    writer: &Rc<Writer>,
    (client, time): (Rc<Client>, TrustedTime),
    names: &Rc<Names>,
) -> Result<Rc<Providers>, String> {
    let record = match loaded(state, Kind::Providers, writer)? {
        Loaded::Record(record) | Loaded::HalfDamaged(record) => record,
        Loaded::Nothing | Loaded::Damaged => Vec::new(), // at worst a provider is told what it knows
    };
    let providers = Providers::new(&settings.ddns_providers, &record, clock::boot(), time.clone());
    if providers.is_empty() {
        return Ok(providers);
    }
    for setting in &settings.ddns_providers {
        warn(setting, &client);
    }
    let writer = Rc::clone(writer);
    let save = Rc::new(move |record| writer.save(Kind::Providers, record));
    let means = Means { reactor: Rc::clone(&stb.reactor), client, time: time.clone(), save };
    for task in providers.tasks(&means) {
        let reported = async move {
            if let Err(e) = task.await {
                log::error!("ddns: {e}");
            }
        };
        executor.spawn(reported).detach();
    }
    executor.spawn(pass_on(Rc::clone(stb), Rc::clone(names), Rc::clone(&providers), time)).detach();
    Ok(providers)
}

/// What the owner should know of a setting at the start.
fn warn(setting: &ProviderSetting, client: &Client) {
    for url in setting.urls() {
        if let Err(why) = client.check(&url) {
            log::warn!("ddns {setting}: {why}");
        } else if !url.is_https() {
            log::warn!("ddns {setting}: {url} is asked without TLS: what is said can be read and changed");
        }
    }
}

/// What the box takes to be the time is what certificates and signatures are judged by; where the name service sees
/// the box is what others are told first.
async fn pass_on(stb: Rc<SetTopBox>, names: Rc<Names>, providers: Rc<Providers>, time: TrustedTime) {
    loop {
        if let Some(utc) = stb.access.wall_clock() {
            time.set(utc);
        }
        if let Some(seen) = names.status().seen {
            providers.seen(seen.ip());
        }
        if stb.reactor.sleep(PASS_ON).await.is_err() {
            return;
        }
    }
}

/// How it stands with each, as lines for the local socket.
pub(super) fn lines(providers: &Providers) -> Vec<u8> {
    let view = |status: ProviderStatus| ProviderView {
        name: text(&status.name),
        state: word(status.state.word()),
        published: (!status.published.is_empty()).then(|| text(&status.published.to_string())),
        last_s: status.last.map(|ago| ago.as_secs()),
        retry_s: if let ProviderState::Retrying(wait) = status.state { Some(wait.as_secs()) } else { None },
        problem: status.why.as_deref().map(text),
    };
    providers.status().into_iter().flat_map(|status| line(&ProviderLine { provider: view(status) })).collect()
}

/// Such a line for people.
pub(super) fn text_of(ProviderLine { provider }: &ProviderLine) -> String {
    let mut text = format!("{}: ", provider.name);
    text += match provider.state.as_str() {
        "no-address" => "there is no address of the internet to tell",
        "current" => "knows where the box is",
        "updating" => "is being told",
        "retrying" => "could not be told",
        "stopped" => "is not told any more, until you have set right what is wrong",
        other => other,
    };
    if let Some(published) = &provider.published {
        text += &format!(", has {published}");
        if let Some(ago) = provider.last_s {
            text += &format!(" since {ago} s");
        }
    }
    if let Some(problem) = &provider.problem {
        text += &format!("\n{problem}");
    }
    if let Some(wait) = provider.retry_s {
        text += &format!("\nthe next attempt is in {wait} s");
    }
    text
}
