//! From settings to a running box.

use std::cell::{OnceCell, RefCell};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use log::LevelFilter;
use nix::unistd::Group;
use smol::LocalExecutor;
use smol::future::BoxedLocal;

use super::config::Settings;
use super::desk::Desk;
use super::exit::{Exit, Failure};
use super::imports::Lists;
use super::tuners::{self, Talk, Watch};
use super::user::{self, Becoming};
use super::watchdog::Watchdog;
use super::{check, events, imports, logos, machine, main_loop, names, providers, receivers, scans};
use crate::access::{self, Access, ClockSource, KeyError};
use crate::api::{self, BOX_NAME, Departures, SetTopBox};
use crate::channel::{self, ChannelTable};
use crate::guide::{Capacity, Epg};
use crate::http::gzip::Gzip;
use crate::http::seats::Seats;
use crate::http::server::{self, Heads};
use crate::http::wall::Wall;
use crate::local::hub::Hub;
use crate::local::server::{self as local, Groups};
use crate::log_sink::{self, Place};
use crate::pairing::Pairing;
use crate::pump::{Ears, Pump};
use crate::reactor::Reactor;
use crate::source::SourceUrl;
use crate::status::Health;
use crate::store::{Kind, Loaded, Writer, erase, load};
use crate::text::Unmarked;
use crate::tuner::Tuners;
use crate::{board, sys};

/// Runs the box until it is told to stop.
pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
    let (state, becoming) = prepare(settings)?;
    // First of all: where another box runs, nothing of its state is touched.
    let groups = groups().map_err(Failure::usage)?;
    let (local_listener, _socket_file) = local_socket(settings, &state, groups)?;
    let writer = Writer::new(&state).map_err(|e| format!("cannot find this program's own file: {e}"))?;
    let access = access(settings, &state, &writer)?;
    let mut lists = imports::read(settings).map_err(Failure::usage)?;
    let sources = sources(settings, std::mem::take(&mut lists.sources));
    if sources.is_empty() {
        log::warn!("no source is configured: there will be no channels");
    }
    let mut tuners = Tuners::new(sources).map_err(|e| format!("memory for rings: {e}"))?;
    tuners.set_owner(settings.tuner_owner());
    let mut channels = channels(&state, &mut tuners, &mut lists, &writer)?;
    channels.claim(settings.authority(), lists.claims);
    let reactor = Rc::new(Reactor::new().map_err(|e| format!("reactor: {e}"))?);
    let listeners = listeners(settings)?;
    let addresses = listeners.iter().map(|l| server::bound_to(l.as_fd())).collect::<Result<Vec<_>, _>>();
    let addresses = addresses.map_err(|e| format!("listening: {e}"))?;
    let hub = Rc::new(Hub::default());
    let pairing = pairing(settings, &state, &reactor, &access, (&writer, &hub))?;
    let stb = Rc::new(SetTopBox {
        reactor: Rc::clone(&reactor),
        access,
        pairing,
        channels: RefCell::new(channels),
        tuners: RefCell::new(tuners),
        pump: RefCell::new(Pump::new(
            board::CONNECTIONS,
            Ears { begun: api::note_begin, left: api::note_end },
        )),
        hls: RefCell::new(api::no_sessions()),
        guide: RefCell::new(guide()),
        departures: departures(&hub),
        take_over: tuners::take_over(&hub),
        gzip: Gzip::default(),
        logos: logos::read(settings.logos.as_deref())?,
        news: Rc::default(),
        zaps: Rc::default(),
        health: Health::new(sys::clock::boot()),
        names: settings.names.clone(),
        registered: RefCell::default(),
        naming: OnceCell::new(),
    });
    for address in &addresses {
        log::info!("serving on http://{address}/");
    }
    let executor = Rc::new(LocalExecutor::new());
    serve_http(&stb, &executor, listeners, settings.lan_interfaces());
    let port = addresses.first().map_or(0, SocketAddr::port);
    let outward = providers::outward(settings, &stb);
    let names = names::start(settings, &state, &stb, &executor, (&writer, &hub), outward.clone(), port)?;
    let providers = providers::start(settings, &state, &stb, &executor, &writer, outward, &names)?;
    let place = (addresses, sys::clock::boot());
    let desk = Desk::new(Rc::clone(&stb), Rc::clone(&hub), (Rc::clone(&names), providers), place);
    let (desk, watch) = (Rc::new(desk), Rc::new(Watch::default()));
    executor.spawn(tuners::tend(Rc::clone(&desk))).detach();
    let (watches, tells) = (Rc::clone(&watch), Rc::clone(&desk));
    executor.spawn(async move { watches.follow(tells).await }).detach();
    scans::start(&state, &stb, &executor, (&writer, &hub), &desk.scans)?;
    serve_local(&stb.reactor, &executor, (local_listener, groups), desk);
    let tending = Rc::clone(&stb);
    executor.spawn(async move { report("pairing", tending.pairing.tend()).await }).detach();
    receivers::attend(&stb, &executor);
    executor.spawn(api::look_what_is_on(Rc::clone(&stb))).detach();
    let watchdog = Watchdog::open(board::WATCHDOG);
    if let Some(becoming) = becoming {
        becoming.become_it(&state)?;
    }
    let ended = main_loop::run(&stb, &executor, &writer, (&hub, &names, &watch), watchdog);
    ended.map_err(|e| format!("the main loop ended: {e}").into())
}

/// The log, what this machine says, who the box will be, and its directory.
fn prepare(settings: &Settings) -> Result<(PathBuf, Option<Becoming>), Failure> {
    let (place, problem) = match Place::open(board::LOG_SINK) {
        Ok(place) => (place, None),
        Err(e) => (Place::Stderr, Some(e)),
    };
    log_sink::install("stbcastd", settings.log.unwrap_or(LevelFilter::Info), place);
    if let Some(e) = problem {
        log::warn!("log_sink {}: {e}; standard error it is", board::LOG_SINK);
    }
    let misfits = machine::misfits();
    misfits.old.iter().for_each(|why| log::warn!("{why}"));
    if let Some(why) = misfits.fatal.first() {
        return Err(Failure::new(Exit::NotThisMachine, why));
    }
    settings.naming.check().map_err(Failure::usage)?;
    let becoming = user::wanted(settings.user.as_deref())?;
    let state = settings.state();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&state)
        .map_err(|e| format!("state directory {}: {e}", state.display()))?;
    Ok((state, becoming))
}

/// Why streams ended, told at the local socket, too.
fn departures(hub: &Rc<Hub>) -> Rc<Departures> {
    let hub = Rc::clone(hub);
    Rc::new(Departures::new(Box::new(move |departed| events::ended(&hub, departed))))
}

/// The programme guide, as large as the board has it.
fn guide() -> Epg {
    let capacity = Capacity {
        services: board::CHANNELS,
        events: board::GUIDE_EVENTS,
        text_bytes: board::GUIDE_TEXT_BYTES,
        bouquets: board::BOUQUETS,
    };
    Epg::new(capacity, Unmarked::named(board::CHARSET_OVERRIDE))
}

/// The sources that are configured, then those of lists, each once, as many as the board has room for.
fn sources(settings: &Settings, listed: Vec<SourceUrl>) -> Vec<SourceUrl> {
    let mut sources: Vec<SourceUrl> = Vec::new();
    for source in settings.sources.iter().cloned().chain(listed) {
        if sources.contains(&source) {
            continue;
        }
        if sources.len() >= board::SOURCES {
            log::warn!("this board has room for {} sources: {source} is left out", board::SOURCES);
            continue;
        }
        sources.push(source);
    }
    sources
}

/// What the box knows of itself and of who was let in; new keys where there are none.
fn access(settings: &Settings, state: &Path, writer: &Rc<Writer>) -> Result<Access, Failure> {
    reset_where_asked(state)?;
    check::refuse_newer(&check::records(state)?.newer)?;
    let clock = settings.clock.unwrap_or_else(|| ClockSource::named(board::CLOCK_SOURCE).unwrap_or_default());
    // Early in a boot the kernel may have no entropy yet. Nothing is served without a key, so waiting holds up nobody.
    let mut waited = Duration::ZERO;
    let (loaded, unsaved) = loop {
        match access::Loaded::read(state, board::SEAL == "file") {
            Err(KeyError::NoEntropy(e)) if must_wait(&e, waited) => {
                std::thread::sleep(ENTROPY_PAUSE);
                waited += ENTROPY_PAUSE;
            }
            Err(e @ KeyError::Newer(..)) => return Err(Failure::new(Exit::Newer, e)),
            other => break other.map_err(|e| e.to_string())?,
        }
    };
    unsaved.into_iter().for_each(|(kind, record)| writer.save(kind, record));
    Access::new(loaded, Rc::clone(writer), clock, boot_number(), board::CONNECTIONS)
        .map_err(|e| format!("randomness for a key: {e}").into())
}

/// Between two looks at the kernel's random generator.
const ENTROPY_PAUSE: Duration = Duration::from_millis(100);

/// Whether `e` is to be waited for, after so long. A board says for how long; a key without entropy is none.
fn must_wait(e: &io::Error, waited: Duration) -> bool {
    if e.kind() != io::ErrorKind::WouldBlock || waited >= Duration::from_secs(board::ENTROPY_WAIT_S) {
        return false;
    }
    if waited == 10 * ENTROPY_PAUSE {
        log::warn!("the kernel has no randomness yet; waiting for at most {} s", board::ENTROPY_WAIT_S);
    }
    true
}

/// A file of this name in the state directory asks for a factory reset at the next start.
const RESET_FLAG: &str = "factory-reset";

fn reset_where_asked(state: &Path) -> Result<(), Failure> {
    let flag = state.join(RESET_FLAG);
    if !flag.exists() {
        return Ok(());
    }
    log::info!("factory reset, as {} asks", flag.display());
    let newer = check::records(state)?.newer.into_iter().map(|(kind, _)| kind);
    for kind in access::SECRETS.into_iter().chain(newer) {
        erase(state, kind).map_err(|e| format!("factory reset: {e}"))?;
    }
    // Only now: a reset that the power cut is begun anew.
    fs::remove_file(&flag).map_err(|e| format!("{}: {e}", flag.display()).into())
}

/// What flash holds. Where only one slot is sound, the other is written again.
pub(super) fn loaded(state: &Path, kind: Kind, writer: &Writer) -> Result<Loaded, String> {
    let loaded = load(state, kind).map_err(|e| format!("state {e}"))?;
    if let Loaded::HalfDamaged(record) = &loaded {
        log::warn!("{} in {}: one of two copies is damaged, the other is used", kind.name(), state.display());
        writer.save(kind, record.clone());
    }
    Ok(loaded)
}

/// The channel table. What it and the lists have from tuners is made known to those first.
fn channels(
    state: &Path,
    tuners: &mut Tuners,
    lists: &mut Lists,
    writer: &Writer,
) -> Result<ChannelTable, String> {
    let record = match loaded(state, Kind::Channels, writer)? {
        Loaded::Record(record) | Loaded::HalfDamaged(record) => record,
        Loaded::Nothing => Vec::new(),
        Loaded::Damaged => {
            log::warn!(
                "channels in {} are damaged: the box scans again, numbers may change",
                state.display()
            );
            Vec::new()
        }
    };
    for tuning in channel::muxes(&record) {
        if tuners.add_mux(tuning).is_none() {
            log::warn!("this board knows {} muxes: {tuning} is left out", board::MUXES);
        }
    }
    lists.name_muxes(tuners);
    ChannelTable::load(&record, tuners).or_else(|why| {
        log::warn!("channels in {}: {why}: the box scans again, numbers may change", state.display());
        ChannelTable::load(&[], tuners).map_err(|e| e.to_string())
    })
}

fn listeners(settings: &Settings) -> Result<Vec<OwnedFd>, String> {
    let default: Vec<SocketAddr> = board::LISTEN.parse().into_iter().collect(); // boards/build.rs has checked it
    let wanted = if settings.listen.is_empty() { &default } else { &settings.listen };
    let listen = |address: &SocketAddr| {
        server::listener(*address).map_err(|e| match e.kind() {
            io::ErrorKind::AddrInUse => format!("listen {address}: another program has this port"),
            _ => format!("listen {address}: {e}"),
        })
    };
    wanted.iter().map(listen).collect()
}

/// The local socket: where it is configured, else the board's path, else in the state directory.
fn local_socket(
    settings: &Settings,
    state: &Path,
    groups: Groups,
) -> Result<(OwnedFd, local::SocketFile), String> {
    let in_state = state.join("stbcast.sock");
    let choices: Vec<PathBuf> = match (&settings.socket, &settings.state) {
        (Some(socket), _) => vec![socket.clone()],
        (None, Some(_)) => vec![in_state],
        (None, None) => vec![board::SOCKET_PATH.into(), in_state],
    };
    let mut error = String::new();
    for path in choices {
        if path == Path::new(board::SOCKET_PATH) {
            // After a boot /run is empty. An init script of a package makes this directory; a start by hand may.
            let _there_or_refused = path.parent().map(fs::create_dir);
        }
        match local::listen(&path, groups) {
            Ok(listening) => return Ok(listening),
            Err(e) => error = format!("local socket {}: {e}", path.display()),
        }
    }
    Err(error)
}

/// 16 bits that tell this boot of the kernel from others, without a write to flash.
fn boot_number() -> u16 {
    let id = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let hash = ring::digest::digest(&ring::digest::SHA256, id.trim_ascii());
    hash.as_ref().first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

fn serve_http(
    stb: &Rc<SetTopBox>,
    executor: &Rc<LocalExecutor<'static>>,
    listeners: Vec<OwnedFd>,
    lan: Vec<String>,
) {
    let seats = Seats::new(board::CONNECTIONS, board::CONNECTIONS_PER_SOURCE);
    let heads = Heads::new(board::HEADS);
    let wall = Rc::new(Wall::new(lan));
    for listener in listeners {
        let (stb, spawner) = (Rc::clone(stb), Rc::clone(executor));
        let accepting = server::accept_all(
            listener,
            Rc::clone(&stb.reactor),
            (Rc::clone(&wall), Rc::clone(&seats), Rc::clone(&heads)),
            move |accepted| spawner.spawn(api::serve(Rc::clone(&stb), accepted)).detach(),
        );
        executor.spawn(report("HTTP server", accepting)).detach();
    }
}

fn serve_local(
    reactor: &Rc<Reactor>,
    executor: &Rc<LocalExecutor<'static>>,
    (listener, groups): (OwnedFd, Groups),
    desk: Rc<Desk>,
) {
    let spawner = Rc::clone(executor);
    let accepting = local::accept_all(listener, Rc::clone(reactor), groups, move |peer| {
        let talk = Talk { desk: Rc::clone(&desk), number: peer.number(), right: peer.right() };
        spawner.spawn(Box::pin(peer.serve(talk))).detach();
    });
    executor.spawn(report("local socket", accepting)).detach();
}

/// How others are let in. Attempts that were counted before a restart still count.
fn pairing(
    settings: &Settings,
    state: &Path,
    reactor: &Rc<Reactor>,
    access: &Access,
    (writer, hub): (&Rc<Writer>, &Rc<Hub>),
) -> Result<Pairing, String> {
    let attempts = match loaded(state, Kind::Attempts, writer)? {
        Loaded::Record(record) | Loaded::HalfDamaged(record) => record,
        Loaded::Nothing => Vec::new(),
        Loaded::Damaged => vec![u8::MAX], // no record of any format: as many as there may be are taken to be spent
    };
    let (writer, hub) = (Rc::clone(writer), Rc::clone(hub));
    let save = move |record| -> BoxedLocal<io::Result<()>> {
        let writer = Rc::clone(&writer);
        Box::pin(async move { writer.saved(Kind::Attempts, record).await })
    };
    let name = settings.names.first().map_or(BOX_NAME, String::as_str);
    let tell = move |event: &_| events::tell(&hub, event);
    Ok(Pairing::new(reactor, (name, access.fingerprint()), &attempts, Box::new(save), Box::new(tell)))
}

/// The groups that may ask at the local socket, by the names that the board has.
fn groups() -> Result<Groups, String> {
    let group = |key: &str, name: &str| match name {
        "" => Ok(None),
        name => match Group::from_name(name) {
            Ok(Some(group)) => Ok(Some(group.gid)),
            Ok(None) => Err(format!("{key}: there is no group '{name}' here")),
            Err(e) => Err(format!("{key} '{name}': {e}")),
        },
    };
    Ok(Groups {
        control: group("control_group", board::CONTROL_GROUP)?,
        view: group("view_group", board::VIEW_GROUP)?,
    })
}

/// An accept loop ends only when the reactor fails it.
async fn report(what: &str, work: impl Future<Output = io::Result<()>>) {
    if let Err(e) = work.await {
        log::error!("{what}: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_randomness_is_waited_for_and_not_for_ever() {
        let none_yet = io::Error::from(io::ErrorKind::WouldBlock);
        let most = Duration::from_secs(board::ENTROPY_WAIT_S);
        assert!(must_wait(&none_yet, Duration::ZERO) && must_wait(&none_yet, most - ENTROPY_PAUSE));
        assert!(!must_wait(&none_yet, most));
        assert!(!must_wait(&io::ErrorKind::Unsupported.into(), Duration::ZERO), "what never comes");
    }
}
