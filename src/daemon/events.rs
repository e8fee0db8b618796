//! What happens in the box, as lines for who listens at the local socket.

use crate::access::PutOut;
use crate::api::{Departed, TunerNews, TunerQuestion};
use crate::ddns::NameEvent;
use crate::local::hub::Hub;
use crate::local::protocol::{EventLine, TunerView, line, text, word};
use crate::local::server::Right;
use crate::pairing::{PairEvent, Shown};
use crate::sys::clock;
use crate::tuner::arbiter::Priority;
use crate::tuner::request::PATIENCE;

/// Tells what happened at pairing. Says how many were told that may answer.
pub(super) fn tell(hub: &Hub, event: &PairEvent) -> usize {
    let (needs, event) = match event {
        PairEvent::Opened(shown) => (Right::View, opened(shown)),
        PairEvent::Closed { proven } => {
            let why = Some(word(if *proven { "proven" } else { "over" }));
            (Right::View, EventLine { why, ..named("pairing-closed") })
        }
        PairEvent::NewPin(pin) => {
            let pin = pin.as_ref().map_or("", |pin| pin.digits());
            (Right::Control, EventLine { pin: Some(word(pin)), ..named("pin") })
        }
        PairEvent::Ask(ask) => {
            let asked = EventLine {
                ask: Some(ask.id),
                name: Some(text(ask.name.as_str())),
                role: Some(word(ask.role.name())),
                mode: Some(word(ask.mode.name())),
                ..named("ask")
            };
            (Right::Control, asked)
        }
        PairEvent::Paired { slot, name, role } => {
            let (name, role) = (Some(text(name.as_str())), Some(word(role.name())));
            (Right::View, EventLine { slot: Some(*slot), name, role, ..named("paired") })
        }
        PairEvent::Failed(why) => {
            (Right::View, EventLine { why: Some(word(why.code())), ..named("pair-failed") })
        }
    };
    hub.tell(&line(&event), needs)
}

/// Tells who was put out; without a slot: everybody.
pub(super) fn revoked(hub: &Hub, out: PutOut) {
    let everybody = out.all.then_some(None);
    for slot in everybody.into_iter().chain(out.slots().map(Some)) {
        hub.tell(&line(&EventLine { slot, ..named("revoked") }), Right::View);
    }
}

/// Tells how many watch.
pub(super) fn viewers(hub: &Hub, viewers: usize) {
    hub.tell(&line(&EventLine { viewers: Some(viewers), ..named("viewers") }), Right::View);
}

/// Tells that a stream ended that nobody hung up, and why.
pub(super) fn ended(hub: &Hub, departed: &Departed) {
    let (slot, why) = (departed.holder.slot(), Some(word(departed.why)));
    hub.tell(&line(&EventLine { slot, why, ..named("ended") }), Right::View);
}

/// Tells what a tuner does.
pub(super) fn tuner(hub: &Hub, view: TunerView) {
    let TunerView { number, state, mux, error, .. } = view;
    let event = EventLine { tuner: Some(number), state: Some(state), mux, says: error, ..named("tuner") };
    hub.tell(&line(&event), Right::View);
}

/// Tells that the television left a mux, and who watched along with it.
pub(super) fn tv_moved(hub: &Hub, tuner: usize, mux: &str) {
    let event = EventLine { tuner: Some(tuner), mux: Some(text(mux)), ..named("tv-moved") };
    hub.tell(&line(&event), Right::View);
}

/// Tells that a tuner which was allowed is given back: nobody came for it.
pub(super) fn tuner_back(hub: &Hub, tuner: usize) {
    hub.tell(&line(&EventLine { tuner: Some(tuner), ..named("tuner-back") }), Right::Control);
}

/// Asks who sits before the television, or tells that no answer is needed any more. Says how many were told that may
/// answer.
pub(super) fn tuner_ask(hub: &Hub, news: TunerNews<'_>) -> usize {
    let event = match news {
        TunerNews::Asked(TunerQuestion { id, tuner, asker, channel, users }) => EventLine {
            ask: Some(id),
            tuner: Some(tuner),
            slot: Some(asker.0),
            name: Some(text(asker.1)),
            channel: Some(channel.0),
            channel_name: Some(text(channel.1)),
            ends: Some(word(users.map_or("nothing", Priority::name))),
            expires_s: Some(PATIENCE.as_secs()),
            ..named("tuner-ask")
        },
        TunerNews::Over(id, why) => EventLine { ask: Some(id), why: Some(word(why)), ..named("tuner-asked") },
    };
    hub.tell(&line(&event), Right::Control)
}

/// Tells what is new of the box's name.
pub(super) fn name(hub: &Hub, event: &NameEvent) {
    let event = match event {
        NameEvent::Claimed { name, .. } => EventLine { name: Some(text(name)), ..named("name-claimed") },
        NameEvent::Refused(why) => EventLine { says: Some(text(why)), ..named("name-refused") },
        NameEvent::Phase(phase) => EventLine { why: Some(word(phase.word())), ..named("name") },
        NameEvent::MovePending(pending) => {
            EventLine { why: Some(word(if *pending { "asked" } else { "over" })), ..named("name-moving") }
        }
    };
    hub.tell(&line(&event), Right::View);
}

/// The secrets of an open window are in the answer to who opened it, and nowhere else.
fn opened(shown: &Shown) -> EventLine {
    let expires_s = shown.ends.saturating_sub(clock::boot()).as_secs();
    EventLine { role: Some(word(shown.role.name())), expires_s: Some(expires_s), ..named("pairing-opened") }
}

fn named(event: &str) -> EventLine {
    EventLine { event: word(event), ..EventLine::default() }
}
