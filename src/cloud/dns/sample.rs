//! The loops over a directory in memory, on a thread of their own, for tests and benchmarks.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::large_futures,
    reason = "peers and benchmarks use parts of it, too"
)]

use std::cell::{Cell, RefCell};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_io::Timer;
use futures_lite::future;

use super::sample_of_names::Sample;
use super::{
    Host, Nameserver, Notifier, Now, Publisher, TcpLimits, Ticket, notify, publish, serve_tcp, serve_udp,
};

/// What the thread is asked to do with its directory.
type Command = Box<dyn FnOnce(&mut Sample) + Send>;

/// A name service of DNS alone.
pub struct Sandbox {
    /// Where it answers, by UDP and TCP.
    pub address: SocketAddr,
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
}

/// What a sandbox is made of.
pub struct Plan {
    pub server: Nameserver,
    pub directory: Sample,
    pub notifier: Notifier,
    pub limits: TcpLimits,
    /// Pushes its zone there.
    pub publisher: Option<(Publisher, SocketAddr)>,
    /// How often changes get a serial.
    pub tick: Duration,
    /// Added to the time of the wall clock.
    pub clock_error: i64,
}

struct Held {
    inner: RefCell<(Nameserver, Sample)>,
    began: Instant,
    clock_error: i64,
    /// Commits fail while this is set.
    is_broken: Cell<bool>,
}

impl Host for Held {
    type Directory = Sample;

    fn now(&self) -> Now {
        let utc = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Now { monotonic: self.began.elapsed(), utc: utc.saturating_add_signed(self.clock_error) }
    }

    fn with<R>(&self, act: impl FnOnce(&mut Nameserver, &mut Sample) -> R) -> R {
        let (server, directory) = &mut *self.inner.borrow_mut();
        act(server, directory)
    }

    async fn committed(&self, ticket: Ticket) -> bool {
        // As a disk does it.
        Timer::after(Duration::from_millis(5)).await;
        ticket > Ticket(0) && !self.is_broken.get()
    }
}

impl Sandbox {
    /// Starts it at any port of 127.0.0.1. The plan is made on its thread, where it stays.
    pub fn start(plan: impl FnOnce() -> Plan + Send + 'static) -> Self {
        let (udp, tcp) = sockets();
        let address = udp.local_addr().unwrap();
        let (commands, asked) = channel();
        let thread = std::thread::spawn(move || async_io::block_on(run(plan(), udp, tcp, &asked)));
        Self { address, commands, thread: Some(thread) }
    }

    /// Changes what there is, and waits until that is done.
    pub fn change(&self, change: impl FnOnce(&mut Sample) + Send + 'static) {
        let (done, wait) = channel();
        let command = move |directory: &mut Sample| {
            change(directory);
            _ = done.send(());
        };
        self.commands.send(Box::new(command)).unwrap();
        wait.recv().unwrap();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The thread ends when nobody can ask it any more.
        let (nobody, _) = channel();
        self.commands = nobody;
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

/// The same port by UDP and TCP.
fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
    panic!("no port is free by UDP and TCP");
}

async fn run(plan: Plan, udp: UdpSocket, tcp: TcpListener, asked: &Receiver<Command>) {
    let inner = RefCell::new((plan.server, plan.directory));
    let (began, clock_error, is_broken) = (Instant::now(), plan.clock_error, Cell::new(false));
    let host = Held { inner, began, clock_error, is_broken };
    let notifier = RefCell::new(plan.notifier);
    let (publisher, to) = plan.publisher.map_or((None, None), |(p, to)| (Some(RefCell::new(p)), Some(to)));
    let publisher = publisher.as_ref();
    let change = async {
        let mut committed = Instant::now();
        loop {
            Timer::after(Duration::from_millis(10)).await;
            loop {
                match asked.try_recv() {
                    Ok(change) => host.with(|_, directory| change(directory)),
                    Err(std::sync::mpsc::TryRecvError::Empty) => break,
                    Err(_) => return,
                }
            }
            if committed.elapsed() < plan.tick {
                continue;
            }
            committed = Instant::now();
            for changed in host.with(|server, directory| server.commit(directory)) {
                notifier.borrow_mut().changed(changed.zone);
                publisher.into_iter().for_each(|publisher| publisher.borrow_mut().note(&changed));
            }
        }
    };
    let loops = async {
        let udp = async { panic!("{:?}", serve_udp(&host, udp).await) };
        let tcp = async { panic!("{:?}", serve_tcp(&host, tcp, plan.limits).await) };
        let notify = async { panic!("{:?}", notify(&host, &notifier).await) };
        let publish = async {
            match (publisher, to) {
                (Some(publisher), Some(to)) => _ = publish(&host, publisher, to).await,
                _ => future::pending().await,
            }
        };
        future::or(future::or(udp, tcp), future::or(notify, publish)).await;
    };
    future::or(change, loops).await;
}
