use std::io::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::reactor::sample::run;
use crate::tls::sample::{Authority, NOW};

/// A server that reads one request and gives one answer; the request is handed back.
fn give(tls: Option<Arc<ServerConfig>>, answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        match tls {
            None => serve(socket, answer),
            Some(config) => {
                let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
                let request = serve(&mut stream, answer);
                stream.conn.send_close_notify();
                let _peer_may_be_gone = stream.flush();
                request
            }
        }
    });
    (format!("localhost:{port}"), serving)
}

fn serve(mut stream: impl io::Read + io::Write, answer: &str) -> String {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return "no request".into();
        }
        request.push(byte[0]);
    }
    let text = String::from_utf8(request).unwrap();
    let length = text.split_once("Content-Length: ").map_or("0", |(_, rest)| rest.lines().next().unwrap());
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    stream.write_all(answer.as_bytes()).unwrap();
    text + std::str::from_utf8(&body).unwrap()
}

/// Who trusts `authority`.
fn client(authority: &Authority) -> Client {
    let time = TrustedTime::default();
    time.set(NOW);
    let path = authority.file();
    let client = Client::new(&path, time);
    client.check(&HttpUrl::parse("https://x").unwrap()).unwrap();
    std::fs::remove_file(path).unwrap();
    client
}

fn ask(client: &Client, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, String> {
    let reactor = Rc::new(Reactor::new().unwrap());
    let url = HttpUrl::parse(url).unwrap();
    let method = if body.is_empty() { "GET" } else { "POST" };
    let request = Request { method, url: &url, headers, body };
    run(&reactor, fetch(&reactor, client, request)).map_err(|e| e.to_string())
}

fn plain(url: &str) -> Result<Answer, String> {
    ask(&Client::new(Path::new("/nowhere"), TrustedTime::default()), url, &[], b"")
}

#[test]
fn a_request_is_made_and_its_answer_taken_plain_and_by_tls() {
    let authority = Authority::new();
    let client = client(&authority);
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    for (scheme, tls) in [("http", None), ("https", Some(authority.good("localhost")))] {
        let (host, serving) = give(tls, answer);
        let got = ask(&client, &format!("{scheme}://{host}/a?b=c"), &[("X-Y", "z")], b"{}").unwrap();
        assert_eq!(got, Answer { status: 200, body: b"hi".to_vec() });
        let request = serving.join().unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let head = format!(
            "POST /a?b=c HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\
             User-Agent: stbcast/{version}\r\nX-Y: z\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        assert_eq!(request, head);
    }
}

#[test]
fn tls_that_is_cut_off_ends_no_body() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = authority.good("localhost");
    let serving = thread::spawn(move || {
        let socket = listener.accept().unwrap().0;
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
        serve(&mut stream, "HTTP/1.1 200 OK\r\n\r\ngood 192.0.2.1");
    });
    let why = ask(&client(&authority), &format!("https://localhost:{port}/"), &[], b"").unwrap_err();
    assert_eq!(why, format!("https://localhost:{port}: the connection was cut off"));
    serving.join().unwrap();
}

#[test]
fn errors_name_the_server_and_no_secret() {
    let told = |answer: &'static str| {
        let (host, serving) = give(None, answer);
        let why = plain(&format!("http://{host}/update?token=secret")).unwrap_err();
        serving.join().unwrap();
        assert!(!why.contains("secret"), "{why}");
        why.strip_prefix(&format!("http://{host}: ")).map(ToOwned::to_owned).ok_or(why).unwrap()
    };
    assert_eq!(told(""), "the server hung up before its answer was whole");
    assert_eq!(told("x\r\n\r\n"), "the answer is no HTTP");
    assert_eq!(
        told("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"),
        "the answer is longer than 16384 bytes"
    );
    assert_eq!(
        told("HTTP/1.1 301 M\r\nLocation: https://b.example/?token=secret\r\nContent-Length: 0\r\n\r\n"),
        "status 301 points to https://b.example, which is not followed: set that address instead"
    );
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let why = plain(&format!("http://127.0.0.1:{port}/secret")).unwrap_err();
    assert!(why.starts_with(&format!("http://127.0.0.1:{port}: cannot be reached: 127.0.0.1: ")), "{why}");
    let why = plain("https://127.0.0.1/secret").unwrap_err();
    assert!(why.starts_with("https://127.0.0.1: ca-file /nowhere: No such file"), "{why}");
}

#[test]
fn an_address_that_refuses_hands_on_to_the_next() {
    // Only on 127.0.0.1, while localhost leads to ::1 as well; whichever comes first, an answer comes.
    let (host, serving) = give(None, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(plain(&format!("http://{host}/")).unwrap().status, 404);
    serving.join().unwrap();
}

#[test]
fn a_header_cannot_become_two() {
    let client = Client::new(Path::new("/nowhere"), TrustedTime::default());
    let why = ask(&client, "http://127.0.0.1:9/", &[("Authorization", "x\r\nY: secret")], b"").unwrap_err();
    assert_eq!(why, "http://127.0.0.1:9: header Authorization: a byte that no header may hold");
}

#[test]
fn the_wrong_peer_is_not_told_anything() {
    let authority = Authority::new();
    let (host, serving) = give(Some(Authority::new().good("localhost")), "HTTP/1.1 200 OK\r\n\r\n");
    let why = ask(&client(&authority), &format!("https://{host}/?token=secret"), &[], b"").unwrap_err();
    assert_eq!(why, format!("https://{host}: its certificate leads to none of the roots in ca-file"));
    assert_eq!(serving.join().unwrap(), "no request");
}
