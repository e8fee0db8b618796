//! The command line and the configuration file of `stbcastd`. Every command line ends with an option that is none, so
//! that it is read to its end and then refused.

#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stbcast_fuzz::{Input, directory};

static CONFIG: LazyLock<PathBuf> = LazyLock::new(|| directory().join("config"));
/// Two can be swallowed as a value and as a word.
const REFUSED: [&str; 3] = ["--no-such-option"; 3];

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let command = input.byte();
    let mut words: Vec<OsString> = [
        "stbcastd",
        ["run", "link", "status", "channels", "pair", "rename", "revoke", "player"][usize::from(command & 7)],
    ]
    .map(OsString::from)
    .into();
    for _ in 0..input.byte() & 7 {
        match input.byte() & 15 {
            0 => {
                std::fs::write(&*CONFIG, input.counted()).expect("a file can be written");
                words.extend(["--config".into(), CONFIG.clone().into_os_string()]);
            }
            // Anything but an option: `--help` ends well, and `--config` could name any file.
            1 => words.extend(word(input.counted())),
            n => {
                let keys =
                    ["listen", "source", "state", "socket", "name", "log", "import", "ttl", "role", "for"];
                let key = keys.get(usize::from(n) - 2).copied().unwrap_or("connections");
                words.push(format!("--{key}").into());
                words.extend(word(input.counted()));
            }
        }
    }
    words.extend(REFUSED.map(OsString::from));
    let code = stbcast::daemon::run(words);
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
});

fn word(bytes: &[u8]) -> Option<OsString> {
    (!bytes.starts_with(b"-")).then(|| OsString::from_vec(bytes.to_vec()))
}
