//! The service as all its tasks share it.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::commits::Commits;
use super::dns::Host;
use super::heartbeat::Beats;
use super::nic::{Asked, Word};
use crate::nameserver::{self, Address, Nameserver, Ticket, Update};
use crate::registrar::{Came, Now, Refusal, Registrar, Reply};
use crate::registration::PACKET_MAX;
use crate::sys::clock;

/// Who has which name, and what is waited for.
pub(super) struct Service {
    /// Never borrowed across an await.
    pub(super) registrar: RefCell<Registrar>,
    /// Likewise.
    pub(super) nameserver: RefCell<Nameserver>,
    pub(super) commits: Commits,
    /// Packets that were dropped unread, since their network sent too many.
    pub(super) dropped: Cell<u64>,
}

impl Service {
    /// What time it is.
    #[expect(clippy::unused_self, reason = "the time is the service's")]
    pub(super) fn now(&self) -> Now {
        Now { monotonic: clock::boot(), utc: clock::utc().as_secs() }
    }

    /// Returns when what the ticket stands for is on disk, or why it is not.
    pub(super) async fn committed(&self, ticket: Option<Ticket>) -> Result<(), String> {
        match ticket {
            Some(ticket) => self.commits.wait(ticket).await,
            None => Ok(()),
        }
    }

    /// Zone and label of a whole name, in lower case.
    pub(super) fn split(&self, name: &str) -> Option<(usize, String)> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let (label, zone) = name.split_once('.')?;
        Some((self.registrar.borrow().zone(zone)?, label.to_owned()))
    }

    /// Does what a dyndns2 client asks for one host.
    pub(super) async fn update_by_password(&self, asked: &Asked, host: &str) -> Word {
        let Some((zone, label)) = self.split(host) else { return Word::NotFqdn };
        // The user is the name, or its label.
        let is_own = asked.user == label || asked.user == host;
        let user = asked.user.split('.').next().unwrap_or_default();
        let staged = {
            let mut registrar = self.registrar.borrow_mut();
            if !registrar.is_password(zone, user, &asked.password) {
                return Word::BadAuth;
            }
            if !is_own {
                return Word::NoHost;
            }
            registrar.update_addresses(self.now(), zone, &label, wanted(asked))
        };
        match staged {
            Ok(staged) => match self.committed(staged.ticket).await {
                Ok(()) if staged.answer => Word::Good,
                Ok(()) => Word::NoChange,
                Err(_) => Word::NineOneOne,
            },
            Err(Refusal::Unknown(_)) => Word::NoHost,
            Err(Refusal::Suspended(_) | Refusal::Address(_)) => Word::Abuse,
            Err(_) => Word::NineOneOne,
        }
    }
}

impl Host for Service {
    type Directory = Registrar;

    fn now(&self) -> nameserver::Now {
        let Now { monotonic, utc } = Self::now(self);
        nameserver::Now { monotonic, utc }
    }

    fn with<R>(&self, act: impl FnOnce(&mut Nameserver, &mut Registrar) -> R) -> R {
        act(&mut self.nameserver.borrow_mut(), &mut self.registrar.borrow_mut())
    }

    async fn committed(&self, ticket: Ticket) -> bool {
        self.commits.wait(ticket).await.is_ok()
    }
}

impl Beats for Service {
    fn monotonic(&self) -> Duration {
        clock::boot()
    }

    fn datagram(&self, source: SocketAddr, packet: &[u8], out: &mut [u8; PACKET_MAX]) -> Reply {
        self.registrar.borrow_mut().datagram(Self::now(self), Came::Udp, source, packet, out)
    }

    async fn is_committed(self: Rc<Self>, ticket: Ticket) -> bool {
        self.commits.wait(ticket).await.is_ok()
    }

    fn dropped(&self, packets: u64) {
        self.dropped.set(self.dropped.get() + packets);
    }
}

fn wanted(asked: &Asked) -> Update {
    if asked.is_offline {
        return Update { v4: Some(Address::Gone), v6: Some(Address::Gone), ..Update::default() };
    }
    Update { v4: asked.v4.map(Address::Is), v6: asked.v6.map(Address::Is), ..Update::default() }
}
