//! One task: waits for sockets, timers and word of the network, and does what the heartbeat says.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use smol::channel::{Receiver, Sender, bounded};
use smol::future::{self, BoxedLocal, FutureExt};

use super::book::Book;
use super::claim::Factory;
use super::jobs::{Done, Jobs};
use super::line::Line;
use super::record::{Counters, Record, Service};
use super::service::Reach;
use super::status::{NameEvent, NameStatus};
use crate::fetch::Client;
use crate::reactor::{Io, Reactor};
use crate::registration::{BoxKey, Label, PACKET_MAX};
use crate::sys::{clock, netlink, random};

/// What a run is told.
pub struct Setup {
    /// The name service; `None`: the box has no name.
    pub service: Option<Service>,
    /// The zone that names are claimed in.
    pub zone: String,
    /// The name that is claimed at the start, where the box has none.
    pub name: Option<Label>,
    /// What the box's maker put into it.
    pub factory: Option<Factory>,
    /// The program's version.
    pub firmware: &'static str,
    /// The port at which it is reached from outside, where its owner opened one; else 0.
    pub public_port: u16,
    /// The port at which the box is reached at home.
    pub port: u16,
    /// The record that flash had, unsealed.
    pub record: Option<Vec<u8>>,
    /// The counters that flash had; `Err`: there were some and they are damaged.
    pub counters: Result<Option<Vec<u8>>, ()>,
    /// The time of day is good enough to judge certificates by.
    pub has_time: bool,
}

/// Who told the time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBy {
    /// The service signed it for a question just asked.
    Signature,
    /// It stood in the answer to a beat.
    Ack,
}

/// Has a record on flash before it returns.
pub type Save = Box<dyn Fn(Vec<u8>) -> BoxedLocal<io::Result<()>>>;

/// What the box's other parts do for its name.
pub struct Seams {
    /// Keeps the keys, sealed.
    pub save: Save,
    /// Keeps the counters.
    pub save_counters: Save,
    /// Learns the time of day, since 1970.
    pub trust: Box<dyn Fn(TimeBy, Duration)>,
    /// The time of day, since 1970, where it is known.
    pub utc: Box<dyn Fn() -> Option<Duration>>,
    /// Tells whoever listens.
    pub tell: Box<dyn Fn(&NameEvent)>,
}

/// The box's name, and all that is done for it.
pub struct Names {
    pub(super) reactor: Rc<Reactor>,
    pub(super) setup: Setup,
    pub(super) seams: Seams,
    pub(super) reach: Reach,
    pub(super) line: Line,
    pub(super) book: RefCell<Book>,
    /// Something is to be done that nobody waits for.
    wake: (Sender<()>, Receiver<()>),
}

/// What the task is woken by.
enum Event {
    Packet(usize),
    Network,
    Woken,
    Done(Box<Done>),
    Time,
}

/// Messages of the network are gathered for so long before it is looked at.
const GATHER: Duration = Duration::from_millis(300);
/// The longest sleep: the claim of a name that waits is asked for anew.
const DAY: Duration = Duration::from_secs(86_400);

impl Names {
    /// The name of a box, as flash and settings have it. `WouldBlock` while there is no entropy for a key.
    pub fn new(
        reactor: &Rc<Reactor>,
        client: Rc<Client>,
        mut setup: Setup,
        seams: Seams,
    ) -> io::Result<Rc<Self>> {
        let kept = setup.record.take().and_then(|bytes| {
            let record = Record::read(&bytes);
            if record.is_none() {
                log::warn!("the keys to the box's name cannot be read: it has to be claimed again");
            }
            record
        });
        let mut record = match (kept, &setup.factory) {
            (Some(record), _) => record,
            (None, Some(factory)) => Record::new(factory.key.clone()),
            (None, None) => {
                let mut seed = [0; 32];
                random::fill(&mut seed)?;
                Record::new(BoxKey::from_seed(seed))
            }
        };
        if let (None, Some(factory)) = (&record.held, &setup.factory) {
            record.key = factory.key.clone();
        }
        let counters = match std::mem::replace(&mut setup.counters, Ok(None)) {
            Ok(None) => Some(Counters::default()),
            Ok(Some(bytes)) => Counters::read(&bytes),
            Err(()) => None,
        };
        let book = Book::new(record, counters, &setup, clock::boot());
        Ok(Rc::new(Self {
            reactor: Rc::clone(reactor),
            reach: Reach { reactor: Rc::clone(reactor), client },
            line: Line::new(reactor),
            setup,
            seams,
            book: RefCell::new(book),
            wake: bounded(1),
        }))
    }

    /// Does all that is done for the name, for as long as the box runs.
    pub async fn run(self: Rc<Self>) -> io::Result<()> {
        let watch = netlink::watch().and_then(|fd| Io::new(&self.reactor, fd));
        let watch = watch.inspect_err(|e| log::warn!("changes of the network are not seen: {e}")).ok();
        self.look();
        self.begin();
        let (mut jobs, mut look_at) = (Jobs::default(), None);
        let mut buffer = [0; PACKET_MAX + 1];
        loop {
            jobs.add(&mut self.book.borrow_mut().todo);
            let listening = watch.as_ref().filter(|_| look_at.is_none());
            let due = self.book.borrow().wake_at().into_iter().chain(look_at).min();
            let event = Box::pin(self.wait(listening, due, &mut jobs, &mut buffer)).await?;
            let now = clock::boot();
            match event {
                Event::Packet(size) => self.datagram(now, &buffer[..size.min(PACKET_MAX + 1)]),
                Event::Network => look_at = Some(now + GATHER),
                Event::Done(done) => self.done(now, *done),
                Event::Woken | Event::Time => {}
            }
            if look_at.take_if(|at| *at <= now).is_some() {
                self.look();
            }
            self.on_time(now);
            // A flood of packets is taken one by one: streams have their turn between any two.
            future::yield_now().await;
        }
    }

    async fn wait(
        &self,
        watch: Option<&Io>,
        due: Option<Duration>,
        jobs: &mut Jobs,
        buffer: &mut [u8; PACKET_MAX + 1],
    ) -> io::Result<Event> {
        let done = async { Ok(Event::Done(Box::new(jobs.next().await))) };
        let packet = async { Ok(Event::Packet(self.line.receive(buffer).await)) };
        let network = async {
            match watch {
                Some(watch) => watch.when_readable(netlink::take_changes).await.map(|()| Event::Network),
                None => future::pending().await,
            }
        };
        let woken = async {
            let _open = self.wake.1.recv().await;
            Ok(Event::Woken)
        };
        let time = async {
            let sleep = due.map_or(DAY, |at| at.saturating_sub(clock::boot()));
            self.reactor.sleep(sleep).await.map(|()| Event::Time)
        };
        done.or(packet).or(network).or(woken).or(time).await
    }

    /// The task looks what is to be done.
    pub(super) fn wake(&self) {
        let _is_awake = self.wake.0.try_send(());
    }

    /// What the owner may know.
    #[must_use]
    pub fn status(&self) -> NameStatus {
        self.book.borrow().status(&self.setup, clock::boot())
    }

    /// The box goes off: says so to the service, once.
    pub fn stop(&self) {
        self.goodbye(clock::boot());
    }
}
