//! `GET` and `POST /api/v1/parental`: the parental lock, for terminals to see and owners to set;
//! `POST /api/v1/parental/unlock`: a terminal says its PIN.
//!
//! What is on is locked where its rating is for an older age than the lock's. Of several ratings the highest counts:
//! the box does not know which country's rules a family keeps.

use std::io;

use embedded_io_async::{Read, Write};
use serde::{Deserialize, Serialize};

use super::visit::{Visit, json, read_body, refuse};
use super::{SetTopBox, reply};
use crate::access::{Caller, EnrolError, Holder, Locked, NoLock, Refusal, UNLOCKED};
use crate::channel::Channel;
use crate::http::{Exchange, Method, Status};
use crate::pump::Left;
use crate::sys::clock;
use crate::ts::service_info::ServiceTriple;

#[derive(Serialize)]
struct LockView {
    age: Option<u8>,
    has_pin: bool,
    unlocked_s: u64,
}

/// Null is an age, none is not: a wish that says nothing of it must not open the lock.
#[derive(Deserialize)]
struct Age(Option<u8>);

#[derive(Deserialize)]
struct LockWish<'a> {
    age: Age,
    pin: Option<&'a str>,
}

#[derive(Deserialize)]
struct Pin<'a> {
    pin: &'a str,
}

#[derive(Serialize)]
struct Unlocked {
    seconds: u64,
}

pub(super) async fn answer<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let sets = visit.request.method == Method::Post;
    let may = if sets { Caller::may_manage } else { Caller::may_speak_for_itself };
    let caller = match visit.identify(stb, &mut exchange, may) {
        Ok(caller) => caller,
        Err(why) => return refuse(stb, exchange, &why).await,
    };
    if sets {
        let Some(LockWish { age: Age(age), pin }) = read_body(&visit.request) else {
            let sentence = "the body is to be {\"age\":12,\"pin\":\"1234\"}; the age null: nothing is locked";
            return exchange.refuse(Status::BadRequest, sentence).await;
        };
        match stb.access.set_lock(age, pin, clock::boot()).await {
            Ok(Ok(())) => stb.end_locked(),
            Ok(Err(why)) => {
                let (status, sentence) = no_lock(why);
                return exchange.refuse(status, sentence).await;
            }
            Err(e) => {
                let (status, sentence) = reply::enrol_error(&EnrolError::Flash(e));
                return exchange.refuse(status, &sentence).await;
            }
        }
    }
    let state = stb.access.lock_state(&caller, clock::boot());
    let (age, has_pin, unlocked_s) = (state.age, state.has_pin, state.unlocked.as_secs());
    json(exchange, &LockView { age, has_pin, unlocked_s }).await
}

const fn no_lock(why: NoLock) -> (Status, &'static str) {
    match why {
        NoLock::Age => (Status::BadRequest, "the age is null, or 3 to 18"),
        NoLock::Pin => (Status::BadRequest, "a PIN has four to eight digits"),
        NoLock::Needed => (Status::BadRequest, "a lock needs a PIN"),
        NoLock::NoRandomness => (Status::ServiceUnavailable, reply::NO_RANDOMNESS),
    }
}

pub(super) async fn unlock<S: Read<Error = io::Error> + Write<Error = io::Error>>(
    stb: &SetTopBox,
    visit: &Visit<'_>,
    mut exchange: Exchange<'_, S>,
) -> io::Result<bool> {
    let caller = match visit.identify(stb, &mut exchange, Caller::may_unlock) {
        Ok(caller) => caller,
        Err(why) => return refuse(stb, exchange, &why).await,
    };
    let Some(Pin { pin }) = read_body(&visit.request) else {
        return exchange.refuse(Status::BadRequest, "the body is to be {\"pin\":\"1234\"}").await;
    };
    match stb.access.unlock(&caller, pin, clock::boot()).await {
        Ok(()) => json(exchange, &Unlocked { seconds: UNLOCKED.as_secs() }).await,
        Err(Locked::Wrong) => exchange.refuse_as(Status::Forbidden, Some("pin"), "that is not the PIN").await,
        Err(Locked::Pause(left)) => {
            exchange.add("Retry-After", format_args!("{}", left.as_millis().div_ceil(1000)));
            let sentence = "the PIN was guessed too often; it is not heard for a while";
            exchange.refuse_as(Status::TooManyRequests, Some("cool-down"), sentence).await
        }
    }
}

impl SetTopBox {
    /// What is on `channel` now is not locked for `caller`. The box's recorder shows nothing to anybody.
    pub(super) fn may_watch_now(&self, caller: &Caller, channel: &Channel) -> Result<(), Refusal> {
        let locked = !caller.is_recorder() && self.is_locked(caller.holder(), channel.service());
        if locked { Err(Refusal::Parental) } else { Ok(()) }
    }

    /// What is on the service now is locked for `holder`.
    pub(super) fn is_locked(&self, holder: Holder, service: ServiceTriple) -> bool {
        let now = clock::boot();
        self.access.is_locked(holder, self.guide.borrow().age_now(service, now), now)
    }

    /// Ends the streams of what is locked for who watches.
    pub fn end_locked(&self) {
        if !self.access.has_lock() {
            return;
        }
        self.pump.borrow_mut().put_out(Left::Locked, |ticket| {
            let watched = ticket.about.judged.zip(ticket.link.viewer());
            watched.is_some_and(|(service, (holder, _))| self.is_locked(holder, service))
        });
        self.end_hls(Left::Locked, |watcher| {
            watcher.judged.is_some_and(|service| self.is_locked(watcher.holder(), service))
        });
    }
}
