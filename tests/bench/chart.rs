//! The CPU seconds per gigabyte as bars, in SVG.

use std::fmt::Write as _;

use super::cell::Cell;
use super::report::Report;
use super::server::Kind;

/// The scale is logarithmic, from here to there.
const LEAST: f64 = 0.1;
const MOST: f64 = 100.0;
/// Where bars begin, and how long the longest is.
const LEFT: f64 = 90.0;
const WIDTH: f64 = 560.0;
const TOP: f64 = 80.0;
const BAR: f64 = 15.0;
/// Between two cells.
const GAP: f64 = 14.0;

/// A group of bars for each cell.
pub(crate) fn svg(report: &Report) -> String {
    let mut body = String::new();
    let mut y = TOP;
    for cell in report.cells() {
        y = group(&mut body, report, cell, y) + GAP;
    }
    let mut out = String::new();
    let (width, height) = (LEFT + WIDTH + 70.0, y + 24.0);
    write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"24\" font-size=\"16\">CPU seconds per delivered GB (less is better)</text>\n"
    )
    .expect("a text grows");
    for (kind, x) in Kind::ALL.into_iter().zip([16.0, 126.0, 236.0]) {
        let color = color(kind);
        writeln!(out, "<rect x=\"{x}\" y=\"38\" width=\"12\" height=\"12\" fill=\"{color}\"/>")
            .expect("a text grows");
        writeln!(out, "<text x=\"{}\" y=\"49\">{kind}</text>", x + 18.0).expect("a text grows");
    }
    for value in [0.1, 1.0, 10.0, 100.0] {
        let x = LEFT + length(value);
        write!(
            out,
            "<line x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{y}\" stroke=\"#ccc\"/>\n\
             <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" fill=\"#666\">{value}</text>\n",
            TOP - 6.0,
            y + 16.0
        )
        .expect("a text grows");
    }
    out + &body + "</svg>\n"
}

/// The bars of `cell` from `y` on. Gives where they end.
fn group(body: &mut String, report: &Report, cell: Cell, mut y: f64) -> f64 {
    let top = y;
    for kind in Kind::ALL {
        let value = report.median(cell, kind, |run| run.cpu_per_gb);
        if value.is_nan() {
            continue;
        }
        let (long, color) = (length(value), color(kind));
        let lost = if report.gave_up(cell, kind) { ", lost packets" } else { "" };
        write!(
            body,
            "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{long:.1}\" height=\"{}\" fill=\"{color}\"/>\n\
             <text x=\"{:.1}\" y=\"{}\">{value:.2}{lost}</text>\n",
            BAR - 2.0,
            LEFT + long + 5.0,
            y + BAR - 4.0
        )
        .expect("a text grows");
        y += BAR;
    }
    let middle = f64::midpoint(top, y) + 3.0;
    writeln!(body, "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{cell}</text>", LEFT - 10.0)
        .expect("a text grows");
    y
}

fn length(value: f64) -> f64 {
    (value.clamp(LEAST, MOST) / LEAST).log10() / (MOST / LEAST).log10() * WIDTH
}

fn color(kind: Kind) -> &'static str {
    match kind {
        Kind::Stbcastd => "#1f6fb4",
        Kind::Floor => "#8a8a8a",
        Kind::Threads => "#d9822b",
    }
}
