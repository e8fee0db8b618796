//! Sockets of heartbeats and of DNS, and what goes out to other servers.

use std::cell::RefCell;
use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use async_io::Timer;

use super::config::Settings;
use super::dns::{self, Host, TcpLimits};
use super::heartbeat;
use super::run::Executor;
use super::service::Service;
use crate::nameserver::{Key as TsigKey, Nameserver, Notifier, Publisher, Secondary, Zone, ZoneSettings};
use crate::sys::clock;

/// What changed gets a new serial so often.
const BATCH: Duration = Duration::from_secs(1);
/// Serials that one write to disk is good for: an hour of changes.
const SERIALS_AHEAD: u32 = 3600;

/// The responder. Its serials begin at the time, or above those that were used, should the clock have gone back.
pub(super) fn nameserver(settings: &Settings, state: &Path) -> Result<Nameserver, String> {
    let now = u32::try_from(clock::utc().as_secs()).unwrap_or(u32::MAX / 2);
    let path = serial_path(state);
    let kept = match fs::read_to_string(&path) {
        Ok(text) => {
            text.trim().parse().map_err(|_| format!("{}: there is no serial in it", path.display()))?
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
        Err(e) => return Err(format!("{}: {e}", path.display())),
    };
    let serial = now.max(kept);
    keep_serial(&path, serial.saturating_add(SERIALS_AHEAD))?;
    let zone = |apex: &String| {
        let ns = if settings.ns.is_empty() { vec![format!("ns1.{apex}")] } else { settings.ns.clone() };
        let zone = ZoneSettings {
            apex: apex.clone(),
            rname: settings.contact.clone().unwrap_or_default(),
            ns,
            records: settings.records.clone(),
            ..ZoneSettings::default()
        };
        Zone::new(&zone).map(|zone| (zone, serial)).map_err(|e| e.to_string())
    };
    let zones = settings.zones.iter().map(zone).collect::<Result<Vec<_>, _>>()?;
    let keys = secondaries(settings)?.into_iter().filter_map(|secondary| secondary.key).collect();
    Ok(Nameserver::new(zones, keys))
}

fn serial_path(state: &Path) -> PathBuf {
    state.join("serial")
}

fn keep_serial(path: &Path, serial: u32) -> Result<(), String> {
    let whole = path.with_extension("new");
    let written = || {
        let file = fs::File::create(&whole)?;
        std::io::Write::write_all(&mut &file, format!("{serial}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&whole, path)
    };
    written().map_err(|e| format!("{}: {e}", path.display()))
}

fn secondaries(settings: &Settings) -> Result<Vec<Secondary>, String> {
    let secondary = |line: &String| {
        let (address, key) = line.split_once(' ').unwrap_or((line, ""));
        let address = address.parse::<SocketAddr>();
        let address =
            address.map_err(|_| "secondary: an address with its port is wanted first".to_owned())?;
        let key = match key.trim() {
            "" => None,
            key => Some(TsigKey::parse(key).map_err(|e| format!("secondary {address}: {e}"))?),
        };
        Ok(Secondary { address, key })
    };
    settings.secondaries.iter().map(secondary).collect()
}

/// Takes beats.
pub(super) fn heartbeats(
    settings: &Settings,
    service: &Rc<Service>,
    executor: &Executor,
) -> Result<(), String> {
    let fairness = heartbeat::fairness();
    for address in &settings.heartbeat {
        let socket = heartbeat::bind(*address).map_err(|e| format!("heartbeat {address}: {e}"))?;
        log::info!("hearing boxes at {address}");
        let (beats, fairness, spawner) = (Rc::clone(service), Rc::clone(&fairness), Rc::clone(executor));
        executor
            .spawn(async move {
                if let Err(e) = heartbeat::serve(Rc::new(socket), beats, fairness, spawner).await {
                    log::error!("heartbeats are not heard any more: {e}");
                }
            })
            .detach();
    }
    Ok(())
}

/// Answers DNS, tells secondaries, pushes to another server.
pub(super) fn dns(
    settings: &Settings,
    state: &Path,
    service: &Rc<Service>,
    executor: &Executor,
) -> Result<(), String> {
    for address in &settings.dns {
        let failed = |e| format!("dns {address}: {e}");
        let udp = UdpSocket::bind(address).map_err(failed)?;
        let tcp = TcpListener::bind(address).map_err(failed)?;
        log::info!("answering DNS at {address}");
        let asked = Rc::clone(service);
        executor
            .spawn(async move {
                let ended = dns::serve_udp(&*asked, udp).await;
                log::error!("DNS by UDP is not answered any more: {ended:?}");
            })
            .detach();
        let asked = Rc::clone(service);
        executor
            .spawn(async move {
                let ended = dns::serve_tcp(&*asked, tcp, TcpLimits::default()).await;
                log::error!("DNS by TCP is not answered any more: {ended:?}");
            })
            .detach();
    }
    let notifier = Rc::new(RefCell::new(Notifier::new(settings.zones.len(), secondaries(settings)?)));
    let publishers = publishers(settings, service, executor)?;
    let (told, host) = (Rc::clone(&notifier), Rc::clone(service));
    executor
        .spawn(async move {
            let ended = dns::notify(&*host, &told).await;
            log::error!("secondaries are not told any more: {ended:?}");
        })
        .detach();
    let (host, path) = (Rc::clone(service), serial_path(state));
    executor.spawn(async move { batches(&host, &path, &notifier, &publishers).await }).detach();
    Ok(())
}

/// Gives what changed a new serial, once a second, and tells those who follow.
async fn batches(
    service: &Service,
    path: &Path,
    notifier: &RefCell<Notifier>,
    publishers: &[Rc<RefCell<Publisher>>],
) {
    let mut ceiling = service.nameserver.borrow().serial(0).unwrap_or(0).saturating_add(SERIALS_AHEAD);
    loop {
        Timer::after(BATCH).await;
        let committed = service.with(|server, directory| server.commit(directory));
        for committed in &committed {
            notifier.borrow_mut().changed(committed.zone);
            publishers.iter().for_each(|publisher| publisher.borrow_mut().note(committed));
        }
        let serials = committed.iter().filter_map(|c| service.nameserver.borrow().serial(c.zone));
        let highest = serials.max().unwrap_or(0);
        if highest.saturating_add(SERIALS_AHEAD / 2) > ceiling {
            ceiling = highest.saturating_add(SERIALS_AHEAD);
            let path = path.to_owned();
            if let Err(why) = smol::unblock(move || keep_serial(&path, ceiling)).await {
                log::warn!("the serial is not kept: {why}");
            }
        }
    }
}

/// `rfc2136 A:P KEY`: all zones go there.
fn publishers(
    settings: &Settings,
    service: &Rc<Service>,
    executor: &Executor,
) -> Result<Vec<Rc<RefCell<Publisher>>>, String> {
    let Some(line) = &settings.publish else { return Ok(Vec::new()) };
    let mut words = line.split_whitespace();
    let (Some("rfc2136"), Some(address), Some(key), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err("publish: 'rfc2136 A:P hmac-sha256:KEYNAME:SECRET' is wanted".into());
    };
    let to: SocketAddr =
        address.parse().map_err(|_| format!("publish: '{address}' is no address with its port"))?;
    let key = TsigKey::parse(key).map_err(|e| format!("publish to {to}: {e}"))?;
    let publisher = |zone| {
        let publisher = Rc::new(RefCell::new(Publisher::new(zone, key.clone())));
        let (pushed, host) = (Rc::clone(&publisher), Rc::clone(service));
        executor.spawn(async move { match dns::publish(&*host, &pushed, to).await {} }).detach();
        publisher
    };
    Ok((0..settings.zones.len()).map(publisher).collect())
}
