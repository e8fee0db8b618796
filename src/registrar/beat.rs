//! Heartbeats: where a box is, and what it is told.

use std::net::{IpAddr, SocketAddr};

use super::address::{is_host, plain};
use super::record::{Key, Record};
use super::table::flag;
use super::{Now, Registrar, Slot};
use crate::nameserver::Ticket;
use crate::network::is_global;
use crate::registration::{
    About, Ack, AckFlags, Beat, BoxId, Bye, Header, Kind, PACKET_MAX, Retry, Seen, Status, open, seal,
};

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// As a datagram.
    Udp,
    /// In the body of a request.
    Https,
}

/// What to do with `out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing is said.
    Silence,
    /// Send that many bytes of it.
    Send(usize),
    /// Send them when this is on disk, and not at all when it cannot be written.
    AfterCommit(usize, Ticket),
}

/// The addresses of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) v4: Option<[u8; 4]>,
    pub(super) v6: Option<[u8; 16]>,
}

impl Registrar {
    /// Takes a packet from `source` and writes the answer to `out`. Steady beats allocate nothing and write nothing.
    ///
    /// Silent to all that fails length, magic, version, known id, replay window or MAC. The answer is never longer than
    /// the packet.
    pub fn datagram(
        &mut self,
        now: Now,
        came: Came,
        source: SocketAddr,
        packet: &[u8],
        out: &mut [u8; PACKET_MAX],
    ) -> Reply {
        // each request of HTTP may come from another port
        let port = if came == Came::Https { 0 } else { source.port() };
        let source = SocketAddr::new(plain(source.ip()), port);
        let reply = match Header::peek(packet) {
            Some(header) if header.kind == Kind::Beat => self.beat(now, header, source, packet, out),
            Some(header) if header.kind == Kind::Bye => self.bye(header, source, packet),
            Some(header) if header.kind == Kind::About && came == Came::Https => {
                self.about(now, header, source, packet, out)
            }
            _ => None,
        };
        match reply {
            Some(Reply::Send(len) | Reply::AfterCommit(len, _)) if len > packet.len() => Reply::Silence,
            Some(reply) => reply,
            None => {
                self.counters.silent += 1;
                Reply::Silence
            }
        }
    }

    fn beat(
        &mut self,
        now: Now,
        header: Header,
        source: SocketAddr,
        packet: &[u8],
        out: &mut [u8; PACKET_MAX],
    ) -> Option<Reply> {
        let Some(slot) = self.table.by_id(header.id) else {
            return self.former_beat(now, header, source, packet, out);
        };
        let beat = self.opened::<Beat>(slot, header, packet)?;
        if beat.epoch != self.table.hot(slot).epoch {
            return None;
        }
        if !self.is_proved(slot, source.ip()) {
            let seconds = now.monotonic.as_secs();
            let cookie = beat.cookie.filter(|c| self.cookies.is_valid(c, source, header.id, seconds));
            if cookie.is_none() {
                self.counters.retries += 1;
                let retry = Retry { cookie: self.cookies.mint(source, header.id, seconds) };
                let key = self.table.hot(slot).to_box();
                return Some(Reply::Send(seal(header.id, header.counter, &retry, &key, out)));
            }
            self.prove(slot, source.ip());
        }
        self.hear(now, slot, source.ip());
        let wanted = self.wanted(now, slot, source.ip(), &beat);
        let len = self.acknowledge(now, header, slot, source, out);
        self.counters.beats += 1;
        let hot = self.table.hot(slot);
        let is_steady = wanted == addresses(hot) && hot.pub_port == beat.pub_port;
        if is_steady && !hot.is(flag::ELSEWHERE) {
            return Some(Reply::Send(len));
        }
        self.counters.address_changes += 1;
        let ticket = self.move_to(now, slot, wanted, beat.pub_port)?;
        Some(Reply::AfterCommit(len, ticket))
    }

    /// The body of a packet of this box that did not come before.
    fn opened<B: crate::registration::Body>(
        &mut self,
        slot: Slot,
        header: Header,
        packet: &[u8],
    ) -> Option<B> {
        let hot = self.table.hot(slot);
        if !hot.window.is_new(header.counter) {
            return None;
        }
        let body = open::<B>(packet, &hot.to_service())?;
        self.table.hot_mut(slot).window.take(header.counter);
        Some(body)
    }

    /// The box reads what is sent to this address: it echoed a cookie from there since the service started.
    fn is_proved(&self, slot: Slot, source: IpAddr) -> bool {
        let hot = self.table.hot(slot);
        hot.is(flag::HEARD)
            && match source {
                IpAddr::V4(v4) => hot.is(flag::PATH4) && hot.path4 == v4.octets(),
                IpAddr::V6(v6) => hot.is(flag::PATH6) && hot.path6 == self.table.path6(v6.octets()),
            }
    }

    fn prove(&mut self, slot: Slot, source: IpAddr) {
        let path6 = match source {
            IpAddr::V6(v6) => self.table.path6(v6.octets()),
            IpAddr::V4(_) => 0,
        };
        let hot = self.table.hot_mut(slot);
        if !hot.is(flag::HEARD) {
            // what was proved before another front end heard it counts no more
            hot.set(flag::PATH4, false);
            hot.set(flag::PATH6, false);
            hot.set(flag::HEARD, true);
        }
        match source {
            IpAddr::V4(v4) => {
                hot.path4 = v4.octets();
                hot.set(flag::PATH4, true);
            }
            IpAddr::V6(_) => {
                hot.path6 = path6;
                hot.set(flag::PATH6, true);
            }
        }
    }

    fn hear(&mut self, now: Now, slot: Slot, source: IpAddr) {
        let hot = self.table.hot_mut(slot);
        match source {
            IpAddr::V4(_) => hot.heard4 = now.second(),
            IpAddr::V6(_) => hot.heard6 = now.second(),
        }
    }

    /// What the name should lead to, after this beat. The family that the beat did not come by keeps its address as
    /// long as a lease, or as long as it is, if an update set it.
    fn wanted(&self, now: Now, slot: Slot, source: IpAddr, beat: &Beat) -> Addresses {
        let hot = self.table.hot(slot);
        let is_fresh = |heard: u32| now.second().saturating_sub(heard) < self.sweep.lease_s(now.second());
        let old = addresses(hot);
        let told = beat.v6.iter().copied().find(|v6| is_global(IpAddr::from(*v6)));
        let (v4, v6) = match source {
            IpAddr::V4(v4) => {
                let kept =
                    old.v6.filter(|_| hot.is(flag::FIXED6) || (hot.is(flag::PATH6) && is_fresh(hot.heard6)));
                (Some(v4.octets()).filter(|_| self.may_publish(source)), told.or(kept))
            }
            IpAddr::V6(v6) => {
                let kept =
                    old.v4.filter(|_| hot.is(flag::FIXED4) || (hot.is(flag::PATH4) && is_fresh(hot.heard4)));
                let seen = Some(v6.octets()).filter(|_| self.may_publish(source));
                (kept, told.or(seen))
            }
        };
        Addresses { v4, v6 }
    }

    /// An address that may stand in DNS.
    pub(super) fn may_publish(&self, address: IpAddr) -> bool {
        is_global(address) || (self.settings.publish_private && is_host(address))
    }

    fn acknowledge(
        &self,
        now: Now,
        header: Header,
        slot: Slot,
        source: SocketAddr,
        out: &mut [u8; PACKET_MAX],
    ) -> usize {
        let hot = self.table.hot(slot);
        let status = match () {
            () if hot.is(flag::SUSPENDED) => Status::Suspended,
            () if !self.may_publish(source.ip()) => Status::NotPublished,
            () => Status::Published,
        };
        let flags = [
            (hot.is(flag::MOVING), AckFlags::MOVE_PENDING),
            (self.zone_of(slot).moved_to.is_some(), AckFlags::MOVED),
        ];
        let flags =
            flags.into_iter().filter(|(on, _)| *on).fold(AckFlags::default(), |all, (_, f)| all.and(f));
        seal(header.id, header.counter, &self.ack(now, source, status, flags), &hot.to_box(), out)
    }

    fn ack(&self, now: Now, source: SocketAddr, status: Status, flags: AckFlags) -> Ack {
        Ack {
            seen: Seen::from(source.ip()),
            port: source.port(),
            status,
            next_s: self.sweep.next_s(),
            flags,
            srv_time: now.utc_s(),
        }
    }

    /// Stages what a beat changes; `None` while another write of the name is on its way: the box asks again.
    fn move_to(&mut self, now: Now, slot: Slot, wanted: Addresses, pub_port: u16) -> Option<Ticket> {
        if self.table.hot(slot).is(flag::STAGED) {
            return None;
        }
        let mut owned = self.owned(slot);
        owned.is_v4_fixed &= owned.v4 == wanted.v4;
        owned.is_v6_fixed &= owned.v6 == wanted.v6;
        (owned.v4, owned.v6, owned.pub_port) = (wanted.v4, wanted.v6, pub_port);
        owned.used = now.utc_s();
        self.stage(vec![(self.key_of(slot)?, Some(Record::Owned(Box::new(owned))))]).ok()
    }

    /// A beat with keys of an epoch that is over: its box is told, once it proved that it has them.
    fn former_beat(
        &self,
        now: Now,
        header: Header,
        source: SocketAddr,
        packet: &[u8],
        out: &mut [u8; PACKET_MAX],
    ) -> Option<Reply> {
        let former = self.former.get(&u64::from_be_bytes(header.id.0))?;
        open::<Beat>(packet, &crate::registration::BeatKey(former.to_service))?;
        let key = crate::registration::BeatKey(former.to_box);
        let ack = self.ack(now, source, Status::NotPublished, AckFlags::NAME_LOST);
        Some(Reply::Send(seal(header.id, header.counter, &ack, &key, out)))
    }

    /// The box goes off: its leased addresses go with it.
    fn bye(&mut self, header: Header, source: SocketAddr, packet: &[u8]) -> Option<Reply> {
        let slot = self.table.by_id(header.id)?;
        if !self.is_proved(slot, source.ip()) {
            return None;
        }
        let bye = self.opened::<Bye>(slot, header, packet)?;
        if bye.epoch == self.table.hot(slot).epoch {
            self.go_off(slot);
        }
        Some(Reply::Silence)
    }

    /// Takes the leased addresses out of DNS. Nobody waits for it; tried again by the sweep if it cannot be staged.
    pub(super) fn go_off(&mut self, slot: Slot) -> bool {
        let mut owned = self.owned(slot);
        let old = (owned.v4, owned.v6);
        owned.v4 = owned.v4.filter(|_| owned.is_v4_fixed);
        owned.v6 = owned.v6.filter(|_| owned.is_v6_fixed);
        if (owned.v4, owned.v6) == old {
            return true;
        }
        let Some(key) = self.key_of(slot) else { return true };
        self.stage(vec![(key, Some(Record::Owned(Box::new(owned))))]).is_ok()
    }

    fn about(
        &mut self,
        now: Now,
        header: Header,
        source: SocketAddr,
        packet: &[u8],
        out: &mut [u8; PACKET_MAX],
    ) -> Option<Reply> {
        let slot = self.table.by_id(header.id)?;
        let about = self.opened::<About>(slot, header, packet)?;
        let hot = self.table.hot(slot);
        if about.epoch != hot.epoch || hot.is(flag::STAGED) {
            return None;
        }
        let len = self.acknowledge(now, header, slot, source, out);
        let mut owned = self.owned(slot);
        let lan = about.lan.unwrap_or_default();
        if owned.lan == lan && owned.firmware == about.fw.as_str() {
            return Some(Reply::Send(len));
        }
        (owned.lan, owned.firmware) = (lan, about.fw.as_str().to_owned());
        let ticket = self.stage(vec![(self.key_of(slot)?, Some(Record::Owned(Box::new(owned))))]).ok()?;
        Some(Reply::AfterCommit(len, ticket))
    }

    /// The keys of a name's box, as a record of an epoch that is over.
    pub(super) fn former_record(&self, now: Now, slot: Slot) -> Option<(Key, Option<Record>)> {
        let hot = self.table.hot(slot);
        if !hot.is(flag::BOX) {
            return None;
        }
        let until = now.utc_s().saturating_add(super::REST_S);
        let former = super::Former { to_service: hot.to_service, to_box: hot.to_box, until };
        Some((Key::Former(BoxId(hot.id.to_be_bytes())), Some(Record::Former(former))))
    }
}

pub(super) fn addresses(hot: &super::table::Hot) -> Addresses {
    Addresses { v4: hot.is(flag::V4).then_some(hot.v4), v6: hot.is(flag::V6).then_some(hot.v6) }
}
