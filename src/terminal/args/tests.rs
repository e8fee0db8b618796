//! Command lines, good and bad.

use super::super::authority::AuthorityError;
use super::super::text::Text;
use super::*;

const LINK: &str = "http://box:8800/live/1.ts?t=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_AbCdE";

fn parse(words: &str, link: Option<&str>) -> Result<Command, UsageError> {
    let words = words.replace("LINK", LINK);
    let home = Some("/home/me".into());
    let environment = Environment { link: link.map(OsString::from), home, config: None };
    Command::parse(words.split(' ').map(OsString::from), environment)
}

fn choice(name: Option<&str>) -> Choice {
    Choice { keys: KeyFile("/home/me/.config/stbcast/boxes".into()), name: name.map(str::to_owned) }
}

#[test]
fn options_may_stand_anywhere() {
    for words in
        ["stbcast watch 7 -o a.ts --seconds 3 --link LINK", "stbcast --link=LINK -oa.ts watch --seconds=3 7"]
    {
        let Ok(Command::Watch(Target::Link(_), job)) = parse(words, None) else { panic!("{words}") };
        assert_eq!((job.channel, job.seconds), (7, Some(3)));
        assert_eq!(job.output, Some(Output::File("a.ts".into())));
    }
    let Ok(Command::Watch(_, job)) = parse("stbcast watch 7 -o -", Some(LINK)) else { panic!() };
    assert_eq!(job.output, Some(Output::Stdout));
}

#[test]
fn which_box_is_said_by_an_option_then_by_the_environment_then_by_what_we_are_paired_with() {
    let target = |words: &str, link| match parse(words, link) {
        Ok(Command::Channels(target)) => target,
        other => panic!("{other:?}"),
    };
    let paired = |target, name| matches!(target, Target::Paired(chosen) if chosen == choice(name));
    assert!(matches!(target("stbcast channels", Some(LINK)), Target::Link(_)));
    assert!(matches!(target("stbcast channels --link LINK", Some("nonsense")), Target::Link(_)));
    assert!(paired(target("stbcast channels", Some("")), None));
    assert!(paired(target("stbcast channels", None), None));
    assert!(paired(target("stbcast channels --box attic", Some(LINK)), Some("attic")));
}

#[test]
fn keys_are_where_the_user_keeps_settings() {
    let keys = |words: &str, config: &str, home: &str| {
        let [config, home] = [config, home].map(|path| Some(path.into()));
        let environment = Environment { link: None, config, home };
        match Command::parse(words.split(' ').map(OsString::from), environment) {
            Ok(Command::Boxes(KeyFile(path))) => Ok(path),
            Err(why) => Err(why),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(keys("stbcast boxes", "/c", "/h").unwrap(), Path::new("/c/stbcast/boxes"));
    assert_eq!(keys("stbcast boxes", "", "/h").unwrap(), Path::new("/h/.config/stbcast/boxes"));
    assert_eq!(keys("stbcast boxes", "relative", "/h").unwrap(), Path::new("/h/.config/stbcast/boxes"));
    assert_eq!(keys("stbcast boxes --keys k", "/c", "/h").unwrap(), Path::new("k"));
    assert_eq!(keys("stbcast boxes", "", "").unwrap_err(), UsageError::NoHome);
}

#[test]
fn a_pin_may_be_given_or_asked_for() {
    let offer = |words: &str| match parse(words, None) {
        Ok(Command::Pair(pairing)) => pairing.offer,
        other => panic!("{words}: {other:?}"),
    };
    for words in ["stbcast pair box --pin 12345678", "stbcast pair --pin=12345678 box"] {
        let Offer::Pin(_, Some(pin)) = offer(words) else { panic!("{words}") };
        assert_eq!(pin.digits(), "12345678");
    }
    for words in
        ["stbcast pair box --pin", "stbcast pair --pin box", "stbcast pair box --pin --name 12345678"]
    {
        assert!(matches!(offer(words), Offer::Pin(_, None)), "{words}");
    }
}

#[test]
fn each_command_has_its_words() {
    let Ok(Command::Link(_, wish)) = parse("stbcast link playlist --ttl 15m --connections 0", None) else {
        panic!()
    };
    assert_eq!(wish, Wish { channel: 0, ttl: 900, connections: 0 });
    let Ok(Command::Link(_, wish)) = parse("stbcast link 7", Some(LINK)) else { panic!() };
    assert_eq!(wish, Wish { channel: 7, ttl: 3600, connections: 1 });
    let Ok(Command::Rename(_, 3, name)) = parse("stbcast rename 3 Kitchen", None) else { panic!() };
    assert_eq!(name, "Kitchen");
    let Ok(Command::Revoke(of, revocation)) = parse("stbcast revoke all --yes --box x", None) else {
        panic!()
    };
    assert_eq!((of, revocation), (choice(Some("x")), Revocation { slot: None, sure: true }));
    let Ok(Command::Revoke(_, revocation)) = parse("stbcast revoke 3", None) else { panic!() };
    assert_eq!(revocation, Revocation { slot: Some(3), sure: false });
    assert!(matches!(parse("stbcast serve --port 8080", None), Ok(Command::Serve(Target::Paired(_), 8080))));
    assert!(matches!(parse("stbcast guide", Some(LINK)), Ok(Command::Guide(_, None))));
    assert!(matches!(parse("stbcast guide 7", Some(LINK)), Ok(Command::Guide(_, Some(7)))));
}

#[test]
fn help_needs_nothing_else_and_names_every_command_and_option() {
    for words in ["stbcast --help", "stbcast watch -h", "stbcast help"] {
        assert!(matches!(parse(words, None), Ok(Command::Help)), "{words}");
    }
    assert!(matches!(parse("stbcast -V", None), Ok(Command::Version)));
    for (command, _, options) in COMMANDS {
        assert!(HELP.contains(&format!("\n  stbcast {command}")), "{command}");
        for option in options {
            assert!(HELP.contains(&format!("--{option}")), "{option}");
        }
    }
    assert!(HELP.lines().all(|line| line.len() <= 120));
}

#[test]
fn what_is_wrong_is_named() {
    for (words, why) in [
        ("stbcast", UsageError::NoCommand),
        ("stbcast record", UsageError::UnknownCommand),
        ("stbcast watch", UsageError::Number),
        ("stbcast watch one", UsageError::Number),
        ("stbcast watch 65536", UsageError::Number),
        ("stbcast watch 1 2", UsageError::ExtraWord),
        ("stbcast watch 1 --seconds 0", UsageError::Range("seconds", 1, u32::MAX)),
        ("stbcast channels 1", UsageError::ExtraWord),
        ("stbcast guide one", UsageError::Number),
        ("stbcast guide 1 --seconds 1", UsageError::OtherCommand("seconds")),
        ("stbcast channels -o x", UsageError::OtherCommand("output")),
        ("stbcast channels --link", UsageError::NoValue(Text::new("--link"))),
        ("stbcast channels --colour", UsageError::UnknownOption(Text::new("--colour"))),
        ("stbcast channels --link LINK --box x", UsageError::TwoBoxes),
        ("stbcast forget --yes=1", UsageError::Value(Text::new("--yes"))),
        ("stbcast forget --yes", UsageError::OtherCommand("yes")),
        ("stbcast terminals --link LINK", UsageError::OtherCommand("link")),
        ("stbcast pair", UsageError::NoOffer),
        ("stbcast pair box", UsageError::NoPin),
        ("stbcast pair box --pin 1234", UsageError::Pin),
        ("stbcast pair box --pin=", UsageError::Pin),
        ("stbcast pair LINK", UsageError::Invitation),
        ("stbcast link", UsageError::LinkTo),
        ("stbcast link 0", UsageError::LinkTo),
        ("stbcast link 1 --ttl x", UsageError::Time),
        ("stbcast link 1 --ttl 4294967295h", UsageError::Time),
        ("stbcast link 1 --connections 65536", UsageError::Range("connections", 0, 65535)),
        ("stbcast serve --port 65536", UsageError::Range("port", 0, 65535)),
        ("stbcast rename 3", UsageError::NoName),
        ("stbcast rename x y", UsageError::Slot),
        ("stbcast revoke", UsageError::Slot),
        ("stbcast revoke 256", UsageError::Slot),
        ("stbcast address", UsageError::Address(AuthorityError::Host)),
        ("stbcast address box:x", UsageError::Address(AuthorityError::Port)),
    ] {
        assert_eq!(parse(words, Some(LINK)).err(), Some(why), "{words}");
    }
}

#[test]
fn no_error_repeats_a_link() {
    for words in [
        "stbcast LINK",
        "stbcast watch LINK",
        "stbcast channels LINK",
        "stbcast watch 1 2 LINK",
        "stbcast --LINK",
        "stbcast pair LINK",
        "stbcast pair LINK --pin",
        "stbcast revoke LINK",
        "stbcast serve --port LINK",
    ] {
        let e = parse(words, Some("nonsense")).unwrap_err();
        assert!(!format!("{e} {e:?}").contains("AbCdEfGh"), "{words}");
    }
}

proptest::proptest! {
    #[test]
    fn any_words_are_survived(words in proptest::collection::vec("(-{0,2}[a-z]{1,8}|\\PC{0,12})", 0..6)) {
        let words = std::iter::once("stbcast".to_owned()).chain(words).map(OsString::from);
        let _ = Command::parse(words, Environment::default());
    }
}
