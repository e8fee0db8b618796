//! `GET /api/v1/ended?v=…`: why the stream that the caller watched as `v` ended.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use embedded_io_async::{Read, Write};
use heapless::Vec;
use serde::Serialize;

use super::SetTopBox;
use super::live::{BAD_VIEWER, viewer_id};
use super::visit::{Visit, json, refuse};
use crate::access::{Holder, LinkUse, Refusal, ViewerId};
use crate::http::{Exchange, Status};
use crate::pump::{Ended, Left};
use crate::sys::clock;

/// Ends that are kept, all viewers together; a newer one takes the place of the oldest.
const KEPT: usize = 32;

/// A stream that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departed {
    /// Whose it was.
    pub holder: Holder,
    /// Why: `tv-moved`, `tv-took`, `taken`, `source`, `shutdown`, `stalled`, `too-slow`, `put-out` or
    /// `parental`.
    pub why: &'static str,
    viewer: Option<ViewerId>,
    at: Duration,
}

/// Why streams ended that had a viewer's name: the last [`KEPT`].
pub struct Departures {
    last: RefCell<Vec<Departed, KEPT>>,
    tell: Box<dyn Fn(&Departed)>,
}

impl Departures {
    /// None yet; `tell` hears of each when it happens.
    #[must_use]
    pub fn new(tell: Box<dyn Fn(&Departed)>) -> Self {
        Self { last: RefCell::default(), tell }
    }

    /// Takes note of an end. Who hung up knows why.
    pub(super) fn note(&self, link: &LinkUse, why: Left, now: Duration) {
        let Some((why, (holder, viewer))) = word(why).zip(link.viewer()) else { return };
        let departed = Departed { holder, why, viewer, at: now };
        (self.tell)(&departed);
        self.keep(departed);
    }

    fn keep(&self, departed: Departed) {
        if departed.viewer.is_none() {
            return;
        }
        let mut last = self.last.borrow_mut();
        let same = |d: &Departed| d.holder == departed.holder && d.viewer == departed.viewer;
        if let Some(before) = last.iter().position(same).or_else(|| last.is_full().then_some(0)) {
            last.remove(before);
        }
        let _room = last.push(departed);
    }

    /// Why the stream of `holder` that called itself `viewer` ended, and when.
    fn find(&self, holder: Holder, viewer: ViewerId) -> Option<(&'static str, Duration)> {
        let viewer = Some(viewer);
        let last = self.last.borrow();
        last.iter().find(|d| d.holder == holder && d.viewer == viewer).map(|d| (d.why, d.at))
    }
}

/// The word for it, in answers and events.
const fn word(why: Left) -> Option<&'static str> {
    Some(match why {
        Left::HungUp | Left::Fetched => return None,
        Left::Stalled => "stalled",
        Left::TooSlow => "too-slow",
        Left::PutOut => "put-out",
        Left::Locked => "parental",
        Left::Ended(Ended::TvMoved) => "tv-moved",
        Left::Ended(Ended::TvTook) => "tv-took",
        Left::Ended(Ended::Taken) => "taken",
        Left::Ended(Ended::Source) => "source",
        Left::Ended(Ended::Shutdown) => "shutdown",
    })
}

#[derive(Serialize)]
struct EndView {
    reason: &'static str,
    ago_s: u64,
}

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let caller = match visit.identify(stb, &mut exchange, |_| Ok(())) {
        Ok(caller) => caller,
        Err(why) => return refuse(stb, exchange, &why).await,
    };
    let Some(viewer) = viewer_id(&visit.request) else {
        return refuse(stb, exchange, &Refusal::BadRequest(BAD_VIEWER)).await;
    };
    match stb.departures.find(caller.holder(), viewer) {
        Some((reason, at)) => {
            let ago_s = clock::boot().saturating_sub(at).as_secs();
            json(exchange, &EndView { reason, ago_s }).await
        }
        None => exchange.refuse(Status::NotFound, "no stream of that viewer has ended lately").await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ends_are_kept_and_each_is_its_terminals() {
        let departures = Departures::new(Box::new(|_| ()));
        let (a, b) = (Holder::sample(1), Holder::sample(2));
        let keep = |holder, name: &str, why, at| {
            let viewer = ViewerId::new(name);
            departures.keep(Departed { holder, why, viewer, at: Duration::from_secs(at) });
        };
        let why =
            |holder, name: &str| departures.find(holder, ViewerId::new(name).unwrap()).map(|(why, _)| why);
        keep(a, "tab", "source", 1);
        keep(a, "tab", "tv-moved", 2);
        keep(a, "", "taken", 3);
        assert_eq!((why(a, "tab"), why(b, "tab"), why(a, "other")), (Some("tv-moved"), None, None));
        for i in 0..KEPT - 1 {
            keep(b, &format!("v{i}"), "stalled", 4);
        }
        assert_eq!((why(a, "tab"), why(b, "v0")), (Some("tv-moved"), Some("stalled")));
        keep(b, "v0", "taken", 5);
        assert!(why(a, "tab").is_some(), "the same viewer again takes no other place");
        keep(b, "one-more", "taken", 6);
        assert_eq!((why(a, "tab"), why(b, "one-more")), (None, Some("taken")), "the oldest goes");
    }
}
