//! A terminal for a shell is let in, is known again, and is put out: both real programs against each other.

mod support;

#[path = "support/shell.rs"]
mod shell;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use shell::{Program, Shell, screen};
use support::http::{Client, Reply, Viewer, get, split};
use support::mux::{Codec, MuxBuilder, Service};
use support::stb::{Stb, demo, number, wait_for};
use support::ts::{contiguous_run, elementary};

fn demo_box() -> Stb {
    let stb = Stb::start(&[&format!("file:{}?loop", demo().display())]);
    stb.wait_channels(4);
    stb
}

/// The box's own list of terminals, a line each.
fn let_in(stb: &Stb) -> Vec<String> {
    let mut lines = stb.query("{\"cmd\":\"terminals\"}").expect("the box answers");
    lines.pop();
    lines
}

#[test]
fn by_the_link_of_a_qr_code_a_terminal_is_let_in_and_known_again() {
    let (stb, shell) = (demo_box(), Shell::new());
    let screen = screen(&stb, &["--qr"]);
    let link = screen.word("link");
    let said = shell.run(&["pair", &link, "--name", "Kitchen \"laptop\""]);
    assert_eq!(said.out, "Paired with 'stbcast' as 'Kitchen \"laptop\"' (owner, slot 0).\n", "{}", said.err);
    assert!(screen.end().out.contains("paired: 'Kitchen \"laptop\"' in slot 0"));
    let mode = fs::metadata(shell.keys()).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, shell.kept().lines().count()), (0o600, 3));

    let channels = shell.done(&["channels"]);
    assert!(channels.contains("Télé Été Ö") && channels.lines().count() == 5, "{channels}");
    assert!(shell.done(&["guide", "1"]).contains("综合频道 One HD"));
    let list = shell.done(&["terminals"]);
    assert!(list.contains("Kitchen \"laptop\"") && list.contains("this terminal"), "{list}");
    shell.done(&["rename", "0", "Téléviseur"]);
    assert!(shell.done(&["terminals"]).contains("   0  Téléviseur  owner"));
    let one = shell.done(&["link", "1", "--ttl", "1m"]);
    assert!(one.starts_with(&format!("http://{}/live/1.ts?name=", stb.address)), "{one}");
    assert!(!Viewer::open(one.trim()).watch(188).is_empty());
    assert!(get(shell.done(&["link", "playlist"]).trim()).text().contains("/live/4.ts?name="));
    assert_eq!(
        shell.done(&["boxes"]).lines().nth(1),
        Some(&*format!("   0  stbcast  owner  {}", stb.address))
    );

    // The same link is good once.
    assert!(Shell::new().fails(&["pair", &link]).contains("lets nobody in"));
    assert_eq!(shell.done(&["forget"]), "'stbcast' is forgotten.\n");
    assert!(let_in(&stb).is_empty() && shell.kept().lines().count() == 2);
    let said = shell.run(&["channels"]);
    assert!(said.code == Some(2) && said.err.contains("which box?"), "{said:?}");
}

#[test]
fn by_the_pin_a_terminal_is_let_in_and_a_wrong_one_is_told() {
    let (stb, shell) = (demo_box(), Shell::new());
    let address = stb.address.to_string();
    let screen = screen(&stb, &["--pin"]);
    let pin = screen.word("PIN");
    let wrong = if pin.starts_with('1') { "20000000" } else { "10000000" };
    let said = shell.fails(&["pair", &address, "--pin", wrong]);
    assert!(said.contains("the PIN is not the one on the box's screen"), "{said}");
    assert!(shell.kept().lines().count() == 2 && let_in(&stb).is_empty());

    let mut pairing = shell.start(&["pair", &address, "--pin", "--name", "me"]);
    pairing.types(&format!("{} {}", &pin[..4], &pin[4..]));
    let said = pairing.end();
    assert_eq!(said.out, "Paired with 'stbcast' as 'me' (owner, slot 0).\n", "{}", said.err);
    assert!(said.err.contains("plain HTTP") && !said.err.contains(&pin), "{}", said.err);
    screen.end();
    assert!(shell.done(&["channels"]).contains("Radio"));
    let said = shell.run(&["pair", &address, "--pin"]);
    assert!(said.code == Some(1) && said.err.contains("cancelled"), "{said:?}");
}

#[test]
fn a_pin_is_typed_unseen_and_the_keyboard_is_left_as_it_was() {
    let shell = Shell::new();
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let keyboard = nix::pty::openpty(None, None).unwrap();
    let settings = || nix::sys::termios::tcgetattr(&keyboard.slave).unwrap();
    let before = settings();
    for (typed, why) in [(b"1234 5678\r".as_slice(), "cannot be reached"), (b"12345\x03", "cancelled")] {
        let mut command = shell.command(&["pair", &nowhere, "--pin"]);
        let pairing = Program::start_at(&mut command, Some(keyboard.slave.try_clone().unwrap()));
        wait_for("the question", || pairing.err().contains("PIN on the box's screen: ").then_some(()));
        assert_eq!(nix::unistd::write(&keyboard.master, typed).unwrap(), typed.len());
        let said = pairing.end();
        assert!(said.code == Some(1) && said.err.contains(why) && !said.err.contains('5'), "{}", said.err);
        assert_eq!(settings(), before);
    }
    // What is typed now is shown again, and nothing was before.
    nix::unistd::write(&keyboard.master, b"x").unwrap();
    let mut shown = [0; 64];
    let length = nix::unistd::read(&keyboard.master, &mut shown).unwrap();
    assert_eq!(&shown[..length], b"x");
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let (stb, other, shell) = (demo_box(), demo_box(), Shell::new());
    let address = stb.address.to_string();
    let closed = shell.fails(&["pair", &address, "--pin", "12345678"]);
    assert!(closed.contains("open pairing at the box"), "{closed}");

    let old = screen(&stb, &["--qr"]).word("link");
    let theirs = screen(&other, &["--qr"]).word("link");
    // The newer window stays: its screen is only a program that looks at it.
    let new = screen(&stb, &["--qr"]).word("link");
    let said = shell.fails(&["pair", &old]);
    assert!(said.contains("does not have the link's code"), "{said}");
    let fragment = theirs.split_once('#').unwrap().1;
    let said = shell.fails(&["pair", &format!("http://{address}/pair#{fragment}")]);
    assert!(said.contains("another box answers"), "{said}");
    let said = shell.fails(&["pair", &address, "--pin", "12345678"]);
    assert!(said.contains("lets nobody in by this code"), "not by PIN: {said}");
    let said = shell.run(&["pair", &format!("http://{address}/pair#{}", &fragment[..fragment.len() - 1])]);
    assert!(
        said.code == Some(2) && said.err.contains("damaged") && !said.err.contains(&fragment[2..40]),
        "{said:?}"
    );
    let said = shell.fails(&["pair", &new, "--name", " \u{1b} "]);
    assert!(said.contains("the name has nothing to show"), "{said}");
    assert!(let_in(&stb).is_empty() && let_in(&other).is_empty());
    assert!(shell.done(&["pair", &new]).contains("(owner, slot 0)"));
}

#[test]
fn too_many_wrong_pins_and_a_full_table_are_told() {
    let (stb, shell) = (demo_box(), Shell::new());
    let address = stb.address.to_string();
    let screens = screen(&stb, &["--qr", "--pin"]);
    let (link, pin) = (screens.word("link"), screens.word("PIN"));
    let wrong = if pin.starts_with('1') { "20000000" } else { "10000000" };
    for _ in 0..3 {
        assert!(shell.fails(&["pair", &address, "--pin", wrong]).contains("the PIN is not"));
    }
    let said = shell.fails(&["pair", &address, "--pin", &pin]);
    assert!(said.contains("too many wrong PINs"), "{said}");
    for n in 0..32 {
        assert!(stb.query(&format!("{{\"cmd\":\"player\",\"name\":\"{n}\"}}")).is_ok());
    }
    let said = shell.fails(&["pair", &link]);
    assert!(said.contains("takes no more terminals (all places"), "{said}");
    assert_eq!(shell.kept().lines().count(), 2);
}

#[test]
fn the_screen_has_the_last_word() {
    let (stb, first) = (demo_box(), Shell::new());
    first.pair(&stb, "first");
    for (answer, name) in [("n", "second"), ("y", "third")] {
        let (mut screen, shell) = (screen(&stb, &["--qr", "--role", "owner"]), Shell::new());
        let pairing = shell.start(&["pair", &screen.word("link"), "--name", name]);
        screen.wait_out(&format!("Let '{name}' in as owner?"));
        screen.types(answer);
        let (said, shown) = (pairing.end(), screen.end());
        assert!(said.err.contains(&format!("asked to let '{name}' in")), "{}", said.err);
        if answer == "y" {
            assert_eq!(said.out, "Paired with 'stbcast' as 'third' (owner, slot 1).\n", "{}", said.err);
            assert!(shell.done(&["terminals"]).contains("third"));
        } else {
            assert_eq!((said.code, shown.code, shell.kept().lines().count()), (Some(1), Some(1), 2));
            assert!(said.err.contains("not let in: the box's screen said no"), "{}", said.err);
        }
    }
    assert_eq!(let_in(&stb).len(), 2);
}

#[test]
fn who_is_put_out_while_it_watches_is_told_so() {
    let (stb, owner, viewer) = (demo_box(), Shell::new(), Shell::new());
    owner.pair(&stb, "owner");
    let screen = screen(&stb, &["--qr", "--role", "viewer", "--yes"]);
    viewer.done(&["pair", &screen.word("link"), "--name", "viewer"]);
    let said = viewer.fails(&["terminals"]);
    assert!(said.contains("only an owner of this box may do that"), "{said}");
    assert!(viewer.fails(&["revoke", "0", "--yes"]).contains("only an owner"));

    let watching = [viewer.start(&["watch", "1"]), owner.start(&["watch", "2"])];
    let plays = |program: &Program| {
        let before = program.printed();
        wait_for("a stream", || (program.printed() > before + 18_800).then_some(()));
    };
    watching.iter().for_each(plays);
    let mut asked = owner.start(&["revoke", "1"]);
    asked.types("n");
    assert_eq!(asked.end().out, "Nothing was changed.\n");
    watching.iter().for_each(plays);
    let mut asked = owner.start(&["revoke", "1"]);
    asked.types("y");
    assert_eq!(asked.end().code, Some(0));
    let [out, stays] = watching;
    let said = out.end();
    assert!(
        said.code == Some(1) && said.err.contains("does not know this terminal any more"),
        "{}",
        said.err
    );
    assert!(viewer.fails(&["channels"]).contains("'stbcast' does not know this terminal"));
    plays(&stays);
    assert_eq!(let_in(&stb).len(), 1);

    owner.done(&["revoke", "all", "--yes"]);
    assert!(stays.end().err.contains("any more"));
    assert!(let_in(&stb).is_empty() && owner.kept().lines().count() == 2, "its key is gone, too");
    assert_eq!(viewer.done(&["forget"]), "'stbcast' is forgotten.\n");
}

#[test]
fn a_box_that_moved_is_found_and_one_that_was_reset_is_paired_with_again() {
    let (mut stb, shell) = (demo_box(), Shell::new());
    shell.pair(&stb, "me");
    stb.restart(); // the test's box comes back at another port
    assert!(shell.fails(&["channels"]).contains("cannot be reached"));
    let address = stb.address.to_string();
    assert_eq!(shell.done(&["address", &address]), format!("'stbcast' is at {address}.\n"));
    assert!(shell.done(&["channels"]).contains("NUMBER"));

    assert!(stb.ask(&["factory-reset", "--yes"]).status.success());
    let said = shell.fails(&["channels"]);
    assert!(said.contains("reset and has new keys") && said.contains("stbcast pair"), "{said}");
    let screen = screen(&stb, &["--qr"]);
    let said = shell.run(&["pair", &screen.word("link"), "--name", "me"]);
    assert!(said.err.contains("another box was known at this address"), "{}", said.err);
    assert_eq!((said.code, shell.kept().lines().count()), (Some(0), 3), "in place of the old");
    assert!(shell.done(&["terminals"]).contains("this terminal"));
    assert!(shell.fails(&["address", "127.0.0.1:1"]).contains("cannot be reached"));
    assert!(shell.kept().contains(&address), "the old address stays");
}

#[test]
fn of_several_boxes_one_is_named() {
    let (one, two, shell) = (demo_box(), demo_box(), Shell::new());
    shell.pair(&one, "me");
    let screen = screen(&two, &["--qr"]);
    let said = shell.done(&["pair", &screen.word("link"), "--box", "attic"]);
    assert!(said.starts_with("Paired with 'attic' as "), "{said}");
    let said = shell.run(&["channels"]);
    assert!(said.code == Some(2) && said.err.contains("--box and one of: stbcast, attic"), "{said:?}");
    let said = shell.run(&["channels", "--box", "cellar"]);
    assert!(said.code == Some(2) && said.err.contains("but with: stbcast, attic"), "{said:?}");
    for (name, stb) in [("stbcast", &one), ("attic", &two)] {
        let link = shell.done(&["link", "1", "--box", name]);
        assert!(link.contains(&stb.address.to_string()), "{link}");
    }
    assert_eq!(shell.done(&["boxes"]).lines().count(), 3);

    fs::set_permissions(shell.keys(), fs::Permissions::from_mode(0o644)).unwrap();
    let said = shell.fails(&["channels", "--box", "attic"]);
    assert!(said.contains("others than you may read") && said.contains("chmod 600"), "{said}");
}

/// `stbcast serve`, and what its URLs begin with.
fn served(shell: &Shell) -> (Program, String) {
    let server = shell.start(&["serve"]);
    server.wait_out("/playlist.m3u\n");
    let base = server.out().trim().strip_suffix("/playlist.m3u").expect("a playlist").to_owned();
    (server, base)
}

/// A player of HTTP/1.0: what it gets is the stream's bytes and nothing else.
fn play(base: &str, path: &str) -> Viewer {
    let (address, secret) = split(base);
    let mut client = Client::connect(address);
    client.send(format!("GET {secret}{path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes());
    let reply = client.head();
    assert_eq!((reply.status, reply.field("content-type")), (200, Some("video/mp2t")), "{}", reply.head);
    Viewer { client, reply }
}

fn asked(method: &str, url: &str, host: &str) -> Reply {
    let (address, path) = split(url);
    let mut client = Client::connect(address);
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes());
    if method == "HEAD" { client.head() } else { client.reply() }
}

#[test]
fn players_of_this_computer_get_the_box_byte_by_byte() {
    let services = [Service::tv(1, "One", Codec::H264, 600_000), Service::radio(2, "Two", 128_000)];
    let mux = MuxBuilder::new(&services, 6).build();
    let stb = Stb::playing(&mux, "?speed=2");
    stb.wait_channels(2);
    let shell = Shell::new();
    shell.pair(&stb, "me");
    let (server, base) = served(&shell);
    std::thread::scope(|scope| {
        for (channel, service) in (1..).zip(&services) {
            let (link, base, mux) = (stb.channel(channel), &base, &mux);
            scope.spawn(move || {
                let mut direct = Viewer::open(&link);
                direct.watch(20_000);
                let mut player = play(base, &format!("/live/{channel}.ts"));
                // One of HTTP/1.1 reads chunks, to the last, since its connection stays open.
                let mut chunked = Viewer::ask(&format!("{base}/live/{channel}.ts?x=1"), "");
                assert_eq!(chunked.reply.field("transfer-encoding"), Some("chunked"));
                let (direct, player) = (direct.watch_all(), player.watch_all());
                // They came at different times, so each begins with its own tables; from then on they have the same.
                let same = direct.iter().rev().zip(player.iter().rev()).take_while(|(a, b)| a == b).count();
                assert!(same >= player.len() - 188 * 16, "{same} of {} bytes are the same", player.len());
                let mut body = Vec::new();
                while chunked.client.chunk(&mut body) {}
                let sent = elementary(mux, &service.pids());
                for got in [&player, &body] {
                    let got = elementary(got, &service.pids());
                    let start = contiguous_run(&sent, &got).unwrap_or_else(|why| panic!("{why}"));
                    assert_eq!(start + got.len(), sent.len(), "up to the end");
                }
            });
        }
    });
    drop(server);
}

#[test]
fn players_get_a_list_of_this_computer_and_come_and_go() {
    let (stb, shell) = (demo_box(), Shell::new());
    shell.pair(&stb, "me");
    let (server, base) = served(&shell);
    let list = get(&format!("{base}/playlist.m3u"));
    assert_eq!((list.status, list.field("content-type")), (200, Some("audio/x-mpegurl")));
    let text = list.text();
    let urls: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(urls.len() == 4 && urls.iter().all(|url| url.starts_with(&base)), "{text}");
    assert!(!text.contains("t=") && text.contains("tvg-name=\"Télé Été Ö\""), "{text}");

    let viewers = |count: u64| {
        wait_for(&format!("{count} viewers"), || {
            (number(&stb.status()[1], "viewers") == count).then_some(())
        });
    };
    let path = |place: usize| urls[place].strip_prefix(&base).unwrap();
    let mut players: Vec<Viewer> = (0..4).map(|place| play(&base, path(place))).collect();
    for player in &mut players {
        player.watch(18_800);
    }
    viewers(4);
    // The box gives a terminal four streams; the sentence is the box's.
    let fifth = asked("GET", &format!("{base}/live/1.ts"), "127.0.0.1");
    assert!(
        fifth.status == 429 && fifth.text().contains("as many streams"),
        "{} {}",
        fifth.status,
        fifth.text()
    );
    players.pop();
    viewers(3);
    players.push(play(&base, "/live/4.ts"));
    for player in &mut players {
        player.watch_on(18_800);
    }
    viewers(4);
    drop(players);
    viewers(0);
    let head = asked("HEAD", &format!("{base}/live/1.ts"), "localhost");
    assert_eq!((head.status, head.field("content-type")), (200, Some("video/mp2t")));

    let mut last = play(&base, "/live/2.ts");
    last.watch(18_800);
    assert!(stb.ask(&["revoke", "0"]).status.success());
    last.watch_all();
    wait_for("the reason", || server.err().contains("does not know this terminal").then_some(()));
    let refused = asked("GET", &format!("{base}/playlist.m3u"), "127.0.0.1");
    assert!(refused.status == 502 && refused.text().contains("Pair again"), "{}", refused.text());
}

#[test]
fn nobody_else_is_served() {
    let (stb, shell) = (demo_box(), Shell::new());
    shell.pair(&stb, "me");
    let (server, base) = served(&shell);
    let (address, secret) = split(&base);
    for path in
        ["/", "/playlist.m3u", "/live/1.ts", &format!("/{}/playlist.m3u", "A".repeat(22)), "/api/v1/box"]
    {
        let found = asked("GET", &format!("http://{address}{path}"), "127.0.0.1");
        assert!(found.status == 404 && !found.text().contains("live"), "{path}: {}", found.text());
    }
    let playlist = format!("{base}/playlist.m3u");
    for host in ["evil.example", "192.168.1.2", &format!("evil.example:{}", address.port())] {
        assert_eq!(asked("GET", &playlist, host).status, 421, "{host}");
    }
    let refused = asked("POST", &playlist, "127.0.0.1");
    assert_eq!((refused.status, refused.field("allow")), (405, Some("GET, HEAD")));
    assert_eq!(asked("GET", &format!("{base}/live/9.ts"), "localhost").status, 404);
    assert_eq!(asked("GET", &format!("{base}/live/1.ts?name=Another"), "localhost").status, 409);
    assert!(address.ip().is_loopback() && secret.len() == 1 + 22, "128 bits: {base}");
    // What is served is served to the end of the program, whatever came before.
    assert_eq!(asked("GET", &playlist, "127.0.0.1").status, 200);
    drop(server);
    assert!(std::net::TcpStream::connect(address).is_err());
}
