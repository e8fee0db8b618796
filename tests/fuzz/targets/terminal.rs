//! What `stbcast` makes of the answers of a box: here, of a server that answers whatever the input says.

#![no_main]

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::{LazyLock, Mutex, PoisonError};

use libfuzzer_sys::fuzz_target;
use stbcast_fuzz::Input;

/// The answer to a request for the list, and that to one for a stream.
static ANSWERS: Mutex<[Vec<u8>; 2]> = Mutex::new([Vec::new(), Vec::new()]);
static LINK: LazyLock<String> = LazyLock::new(serve);

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let (command, list) = (input.byte(), input.number());
    let answers = [answer(input.byte(), input.take(list.into())), answer(input.byte(), input.rest())];
    let is_done = answers.iter().any(|answer| answer.starts_with(b"HTTP/1.") && answer.len() > 12);
    *ANSWERS.lock().unwrap_or_else(PoisonError::into_inner) = answers;
    let words: &[&str] = match command & 1 {
        0 => &["stbcast", "channels"],
        _ => &["stbcast", "watch", "1", "-o", "/dev/null"],
    };
    let environment = |name: &str| (name == "STBCAST_LINK").then(|| OsString::from(&*LINK));
    let code = stbcast::terminal::run(words.iter().map(OsString::from), environment);
    assert!(is_done || format!("{code:?}") == format!("{:?}", ExitCode::FAILURE), "no answer is no success");
});

/// The bytes as they are, or behind a head that is sound.
fn answer(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let head = match kind & 3 {
        0 => return bytes.to_vec(),
        1 => "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
        2 => "HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n".to_owned(),
        _ => format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n", bytes.len()),
    };
    [head.as_bytes(), bytes].concat()
}

/// Answers for ever; the link to it.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback can be bound");
    let address = listener.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let (mut request, mut chunk) = (Vec::new(), [0; 512]);
            while !request.ends_with(b"\r\n\r\n") {
                match stream.read(&mut chunk) {
                    Ok(n @ 1..) => request.extend_from_slice(&chunk[..n]),
                    _ => break,
                }
            }
            let is_stream = request.starts_with(b"GET /live/");
            let answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let _gone = stream.write_all(&answers[usize::from(is_stream)]);
        }
    });
    format!("http://{address}/playlist.m3u?t=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE")
}
