//! The task of each provider.

use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use smol::future::BoxedLocal;

use super::manners::{Moment, Outcome, Step};
use super::settings::Protocol;
use super::{Addresses, Means, Provider, Providers};
use crate::fetch::{self, HttpUrl, Request};
use crate::network::is_global;
use crate::reactor::{Io, Reactor};
use crate::sys::netlink::{self, Surroundings};
use crate::sys::{clock, random};

/// How often the machine's own addresses are looked at, whatever is heard of them.
const LOOK: Duration = Duration::from_secs(60);
/// From word of a change of addresses to a look: by then the rest of it has come, too.
const GATHER: Duration = Duration::from_secs(3);
/// How often a page is asked where we come from.
const CHECK: Duration = Duration::from_secs(600);
/// Until a page is asked the second time: what it says counts once it has said it twice.
const CONFIRM: Duration = Duration::from_secs(2);

impl Providers {
    /// A task for each provider, and one that listens for changes of addresses; they end only when the kernel fails
    /// them.
    pub fn tasks(self: &Rc<Self>, means: &Means) -> impl Iterator<Item = BoxedLocal<io::Result<()>>> {
        let (providers, reactor) = (Rc::clone(self), Rc::clone(&means.reactor));
        let listening: BoxedLocal<_> = Box::pin(async move { providers.listen(&reactor).await });
        let tending = (0..self.all.len()).map(|index| -> BoxedLocal<io::Result<()>> {
            let (providers, means) = (Rc::clone(self), means.clone());
            Box::pin(async move { providers.tend(index, &means).await })
        });
        tending.chain([listening])
    }

    async fn listen(&self, reactor: &Rc<Reactor>) -> io::Result<()> {
        let watch = Io::new(reactor, netlink::watch()?)?;
        loop {
            watch.when_readable(netlink::take_changes).await?;
            reactor.sleep(GATHER).await?;
            self.look_again();
        }
    }

    async fn tend(&self, index: usize, means: &Means) -> io::Result<()> {
        let provider = &self.all[index];
        let mut check_at = Duration::ZERO;
        let mut state = "";
        loop {
            if let Some(url) = provider.setting.check.as_ref().filter(|_| clock::boot() >= check_at) {
                Box::pin(provider.check(url, means)).await;
                check_at = clock::boot() + CHECK;
            }
            let now = Moment::now(&means.time);
            provider.manners.borrow_mut().observe(now, self.found(provider));
            let step = provider.manners.borrow().next(now);
            let word = provider.manners.borrow().state(now).word();
            if std::mem::replace(&mut state, word) != word {
                log::debug!("ddns {}: {word}", provider.setting);
            }
            match step {
                Step::Update(addresses) => {
                    if Box::pin(provider.update(addresses, means)).await == Outcome::Done {
                        (means.save)(self.record());
                    }
                }
                Step::Wait(at) => {
                    let mut until = (now.boot + LOOK).min(at.unwrap_or(Duration::MAX));
                    if provider.setting.check.is_some() {
                        until = until.min(check_at);
                    }
                    let news = async { provider.news.1.recv().await.map_err(io::Error::other) };
                    match means.reactor.within(until.saturating_sub(clock::boot()), news).await {
                        Err(e) if e.kind() != io::ErrorKind::TimedOut => return Err(e),
                        _ => {}
                    }
                }
            }
        }
    }

    /// The addresses that this box can be reached at, by the word that is most to be trusted: for IPv4 the name
    /// service's, for IPv6 the kernel's.
    fn found(&self, provider: &Provider) -> Addresses {
        let own = Surroundings::look().map(|own| {
            let v4 = own.addresses.iter().map(|address| address.ip).filter(IpAddr::is_ipv4);
            Addresses::first_of(own.global_v6().map(IpAddr::V6).chain(v4).filter(|ip| is_global(*ip)))
        });
        let own = own.unwrap_or_else(|e| {
            log::warn!("ddns: the addresses of this machine cannot be told: {e}");
            Addresses::default()
        });
        let seen = self.seen.get().global();
        let checked = provider.checked.get();
        Addresses { v4: seen.v4.or(own.v4).or(checked.v4), v6: own.v6.or(seen.v6).or(checked.v6) }
    }
}

impl Provider {
    /// Tells the provider.
    async fn update(&self, addresses: Addresses, means: &Means) -> Outcome {
        let name = &self.setting;
        log::debug!("ddns {name}: telling {addresses}");
        self.is_busy.set(true);
        let outcome = match &self.setting.protocol {
            Protocol::Dyndns2(it) => it.update(means, addresses).await,
            Protocol::Rfc2136(it) => it.update(means, addresses).await,
        };
        self.is_busy.set(false);
        match &outcome {
            Outcome::Done => log::info!("ddns {name}: has {addresses}"),
            Outcome::Stop(why) => log::error!("ddns {name}: stopped until it is set right: {why}"),
            Outcome::Later(why) | Outcome::Failed(why) => log::warn!("ddns {name}: {why}"),
        }
        let mut random = [0x80; 4];
        let _the_middle_then = random::fill(&mut random);
        let random = u32::from_ne_bytes(random);
        self.manners.borrow_mut().went(Moment::now(&means.time), addresses, outcome.clone(), random);
        outcome
    }

    /// Asks a page where we come from, twice. What is not global, or not the same both times, is no answer; what was
    /// known before stays, for a page that fails is no sign of a change.
    async fn check(&self, url: &HttpUrl, means: &Means) {
        let name = &self.setting;
        let mut said = [None; 2];
        for said in &mut said {
            match ask_page(url, means).await {
                Ok(ip) => *said = Some(ip),
                Err(why) => return log::warn!("ddns {name}: check: {why}"),
            }
            if means.reactor.sleep(CONFIRM).await.is_err() {
                return;
            }
        }
        let [first, second] = said;
        match first.filter(|_| first == second) {
            Some(ip) => {
                let mut checked = self.checked.get();
                checked.put(ip);
                self.checked.set(checked);
            }
            None => log::warn!("ddns {name}: check: {url} does not say the same twice"),
        }
    }
}

/// The one address that a page speaks of.
async fn ask_page(url: &HttpUrl, means: &Means) -> Result<IpAddr, String> {
    let request = Request { method: "GET", url, headers: &[], body: b"" };
    let answer = fetch::fetch(&means.reactor, &means.client, request).await.map_err(|e| e.to_string())?;
    if answer.status != 200 {
        return Err(format!("{url} answers with status {}", answer.status));
    }
    only_address(&String::from_utf8_lossy(&answer.body)).map_err(|why| format!("{url} {why}"))
}

fn only_address(page: &str) -> Result<IpAddr, &'static str> {
    let words = page.split(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':');
    let mut found = words.filter_map(|word| word.trim_end_matches('.').parse::<IpAddr>().ok());
    let first = found.next().ok_or("tells no address")?;
    if found.any(|other| other != first) {
        return Err("tells more than one address");
    }
    Some(first).filter(|ip| is_global(*ip)).ok_or("tells an address that is not of the Internet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_counts_for_the_one_global_address_in_it() {
        let page = "<html><body>Current IP Address: 1.2.3.4</body></html>";
        assert_eq!(only_address(page), Ok([1, 2, 3, 4].into()));
        assert_eq!(only_address("2a00::1\n"), Ok("2a00::1".parse().unwrap()));
        assert_eq!(only_address("1.2.3.4 1.2.3.4."), Ok([1, 2, 3, 4].into()));
        assert!(only_address("1.2.3.4, 1.2.3.5").is_err());
        assert!(only_address("192.168.1.1").is_err());
        assert!(only_address("dead beef").is_err());
    }
}
