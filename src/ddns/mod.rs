//! The box's name: claims it, keeps it alive by a heartbeat, tells other providers.
//!
//! ```text
//!   heartbeat   when to beat, what to make of answers: time and events in, actions out
//!   claim       what is posted and what answers mean
//!   record      what flash has of it
//!   runner      one task: waits for sockets, timers, word of the network
//!   book, jobs  what it knows; what it does meanwhile
//!   order       what the owner asks for
//!   providers   others that are told, each by a task and manners of its own
//! ```
//!
//! What it costs the thread: a beat is two HMACs. A claim signs once and multiplies two points, some 0.3 ms in all, each
//! between two requests; claims come at most a few an hour, so they need no place in the line for public-key work.
//!
//! Knows nothing of the HTTP server and of streams.

pub mod claim;
pub mod heartbeat;
pub mod providers;
pub mod record;

mod act;
mod book;
mod jobs;
mod line;
mod order;
mod runner;
mod service;
mod status;
mod suggest;

pub use order::Granted;
pub use runner::{Names, Save, Seams, Setup, TimeBy};
pub use status::{NameEvent, NameStatus, Phase};
pub use suggest::suggest;
