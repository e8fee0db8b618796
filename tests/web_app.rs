//! The web app as browsers get it: to strangers, compressed, kept until it changes, and held to a policy of its own.

mod support;

use std::fs;
use std::path::Path;

use stbcast::web;
use support::http::{Client, Reply, get};
use support::stb::{Dir, Stb, demo, text};

/// Bytes of all that a viewer's browser may load, compressed: the app with its player.
const MOST: usize = 120 * 1024;
/// Bytes of the pages that owners alone can open, compressed.
const OWNERS_MOST: usize = 12 * 1024;

/// What their names begin with.
const OF_OWNERS: [&str; 4] = ["settings-name.", "settings-terminals.", "status.js", "status-draw."];

/// The answer to a request with these fields.
fn ask(client: &mut Client, method: &str, path: &str, fields: &str) -> Reply {
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes());
    client.reply()
}

/// The same where there is to be no body: would one come, the next answer would begin with it.
fn ask_for_head(client: &mut Client, method: &str, path: &str, fields: &str) -> Reply {
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes());
    client.head()
}

/// What is served of the file at `path`: of ours, what a browser reads.
fn lean(path: &str) -> Vec<u8> {
    let content = source(path);
    let text = || String::from_utf8(content.clone()).expect("it is text");
    let is_ours = ours().iter().any(|(ours, _)| *ours == path);
    match path.rsplit('.').next() {
        // What the page names is kept for good, under the name of all files together.
        _ if ["/", "/pair"].contains(&path) => {
            text().replace("\"/app/", &format!("\"/app/{}/", web::VERSION)).into_bytes()
        }
        Some("js") if is_ours => {
            minifier::js::minify(&text()).expect("it can be read").to_string().into_bytes()
        }
        Some("css") if is_ours => {
            let lean = |sheet: String| minifier::css::minify(&sheet).expect("it can be read").to_string();
            sheets().into_iter().map(lean).collect::<String>().into_bytes()
        }
        _ => content,
    }
}

/// The sheets that `/app/style.css` is made of: the one that pages share, then those of single pages by their names.
fn sheets() -> Vec<String> {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/app");
    let entries = fs::read_dir(&app).expect("the app is there").filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".css")).collect();
    names.sort_by_key(|name| (name != "style.css", name.clone()));
    assert!(names.len() > 3 && names[0] == "style.css", "{names:?}");
    names.iter().map(|name| fs::read_to_string(app.join(name)).expect("it is text")).collect()
}

/// The file that is served at `path`.
fn source(path: &str) -> Vec<u8> {
    let name = match path {
        "/" | "/pair" => "index.html",
        _ => path.strip_prefix("/app/").unwrap_or_else(|| &path[1..]),
    };
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let found = ["app", "vendor"].iter().find_map(|place| fs::read(web.join(place).join(name)).ok());
    found.unwrap_or_else(|| panic!("{path} is no file of src/web"))
}

/// A gzip member says at its end which bytes are in it, and how many (RFC 1952 §2.3.1).
fn is_packed_of(packed: &[u8], content: &[u8]) -> bool {
    let trailer = &packed[packed.len() - 8..];
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(content);
    packed.starts_with(&[0x1f, 0x8b, 8])
        && trailer[..4] == crc.to_le_bytes()
        && trailer[4..] == u32::try_from(content.len()).expect("files are small").to_le_bytes()
}

#[test]
fn a_stranger_gets_every_file_and_a_browser_that_has_it_gets_word_of_that() {
    let stb = Stb::start(&[]);
    let mut client = Client::connect(stb.address);
    let mut all = std::collections::BTreeMap::new(); // one file may have two paths
    for path in web::paths() {
        let reply = ask(&mut client, "GET", path, "");
        assert_eq!(reply.status, 200, "{path}");
        for (name, value) in [
            ("content-security-policy", web::POLICY),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(reply.field(name), Some(value), "{path}");
        }
        let content = lean(path);
        let is_packed = reply.field("content-encoding") == Some("gzip");
        assert!(
            if is_packed { is_packed_of(&reply.body, &content) } else { reply.body == content },
            "{path} is the file"
        );
        let etag = reply.field("etag").expect("it has a tag").to_owned();
        let is_owners = OF_OWNERS.iter().any(|name| path.starts_with(&format!("/app/{name}")));
        all.insert(etag.clone(), (is_owners, reply.body.len()));
        assert!(etag.starts_with('"') && etag.len() == 34, "a strong one: {etag}");
        let head = ask_for_head(&mut client, "HEAD", path, "");
        let length = reply.body.len().to_string();
        assert_eq!((head.status, head.field("content-length")), (200, Some(length.as_str())), "{path}");
        let known = ask_for_head(&mut client, "GET", path, &format!("If-None-Match: \"x\", {etag}\r\n"));
        assert_eq!((known.status, known.field("etag")), (304, Some(etag.as_str())), "{path}");
        let other = ask(&mut client, "GET", path, "If-None-Match: \"x\"\r\n");
        assert_eq!((other.status, other.body), (200, reply.body), "{path}");
        let posted = ask(&mut client, "POST", path, "");
        assert_eq!((posted.status, posted.field("allow")), (405, Some("GET, HEAD")), "{path}");
    }
    let sum = |wanted: bool| all.values().filter(|(own, _)| *own == wanted).map(|(_, n)| n).sum::<usize>();
    assert!(sum(false) <= MOST, "the app has {} bytes, compressed", sum(false));
    assert!(sum(true) <= OWNERS_MOST, "owners' pages have {} bytes, compressed", sum(true));
}

#[test]
fn what_the_page_names_is_kept_for_good_and_is_the_file() {
    let stb = Stb::start(&[]);
    let mut client = Client::connect(stb.address);
    let page = String::from_utf8(lean("/")).expect("it is text");
    let named: Vec<_> = quoted_behind(&page, "=\"/app/").collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        let reply = ask(&mut client, "GET", &format!("/app/{name}"), "");
        let kept = reply.field("cache-control").map(str::to_owned);
        assert_eq!(
            (reply.status, kept.as_deref()),
            (200, Some("public, max-age=31536000, immutable")),
            "{name}"
        );
        let (_, plain) = name.split_once('/').expect("it is of a version");
        assert_eq!(ask(&mut client, "GET", &format!("/app/{plain}"), "").body, reply.body, "{name}");
    }
    // A page that a browser kept through an upgrade.
    let other = ask(&mut client, "GET", "/app/0123456789abcdef/player/core.js", "");
    assert_eq!((other.status, other.field("cache-control")), (200, Some("no-cache")));
    for path in ["/app/0123456789abcdef/", "/app/0123456789abcdef/x.js", "/app/0123456789abcde/main.js"] {
        assert_eq!(ask(&mut client, "GET", path, "").status, 404, "{path}");
    }
}

/// What is ours and text, by the path it is served at.
fn ours() -> Vec<(&'static str, String)> {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/app");
    let is_ours = |path: &str| {
        path == "/" || app.join(path.strip_prefix("/app/").unwrap_or_else(|| &path[1..])).is_file()
    };
    let texts = web::paths().filter(|path| !path.ends_with(".png") && is_ours(path));
    let text = |path| match path {
        "/app/style.css" => sheets().concat(),
        path => String::from_utf8(source(path)).expect("it is text"),
    };
    let found: Vec<_> = texts.map(|path| (path, text(path))).collect();
    assert!(found.len() > 10, "{}", found.len());
    found
}

/// What stands in quotes behind `before`, wherever that is in `text`.
fn quoted_behind<'t>(text: &'t str, before: &'static str) -> impl Iterator<Item = &'t str> {
    text.match_indices(before).map(move |(at, _)| {
        let rest = &text[at + before.len()..];
        rest.split(['\'', '"', '`']).next().unwrap_or(rest)
    })
}

#[test]
fn every_file_that_is_named_is_there() {
    let mut named = 0;
    for (path, text) in ours() {
        let inside = path.strip_prefix("/app/").and_then(|name| name.rsplit_once('/')).map_or("", |(d, _)| d);
        let imports = ["from '", "import('", "import '"].into_iter().flat_map(|b| quoted_behind(&text, b));
        for name in imports {
            named += 1;
            let mut place: Vec<&str> = inside.split('/').filter(|part| !part.is_empty()).collect();
            for part in name.split('/') {
                match part {
                    "." => {}
                    ".." => assert!(place.pop().is_some(), "{path}: {name}"),
                    part => place.push(part),
                }
            }
            let wanted = format!("/app/{}", place.join("/"));
            assert!(web::find(&wanted).is_some(), "{path} imports {name}, which is not there");
        }
        for quote in ["'/app/", "\"/app/"] {
            for name in quoted_behind(&text, quote).filter(|name| !name.is_empty()) {
                named += 1;
                assert!(web::find(&format!("/app/{name}")).is_some(), "{path} names /app/{name}");
            }
        }
    }
    assert!(named > 30, "{named}");
}

#[test]
fn what_is_ours_names_no_other_site_and_makes_no_markup_of_text() {
    for (path, text) in ours() {
        let text = text.replace("http://www.w3.org/2000/svg", ""); // the name of a vocabulary
        for word in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
        {
            assert!(!text.contains(word), "{path}: {word}");
        }
        for (at, scheme) in text.match_indices("http://").chain(text.match_indices("https://")) {
            let rest = &text[at + scheme.len()..];
            assert!(!rest.starts_with(|c: char| c.is_ascii_alphanumeric()), "{path}: {scheme}{rest:.40}");
        }
    }
}

#[test]
fn a_logo_is_for_who_sees_the_channel_and_inert() {
    let dir = Dir::new();
    let logos = dir.path().join("logos");
    fs::create_dir(&logos).unwrap();
    let drawing: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (name, bytes) in [("1.svg", drawing), ("1.png", b"worse"), ("2.png", b"\x89PNG"), ("notes.txt", b"x")]
    {
        fs::write(logos.join(name), bytes).unwrap();
    }
    let source = format!("file:{}?loop", demo().display());
    let stb = Stb::start_in(dir, &[&source], &["--logos", logos.to_str().unwrap()]);
    stb.wait_channels(4);
    assert!(stb.log().contains("notes.txt is not <number>.png"), "{}", stb.log());
    let (url, token) = stb.list();
    let list = get(&url).text();
    let at = |number: usize| {
        let (_, behind) = list.split_once(&format!("\"number\":{number},")).unwrap();
        text(behind, "logo").map(str::to_owned)
    };
    let path = at(1).expect("channel 1 has one");
    assert!(path.starts_with("/logo/1?v=") && at(2).is_some(), "{list}");
    assert!(list.ends_with("\"logo\":null}]}"), "channel 4 has none: {list}");

    let mut client = Client::connect(stb.address);
    let shown = ask(&mut client, "GET", &format!("{path}&t={token}"), "");
    assert_eq!((shown.status, &*shown.body), (200, drawing));
    assert_eq!(shown.field("content-type"), Some("image/svg+xml"));
    let policy = shown.field("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    assert!(!policy.contains("script-src") && !policy.contains("allow-scripts"), "{policy}");
    let known = format!("If-None-Match: {}\r\n", shown.field("etag").unwrap());
    assert_eq!(ask_for_head(&mut client, "GET", &format!("/logo/1?t={token}"), &known).status, 304);
    assert_eq!(ask(&mut client, "GET", &format!("/logo/2?t={token}"), "").body, b"\x89PNG");
    for (path, status) in
        [(format!("/logo/4?t={token}"), 404), (format!("/logo/x?t={token}"), 404), (path, 401)]
    {
        assert_eq!(ask(&mut client, "GET", &path, "").status, status, "{path}");
    }
}
