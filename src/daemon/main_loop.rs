//! The main loop: tasks, then the tick, then sleep. The only thread of the box goes round here.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use smol::LocalExecutor;

use super::events;
use super::tuners::Watch;
use super::watchdog::Watchdog;
use crate::access::PutOut;
use crate::api::SetTopBox;
use crate::ddns::Names;
use crate::local::hub::Hub;
use crate::reactor::Event;
use crate::source::Now;
use crate::store::{Kind, Writer};
use crate::sys::clock;
use crate::{board, demux, scan};

/// Tasks run at one time before the tick gets its turn.
const TASKS: usize = 64;
/// Events taken at one time.
const EVENTS: usize = 128;
/// The tick is so long that the fastest ring gets this much in it.
const TICK_BYTES: u64 = 64 * 1024;
const TICK_MIN: Duration = Duration::from_millis(5);
const TICK_MAX: Duration = Duration::from_millis(20);
/// The same while so many watch that sends are what costs.
const TICK_MAX_CROWD: Duration = Duration::from_millis(50);
const CROWD: usize = 100;
/// How often rates and services are looked at.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// How often events that are over leave the guide.
const TIDY: Duration = Duration::from_secs(60);
/// The longest the loop sleeps when there is nothing at all to do.
const DAY: Duration = Duration::from_secs(86_400);
/// When the process was told to stop, viewers have this long to get what is in their rings.
const FAREWELL: Duration = Duration::from_millis(500);

/// What the loop remembers from round to round.
struct Round {
    period: Duration,
    kept_house: Duration,
    tidied: Duration,
    heads: [u64; demux::RINGS],
    stop_at: Option<Duration>,
    /// How many watch, as the local socket was told last.
    viewers: usize,
}

/// Goes round until the process is told to stop, and the state is on flash.
pub(super) fn run(
    stb: &SetTopBox,
    executor: &Rc<LocalExecutor<'static>>,
    writer: &Rc<Writer>,
    (hub, names, watch): (&Hub, &Names, &Watch),
    mut watchdog: Watchdog,
) -> io::Result<()> {
    let mut round = Round {
        period: TICK_MAX,
        kept_house: Duration::ZERO,
        tidied: Duration::ZERO,
        heads: [0; demux::RINGS],
        stop_at: None,
        viewers: 0,
    };
    stb.tuners.borrow_mut().survey(clock::boot());
    watchdog.ready();
    stb.health.tick.set(round.period);
    let mut woken = clock::boot();
    loop {
        watchdog.alive(woken);
        let busy = (0..TASKS).all(|_| executor.try_tick());
        if writer.begin_work() {
            executor.spawn(Rc::clone(writer).work(Rc::clone(&stb.reactor))).detach();
            continue;
        }
        stb.end_what_is_over();
        tell_revoked(stb, hub);
        stb.tell_news();
        round.tell_viewers(stb, hub);
        watch.look(&stb.tuners.borrow());
        if round.is_over(stb, writer) {
            return Ok(());
        }
        stb.reactor.set_tick(round.next_tick(stb, watchdog.period()))?;
        let mut events = heapless::Vec::<Event, EVENTS>::new();
        let now = clock::boot();
        stb.health.latency.borrow_mut().note(now, now.saturating_sub(woken));
        stb.reactor.wait(busy, |event| {
            let _full = events.push(event); // level-triggered: what does not fit comes again
        })?;
        woken = clock::boot();
        for event in events {
            match event {
                Event::Tick => round.tick(stb, writer),
                Event::HungUp(number) => stb.pump.borrow_mut().hung_up(number),
                Event::Stop => {
                    names.stop();
                    watchdog.stopping();
                    round.stop(stb);
                }
            }
        }
    }
}

/// Tells who was put out, if anybody was.
fn tell_revoked(stb: &SetTopBox, hub: &Hub) {
    let out = stb.access.take_put_out();
    if out != PutOut::default() {
        events::revoked(hub, out);
        stb.news.people();
    }
}

impl Round {
    /// Drains the inputs, serves the viewers, and now and then looks after the rest.
    fn tick(&mut self, stb: &SetTopBox, writer: &Writer) {
        let now = Now { boot: clock::boot(), utc: clock::utc() };
        if now.boot >= self.kept_house + HOUSEKEEPING {
            stb.end_locked();
        }
        let mut tuners = stb.tuners.borrow_mut();
        let mut guide = stb.guide.borrow_mut();
        tuners.tick(now, self.period, &mut guide);
        stb.pump.borrow_mut().tick(now.boot);
        stb.look_after_hls(now.boot);
        let mut channels = stb.channels.borrow_mut();
        let mut corrected = false;
        while let Some(id) = tuners.take_changed() {
            channels.correct(id, &tuners, now.boot);
            scan::follow_network(id, &mut tuners, &mut channels);
            corrected = true;
        }
        if now.boot >= self.kept_house + HOUSEKEEPING {
            let elapsed = now.boot - self.kept_house;
            self.kept_house = now.boot;
            stb.access.end_guests();
            for id in tuners.open_ids() {
                channels.correct(id, &tuners, now.boot);
            }
            corrected = true;
            if now.boot >= self.tidied + TIDY {
                self.tidied = now.boot;
                guide.tidy(now.boot);
            }
            if self.stop_at.is_none() {
                tuners.survey(now.boot);
                tuners.warm_up(now.boot);
            }
            stb.pump.borrow_mut().measure(elapsed);
            self.period = self.measure(tuners.heads(), elapsed, stb.viewers());
            stb.health.tick.set(self.period);
        }
        if corrected {
            guide.know(channels.services());
        }
        if let Some(record) = channels.take_record() {
            writer.save(Kind::Channels, record);
            stb.news.channels();
        }
        if channels.take_measured() {
            stb.news.channels();
        }
    }

    /// The tick's length, from what the fastest ring got since this was last asked.
    fn measure(&mut self, heads: impl Iterator<Item = u64>, elapsed: Duration, viewers: usize) -> Duration {
        let grown = self.heads.iter_mut().zip(heads).map(|(last, head)| head - std::mem::replace(last, head));
        let fastest = grown.max().unwrap_or(0).max(1);
        // The kernel must never hold more than a quarter of its buffer when the tick comes.
        let bytes = TICK_BYTES.min(board::INPUT_BUFFER_BYTES as u64 / 4);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).saturating_mul(bytes) / fastest;
        let most = if viewers > CROWD { TICK_MAX_CROWD } else { TICK_MAX };
        Duration::from_micros(micros).clamp(TICK_MIN, most)
    }

    /// The tick while something is open; else the next survey's time, or that of a sign of life where one is wanted.
    fn next_tick(&self, stb: &SetTopBox, watched: Option<Duration>) -> Option<Duration> {
        let tuners = stb.tuners.borrow();
        if tuners.is_active() || self.stop_at.is_some() || !stb.pump.borrow().is_idle() {
            return Some(self.period);
        }
        let wait = tuners.next_survey().map(|at| at.saturating_sub(clock::boot()).clamp(HOUSEKEEPING, DAY));
        [wait, watched].into_iter().flatten().min()
    }

    fn tell_viewers(&mut self, stb: &SetTopBox, hub: &Hub) {
        let viewers = stb.viewers();
        if std::mem::replace(&mut self.viewers, viewers) != viewers {
            events::viewers(hub, viewers);
        }
    }

    fn stop(&mut self, stb: &SetTopBox) {
        if self.stop_at.is_none() {
            log::info!("stopping");
            stb.tuners.borrow_mut().shut_down();
            self.stop_at = Some(clock::boot() + FAREWELL);
        }
    }

    /// Told to stop, everybody left or had the time to, and nothing is left to be written.
    fn is_over(&self, stb: &SetTopBox, writer: &Writer) -> bool {
        let Some(at) = self.stop_at else { return false };
        let farewell = stb.pump.borrow().is_idle() || clock::boot() >= at;
        let patience = clock::boot() >= at + Duration::from_secs(5); // flash that hangs must not hold up a stop
        farewell && (writer.is_idle() || patience)
    }
}
