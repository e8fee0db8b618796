//! How fast the box is: CPU seconds per delivered gigabyte, beside the floor and a plain server, taken in turn.
//!
//! ```text
//! cargo bench --bench speed                        all cells, three rounds, at most eight minutes
//! cargo bench --bench speed -- --quick             three cells, one round, about a minute
//! cargo bench --bench speed -- --cells 8x1,8x10    these cells: Mbit/s x clients
//! ```
//!
//! | server | what it is |
//! |---|---|
//! | `stbcastd` | the box, as this profile builds it |
//! | `floor` | the least that does the job, with the tick of the box |
//! | `tiny_http` | a thread per client, up to a hundred clients |
//!
//! A cell is run for each server after the other, and this for each round; a figure is the median of its rounds. Each
//! server is a process of its own, and its time is what the kernel counts for its threads. The sender and the clients
//! are this process. All that goes by loopback, where a write also does the receiver's work in the kernel.

#![allow(clippy::unwrap_used, reason = "a bench ends where what it relies on does not hold")]

#[path = "../support/mod.rs"]
mod support;

mod cell;
mod chart;
mod crowd;
#[path = "../load/feed.rs"]
mod feed;
mod floor;
mod report;
mod server;
mod tally;
mod threads;
#[path = "../load/usage.rs"]
mod usage;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use cell::Cell;
use crowd::Crowd;
use feed::Feed;
use report::Report;
use server::{Kind, SERVE, Server};
use support::sender::unicast;
use tally::{Run, quantile};
use usage::Usage;

/// Nothing is begun after this: one run more stays below eight minutes.
const BEGIN: Duration = Duration::from_secs(465);

/// How much is measured.
struct Plan {
    cells: Vec<Cell>,
    rounds: usize,
    /// Before a measurement: all join, and get the burst that they begin with.
    warm_up: Duration,
    length: Duration,
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == SERVE) {
        return server::serve(&words[1..]);
    }
    // Cargo says `--bench` unless it only tries whether benches start.
    if !words.iter().any(|word| word == "--bench") {
        println!("measures nothing without --bench");
        return Ok(());
    }
    let report = measure(&Plan::parse(&words)?);
    print!("{report}");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("speed.csv"), report.csv())?;
    fs::write(directory.join("speed.svg"), chart::svg(&report))?;
    println!("each run is in {0}/speed.csv, a chart in {0}/speed.svg", directory.display());
    Ok(())
}

impl Plan {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut plan = Self {
            cells: cell::ALL.to_vec(),
            rounds: 3,
            warm_up: Duration::from_secs(2),
            length: Duration::from_secs(6),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => {}
                "--quick" => (plan.cells, plan.rounds) = (cell::QUICK.to_vec(), 1),
                "--cells" => {
                    let list = words.next().ok_or("--cells needs a list like 8x1,8x10")?;
                    plan.cells = list.split(',').map(str::parse).collect::<Result<_, _>>()?;
                }
                word => return Err(format!("'{word}' is not one of --quick and --cells")),
            }
        }
        // What is longer would not end in time.
        if plan.cells.len() > 4 || plan.rounds == 1 {
            (plan.warm_up, plan.length) = (Duration::from_millis(1600), Duration::from_secs(4));
        }
        Ok(plan)
    }
}

/// All runs, round by round. A server that did not keep up in a cell is not run there again.
fn measure(plan: &Plan) -> Report {
    let begun = Instant::now();
    let mut report = Report::default();
    for round in 1..=plan.rounds {
        for &cell in &plan.cells {
            for kind in Kind::ALL {
                if begun.elapsed() > BEGIN || !kind.takes(cell) || report.gave_up(cell, kind) {
                    continue;
                }
                let run = run(plan, round, cell, kind);
                eprintln!("round {round}: {run}");
                report.runs.push(run);
            }
        }
    }
    report.took = begun.elapsed();
    report
}

/// One server in one cell.
fn run(plan: &Plan, round: usize, cell: Cell, kind: Kind) -> Run {
    let address = unicast();
    let feed = Feed::start(address, cell.rate());
    let server = Server::start(kind, address, cell);
    let mut crowd = Crowd::new(server.target(), cell.clients, feed.pids());
    crowd.watch(plan.warm_up);
    crowd.tally = tally::Tally::default();
    let before = Usage::of(server.pid());
    crowd.watch(plan.length);
    let used = Usage::of(server.pid()).since(&before);
    let got = std::mem::take(&mut crowd.tally);
    let late: Vec<f64> = got.late.iter().map(|&micros| f64::from(micros) / 1e3).collect();
    Run {
        round,
        cell,
        kind,
        cpu_per_gb: used.cpu_seconds / (got.bytes as f64 / 1e9),
        lost: got.lost as f64 / (got.packets + got.lost).max(1) as f64,
        lonely: crowd.lonely(),
        pss_mib: used.memory as f64 / f64::from(1 << 20),
        p50_ms: quantile(late.clone(), 0.5),
        p99_ms: quantile(late, 0.99),
        first_ms: quantile(crowd.starts(), 0.5),
    }
}
