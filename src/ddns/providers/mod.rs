//! Other providers of dynamic DNS, beside or in place of the name service: `dyndns2` and RFC 2136 with TSIG.
//!
//! Each has a task of its own and its own manners; none knows of another. What may be said to whom and when is decided
//! in [`manners`], without I/O.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::fetch::Client;
use crate::reactor::Reactor;
use crate::tls::TrustedTime;

mod addresses;
mod dyndns2;
mod manners;
mod record;
mod rfc2136;
mod run;
mod secret;
mod settings;

pub use addresses::Addresses;
use manners::{Manners, Moment};
pub use record::FORMATS;
pub use settings::{ProviderError, ProviderSetting};

/// Providers at one time.
pub const PROVIDERS: usize = 4;

/// What the tasks of all providers work with.
#[derive(Clone)]
pub struct Means {
    /// Where they wait.
    pub reactor: Rc<Reactor>,
    /// Whom they trust.
    pub client: Rc<Client>,
    /// The time of day, which is also that of their statuses.
    pub time: TrustedTime,
    /// Has what was published last written to flash soon.
    pub save: Rc<dyn Fn(Vec<u8>)>,
}

/// The providers that are configured.
pub struct Providers {
    all: heapless::Vec<Provider, PROVIDERS>,
    /// What the name service saw of us, each family apart.
    seen: Cell<Addresses>,
    time: TrustedTime,
}

struct Provider {
    setting: ProviderSetting,
    manners: RefCell<Manners>,
    /// What a page on the web said of us.
    checked: Cell<Addresses>,
    /// An update is on its way.
    is_busy: Cell<bool>,
    /// Tells the task that something changed.
    news: (smol::channel::Sender<()>, smol::channel::Receiver<()>),
}

/// How it stands with one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderStatus {
    /// The protocol or the provider, and the name that is kept there.
    pub name: String,
    /// What goes on.
    pub state: ProviderState,
    /// What the provider has, as far as is known.
    pub published: Addresses,
    /// How long ago it took that; `None` where that was before this boot and no clock tells.
    pub last: Option<Duration>,
    /// What is wrong, as a sentence.
    pub why: Option<String>,
}

/// What goes on with a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderState {
    /// There is no global address to tell.
    NoAddress,
    /// It has what there is to tell.
    Current,
    /// An update is on its way, or waits for its turn.
    Updating,
    /// The last update failed; another follows after the given time.
    Retrying(Duration),
    /// It refused for a reason that only the owner can clear.
    Stopped,
}

impl ProviderState {
    /// As one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoAddress => "no-address",
            Self::Current => "current",
            Self::Updating => "updating",
            Self::Retrying(_) => "retrying",
            Self::Stopped => "stopped",
        }
    }
}

impl Providers {
    /// Those of the settings, as `record` left them; the rest of what it tells is forgotten.
    #[must_use]
    pub fn new(settings: &[ProviderSetting], record: &[u8], boot: Duration, time: TrustedTime) -> Rc<Self> {
        let all = settings.iter().map(|setting| Provider {
            setting: setting.clone(),
            manners: RefCell::new(Manners::new(setting.habits(), record::find(record, setting.id()), boot)),
            checked: Cell::default(),
            is_busy: Cell::new(false),
            news: smol::channel::bounded(1),
        });
        Rc::new(Self { all: all.take(PROVIDERS).collect(), seen: Cell::default(), time })
    }

    /// Nothing is configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The name service saw us come from `ip`.
    pub fn seen(&self, ip: IpAddr) {
        let mut seen = self.seen.get();
        seen.put(ip);
        if self.seen.replace(seen) != seen {
            self.look_again();
        }
    }

    /// Addresses of this machine have changed.
    pub fn look_again(&self) {
        for provider in &self.all {
            let _is_told_already = provider.news.0.try_send(());
        }
    }

    /// How it stands with each.
    #[must_use]
    pub fn status(&self) -> heapless::Vec<ProviderStatus, PROVIDERS> {
        let now = Moment::now(&self.time);
        let status = |provider: &Provider| {
            let manners = provider.manners.borrow();
            let state = if provider.is_busy.get() { ProviderState::Updating } else { manners.state(now) };
            ProviderStatus {
                name: provider.setting.to_string(),
                state,
                published: manners.published(),
                last: manners.age(now),
                why: manners.why().map(Into::into),
            }
        };
        self.all.iter().map(status).collect()
    }
}

#[cfg(test)]
mod tests;
