//! Prometheus' text (version 0.0.4) of the service's numbers: no name, no address.

use std::fmt::Write;

use hyper::{Method, StatusCode};
use serde_json::Value;

use super::admin;
use super::http::{Reply, Request};
use super::service::Service;

/// Numbers that go up and down; the others only grow.
const GAUGES: &[&str] =
    &["names", "capacity", "old_keys", "writes_waiting", "store_failure", "clock_doubted"];

/// Answers `GET /metrics`.
pub(super) fn answer(service: &Service, request: &Request) -> Reply {
    match (&request.method, request.path.as_str()) {
        (&Method::GET, "/metrics") => Reply::text(StatusCode::OK, text(service)),
        (_, "/metrics") => Reply::not_allowed("GET"),
        _ => Reply::error(StatusCode::NOT_FOUND, "path", "there is nothing at this path but /metrics"),
    }
}

fn text(service: &Service) -> String {
    let mut text = String::new();
    for (key, value) in admin::stats(service) {
        let number = match &value {
            Value::Number(number) => number.to_string(),
            Value::Bool(yes) => u8::from(*yes).to_string(),
            other => u8::from(!other.is_null()).to_string(),
        };
        let (kind, end) = if GAUGES.contains(&key.as_str()) { ("gauge", "") } else { ("counter", "_total") };
        let _ = writeln!(text, "# TYPE stbcast_{key}{end} {kind}\nstbcast_{key}{end} {number}");
    }
    text
}
