//! Real players and tools against the real program. `scripts/check` installs them and runs these.
//!
//! Tests named `long_…` take minutes and run with `scripts/check --all`.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;

#[path = "peers/curl.rs"]
mod curl;
#[path = "peers/cuts.rs"]
mod cuts;
#[path = "support/dyndns.rs"]
mod dyndns;
#[path = "peers/field_pictures.rs"]
mod field_pictures;
#[path = "peers/hls.rs"]
mod hls;
#[path = "peers/joins.rs"]
mod joins;
#[path = "peers/kinds.rs"]
mod kinds;
#[path = "peers/links.rs"]
mod links;
#[path = "peers/multicast.rs"]
mod multicast;
#[path = "peers/names.rs"]
mod names;
#[path = "peers/pairing.rs"]
mod pairing;
#[path = "peers/pause.rs"]
mod pause;
#[path = "peers/players.rs"]
mod players;
#[path = "peers/probe.rs"]
mod probe;
#[path = "peers/providers.rs"]
mod providers;
#[path = "peers/run.rs"]
mod run;
#[path = "peers/seam.rs"]
mod seam;
#[path = "peers/served.rs"]
mod served;
#[path = "support/shell.rs"]
mod shell;
#[path = "peers/stage.rs"]
mod stage;
#[path = "peers/updaters.rs"]
mod updaters;
#[path = "peers/wall.rs"]
mod wall;
#[path = "peers/xmltv.rs"]
mod xmltv;
