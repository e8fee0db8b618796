use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection};

use super::super::sample::{Authority, NOW, both};
use super::*;
use crate::reactor::sample::run;
use crate::reactor::{Io, Reactor};

type Served = Box<dyn FnOnce(&mut ServerConnection, &mut std::net::TcpStream) -> io::Result<()> + Send>;

/// A server for one connection.
fn serve(config: Arc<ServerConfig>, work: Served) -> (std::net::SocketAddr, JoinHandle<io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (mut socket, _) = listener.accept()?;
        let mut connection = ServerConnection::new(config).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        work(&mut connection, &mut socket)
    });
    (address, serving)
}

/// Greets such a server as `host` and reads to the end.
fn read_all(connector: &Connector, host: &str, address: std::net::SocketAddr) -> Result<Vec<u8>, String> {
    let reactor = Rc::new(Reactor::new().unwrap());
    run(&reactor, async {
        let io = Io::connect_tcp(&reactor, address).await.unwrap();
        let mut stream = connector.connect(host, io).await.map_err(|e| e.to_string())?;
        let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            match stream.read(&mut buffer).await.map_err(|e| e.to_string())? {
                0 => return Ok(all),
                n => all.extend_from_slice(&buffer[..n]),
            }
        }
    })
}

fn say(text: &'static [u8], close: bool) -> Served {
    Box::new(move |connection, socket| {
        connection.writer().write_all(text)?;
        if close {
            connection.send_close_notify();
        }
        while connection.wants_write() {
            connection.write_tls(socket)?;
        }
        Ok(())
    })
}

#[test]
fn much_is_said_both_ways_by_either_version() {
    let authority = Authority::new();
    let connector = authority.connector();
    let much: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
    for (expected, version) in both() {
        let config = authority.server("box.example", (2025, 2030), &[version]);
        let length = much.len();
        let (address, serving) = serve(
            config,
            Box::new(move |connection, socket| {
                assert_eq!(connection.protocol_version(), Some(expected));
                let mut all = vec![0; length];
                let mut stream = rustls::Stream::new(connection, socket);
                io::Read::read_exact(&mut stream, &mut all)?;
                stream.write_all(&all)?;
                stream.conn.send_close_notify();
                while stream.conn.wants_write() {
                    stream.conn.write_tls(stream.sock)?;
                }
                let mut end = Vec::new();
                assert_eq!(stream.read_to_end(&mut end)?, 0, "the other end closes, too");
                Ok(())
            }),
        );
        let reactor = Rc::new(Reactor::new().unwrap());
        let got = run(&reactor, async {
            let io = Io::connect_tcp(&reactor, address).await.unwrap();
            let mut stream = connector.connect("box.example", io).await.unwrap();
            stream.write_all(&much).await.unwrap();
            let (mut all, mut buffer) = (Vec::new(), vec![0; 50_000]);
            loop {
                match stream.read(&mut buffer).await.unwrap() {
                    0 => break,
                    n => all.extend_from_slice(&buffer[..n]),
                }
            }
            stream.close().await.unwrap();
            all
        });
        assert!(got == much);
        serving.join().unwrap().unwrap();
    }
}

#[test]
fn a_peer_that_says_byte_by_byte_is_heard() {
    let authority = Authority::new();
    let (address, serving) = serve(
        authority.good("box.example"),
        Box::new(|connection, socket| {
            socket.set_nodelay(true)?;
            connection.writer().write_all(b"slow")?;
            connection.send_close_notify();
            let mut bytes = Vec::new();
            while connection.wants_write() {
                connection.write_tls(&mut bytes)?;
            }
            bytes.iter().try_for_each(|byte| socket.write_all(&[*byte]))
        }),
    );
    assert_eq!(read_all(&authority.connector(), "box.example", address).unwrap(), b"slow");
    serving.join().unwrap().unwrap();
}

#[test]
fn an_end_without_a_word_is_no_end() {
    let authority = Authority::new();
    let connector = authority.connector();
    for (close, expected) in
        [(true, Ok(b"whole".to_vec())), (false, Err("the connection was cut off".into()))]
    {
        let (address, serving) = serve(authority.good("box.example"), say(b"whole", close));
        assert_eq!(read_all(&connector, "box.example", address), expected);
        serving.join().unwrap().unwrap();
    }
}

#[test]
fn a_certificate_is_for_this_name_at_this_time_from_these_roots() {
    let authority = Authority::new();
    let connector = authority.connector();
    let all = rustls::ALL_VERSIONS;
    let cases = [
        (authority.server("other.example", (2025, 2030), all), "its certificate is for another name"),
        (authority.server("box.example", (2024, 2026), all), "its certificate has expired"),
        (authority.server("box.example", (2027, 2030), all), "its certificate is not valid yet"),
        (Authority::new().good("box.example"), "its certificate leads to none of the roots in ca-file"),
    ];
    for (config, expected) in cases {
        let (address, serving) = serve(config, say(b"secret", true));
        assert_eq!(read_all(&connector, "box.example", address).unwrap_err(), expected);
        assert!(serving.join().unwrap().is_err(), "it was told by an alert");
    }
}

#[test]
fn without_a_time_nobody_is_greeted() {
    let authority = Authority::new();
    let (time, path) = (TrustedTime::default(), authority.file());
    let connector = Connector::new(&path, time.clone()).unwrap();
    fs::remove_file(path).unwrap();
    let (address, serving) = serve(authority.good("box.example"), say(b"now", true));
    let why = read_all(&connector, "box.example", address).unwrap_err();
    assert!(why.starts_with("the time of day is not known yet"), "{why}");
    assert!(serving.join().unwrap().is_err());
    time.set(NOW);
    assert!(time.now().unwrap().abs_diff(NOW) < Duration::from_secs(60));
    let (address, serving) = serve(authority.good("box.example"), say(b"now", true));
    assert_eq!(read_all(&connector, "box.example", address).unwrap(), b"now");
    serving.join().unwrap().unwrap();
}

#[test]
fn what_is_no_tls_is_said() {
    let authority = Authority::new();
    let connector = authority.connector();
    let told = |bytes: &'static [u8]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            io::Read::read(&mut socket, &mut [0; 4096]).unwrap();
            socket.write_all(bytes).unwrap();
        });
        let why = read_all(&connector, "box.example", address).unwrap_err();
        serving.join().unwrap();
        why
    };
    assert_eq!(told(b""), "the connection ended in the TLS handshake");
    assert!(told(b"HTTP/1.1 400 Bad Request\r\n\r\n").starts_with("TLS: "));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let why = read_all(&connector, "box example", listener.local_addr().unwrap());
    assert_eq!(why.unwrap_err(), "this name cannot be in a certificate");
}

#[test]
fn files_of_roots_are_judged() {
    let new = |path: &Path| Connector::new(path, TrustedTime::default()).err().unwrap().to_string();
    let missing = new(Path::new("/nowhere/roots.pem"));
    assert!(missing.starts_with("ca-file /nowhere/roots.pem: No such file"), "{missing}");
    assert_eq!(new(Path::new("/dev/null")), "ca-file /dev/null: there is no certificate in it");
}

#[test]
fn chacha_comes_first_without_aes() {
    let first = |aes| format!("{:?}", provider(aes).cipher_suites[0].suite());
    assert_eq!(
        (first(true).as_str(), first(false).as_str()),
        ("TLS13_AES_256_GCM_SHA384", "TLS13_CHACHA20_POLY1305_SHA256")
    );
    assert!(size_of::<TlsStream<Io>>() < 256, "what is large is on the heap");
}
