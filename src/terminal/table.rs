//! Rows of cells as lines of a terminal.

use super::text::Text;

/// A line a row under a line of titles; columns are as wide as their widest cell. The first is for numbers.
pub(super) fn table<const N: usize>(titles: [&str; N], rows: impl IntoIterator<Item = [Text; N]>) -> String {
    let rows: Vec<_> = [titles.map(Text::new)].into_iter().chain(rows).collect();
    let mut widths = [0; N];
    for (column, width) in widths.iter_mut().enumerate() {
        *width = rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    }
    let mut table = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let blanks = " ".repeat(width - cell.width());
            line += &if column == 0 { format!("{blanks}{cell}") } else { format!("  {cell}{blanks}") };
        }
        table += line.trim_end();
        table.push('\n');
    }
    table
}
