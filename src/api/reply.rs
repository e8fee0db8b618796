//! Every refusal as a status and a sentence: the one place where errors become HTTP.

use crate::access::{EnrolError, Refusal, SLOTS};
use crate::channel::ChannelError;
use crate::http::Status;
use crate::tuner::LeaseError;

/// What the client is told of a refusal.
pub(super) fn refusal(why: &Refusal) -> (Status, String) {
    match why {
        Refusal::NotKnown => (Status::Unauthorized, "pair with this box, or use a link that it made".into()),
        Refusal::NotAllowed(what) => (Status::Forbidden, (*what).into()),
        Refusal::BadRequest(what) => (Status::BadRequest, (*what).into()),
        Refusal::Parental => (Status::Forbidden, "what is on is locked; say the PIN".into()),
        Refusal::NoTime => (Status::ServiceUnavailable, NO_TIME.into()),
        Refusal::TerminalBusy(n) => {
            (Status::TooManyRequests, format!("this terminal has as many streams as one may have ({n})"))
        }
        Refusal::LinkBusy(n) => {
            (Status::TooManyRequests, format!("this link is in use by as many players as it is for ({n})"))
        }
        Refusal::Full(n) => (Status::ServiceUnavailable, format!("all {n} places for links are taken")),
        Refusal::Channel(ChannelError::Unknown(n)) => (Status::NotFound, format!("there is no channel {n}")),
        Refusal::Channel(ChannelError::NoSource(n)) => {
            (Status::ServiceUnavailable, format!("the source of channel {n} is not configured any more"))
        }
        Refusal::Channel(ChannelError::NoAudio(n)) => {
            (Status::Conflict, format!("channel {n} has nothing to listen to"))
        }
        Refusal::Channel(ChannelError::Renamed(renamed)) => {
            let asked = renamed.wanted.name.clone().unwrap_or_default();
            let (number, name) = (renamed.wanted.number, &renamed.name);
            (Status::Conflict, format!("channel {number} is '{name}', not '{asked}': load the list again"))
        }
    }
}

/// A word for programs, where a refusal has one.
pub(super) const fn code(why: &Refusal) -> Option<&'static str> {
    match why {
        Refusal::Parental => Some("parental"),
        _ => None,
    }
}

/// What a guest is told while the time cannot be trusted.
const NO_TIME: &str = "this box does not know the time yet, so no guest is let in";

/// What the client is told while the kernel has no entropy.
pub(super) const NO_RANDOMNESS: &str = "this box has no randomness yet; ask again in a moment";

/// What the client is told when nobody can be let in, or the change did not reach flash.
pub(super) fn enrol_error(why: &EnrolError) -> (Status, String) {
    match why {
        EnrolError::Full => (Status::Conflict, format!("all {SLOTS} places for terminals are taken")),
        EnrolError::Flash(e) => {
            log::warn!("terminals: {e}");
            (Status::ServiceUnavailable, "the box cannot write its memory".into())
        }
    }
}

/// Why a channel cannot be watched now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotNow {
    /// There is no lease.
    Lease(LeaseError),
    /// A tuner is free, and kept for somebody whom the television let go first.
    Kept,
    /// Its packets are scrambled, and nothing descrambles them.
    Scrambled,
}

/// What is said of a channel that cannot be watched for want of keys.
pub(super) const SCRAMBLED: &str = "the channel is scrambled, and this box does not descramble it";

impl NotNow {
    /// Status, a word for programs, and a sentence; `can_ask`: somebody is there who can answer for the television.
    pub(super) fn answer(&self, can_ask: bool) -> (Status, Option<&'static str>, String) {
        const NOW: Status = Status::ServiceUnavailable;
        let why = match self {
            Self::Lease(why) => why,
            Self::Kept => {
                let sentence = "the television let somebody else go first; try again in a moment";
                return (NOW, Some("no-tuner"), sentence.into());
            }
            Self::Scrambled => return (Status::Conflict, Some("scrambled"), SCRAMBLED.into()),
        };
        match why {
            // Why is in the log and in `stbcastd status`; a viewer has no use for the box's paths and interfaces.
            LeaseError::Source(_) => (NOW, None, "the channel's source cannot be opened".into()),
            LeaseError::Ask if can_ask => (Status::Conflict, Some("ask"), why.to_string()),
            LeaseError::Ask => {
                let sentence =
                    "the tuner is in use, and nobody is at the television who could be asked for it";
                (NOW, Some("no-tuner"), sentence.into())
            }
            LeaseError::NoTuner(_) => (NOW, Some("no-tuner"), why.to_string()),
            LeaseError::Tuner(_) => (NOW, Some("tuner"), why.to_string()),
            _ => (NOW, None, why.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_know_by_a_word_why_a_channel_cannot_be_watched_now() {
        let lease = NotNow::Lease;
        for (why, can_ask, status, code) in [
            (lease(LeaseError::Ask), true, 409, Some("ask")),
            (lease(LeaseError::Ask), false, 503, Some("no-tuner")),
            (lease(LeaseError::NoTuner("none".into())), true, 503, Some("no-tuner")),
            (lease(LeaseError::Tuner("no signal within 2 s".into())), true, 503, Some("tuner")),
            (lease(LeaseError::Silent), true, 503, None),
            (NotNow::Kept, true, 503, Some("no-tuner")),
            (NotNow::Scrambled, false, 409, Some("scrambled")),
        ] {
            let (got, word, sentence) = why.answer(can_ask);
            assert_eq!((got.code(), word), (status, code), "{why:?}");
            assert!(!sentence.is_empty(), "{why:?}");
        }
        let (.., sentence) = lease(LeaseError::Source("/dev/x: no".into())).answer(true);
        assert!(!sentence.contains("/dev"), "paths of the box are nobody's: {sentence}");
    }
}
