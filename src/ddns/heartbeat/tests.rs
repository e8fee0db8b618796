//! Scripts on a fake clock: the box's end against a name service's, with a network between that is as bad as wanted.

use std::net::SocketAddr;

use super::*;
use crate::registration::{BoxId, CookieKey, Psk, ReplayWindow};

const ID: BoxId = BoxId(*b"box-id-8");
const EPOCH: u32 = 3;
/// What UDP and IPv4 put before a packet.
const HEADERS: usize = 28;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn keys() -> BeatKeys {
    Psk::new([7; 32]).beat_keys(EPOCH)
}

/// The name service's end: what it proves, it believes; a source it does not know has to echo a cookie.
struct Service {
    window: ReplayWindow,
    cookies: CookieKey,
    /// Whose packets need no cookie.
    validated: Option<SocketAddr>,
    /// What the name leads to.
    published: Option<SocketAddr>,
    v6: heapless::Vec<[u8; 16], 2>,
    flags: AckFlags,
    next_s: u16,
    /// It lost its memory of this box.
    is_deaf: bool,
    heard: u32,
    byes: u32,
}

impl Service {
    fn new() -> Self {
        Self {
            window: ReplayWindow::default(),
            cookies: CookieKey::new(&[1; 32]),
            validated: None,
            published: None,
            v6: heapless::Vec::new(),
            flags: AckFlags::default(),
            next_s: 60,
            is_deaf: false,
            heard: 0,
            byes: 0,
        }
    }

    /// It is killed and comes back: its cookies are others, and nobody is believed.
    fn restart(&mut self) {
        self.cookies = CookieKey::new(&[2; 32]);
        self.validated = None;
    }

    fn answer(&mut self, now: Duration, source: SocketAddr, packet: &[u8]) -> Option<Packet> {
        let header = Header::peek(packet).filter(|h| h.id == ID && !self.is_deaf)?;
        if header.kind == Kind::Bye {
            open::<Bye>(packet, &keys().to_service).filter(|bye| bye.epoch == EPOCH)?;
            self.byes += 1;
            return None;
        }
        let beat = open::<Beat>(packet, &keys().to_service)?;
        if !self.window.is_new(header.counter) {
            return None;
        }
        self.window.take(header.counter);
        self.heard += 1;
        let proves = |cookie| self.cookies.is_valid(&cookie, source, ID, now.as_secs());
        if self.validated.is_none_or(|known| known.ip() != source.ip()) && !beat.cookie.is_some_and(proves) {
            let retry = Retry { cookie: self.cookies.mint(source, ID, now.as_secs()) };
            return Some(sealed(header.counter, &retry));
        }
        (self.validated, self.published, self.v6) = (Some(source), Some(source), beat.v6);
        Some(sealed(header.counter, &self.ack(source)))
    }

    fn ack(&self, source: SocketAddr) -> Ack {
        Ack {
            seen: source.ip().into(),
            port: source.port(),
            status: Status::Published,
            next_s: self.next_s,
            flags: self.flags,
            srv_time: 1_800_000_000,
        }
    }
}

fn sealed(counter: u64, body: &impl Body) -> Packet {
    let mut out = [0; PACKET_MAX];
    let length = seal(ID, counter, body, &keys().to_box, &mut out);
    out[..length].iter().copied().collect()
}

/// Which packets come through.
#[derive(Clone, Copy)]
struct Network {
    to_service: bool,
    to_box: bool,
    https: bool,
}

struct Script {
    heart: Heartbeat,
    service: Service,
    network: Network,
    source: SocketAddr,
    now: Duration,
    /// What flash has.
    ceiling: u64,
    flash_works: bool,
    sent: Vec<(Duration, Packet)>,
    posted: Vec<(Duration, Packet)>,
    /// All that is neither sent nor saved.
    others: Vec<Action>,
}

impl Script {
    fn new(start: Start) -> Self {
        Self {
            heart: heart(start, 0, s(1000)),
            service: Service::new(),
            network: Network { to_service: true, to_box: true, https: true },
            source: "192.0.1.7:40000".parse().unwrap(),
            now: s(1000),
            ceiling: 0,
            flash_works: true,
            sent: Vec::new(),
            posted: Vec::new(),
            others: Vec::new(),
        }
    }

    /// A box that is known, and has been answered by UDP.
    fn steady() -> Self {
        let mut script = Self::new(Start::New);
        script.run(s(1));
        assert_eq!(script.heart.state().way, Way::Udp);
        script.sent.clear();
        script.others.clear();
        script
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.take(Input::Time);
        while let Some(at) = self.heart.wake_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.take(Input::Time);
        }
        self.now = end;
    }

    fn take(&mut self, input: Input<'_>) {
        for action in self.heart.handle(self.now, input) {
            match action {
                Action::Send(packet) => {
                    self.sent.push((self.now, packet.clone()));
                    assert!(self.sent.len() < 10_000, "a storm");
                    let answer = self.network.to_service.then(|| self.service(&packet)).flatten();
                    if let Some(answer) = answer.filter(|_| self.network.to_box) {
                        self.take(Input::Datagram(&answer));
                    }
                }
                Action::Post(packet) => {
                    self.posted.push((self.now, packet.clone()));
                    let answer = self.network.https.then(|| self.service(&packet));
                    self.take(Input::Posted(match &answer {
                        Some(Some(packet)) => Posted::Answer(packet),
                        Some(None) => Posted::Silence,
                        None => Posted::Failed,
                    }));
                }
                Action::Save(ceiling) => {
                    if self.flash_works {
                        self.ceiling = ceiling;
                    }
                    self.take(Input::Saved(self.flash_works));
                }
                other => self.others.push(other),
            }
        }
    }

    fn service(&mut self, packet: &[u8]) -> Option<Packet> {
        self.service.answer(self.now, self.source, packet)
    }

    /// When packets were sent, in seconds since `from`.
    fn times(&self, from: Duration) -> Vec<u64> {
        self.sent.iter().map(|(at, _)| (*at - from).as_secs()).collect()
    }

    fn counters(&self) -> Vec<u64> {
        self.sent.iter().map(|(_, packet)| Header::peek(packet).unwrap().counter).collect()
    }
}

fn heart(start: Start, ceiling: u64, now: Duration) -> Heartbeat {
    let who = Registered { id: ID, epoch: EPOCH, keys: keys(), ceiling, port: 8443 };
    Heartbeat::new(who, start, &[[0x20; 16]], 42, now)
}

#[test]
fn a_fresh_claim_beats_at_once_and_a_cookie_proves_where_it_is() {
    let mut script = Script::new(Start::New);
    script.run(s(1));
    assert_eq!((script.sent.len(), script.service.heard), (2, 2), "one without a cookie, one with");
    assert_eq!(script.service.published, Some(script.source));
    assert_eq!(script.service.v6, [[0x20; 16]]);
    let state = script.heart.state();
    assert_eq!((state.way, state.status), (Way::Udp, Some(Status::Published)));
    assert_eq!(state.seen, Some((Seen::V4([192, 0, 1, 7]), 40000)));
    assert_eq!(script.others, [Action::Trust(1_800_000_000)]);
}

#[test]
fn beats_come_every_interval_and_all_of_a_town_do_not_come_at_once() {
    let mut script = Script::steady();
    script.run(s(86_400));
    let times = script.times(s(0));
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| (53..=67).contains(gap)), "{gaps:?}");
    assert!(gaps.iter().min() < Some(&56) && gaps.iter().max() > Some(&63), "±10 %");
    let bytes: usize = script.sent.iter().map(|(_, packet)| packet.len() + HEADERS).sum();
    println!("{} beats, {bytes} bytes a day", times.len());
    assert!((1400..1500).contains(&times.len()) && bytes <= 300_000, "{} {bytes}", times.len());
    let first = |seed| {
        let who = Registered { id: ID, epoch: EPOCH, keys: keys(), ceiling: 0, port: 8443 };
        let mut heart = Heartbeat::new(who, Start::Again, &[], seed, s(0));
        assert!(matches!(heart.handle(s(0), Input::Time)[..], [Action::Save(CEILING_STEP)]));
        heart.handle(s(0), Input::Saved(true));
        heart.wake_at().unwrap().as_secs()
    };
    let firsts: Vec<u64> = (0..600).map(first).collect();
    for tenth in 0..10 {
        let share = firsts.iter().filter(|at| **at / 6 == tenth).count();
        assert!((30..=90).contains(&share), "after a power cut {share} of 600 came in one tenth");
    }
}

#[test]
fn the_service_slows_a_fleet_down_but_not_for_ever() {
    for (told, least, most) in [(600, 540, 660), (1, 54, 66), (u16::MAX, 3240, 3960)] {
        let mut script = Script::steady();
        script.service.next_s = told;
        script.run(s(67)); // by then it was told
        let from = script.sent[0].0;
        script.sent.clear();
        script.run(s(4000));
        let first = script.times(from)[0];
        assert!((least..=most).contains(&first), "{told}: {first}");
    }
}

#[test]
fn what_is_lost_is_sent_again_with_a_counter_of_its_own() {
    let mut script = Script::steady();
    script.network.to_box = false; // the service hears it, its answer is lost
    script.run(s(67));
    let from = script.sent[0].0;
    script.run((from + s(15)).saturating_sub(script.now));
    assert_eq!(script.times(from), [0, 2, 6, 14]);
    assert_eq!(script.service.heard, 2 + 4, "none is taken for a replay");
    script.network.to_box = true;
    script.run(s(67));
    assert_eq!(script.times(from).len(), 5, "answered, it is not sent again");
    assert_eq!(script.heart.state().way, Way::Udp);
    let asked = script.others.iter().filter(|a| **a == Action::OtherAddress).count();
    assert_eq!(asked, 2, "another address for the third try, and one for the next round");
}

#[test]
fn a_router_that_forgets_its_mapping_moves_the_port_and_no_cookie_is_asked_for() {
    let mut script = Script::steady();
    script.source = "192.0.1.7:50000".parse().unwrap();
    script.run(s(67));
    assert_eq!((script.sent.len(), script.service.published), (1, Some(script.source)));
    assert_eq!(script.heart.state().seen, Some((Seen::V4([192, 0, 1, 7]), 50000)));
    script.source = "192.0.1.8:50000".parse().unwrap();
    script.run(s(67));
    assert_eq!((script.sent.len(), script.service.published), (3, Some(script.source)), "another address is");
}

#[test]
fn another_network_is_told_after_three_seconds_and_many_changes_are_one() {
    let mut script = Script::steady();
    let from = script.now;
    script.source = "192.0.1.99:1234".parse().unwrap();
    for _ in 0..20 {
        script.take(Input::Changed(&[[0x21; 16]]));
        script.now += Duration::from_millis(100);
    }
    script.run(s(10));
    assert_eq!(script.times(from), [3, 3], "with a cookie");
    assert_eq!(script.service.published, Some(script.source));
    assert_eq!(script.service.v6, [[0x21; 16]]);
    // A link that comes and goes for hours.
    script.sent.clear();
    for _ in 0..3600 {
        script.take(Input::Changed(&[]));
        script.run(s(1));
    }
    assert!((55..=130).contains(&script.sent.len()), "{}", script.sent.len());
}

#[test]
fn a_service_that_restarts_asks_for_one_cookie() {
    let mut script = Script::steady();
    script.service.restart();
    script.run(s(67));
    assert_eq!(script.sent.len(), 2);
    script.run(s(67));
    assert_eq!(script.sent.len(), 3);
}

#[test]
fn without_udp_the_same_goes_by_https_until_udp_is_back() {
    let mut script = Script::steady();
    script.network.to_service = false;
    script.source = "192.0.1.7:40001".parse().unwrap();
    script.run(s(4 * 66));
    let from = script.sent[0].0;
    assert_eq!(script.posted.iter().filter(|(at, _)| (*at - from).as_secs() < 150).count(), 0);
    assert_eq!(script.heart.state().way, Way::Https);
    assert_eq!(script.service.published, Some(script.source));
    let (sent, posted) = (script.sent.len(), script.posted.len());
    script.run(s(3600));
    let (sent, posted) = (script.sent.len() - sent, script.posted.len() - posted);
    assert!((50..=70).contains(&posted), "one each interval: {posted}");
    assert!((4..=8).contains(&sent), "a try by UDP now and then: {sent}");
    script.network.to_service = true;
    script.run(s(700));
    assert_eq!(script.heart.state().way, Way::Udp);
    script.posted.clear();
    script.run(s(3600));
    assert_eq!(script.posted.len(), 0);
}

#[test]
fn a_network_that_udp_never_came_through_does_not_cost_three_intervals() {
    let mut script = Script::new(Start::New);
    script.network.to_service = false;
    script.run(s(31));
    assert_eq!(script.heart.state().way, Way::Https);
    assert_eq!(script.service.published, Some(script.source), "half a minute after the start");
    let mut script = Script::steady();
    script.network.to_service = false;
    script.source = "192.0.1.50:999".parse().unwrap();
    script.take(Input::Changed(&[]));
    script.run(s(34));
    assert_eq!(script.service.published, Some(script.source), "and after a move");
}

#[test]
fn when_nothing_comes_through_tries_come_ever_more_seldom() {
    let mut script = Script::steady();
    script.network = Network { to_service: false, to_box: false, https: false };
    script.run(s(3600));
    assert_eq!(script.heart.state().way, Way::None);
    let (sent, posted) = (script.sent.len(), script.posted.len());
    script.run(s(6 * 3600));
    let (sent, posted) = (script.sent.len() - sent, script.posted.len() - posted);
    assert!((60..=90).contains(&sent), "every five minutes: {sent}");
    assert!((8..=60).contains(&posted), "{posted}");
    script.network = Network { to_service: true, to_box: true, https: true };
    script.run(s(330));
    assert_eq!(script.heart.state().way, Way::Udp, "and it is back within one interval");
}

#[test]
fn after_a_crash_no_counter_is_used_twice() {
    let mut script = Script::steady();
    script.run(s(3 * 86_400));
    let used = script.counters();
    assert!(used.len() > 4096 && used.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let last = *used.last().unwrap();
    assert!(last < script.ceiling && script.ceiling <= last + CEILING_STEP, "flash was ahead");
    // The power goes; flash keeps the ceiling alone.
    script.heart = heart(Start::New, script.ceiling, script.now);
    script.sent.clear();
    let kept = script.ceiling;
    script.run(s(70));
    assert!(script.counters().iter().all(|counter| *counter > kept));
    assert_eq!(script.heart.state().way, Way::Udp, "the service takes it");
}

#[test]
fn no_counter_is_used_before_flash_has_its_ceiling() {
    let mut script = Script::new(Start::New);
    script.flash_works = false;
    script.run(s(59));
    assert_eq!(script.sent.len(), 0);
    script.flash_works = true;
    script.run(s(2));
    assert_eq!((script.sent.len(), script.ceiling), (2, CEILING_STEP));
    script.flash_works = false;
    script.run(s(10 * 86_400));
    assert_eq!(script.counters().last(), Some(&CEILING_STEP), "the last that flash is good for");
    script.flash_works = true;
    script.run(s(130));
    assert!(script.counters().last() > Some(&CEILING_STEP));
}

#[test]
fn only_an_answer_that_fits_an_outstanding_beat_counts() {
    let mut script = Script::steady();
    script.network.to_box = false;
    script.run(s(67));
    let counter = *script.counters().last().unwrap();
    let before = script.heart.state();
    let liar =
        Ack { seen: Seen::V4([6, 6, 6, 6]), flags: AckFlags::NAME_LOST, ..script.service.ack(script.source) };
    let ours = sealed(counter, &liar);
    let mut other_key = [0; PACKET_MAX];
    let other = Psk::new([8; 32]).beat_keys(EPOCH).to_box;
    let length = seal(ID, counter, &liar, &other, &mut other_key);
    let mut flipped = ours.clone();
    flipped[30] ^= 1;
    let mut not_ours = ours.clone();
    not_ours[3] ^= 1;
    let own_beat = script.sent.last().unwrap().1.clone();
    for packet in [
        &sealed(counter + 1, &liar)[..],
        &sealed(1, &liar),
        &other_key[..length],
        &flipped,
        &not_ours,
        &own_beat,
        &ours[..ours.len() - 1],
        b"",
        &[0; 400],
    ] {
        script.take(Input::Datagram(packet));
        assert_eq!(script.heart.state(), before);
    }
    script.take(Input::Datagram(&ours));
    assert!(script.heart.state().is_lost, "the right one does");
}

#[test]
fn an_answer_counts_once() {
    let mut script = Script::steady();
    script.network.to_box = false;
    script.run(s(67));
    let counter = *script.counters().last().unwrap();
    let retry = sealed(counter, &Retry { cookie: [9; 16] });
    let sent = script.sent.len();
    script.take(Input::Datagram(&retry));
    assert_eq!(script.sent.len(), sent + 1);
    script.take(Input::Datagram(&retry));
    assert_eq!(script.sent.len(), sent + 1, "a replay");
}

#[test]
fn a_storm_of_cookies_makes_no_loop() {
    let mut script = Script::steady();
    script.service.validated = None;
    script.service.cookies = CookieKey::new(&[3; 32]);
    // A service that never believes: its cookies are others with each second.
    let from = script.now;
    for i in 0..1200_u64 {
        script.service.cookies = CookieKey::new(&[i as u8; 32]);
        script.service.validated = None;
        let mut answers = Vec::new();
        for action in script.heart.handle(script.now, Input::Time) {
            if let Action::Send(packet) = action {
                script.sent.push((script.now, packet.clone()));
                answers.push(Header::peek(&packet).unwrap().counter);
            }
        }
        while let Some(counter) = answers.pop() {
            let retry = sealed(counter, &Retry { cookie: [i as u8; 16] });
            for action in script.heart.handle(script.now, Input::Datagram(&retry)) {
                if let Action::Send(packet) = action {
                    script.sent.push((script.now, packet.clone()));
                    answers.push(Header::peek(&packet).unwrap().counter);
                }
            }
        }
        script.now += s(1);
    }
    let rounds = (script.now - from).as_secs() / 54 + 1;
    assert!(script.sent.len() as u64 <= rounds * 8, "{} in {rounds} rounds", script.sent.len());
}

#[test]
fn a_box_whose_name_was_taken_away_is_told_and_is_quiet() {
    let mut script = Script::steady();
    script.service.flags = AckFlags::MOVE_PENDING;
    script.run(s(67));
    assert!(script.heart.state().move_pending);
    script.service.flags = AckFlags::NAME_LOST;
    script.run(s(67));
    assert!(script.heart.state().is_lost);
    script.sent.clear();
    script.run(s(86_400));
    script.take(Input::Changed(&[]));
    script.take(Input::Stop);
    assert_eq!((script.sent.len(), script.heart.wake_at()), (0, None));
}

#[test]
fn a_service_that_moves_is_asked_where_to_once_an_hour() {
    let mut script = Script::steady();
    script.service.flags = AckFlags::MOVED;
    script.run(s(2 * 3600 - 100));
    let asked = script.others.iter().filter(|a| **a == Action::FetchMoved).count();
    assert_eq!(asked, 2);
}

#[test]
fn a_service_that_forgot_the_box_is_asked_for_a_new_key_once_an_hour() {
    let mut script = Script::steady();
    script.service.is_deaf = true;
    script.run(s(3 * 3600));
    let asked = script.others.iter().filter(|a| **a == Action::ClaimAgain).count();
    assert!((1..=3).contains(&asked), "{asked}");
    let mut script = Script::steady();
    script.network = Network { to_service: false, to_box: false, https: false };
    script.run(s(3 * 3600));
    assert!(!script.others.contains(&Action::ClaimAgain), "one that is not reached is not");
}

#[test]
fn a_box_that_goes_off_says_so_to_who_listens() {
    let mut script = Script::steady();
    script.take(Input::Stop);
    assert_eq!((script.service.byes, script.heart.wake_at()), (1, None));
    script.run(s(600));
    assert_eq!(script.sent.len(), 1, "and nothing after it");
    let mut script = Script::new(Start::New);
    script.network.to_service = false;
    script.run(s(1));
    script.sent.clear();
    script.take(Input::Stop);
    assert_eq!(script.sent.len(), 0);
}

#[test]
fn an_answer_that_was_held_up_does_not_tell_the_time() {
    let mut script = Script::steady();
    script.network.to_box = false;
    script.run(s(67));
    let counter = *script.counters().last().unwrap();
    let ack = sealed(counter, &script.service.ack(script.source));
    script.now += s(6);
    script.take(Input::Datagram(&ack));
    assert_eq!(script.heart.state().way, Way::Udp);
    assert!(!script.others.iter().any(|a| matches!(a, Action::Trust(_))));
}

proptest::proptest! {
    #[test]
    fn any_datagrams_are_survived(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let mut script = Script::steady();
        script.take(Input::Datagram(&bytes));
        let counter = script.service.window.highest();
        let mut header = sealed(counter, &Retry { cookie: [0; 16] }).to_vec();
        header.extend(bytes);
        script.take(Input::Datagram(&header));
        assert_eq!(script.sent.len(), 0);
    }
}
