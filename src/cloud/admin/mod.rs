//! Administration: commands of a shell ask the running service by a socket in its state directory, which nobody else
//! may open.
//!
//! A question is one line of JSON, with the lines of an import behind it; the answer is lines of [`Line`], the last of
//! which is `Done` or `Error`.

mod client;
mod commands;
mod progress;
mod server;

pub(super) use client::ask;
pub(super) use commands::stats;
pub(super) use server::{answer_all, listen};

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Bytes of the longest line.
const LINE_MAX: usize = 64 * 1024;

/// What is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) cmd: String,
    /// A whole name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) erase: bool,
    /// How the client shows the answer.
    #[serde(skip)]
    pub(super) json: bool,
    /// Of an export or import; the client's alone.
    #[serde(skip)]
    pub(super) file: Option<PathBuf>,
    #[serde(skip)]
    pub(super) state: PathBuf,
}

/// A line of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    /// One of many, or the only one.
    Row(serde_json::Map<String, serde_json::Value>),
    /// So many of so many are done.
    Progress(u64, u64),
    /// It was done: a sentence, or nothing more to say.
    Done(String),
    /// It was not, and why.
    Error(String),
}

/// Where the socket is.
pub(super) fn socket(state: &Path) -> PathBuf {
    state.join("admin.sock")
}
