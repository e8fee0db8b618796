//! Every route, asked by everybody: the whole of who may what over HTTP.

#![allow(clippy::unwrap_used, reason = "a test ends where what it relies on does not hold")]

mod support;
#[path = "routes/table.rs"]
mod table;

use std::collections::BTreeSet;

use stbcast::api::ROUTES;
use support::http::{Client, Reply};
use support::stb::{Dir, Stb, demo, text};
use support::terminal::{Terminal, asked, one_more, open_pairing, owner};
use table::{HELLO, LINK, NAME, OPEN, PLAYER, Row, TABLE, UNKNOWN_CODE, WHO};

/// A box with everybody of [`WHO`].
struct House {
    stb: Stb,
    owner: Terminal,
    viewer: Terminal,
    /// Query and header fields of each.
    who: Vec<(String, String)>,
}

impl House {
    fn new(more: &[&str]) -> Self {
        let stb = Stb::start_in(Dir::new(), &[&format!("file:{}?loop", demo().display())], more);
        stb.wait_channels(4);
        let owner = owner(&stb);
        let viewer = one_more(&stb, "Viewer", "");
        let guest = one_more(&stb, "Guest", ",\"role\":\"guest\",\"for_s\":3600,\"channels\":[1]");
        let player = owner.ask("POST", "/api/v1/terminals", Some(PLAYER)).text();
        let token = |url: &str| support::http::token(url).to_owned();
        let by_cookie = |t: &Terminal| (String::new(), t.by_cookie());
        let by_bearer =
            |t: &Terminal| (String::new(), format!("Authorization: Bearer {}\r\n", t.sign_in().unwrap()));
        let by_link = |token: String| (format!("t={token}"), String::new());
        let who = vec![
            (String::new(), String::new()),
            by_cookie(&viewer),
            by_bearer(&viewer),
            by_link(viewer.hand_out(0).unwrap()),
            by_link(viewer.hand_out(1).unwrap()),
            by_cookie(&guest),
            by_bearer(&guest),
            by_cookie(&owner),
            by_bearer(&owner),
            by_link(token(text(&player, "playlist").unwrap())),
            by_link(token(&stb.link("playlist", &["--connections", "0"]))),
            by_link(token(&stb.channel(1))),
        ];
        Self { stb, owner, viewer, who }
    }

    /// The head of the answer to who is `who`.
    fn ask(&self, who: usize, method: &str, path: &str, body: &str) -> Reply {
        let (query, field) = &self.who[who];
        let joint = if path.contains('?') { "&" } else { "?" };
        let path = if query.is_empty() { path.to_owned() } else { format!("{path}{joint}{query}") };
        let body = Some(body).filter(|body| !body.is_empty());
        self.send(&asked(self.stb.address, (method, &path), field, body))
    }

    /// The head of the answer to these bytes, which has what every reply has.
    fn send(&self, bytes: &[u8]) -> Reply {
        let mut client = Client::connect(self.stb.address);
        client.send(bytes);
        let reply = client.head();
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(reply.field(name), Some(value), "{}", reply.head);
        }
        for name in ["server", "access-control-allow-origin"] {
            assert_eq!(reply.field(name), None, "{}", reply.head);
        }
        let challenged =
            reply.field("www-authenticate").is_some_and(|f| f.len() == 22 + "STB nonce=\"\"".len());
        assert_eq!(challenged, reply.status == 401, "{}", reply.head);
        reply
    }

    fn holds(&self, table: &[Row]) {
        for (method, _, path, body, expected) in table {
            let expected = expected.split(['|', ' ']).filter(|word| !word.is_empty());
            assert_eq!(expected.clone().count(), WHO.len(), "{method} {path}");
            for (who, expected) in expected.enumerate().filter(|(_, word)| *word != "-") {
                let status = self.ask(who, method, path, body).status.to_string();
                assert_eq!(status, expected, "{method} {path} by {}", WHO[who]);
                if *method == "GET" {
                    let status = self.ask(who, "HEAD", path, body).status.to_string();
                    assert_eq!(status, expected, "HEAD {path} by {}", WHO[who]);
                }
            }
        }
    }

    /// Nobody came and nobody left.
    fn has_all(&self) {
        let list = self.owner.get("/api/v1/terminals").text();
        for name in ["\"slot\":0,", "\"slot\":1,", "\"slot\":2,", "\"slot\":3,"] {
            assert!(list.contains(name), "{list}");
        }
    }
}

#[test]
fn every_route_says_to_everybody_what_the_table_says() {
    let routes: BTreeSet<_> =
        ROUTES.iter().flat_map(|(path, methods, _)| methods.iter().map(|m| (m.name(), *path))).collect();
    let rows: BTreeSet<_> = TABLE.iter().map(|(m, pattern, ..)| (*m, *pattern)).collect();
    let unknown = |(_, pattern): &(&str, &str)| *pattern == "nothing";
    assert_eq!(
        rows.into_iter().filter(|row| !unknown(row)).collect::<BTreeSet<_>>(),
        routes,
        "the table has all"
    );

    let house = House::new(&[]);
    house.holds(TABLE);
    open_pairing(&house.stb, "");
    let differs = |row: &&Row| OPEN.iter().any(|open| (open.0, open.2) == (row.0, row.2));
    let same: Vec<Row> = TABLE.iter().filter(|row| !differs(row)).copied().collect();
    house.holds(&same);
    house.holds(OPEN);
    house.has_all();
    // What only who asks last may.
    assert_eq!(house.viewer.ask("DELETE", "/api/v1/terminals/1", None).status, 200);
    assert_eq!(house.ask(1, "GET", "/api/v1/session", "").status, 401);
    assert_eq!(house.owner.ask("POST", "/api/v1/terminals/revoke-all", Some("{}")).status, 200);
    for (who, name) in WHO.iter().enumerate().take(10) {
        assert_eq!(house.ask(who, "GET", "/api/v1/channels", "").status, 401, "{name}");
    }
    assert_eq!(house.ask(10, "GET", "/api/v1/channels", "").status, 200, "the box's own links go on");
}

#[test]
fn a_method_that_a_route_lacks_is_named_to_nobody_but_by_allow() {
    let house = House::new(&[]);
    for (pattern, methods, _) in ROUTES {
        let path = pattern.replace('*', "1");
        let is_pairing = pattern.starts_with("/api/v1/pair/");
        for method in ["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "TRACE", "CONNECT", "get"]
        {
            let takes = |m: &str| methods.iter().any(|taken| taken.name() == m);
            if takes(method) || (method == "HEAD" && takes("GET")) {
                continue;
            }
            for who in [0, 7] {
                let reply = house.ask(who, method, &path, "");
                if is_pairing {
                    assert_eq!(reply.status, 404, "{method} {path}: pairing is closed");
                    continue;
                }
                assert_eq!(reply.status, 405, "{method} {path} by {}", WHO[who]);
                let allow: Vec<&str> =
                    reply.field("allow").unwrap().split(", ").filter(|m| *m != "HEAD").collect();
                assert_eq!(allow, methods.iter().map(|m| m.name()).collect::<Vec<_>>(), "{path}");
            }
        }
    }
}

/// Other spellings of `path`, none of which is one of ours.
fn spellings(path: &str) -> Vec<String> {
    let (before, last) = path.rsplit_once('/').unwrap();
    let (first, rest) = last.split_at(1);
    let hex = format!("%{:02x}", first.as_bytes()[0]);
    let mut all: Vec<String> =
        ["/", "//", "/.", "/..", "/./", "%20", ";a=b", "%00", "%3f", "\\", "#", ".", "%2f", "&t=x", ",", "*"]
            .iter()
            .map(|end| format!("{path}{end}"))
            .collect();
    all.extend(
        ["/", "/.", "/x/..", "/%2e", "/x/%2e%2e", "/%2f", "/..", "/api"]
            .map(|start| format!("{start}{path}")),
    );
    all.extend(
        ["//", "/./", "/x/../", "/%2e/", "/%2e%2e/", "%2f", "/%2f", "\\", "/;/"]
            .map(|slash| format!("{before}{slash}{last}")),
    );
    all.extend([
        format!("{before}/{hex}{rest}"),
        format!("{before}/%25{}{rest}", &hex[1..]),
        format!("{before}/{}", last.to_uppercase()),
        format!("{before}/{last}{last}"),
        path.to_uppercase(),
        path.replacen("/v1/", "/v2/", 1),
        path.replacen("/v1/", "/V1/", 1),
        path.replacen("/v1/", "/", 1),
    ]);
    all.retain(|spelled| spelled != path && spelled.starts_with('/'));
    all
}

#[test]
fn a_path_that_is_spelled_otherwise_is_nobodys() {
    let house = House::new(&[]);
    open_pairing(&house.stb, "");
    let mut tried = 0;
    for (pattern, methods, _) in ROUTES {
        // A slot that is taken, for whatever would reach it.
        for spelled in spellings(&pattern.replace('*', "1")) {
            for (who, method) in
                [0, 7].into_iter().flat_map(|who| methods.iter().map(move |m| (who, m.name())))
            {
                let status = house.ask(who, method, &spelled, "").status;
                // A slot or channel that nobody has is asked for, here and there.
                let expected: &[u16] = if who == 0 { &[404, 401, 405] } else { &[404, 400, 405] };
                assert!(expected.contains(&status), "{method} {spelled} by {}: {status}", WHO[who]);
                let places = ["/terminals/", "/live/", "/hls/", "/logo/"];
                let is_asked_for = places.iter().any(|at| spelled.contains(at));
                assert!(status == 404 || is_asked_for, "{spelled}");
                tried += 1;
            }
        }
    }
    assert!(tried > 1000, "{tried}");
    house.has_all();
    assert_eq!(house.ask(7, "GET", "/live/1.ts?v=t", "").status, 200);
}

#[test]
fn a_number_that_is_spelled_otherwise_is_nobodys() {
    let house = House::new(&[]);
    let numbers = [
        "%31",
        "%30%31",
        "256",
        "257",
        "65537",
        "4294967297",
        "18446744073709551617",
        "-1",
        "+1",
        "1.",
        "1.0",
        "0x1",
        "1e0",
        "%ef%bc%91",
        "١",
        "1%20",
        "1%00",
        "",
        "%",
        "NaN",
        "99999999999999999999999999999999999999999999",
    ];
    for number in numbers {
        for (who, expected) in [(0, 401), (1, 403), (7, 404)] {
            let status = house.ask(who, "DELETE", &format!("/api/v1/terminals/{number}"), "").status;
            let expected = if number.is_empty() { 404 } else { expected };
            assert_eq!(status, expected, "slot '{number}' by {}", WHO[who]);
        }
        for (who, expected) in [(0, 401), (4, 403), (7, 404)] {
            let status = house.ask(who, "GET", &format!("/live/{number}.ts?v=t"), "").status;
            let is_one = !number.starts_with('+') && number.parse::<u16>().is_ok();
            let expected = if number.is_empty() || (who == 4 && !is_one) { 404 } else { expected };
            assert_eq!(status, expected, "channel '{number}' by {}", WHO[who]);
        }
    }
    house.has_all();
}

#[test]
fn a_target_that_is_no_path_is_no_request() {
    let house = House::new(&[]);
    let (address, cookie) = (house.stb.address, house.owner.by_cookie());
    let targets = [
        format!("http://{address}/api/v1/box"),
        format!("http://{address}/api/v1/channels"),
        format!("{address}"),
        "*".into(),
        "api/v1/box".into(),
        "?/api/v1/box".into(),
        "/api/v1/box\0".into(),
        "/api/v1/\0box".into(),
        "%2fapi/v1/box".into(),
        "/api/v1/box\r".into(),
        String::new(),
    ];
    for target in targets {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n{cookie}\r\n");
        assert_eq!(house.send(request.as_bytes()).status, 400, "{target:?}");
    }
    // The path ends where the query begins, and nothing behind it is path.
    for (path, expected) in
        [("/api/v1/channels?/../box", 401), ("/api/v1/box?/../channels", 200), ("/app?/api/v1/box", 404)]
    {
        assert_eq!(house.ask(0, "GET", path, "").status, expected, "{path}");
    }
}

/// Everything that changes something, where a stranger's page could send it.
const CHANGES: [(&str, &str, &str); 9] = [
    ("DELETE", "/api/v1/session", ""),
    ("POST", "/api/v1/session", ""),
    ("POST", "/api/v1/session/handover", "{}"),
    ("POST", "/api/v1/session/redeem", UNKNOWN_CODE),
    ("POST", "/api/v1/terminals", PLAYER),
    ("PATCH", "/api/v1/terminals/1", NAME),
    ("DELETE", "/api/v1/terminals/1", ""),
    ("POST", "/api/v1/links", LINK),
    ("POST", "/api/v1/pair/hello", HELLO),
];

#[test]
fn a_page_of_another_site_changes_nothing_and_has_no_cookie() {
    let house = House::new(&["--name", "tv.example"]);
    open_pairing(&house.stb, "");
    let address = house.stb.address;
    let send = |who: usize, (method, path, body): (&str, &str, &str), more: &str| {
        let body = Some(body).filter(|body| !body.is_empty());
        house.send(&asked(address, (method, path), &format!("{}{more}", house.who[who].1), body)).status
    };
    let foreign = [
        "Origin: http://evil.example\r\n".to_owned(),
        "Origin: null\r\n".into(),
        "Origin: \r\n".into(),
        format!("Origin: https://{address}\r\n"),
        format!("Origin: http://{}:1\r\n", address.ip()),
        format!("Origin: http://{}\r\n", address.ip()),
        format!("Origin: http://{address}.evil.example\r\n"),
        format!("Origin: http://{address}/\r\n"),
        format!("Origin: http://evil.example@{address}\r\n"),
        "Origin: http://tv.example\r\n".into(), // ours, too, but the request came to the address
        format!("Origin: http://{address}\r\nOrigin: http://evil.example\r\n"),
        "Sec-Fetch-Site: cross-site\r\n".into(),
        "Sec-Fetch-Site: same-site\r\n".into(),
        "Sec-Fetch-Site: Same-Origin\r\n".into(),
        "Sec-Fetch-Site: \r\n".into(),
        format!("Origin: http://{address}\r\nSec-Fetch-Site: cross-site\r\n"),
        "Sec-Fetch-Site: none\r\nSec-Fetch-Site: none\r\n".into(),
    ];
    for more in &foreign {
        for change in CHANGES {
            for who in [0, 7, 8] {
                assert_eq!(send(who, change, more), 403, "{more:?} {change:?} by {}", WHO[who]);
            }
        }
        for path in
            ["/api/v1/channels", "/playlist.m3u", "/live/1.ts?v=t", "/api/v1/session", "/api/v1/terminals"]
        {
            assert_eq!(send(7, ("GET", path, ""), more), 401, "{more:?} {path}");
        }
    }
    house.has_all();
    let own = [
        format!("Origin: http://{address}\r\n"),
        format!("origin: http://{address}\r\nsec-fetch-site: same-origin\r\n"),
        "Sec-Fetch-Site: none\r\n".into(),
    ];
    for more in &own {
        assert_eq!(send(7, ("GET", "/api/v1/channels", ""), more), 200, "{more:?}");
        assert_eq!(send(7, ("PATCH", "/api/v1/terminals/1", NAME), more), 200, "{more:?}");
    }
    // What no browser sends by itself counts from everywhere, where nothing is changed.
    for more in &foreign[..8] {
        assert_eq!(send(8, ("GET", "/api/v1/channels", ""), more), 200, "{more:?}");
    }
    // By its name the box's own origin is that name.
    let by_name = |host: &str, origin: &str| {
        let cookie = house.owner.by_cookie();
        let fields = format!("Host: {host}\r\nOrigin: {origin}\r\n{cookie}");
        house.send(format!("DELETE /api/v1/terminals/31 HTTP/1.1\r\n{fields}\r\n").as_bytes()).status
    };
    assert_eq!(by_name("tv.example:8800", "http://TV.example:8800"), 404);
    assert_eq!(by_name("tv.example:8800", "http://tv.example"), 403);
    assert_eq!(by_name("tv.example", &format!("http://{address}")), 403);
}

#[test]
fn a_host_that_is_not_this_box_gets_nothing() {
    let house = House::new(&["--name", "tv.example"]);
    let cookie = house.owner.by_cookie();
    let status = |method: &str, path: &str, host: &str| {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n");
        house.send(request.as_bytes()).status
    };
    for host in [
        "evil.example",
        "tv.example.evil.example",
        "127.0.0.2.evil.example",
        "192.0.2.1",
        "[2001:db8::1]",
        "0x7f.1",
        "2130706433",
        "tv.example.",
    ] {
        for (path, methods, _) in ROUTES {
            for method in *methods {
                assert_eq!(status(method.name(), &path.replace('*', "1"), host), 421, "{host} {path}");
            }
        }
        assert_eq!(status("GET", "/nothing", host), 421, "{host}");
    }
    house.has_all();
    for host in ["tv.example", "TV.EXAMPLE:1", "localhost", "127.0.0.1", "127.0.0.1:1", "[::ffff:127.0.0.1]"]
    {
        assert_eq!(status("GET", "/api/v1/channels", host), 200, "{host}");
    }
}

#[test]
fn credentials_that_could_be_read_in_two_ways_are_none() {
    let house = House::new(&[]);
    let cookie = &house.owner.cookie;
    let bearer = house.owner.sign_in().unwrap();
    let other = &house.viewer.cookie;
    let all = support::http::token(&house.stb.link("playlist", &[])).to_owned();
    let status =
        |path: &str, fields: &str| house.send(&asked(house.stb.address, ("GET", path), fields, None)).status;
    let list = "/api/v1/channels";
    for fields in [
        format!("Cookie: stb={cookie}; stb={cookie}\r\n"),
        format!("Cookie: stb={other}; stb={cookie}\r\n"),
        format!("Cookie: stb={cookie}\r\nCookie: stb={cookie}\r\n"),
        format!("Cookie: stb={cookie}\r\nCookie: a=b\r\n"),
        format!("Cookie: STB={cookie}\r\n"),
        format!("Cookie: __Host-stb={cookie}\r\n"),
        format!("Cookie: stb=\"{cookie}\"\r\n"),
        format!("Cookie: stb={cookie}=\r\n"),
        format!("Cookie: stb={cookie}A\r\n"),
        format!("Cookie: stb={}\r\n", &cookie[..42]),
        format!("Cookie: stb={bearer}\r\n"),
        format!("Cookie: stb={all}\r\n"),
        format!("Authorization: Bearer {bearer}\r\nAuthorization: Bearer {bearer}\r\n"),
        format!("Authorization: Bearer {bearer}, Bearer {bearer}\r\n"),
        format!("Authorization: Bearer {cookie}\r\n"),
        format!("Authorization: Bearer {all}\r\n"),
        format!("Authorization: Basic {bearer}\r\n"),
        format!("Authorization: {bearer}\r\n"),
        // The first that is there counts, and no other: who shows a wrong one is not known by the next.
        format!("Authorization: Bearer x\r\nCookie: stb={cookie}\r\n"),
        format!("Cookie: stb={cookie}\r\nAuthorization: Bearer {bearer}\r\nAuthorization: x\r\n"),
    ] {
        assert_eq!(status(list, &fields), 401, "{fields}");
    }
    let good = format!("Cookie: stb={cookie}\r\n");
    for query in [
        "t=",
        "t=x",
        "t",
        &format!("t={cookie}"),
        &format!("t={bearer}"),
        &format!("t={all}&t={all}"),
        "a=b&t=x",
    ] {
        assert_eq!(status(&format!("{list}?{query}"), &good), 401, "{query}");
    }
    assert_eq!(status(list, &format!("Cookie: a=b; stb={cookie}; c\r\n")), 200);
    assert_eq!(status(list, &format!("Authorization: Bearer {bearer}\r\nCookie: stb=x\r\n")), 200);
    assert_eq!(status(&format!("{list}?t={all}"), "Authorization: Bearer x\r\n"), 200);
}

#[test]
fn a_body_that_is_not_what_a_route_takes_changes_nothing() {
    let house = House::new(&[]);
    open_pairing(&house.stb, "");
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(1000));
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "{}x",
        "{\"name\":1}",
        "{\"name\":\"\"}",
        "{\"name\":\"\\u0000\"}",
        "{\"nam\":\"x\"}",
        "{\"name\":\"\u{200e}\"}",
        "name=x",
        "\"x\"",
        &long,
    ];
    for body in bodies {
        let reply = house.ask(7, "PATCH", "/api/v1/terminals/1", body);
        assert_eq!(reply.status, 400, "{body}");
        for (method, path, _) in CHANGES
            .iter()
            .filter(|(m, p, _)| *m == "POST" && !p.ends_with("session") && !p.ends_with("handover"))
        {
            assert_eq!(house.ask(7, method, path, body).status, 400, "{path} {body}");
        }
    }
    // A form of another site's page can send any text, but not as JSON.
    let (address, cookie) = (house.stb.address, house.owner.by_cookie());
    for kind in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data\r\n",
    ] {
        let length = NAME.len();
        let request = format!(
            "PATCH /api/v1/terminals/1 HTTP/1.1\r\nHost: {address}\r\n{cookie}{kind}Content-Length: {length}\r\n\r\n{NAME}"
        );
        assert_eq!(house.send(request.as_bytes()).status, 400, "{kind}");
    }
    assert!(house.owner.get("/api/v1/terminals").text().contains("\"name\":\"Viewer\""));
    let tagged = "{\"name\":\"<b>\\u202e\\n\u{1f4fa} \\\"x\\\"\"}";
    assert_eq!(house.ask(7, "PATCH", "/api/v1/terminals/1", tagged).status, 200);
    let list = house.owner.get("/api/v1/terminals").text();
    assert!(list.contains("\"name\":\"<b> \u{1f4fa} \\\"x\\\"\""), "{list}");
}
