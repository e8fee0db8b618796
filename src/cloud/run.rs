//! From settings to a running service: one thread for all that is asked, one for the store.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use log::LevelFilter;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use ring::rand::SystemRandom;
use smol::LocalExecutor;
use smol::channel::Receiver;

use super::commits::Commits;
use super::config::{Enrol, Settings};
use super::http::{Doors, Listening, Reply, Request, accept_all, acceptor};
use super::service::Service;
use super::{admin, api, keys, metrics, serve};
use crate::log_sink::{self, Place};
use crate::registrar::store::{LocalStore, PostgresStore, Store, StoreThread, Told};
use crate::registrar::{self, Registrar, ZoneSettings};
use crate::sys::clock;

/// Between two looks at what is over.
const TICK: Duration = Duration::from_millis(100);
/// Names that there is room for, unless it is said.
const CAPACITY: u32 = 1_000_000;
/// Seconds between two beats, unless it is said.
const INTERVAL: u16 = 60;
/// How long a live box may say no to a move, unless it is said.
const MOVE_DELAY: Duration = Duration::from_secs(72 * 3600);
/// Names between two lines of a load's progress.
const LOAD_STRIDE: usize = 1_000_000;

/// What all tasks have.
pub(super) type Executor = Rc<LocalExecutor<'static>>;

/// Runs the service until it is told to stop. The error is a sentence.
pub(super) fn run(settings: &Settings) -> Result<(), String> {
    log_sink::install("stbcast-cloud", settings.log.unwrap_or(LevelFilter::Info), Place::Stderr);
    let state = settings.state();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&state)
        .map_err(|e| format!("state directory {}: {e}", state.display()))?;
    // Before any thread: they all have these blocked.
    let signals = signals().map_err(|e| format!("signals: {e}"))?;
    // First of all: where another service runs, nothing of its state is touched.
    let (admin, _socket_file) = admin::listen(&state)?;
    let key = keys::service_key(&state)?;
    log::info!("the key of this service is {}", key.public());
    let mut store = open(settings, &state)?;
    let mut registrar = Registrar::new(registrar_settings(settings)?, key, Box::new(SystemRandom::new()));
    load(&mut registrar, &mut *store)?;
    let nameserver = serve::nameserver(settings, &state)?;
    let service = Rc::new(Service {
        registrar: RefCell::new(registrar),
        nameserver: RefCell::new(nameserver),
        commits: Commits::default(),
        dropped: Cell::new(0),
    });
    let (thread, told) = StoreThread::start(store).map_err(|e| format!("a thread for the store: {e}"))?;
    let executor: Executor = Rc::new(LocalExecutor::new());
    let store = Rc::new(thread);
    keep(&service, &executor, &store, told);
    serve::heartbeats(settings, &service, &executor)?;
    serve::dns(settings, &state, &service, &executor)?;
    // Last: where HTTP takes connections, datagrams are not lost, either.
    serve_http(settings, &service, &executor)?;
    executor.spawn(admin::answer_all(admin, Rc::clone(&executor), Rc::clone(&service))).detach();
    smol::block_on(executor.run(async {
        signals.readable().await.map_err(|e| format!("signals: {e}"))?;
        log::info!("stopping");
        flush(&service, &store);
        Ok(())
    }))
    // The store's thread ends when the executor's tasks are gone, and writes what it was given first.
}

fn signals() -> io::Result<Async<SignalFd>> {
    let mut set = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().for_each(|signal| set.add(signal));
    set.thread_block()?;
    Async::new_nonblocking(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

fn open(settings: &Settings, state: &Path) -> Result<Box<dyn Store>, String> {
    match settings.store.as_deref() {
        None | Some("redb") => {
            let store = LocalStore::open(&state.join("names.redb")).map_err(|e| e.to_string())?;
            Ok(Box::new(store))
        }
        Some(which) => match which.strip_prefix("postgres ") {
            Some(database) => {
                let store = PostgresStore::open(database, settings.front_end).map_err(|e| e.to_string())?;
                Ok(Box::new(store))
            }
            None => Err("store: redb and 'postgres host=… dbname=…' are known".into()),
        },
    }
}

fn registrar_settings(settings: &Settings) -> Result<registrar::Settings, String> {
    if settings.zones.is_empty() {
        return Err("--zone is wanted: the zone whose names it gives".into());
    }
    let enrol = match settings.enrol.unwrap_or(Enrol::Voucher) {
        Enrol::Open => registrar::Enrol::Open,
        Enrol::Voucher if settings.brand_keys.is_empty() => {
            log::warn!("no --brand-key: no box may claim a name (--enrol open lets all)");
            registrar::Enrol::Voucher(Vec::new())
        }
        Enrol::Voucher => registrar::Enrol::Voucher(settings.brand_keys.clone()),
    };
    let zone = |name: &String| ZoneSettings { name: name.clone(), moved_to: settings.moved_to.clone() };
    let port = settings.heartbeat.first().map_or(5390, SocketAddr::port);
    let heartbeats = match &settings.shards[..] {
        [] => vec![format!("hb0.{}:{port}", settings.zones[0])],
        shards => shards.to_vec(),
    };
    Ok(registrar::Settings {
        zones: settings.zones.iter().map(zone).collect(),
        capacity: usize::try_from(settings.capacity.unwrap_or(CAPACITY)).unwrap_or(usize::MAX),
        enrol,
        heartbeats,
        next_s: settings.interval.unwrap_or(INTERVAL),
        move_delay: settings.move_delay.unwrap_or(MOVE_DELAY),
        publish_private: settings.publish_private,
        blocked: settings.blocked.clone(),
        home: settings.front_end,
    })
}

/// Reads all names.
fn load(registrar: &mut Registrar, store: &mut dyn Store) -> Result<(), String> {
    let (began, mut count, mut refused) = (Instant::now(), 0_usize, None);
    let now = registrar::Now { monotonic: clock::boot(), utc: clock::utc().as_secs() };
    let loaded = store.load(&mut |key, record| {
        if let Err(why) = registrar.load(now, &key, &record) {
            refused = Some(why);
            return false;
        }
        count += 1;
        if count.is_multiple_of(LOAD_STRIDE) {
            log::info!("{count} records read");
        }
        true
    });
    registrar.heard_up_to(loaded.map_err(|e| e.to_string())?);
    if let Some(why) = refused {
        return Err(why.to_string());
    }
    if !registrar.loaded(now) {
        log::warn!("the clock is far from what the store knows: no claim ends until it is right");
    }
    log::info!("{count} records read in {} ms", began.elapsed().as_millis());
    Ok(())
}

/// Hands to the store what is to last.
fn flush(service: &Service, store: &StoreThread) {
    if let Some(writes) = service.registrar.borrow_mut().take_writes()
        && !store.submit(writes)
    {
        log::error!("the store's thread is gone: nothing new is acknowledged");
    }
}

/// What the store is given, what it tells, and what ends with time.
fn keep(service: &Rc<Service>, executor: &Executor, store: &Rc<StoreThread>, told: Receiver<Told>) {
    let (giving, thread) = (Rc::clone(service), Rc::clone(store));
    executor
        .spawn(async move {
            loop {
                giving.commits.begun().await;
                flush(&giving, &thread);
            }
        })
        .detach();
    let hearing = Rc::clone(service);
    executor
        .spawn(async move {
            while let Ok(told) = told.recv().await {
                hear(&hearing, told);
            }
        })
        .detach();
    let (ending, thread) = (Rc::clone(service), Rc::clone(store));
    executor
        .spawn(async move {
            loop {
                Timer::after(TICK).await;
                ending.registrar.borrow_mut().tick(ending.now());
                flush(&ending, &thread);
            }
        })
        .detach();
}

fn hear(service: &Service, told: Told) {
    match told {
        Told::Done(done) => {
            service.registrar.borrow_mut().committed(service.now(), &done);
            service.commits.done(&done);
        }
        Told::Others(others) => {
            for why in service.registrar.borrow_mut().heard_of(service.now(), &others) {
                log::warn!("a name of another front end: {why}");
            }
        }
    }
}

fn serve_http(settings: &Settings, service: &Rc<Service>, executor: &Executor) -> Result<(), String> {
    let (doors, proxies) = (Rc::new(Doors::default()), Rc::<[IpAddr]>::from(settings.proxies.as_slice()));
    let tls = match (&settings.tls_cert, &settings.tls_key) {
        (Some(certificate), Some(key)) => Some(acceptor(certificate, key)?),
        (None, None) => None,
        _ => return Err("--tls-cert and --tls-key go together".into()),
    };
    if !settings.https.is_empty() && tls.is_none() {
        return Err("--https wants --tls-cert and --tls-key".into());
    }
    let plain = settings.http.iter().map(|address| (*address, None));
    let secured = settings.https.iter().map(|address| (*address, tls.clone()));
    for (address, tls) in plain.chain(secured) {
        let listening = listen(address, tls)?;
        let asked = Rc::clone(service);
        let answer = Rc::new(move |request: Request| api::answer(Rc::clone(&asked), request));
        let (doors, proxies) = (Rc::clone(&doors), Rc::clone(&proxies));
        executor.spawn(accept_all(listening, Rc::clone(executor), (doors, proxies), answer)).detach();
    }
    if let Some(address) = settings.metrics {
        let asked = Rc::clone(service);
        let answer = Rc::new(move |request: Request| {
            let reply: Reply = metrics::answer(&asked, &request);
            std::future::ready(reply)
        });
        let listening = listen(address, None)?;
        let doors = (Rc::new(Doors::default()), Rc::<[IpAddr]>::from([]));
        executor.spawn(accept_all(listening, Rc::clone(executor), doors, answer)).detach();
    }
    Ok(())
}

fn listen(address: SocketAddr, tls: Option<futures_rustls::TlsAcceptor>) -> Result<Listening, String> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listening = Listening::at(address, tls).map_err(|e| format!("{scheme} {address}: {e}"))?;
    if let Ok(address) = listening.address() {
        log::info!("serving {scheme}://{address}/");
    }
    Ok(listening)
}
