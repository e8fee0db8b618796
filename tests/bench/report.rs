//! The figures of all runs: as a table for people, as CSV for programs.

use std::fmt;
use std::fmt::Write as _;
use std::time::Duration;

use super::cell::Cell;
use super::server::Kind;
use super::tally::{Run, quantile};

/// All that was measured.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) runs: Vec<Run>,
    pub(crate) took: Duration,
}

impl Report {
    /// `kind` was run in `cell` and did not keep up.
    pub(crate) fn gave_up(&self, cell: Cell, kind: Kind) -> bool {
        self.of(cell, kind).any(|run| !run.kept_up())
    }

    /// The median of one figure over the rounds; NaN where there was none.
    pub(crate) fn median(&self, cell: Cell, kind: Kind, figure: impl Fn(&Run) -> f64) -> f64 {
        quantile(self.of(cell, kind).map(figure).collect(), 0.5)
    }

    /// The cells that were run, in their order.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for run in &self.runs {
            if !cells.contains(&run.cell) {
                cells.push(run.cell);
            }
        }
        cells
    }

    /// A line for each run.
    pub(crate) fn csv(&self) -> String {
        let mut csv = "round,mbit,clients,server,cpu_s_per_gb,lost_share,clients_without_stream,pss_mib,\
                       latency_p50_ms,latency_p99_ms,first_byte_ms\n"
            .to_owned();
        for run in &self.runs {
            let Run { round, cell, kind, cpu_per_gb, lost, lonely, pss_mib, p50_ms, p99_ms, first_ms } = run;
            let (mbit, clients) = (cell.mbit, cell.clients);
            writeln!(
                csv,
                "{round},{mbit},{clients},{kind},{cpu_per_gb:.4},{lost:.6},{lonely},{pss_mib:.1},\
                 {p50_ms:.2},{p99_ms:.2},{first_ms:.2}"
            )
            .expect("a text grows");
        }
        csv
    }

    fn of(&self, cell: Cell, kind: Kind) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.cell == cell && run.kind == kind)
    }

    /// A table with a column for each server, of one figure.
    fn row(&self, cell: Cell, digits: usize, figure: fn(&Run) -> f64) -> String {
        Kind::ALL.map(|kind| field(self.median(cell, kind, figure), 10, digits)).concat()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self.runs.iter().map(|run| run.round).max().unwrap_or(0);
        writeln!(
            f,
            "\nmedian of {rounds} rounds, {:.0} s in all; cells are Mbit/s x clients",
            self.took.as_secs_f64()
        )?;
        let names = Kind::ALL.map(|kind| format!("{kind:>10}")).concat();
        writeln!(f, "\nCPU seconds per delivered GB, and packets lost (percent)")?;
        writeln!(f, "{:>8}{:>9}{names}{:>11} |{names}", "cell", "tick ms", "box/floor")?;
        for cell in self.cells() {
            let of = |kind| self.median(cell, kind, |run| run.cpu_per_gb);
            let ratio = field(of(Kind::Stbcastd) / of(Kind::Floor), 11, 2);
            let tick = field(cell.tick().as_secs_f64() * 1e3, 9, 1);
            let cpu = self.row(cell, 2, |run| run.cpu_per_gb);
            let lost = self.row(cell, 2, |run| run.lost * 100.0);
            writeln!(f, "{:>8}{tick}{cpu}{ratio} |{lost}", cell.to_string())?;
        }
        writeln!(f, "\nlatency p99, ms; connect to first byte of the stream, median, ms; memory (PSS), MiB")?;
        writeln!(f, "{:>8}{names} |{names} |{names}", "cell")?;
        for cell in self.cells() {
            let late = self.row(cell, 1, |run| run.p99_ms);
            let first = self.row(cell, 1, |run| run.first_ms);
            let memory = self.row(cell, 1, |run| run.pss_mib);
            writeln!(f, "{:>8}{late} |{first} |{memory}", cell.to_string())?;
        }
        for run in self.runs.iter().filter(|run| !run.kept_up()) {
            writeln!(f, "did not keep up: round {}: {run}", run.round)?;
        }
        Ok(())
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cell, kind, cpu_per_gb, lost, lonely, p50_ms, p99_ms, first_ms, .. } = self;
        write!(
            f,
            "{:>7} {kind:9} {cpu_per_gb:6.2} CPU s/GB, {:.3} % lost, {lonely} clients without stream, \
             p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, first byte {first_ms:.1} ms",
            cell.to_string(),
            lost * 100.0
        )
    }
}

/// A figure in a column; a dash for none.
fn field(value: f64, width: usize, digits: usize) -> String {
    if value.is_nan() { format!("{:>width$}", "-") } else { format!("{value:>width$.digits$}") }
}
