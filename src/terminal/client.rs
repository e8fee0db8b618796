//! Whom we ask, and by what right: a link that somebody made, or the pairing of this computer.

use super::args::{Choice, Target, UsageError};
use super::http::{self, Answer, Request};
use super::keys::Known;
use super::link::Link;
use super::session::Session;
use super::text::Text;
use super::{Failure, accepted};

/// A box that answers us.
#[derive(Debug)]
pub(super) enum Client {
    /// By a link.
    Link(Link),
    /// As a terminal that is paired with it.
    Paired(Session),
}

impl Client {
    /// Of what the command line says.
    pub(super) fn of(target: Target) -> Result<Self, Failure> {
        Ok(match target {
            Target::Link(link) => Self::Link(link),
            Target::Paired(choice) => Self::Paired(Session::of(choice.known()?)),
        })
    }

    /// Asks; an answer is a 200. All else is a refusal, in the box's words where it has some.
    pub(super) async fn ask(&self, request: Request<'_>) -> Result<Answer, Failure> {
        match self {
            Self::Paired(session) => session.ask(request).await,
            Self::Link(link) => {
                let path = link.with_token(request.path);
                let answer = http::ask(link.authority(), &Request { path: &path, ..request }).await?;
                accepted(answer, |text| Text::new(&link.redact(text.as_str()))).await
            }
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.ask(Request::new("GET", path)).await
    }

    /// After the box ended a stream: it still knows us, or cannot be asked.
    pub(super) async fn still_let_in(&self) -> Result<(), Failure> {
        let Self::Paired(session) = self else { return Ok(()) };
        match session.check().await {
            Err(e @ (Failure::NotKnown { .. } | Failure::Refused { .. })) => Err(e),
            _ => Ok(()),
        }
    }
}

impl Choice {
    /// The box that is meant.
    pub(super) fn known(&self) -> Result<Known, Failure> {
        let mut boxes = self.keys.load()?;
        if let Some(name) = &self.name {
            let found = boxes.iter().position(|known| known.name == *name);
            return found
                .map(|at| boxes.swap_remove(at))
                .ok_or_else(|| UsageError::NoSuchBox(names(&boxes)).into());
        }
        match boxes.pop() {
            None => Err(UsageError::NoLink.into()),
            Some(only) if boxes.is_empty() => Ok(only),
            Some(last) => {
                boxes.push(last);
                Err(UsageError::WhichBox(names(&boxes)).into())
            }
        }
    }
}

/// For a sentence.
fn names(boxes: &[Known]) -> Text {
    let names: Vec<&str> = boxes.iter().map(|known| known.name.as_str()).collect();
    Text::new(&names.join(", "))
}
