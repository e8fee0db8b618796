//! The box's end of scans: the task that runs them, and what the local socket is answered.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use smol::LocalExecutor;
use smol::channel::{Receiver, Sender, bounded};

use super::desk::Desk;
use super::start::loaded;
use crate::api::SetTopBox;
use crate::delivery::Tuning;
use crate::local::hub::Hub;
use crate::local::protocol::{Done, EventLine, Request, ScanLine, ScanView, line, text, word};
use crate::local::server::Right;
use crate::scan::{By, Phase, Progress, Range, Scan, Wanted};
use crate::store::{Kind, Loaded, Writer};
use crate::sys::clock;

/// Between two looks at what is being visited.
const STEP: Duration = Duration::from_millis(250);
/// Between two events of a scan that runs.
const TELL: Duration = Duration::from_secs(1);

/// The scan, and who wakes its task.
pub(super) struct Scans {
    scan: RefCell<Scan>,
    wake: Sender<()>,
    woken: Receiver<()>,
}

impl Default for Scans {
    fn default() -> Self {
        let (wake, woken) = bounded(1);
        Self { scan: RefCell::default(), wake, woken }
    }
}

/// Takes over the scan that flash has, and begins the task that runs it.
pub(super) fn start(
    state: &Path,
    stb: &Rc<SetTopBox>,
    executor: &LocalExecutor<'static>,
    (writer, hub): (&Rc<Writer>, &Rc<Hub>),
    scans: &Rc<Scans>,
) -> Result<(), String> {
    let record = match loaded(state, Kind::Scan, writer)? {
        Loaded::Record(record) | Loaded::HalfDamaged(record) => record,
        Loaded::Nothing => Vec::new(),
        Loaded::Damaged => {
            log::warn!("the scan in {} is damaged and forgotten", state.display());
            Vec::new()
        }
    };
    *scans.scan.borrow_mut() = Scan::load(&record, &mut stb.channels.borrow_mut());
    let (stb, writer, hub, scans) = (Rc::clone(stb), Rc::clone(writer), Rc::clone(hub), Rc::clone(scans));
    let running = async move {
        if let Err(e) = run(&stb, &writer, &hub, &scans).await {
            log::error!("scan: {e}");
        }
    };
    executor.spawn(running).detach();
    Ok(())
}

/// Runs scans for good; sleeps while there is none.
async fn run(stb: &SetTopBox, writer: &Writer, hub: &Hub, scans: &Scans) -> io::Result<()> {
    let (mut told, mut phase) = (Duration::ZERO, scans.scan.borrow().phase());
    loop {
        let now = clock::boot();
        let (record, channels, progress) = {
            let (mut scan, mut tuners) = (scans.scan.borrow_mut(), stb.tuners.borrow_mut());
            let mut channels = stb.channels.borrow_mut();
            scan.step(&mut tuners, &mut channels, now);
            let record = scan.take_record(&channels, now);
            // The main loop may not come round for long once no mux is open.
            (record, channels.take_record(), scan.progress(&tuners, &channels, now))
        };
        record.into_iter().for_each(|record| writer.save(Kind::Scan, record));
        channels.into_iter().for_each(|record| writer.save(Kind::Channels, record));
        let runs = progress.phase == Phase::Running;
        if phase != progress.phase || runs && now >= told + TELL {
            (told, phase) = (now, progress.phase);
            let event =
                EventLine { event: word("scan"), scan: Some(view(&progress)), ..EventLine::default() };
            hub.tell(&line(&event), Right::View);
        }
        if runs {
            stb.reactor.sleep(STEP).await?;
        } else {
            let _woken = scans.woken.recv().await; // it lives as long as this does
        }
    }
}

impl Desk {
    /// Begins a scan, or adds to the one that runs.
    pub(super) fn scan(&self, request: &Request) -> Result<Vec<u8>, String> {
        let (named, range) = (request.muxes.as_deref().unwrap_or(""), request.range.as_deref());
        let named: Result<Vec<Tuning>, String> = named
            .split_ascii_whitespace()
            .map(|text| text.parse::<Tuning>().map_err(|why| format!("mux '{}': {why}", text.escape_debug())))
            .collect();
        let named = named?;
        let range = range.map(|name| {
            Range::named(name).ok_or_else(|| {
                let all: Vec<_> = Range::ALL.iter().map(|(_, name)| *name).collect();
                format!("range '{}': one of {}", name.escape_debug(), all.join(", "))
            })
        });
        let range = range.transpose()?;
        let known = request.known.unwrap_or_else(|| named.is_empty() && range.is_none());
        let by = if range.is_some() { By::Raster } else { By::Name };
        let muxes = named.into_iter().chain(range.into_iter().flat_map(Range::muxes));
        let wanted = Wanted { muxes, by, known, more: request.more == Some(true) };
        let (tuners, mut channels) = (self.stb.tuners.borrow(), self.stb.channels.borrow_mut());
        let begun = self.scans.scan.borrow_mut().begin(wanted, &tuners, &mut channels, clock::boot());
        begun.map_err(|e| e.to_string())?;
        self.wake_scan();
        Ok(line(&Done::YES))
    }

    /// Stops the scan; `scan-resume` goes on with it.
    pub(super) fn stop_scan(&self) -> Result<Vec<u8>, String> {
        let ran = self.scans.scan.borrow_mut().stop(&mut self.stb.tuners.borrow_mut(), clock::boot());
        if !ran {
            return Err("no scan runs".into());
        }
        self.wake_scan();
        Ok(line(&Done::YES))
    }

    /// Goes on with a scan that was stopped.
    pub(super) fn resume_scan(&self) -> Result<Vec<u8>, String> {
        self.scans.scan.borrow_mut().resume().map_err(|e| e.to_string())?;
        self.wake_scan();
        Ok(line(&Done::YES))
    }

    /// How far the scan came.
    pub(super) fn scan_status(&self) -> Vec<u8> {
        let (tuners, channels) = (self.stb.tuners.borrow(), self.stb.channels.borrow());
        let progress = self.scans.scan.borrow_mut().progress(&tuners, &channels, clock::boot());
        [line(&ScanLine { scan: view(&progress) }), line(&Done::YES)].concat()
    }

    fn wake_scan(&self) {
        let _it_is_awake = self.scans.wake.try_send(());
    }
}

fn view(progress: &Progress) -> ScanView {
    let Progress { way, signal, .. } = progress;
    ScanView {
        state: word(progress.phase.name()),
        percent: way.percent,
        done: way.done,
        all: way.all,
        muxes: way.found.muxes,
        tv: way.found.tv,
        radio: way.found.radio,
        other: way.found.other,
        new_channels: progress.new_channels,
        mux: progress.current.map(|tuning| text(&tuning.to_string())),
        waits: progress.waits,
        error: progress.trouble.as_deref().map(text),
        strength_mdbm: signal.strength_mdbm,
        strength_permille: signal.strength_permille,
        cnr_mdb: signal.cnr_mdb,
        cnr_permille: signal.cnr_permille,
        left_s: way.left.map(|left| left.as_secs()),
    }
}
