//! Holds the sizes that keep the code readable: files, functions, the README.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

const FILE_MOST: usize = 600;
const FILE_MEDIAN: usize = 200;
const FUNCTION_MOST: usize = 80;
/// Bytes of a line of the web app: what is packed into one cannot be read.
const LINE_MOST: usize = 300;
const README_MOST: usize = 150;

#[test]
fn files_are_short() {
    let mut lengths: Vec<(usize, PathBuf)> =
        rust_files(&["src", "boards"]).into_iter().map(|f| (lines(&f), f)).collect();
    lengths.sort();
    let (longest, file) = lengths.last().unwrap();
    assert!(*longest <= FILE_MOST, "{} has {longest} lines", file.display());
    let median = lengths[lengths.len() / 2].0;
    assert!(median <= FILE_MEDIAN, "the median file has {median} lines");
    for file in rust_files(&["tests"]) {
        assert!(lines(&file) <= FILE_MOST, "{} has {} lines", file.display(), lines(&file));
    }
}

/// What is by others is as they wrote it.
#[test]
fn files_of_the_web_app_are_short() {
    let files = files_in(&["src/web/app"], &["js", "css", "html"]);
    assert!(files.len() > 10, "{}", files.len());
    for file in files {
        assert!(lines(&file) <= FILE_MOST, "{} has {} lines", file.display(), lines(&file));
        let longest = fs::read_to_string(&file).unwrap().lines().map(str::len).max();
        assert!(
            longest.is_none_or(|bytes| bytes <= LINE_MOST),
            "{} has a line of {longest:?}",
            file.display()
        );
    }
}

#[test]
fn functions_are_short() {
    let mut found = 0;
    for file in rust_files(&["src", "boards", "tests"]) {
        for (name, length) in functions(&fs::read_to_string(&file).unwrap()) {
            found += 1;
            assert!(length <= FUNCTION_MOST, "{}: {name} has {length} lines", file.display());
        }
    }
    assert!(found > 300, "functions were found: {found}");
}

#[test]
fn the_readme_is_short_and_the_top_level_is_what_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(lines(&root.join("README.md")) <= README_MOST);
    let known = [
        "Cargo.toml",
        ".cargo",
        "src",
        "boards",
        "linker",
        "scripts",
        "tests",
        "README.md", // what was asked for
        "Cargo.lock",
        "Cross.toml",
        ".clippy.toml",
        ".rustfmt.toml",
        ".gitignore",
        ".git",
        ".ci",
        "target", // what tools insist on
        "LICENSE-MIT",
        "LICENSE-APACHE",
    ];
    for entry in fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(known.iter().any(|k| name == *k), "{} is at the top level", name.display());
    }
}

fn lines(file: &Path) -> usize {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display())).lines().count()
}

fn rust_files(places: &[&str]) -> Vec<PathBuf> {
    files_in(places, &["rs"])
}

/// The files below `places` whose names end so.
fn files_in(places: &[&str], endings: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for place in places {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(place), endings, &mut files);
    }
    assert!(!files.is_empty());
    files
}

fn collect(path: &Path, endings: &[&str], files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| collect(&entry.unwrap().path(), endings, files));
    } else if path.extension().is_some_and(|e| endings.iter().any(|ending| e == *ending)) {
        files.push(path.into());
    }
}

/// The functions of a formatted file: from the line with `fn` to the closing brace at its indent.
fn functions(text: &str) -> Vec<(String, usize)> {
    let all: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in all.iter().enumerate() {
        let body = line.trim_start();
        let indent = &line[..line.len() - body.len()];
        let Some(name) = body.split("fn ").nth(1).filter(|_| is_head(body)) else { continue };
        let end = all[start..].iter().position(|l| l.strip_prefix(indent) == Some("}"));
        if let Some(length) = end {
            found.push((name.split(['(', '<']).next().unwrap_or("").to_owned(), length + 1));
        }
    }
    found
}

/// A function's first line that is not its last.
fn is_head(body: &str) -> bool {
    let words = body.split("fn ").next().unwrap_or("");
    let modifiers = ["pub", "pub(super)", "pub(crate)", "const", "async", "unsafe", "extern"];
    words.split_whitespace().all(|w| modifiers.contains(&w))
        && body.contains("fn ")
        && !body.ends_with(['}', ';'])
}
