use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;

use futures_lite::future::poll_once;

use super::sample::*;
use super::*;
use crate::handshake::Secret;

const T: fn(u64) -> Duration = Duration::from_secs;
const NONCE: Nonce = Nonce([9; 16]);
const SAID: (&Nonce, &str) = (&NONCE, "Anna");

#[test]
fn by_qr_a_terminal_is_let_in_and_the_window_closes_behind_it() {
    let rig = Rig::new(Policy::Never, &[]);
    let shown = rig.open(Modes::Both);
    let (attempt, proof) = rig.by_qr(source(1), &shown).unwrap();
    let enrolment = rig.run(rig.pairing.finish(source(1), &attempt, &proof)).unwrap();
    assert_eq!((enrolment.name.as_str(), enrolment.role), ("Anna", Role::Viewer));
    rig.pairing.enrolled(3, enrolment.name, enrolment.role);
    assert_eq!(rig.told(), ["opened", "closed", "paired 3"]);
    assert_eq!(rig.by_qr(source(1), &shown).err(), Some(PairError::Closed), "its secret is spent");
    assert_eq!(
        rig.run(rig.pairing.finish(source(1), &attempt, &proof)).err(),
        Some(PairError::Closed),
        "said again"
    );
    assert!(rig.saved.borrow().is_empty(), "by QR nothing is counted");
}

#[test]
fn by_pin_both_ends_come_to_one_key_and_the_count_is_given_back() {
    let rig = Rig::new(Policy::Never, &[]);
    let shown = rig.open(Modes::Pin);
    assert!(shown.secret.is_none());
    let pin = shown.pin.unwrap();
    rig.run(async {
        rig.guess(source(1), &other_than(&pin)).await.unwrap();
        let (attempt, right) = rig.by_pin(source(1), &pin).await.unwrap();
        let (proof, key) = right.unwrap();
        let enrolment = rig.pairing.finish(source(1), &attempt, &proof).await.unwrap();
        assert_eq!(enrolment.key.as_bytes(), key.as_bytes());
    });
    let lengths: Vec<usize> = rig.saved.borrow().iter().map(Vec::len).collect();
    assert_eq!(lengths, [2 + 7, 2 + 14, 2], "one, two, none");
    assert_eq!(rig.told(), ["opened", "failed proof", "closed"]);
}

#[test]
fn the_first_terminal_is_the_owner_whatever_was_asked() {
    let rig = Rig::new(Policy::Never, &[]);
    let guest = Stay { channels: heapless::Vec::new(), lifetime: T(60) };
    for (role, guest) in [(Role::Viewer, None), (Role::Guest, Some(guest.clone())), (Role::Player, None)] {
        let shown = rig.pairing.open(Terms { modes: Modes::Qr, role, guest, first: true }).unwrap();
        let (attempt, proof) = rig.by_qr(source(1), &shown).unwrap();
        let enrolment = rig.run(rig.pairing.finish(source(1), &attempt, &proof)).unwrap();
        assert_eq!((shown.role, enrolment.role, enrolment.guest), (Role::Owner, Role::Owner, None));
    }
    let terms = |role, guest| Terms { modes: Modes::Qr, role, guest, first: false };
    let shown = rig.pairing.open(terms(Role::Guest, Some(guest.clone()))).unwrap();
    let (attempt, proof) = rig.by_qr(source(1), &shown).unwrap();
    let enrolment = rig.run(rig.pairing.finish(source(1), &attempt, &proof)).unwrap();
    assert_eq!((enrolment.role, enrolment.guest), (Role::Guest, Some(guest.clone())));
    let forever = Stay { lifetime: Duration::ZERO, ..guest.clone() };
    for bad in [terms(Role::Guest, None), terms(Role::Guest, Some(forever)), terms(Role::Viewer, Some(guest))]
    {
        assert_eq!(rig.pairing.open(bad).err(), Some(OpenError::Guest));
    }
}

#[test]
fn what_is_not_open_does_not_exist() {
    let rig = Rig::new(Policy::Never, &[]);
    let hello = |mode| rig.pairing.hello(source(1), mode, &NONCE, "Anna").err();
    assert_eq!([hello(Mode::Qr), hello(Mode::Pin)], [Some(PairError::Closed); 2], "closed");
    rig.open(Modes::Pin);
    assert_eq!([hello(Mode::Qr), hello(Mode::Pin)], [Some(PairError::Closed), None]);
    rig.open(Modes::Qr);
    assert_eq!([hello(Mode::Qr), hello(Mode::Pin)], [None, Some(PairError::Closed)]);
    let spend = || rig.pairing.state.borrow_mut().budget.spend(source(1), clock::boot());
    assert!([spend(), spend(), spend()].iter().all(Result::is_ok));
    assert_eq!([hello(Mode::Qr), hello(Mode::Pin)], [None, Some(PairError::Closed)], "nothing to exhaust");
    assert!(rig.pairing.close() && !rig.pairing.close());
    assert_eq!(hello(Mode::Qr), Some(PairError::Closed));
    rig.open(Modes::Both);
    for name in ["", " \t", "\u{202e}\u{7}"] {
        assert_eq!(rig.pairing.hello(source(1), Mode::Qr, &NONCE, name).err(), Some(PairError::Name));
    }
    assert_eq!(TerminalName::new(&" 字".repeat(40)).unwrap().as_str(), " 字".repeat(16).trim());
    assert_eq!(TerminalName::new(&"字".repeat(40)).unwrap().as_str(), "字".repeat(32));
}

#[test]
fn a_wrong_proof_ends_its_attempt_and_leaves_the_window() {
    let rig = Rig::new(Policy::Never, &[]);
    let shown = rig.open(Modes::Both);
    let (attempt, proof) = rig.by_qr(source(1), &shown).unwrap();
    let finish =
        |attempt: &AttemptId, proof: &[u8; 32]| rig.run(rig.pairing.finish(source(1), attempt, proof)).err();
    let mut wrong = proof;
    wrong[0] ^= 1;
    assert_eq!(finish(&attempt, &wrong), Some(PairError::Proof));
    assert_eq!(finish(&attempt, &proof), Some(PairError::Closed), "the right one comes too late");
    assert_eq!(rig.told(), ["opened", "failed proof"]);
    let (attempt, proof) = rig.by_qr(source(1), &shown).unwrap();
    assert_eq!(finish(&attempt, &proof), None);
}

#[test]
fn messages_of_another_attempt_source_or_mode_are_refused() {
    let rig = Rig::new(Policy::Never, &[]);
    let shown = rig.open(Modes::Both);
    let pin = shown.pin.clone().unwrap();
    let (by_qr, proof) = rig.by_qr(source(1), &shown).unwrap();
    let pairing = &rig.pairing;
    let welcome = pairing.hello(source(2), Mode::Pin, &NONCE, "Anna").unwrap();
    let (terminal, share) = pin_share(&welcome, SAID, &pin);
    let closed = Some(PairError::Closed);
    rig.run(async {
        assert_eq!(pairing.finish(source(2), &by_qr, &proof).await.err(), closed, "another's source");
        assert_eq!(pairing.finish(source(1), &AttemptId([0; 16]), &proof).await.err(), closed);
        assert_eq!(
            pairing.share(source(1), &welcome.attempt, &share).await.err(),
            closed,
            "another's attempt"
        );
        assert_eq!(pairing.finish(source(2), &welcome.attempt, &proof).await.err(), closed, "no share yet");
        assert!(rig.saved.borrow().is_empty(), "nothing of this is an attempt at the PIN");
        let answer = pairing.share(source(2), &welcome.attempt, &share).await.unwrap();
        let (confirm, _) = terminal.finish(&answer.0, &answer.1).unwrap();
        // A second share ends the attempt: one hello, one guess.
        assert_eq!(pairing.share(source(2), &welcome.attempt, &share).await.err(), closed);
        assert_eq!(rig.saved.borrow().len(), 1);
        assert_eq!(pairing.finish(source(2), &welcome.attempt, &confirm).await.err(), closed);
        // A share for a QR attempt ends it, too.
        assert_eq!(pairing.share(source(1), &by_qr, &share).await.err(), closed);
        // What was right in one attempt is wrong in the next.
        let welcome = pairing.hello(source(2), Mode::Pin, &NONCE, "Anna").unwrap();
        pairing.share(source(2), &welcome.attempt, &share).await.unwrap();
        assert_eq!(pairing.finish(source(2), &welcome.attempt, &confirm).await.err(), Some(PairError::Proof));
        let welcome = pairing.hello(source(1), Mode::Qr, &NONCE, "Anna").unwrap();
        assert_eq!(pairing.finish(source(1), &welcome.attempt, &proof).await.err(), Some(PairError::Proof));
        let welcome = pairing.hello(source(3), Mode::Pin, &NONCE, "Anna").unwrap();
        assert_eq!(pairing.share(source(3), &welcome.attempt, &[4; 65]).await.err(), Some(PairError::Share));
    });
}

#[test]
fn of_two_phones_the_first_to_prove_is_let_in() {
    let rig = Rig::new(Policy::Never, &[]);
    let shown = rig.open(Modes::Both);
    let pin = shown.pin.clone().unwrap();
    rig.run(async {
        let one = rig.by_qr(source(1), &shown).unwrap();
        let two = rig.by_qr(source(2), &shown).unwrap();
        let three = rig.by_pin(source(3), &pin).await.unwrap();
        assert!(rig.pairing.finish(source(2), &two.0, &two.1).await.is_ok());
        for (n, attempt, proof) in [(1, one.0, one.1), (3, three.0, three.1.unwrap().0)] {
            assert_eq!(rig.pairing.finish(source(n), &attempt, &proof).await.err(), Some(PairError::Closed));
        }
    });
}

#[test]
fn four_try_at_once_by_pin_and_nobody_keeps_a_place_for_long() {
    let mut window = Window::new(BOX, FINGERPRINT);
    window.open(viewer(Modes::Both), true, T(0)).unwrap();
    let mut hello = |n, now| window.hello(source(n), Mode::Pin, SAID, now);
    let mut latest = None;
    for second in 0..30 {
        for n in 1..=4 {
            latest = Some(hello(n, T(second)).unwrap()); // again and again
        }
        assert_eq!(hello(5, T(second)).err(), Some(PairError::Busy), "full is an answer");
    }
    // To try again made nobody younger: each gives way, and who came last is safe for as long.
    let mine = hello(5, T(30)).unwrap();
    for n in 6..=8 {
        assert!(hello(n, T(31)).is_ok());
    }
    assert_eq!(hello(9, T(59)).err(), Some(PairError::Busy));
    assert!(window.begin_share(source(4), &latest.unwrap().attempt, T(59)).is_err(), "gave way");
    assert!(window.begin_share(source(5), &mine.attempt, T(59)).is_ok());
}

#[test]
fn strangers_keep_nobody_from_the_qr_code() {
    let mut window = Window::new(BOX, FINGERPRINT);
    let shown = window.open(viewer(Modes::Both), true, T(0)).unwrap();
    for n in 1..=200 {
        let _full = window.hello(source(n), Mode::Pin, SAID, T(1));
        assert!(window.hello(source(n), Mode::Qr, SAID, T(1)).is_ok(), "{n}");
    }
    let mine = window.hello(source(201), Mode::Qr, SAID, T(2)).unwrap();
    // Whoever was there before gives way before, and trying again makes nobody younger.
    for n in (1..=200).rev().take(QR_ATTEMPTS - 1) {
        assert!(window.hello(source(n), Mode::Qr, SAID, T(3)).is_ok(), "{n}");
    }
    for n in 202..=255 {
        assert!(window.hello(source(n), Mode::Qr, SAID, T(3)).is_ok(), "{n}");
    }
    let proof = qr_proof(&mine, SAID, shown.secret.as_ref().unwrap());
    assert!(window.finish(source(201), &mine.attempt, &proof, T(3)).is_ok());
}

#[test]
fn a_window_closes_by_itself() {
    let mut window = Window::new(BOX, FINGERPRINT);
    let shown = window.open(viewer(Modes::Qr), true, T(1000)).unwrap();
    let before = T(1300) - Duration::from_nanos(1);
    let mine = window.hello(source(1), Mode::Qr, SAID, before).unwrap();
    let proof = qr_proof(&mine, SAID, shown.secret.as_ref().unwrap());
    assert_eq!(window.finish(source(1), &mine.attempt, &proof, T(1300)).err(), Some(PairError::Closed));
    assert_eq!(window.hello(source(2), Mode::Qr, SAID, T(1300)).err(), Some(PairError::Closed));
    assert!(!window.expire(before) && window.expire(T(1300)) && !window.expire(T(1300)));

    let rig = Rig::new(Policy::Never, &[]);
    let opened = clock::boot().checked_sub(OPEN_FOR).unwrap_or_default() + Duration::from_millis(30);
    rig.run(async {
        let closed = async {
            while rig.told() != ["closed"] {
                smol::future::yield_now().await;
                rig.reactor.sleep(Duration::from_millis(5)).await?;
            }
            Ok(())
        };
        let opening = async {
            rig.pairing.state.borrow_mut().window.open(viewer(Modes::Qr), true, opened).unwrap();
            let _known = rig.pairing.news.0.try_send(()); // as opening does
            closed.await
        };
        let tended = rig.pairing.tend().or(rig.reactor.within(T(60), opening)).await;
        assert!(tended.is_ok(), "{tended:?}");
    });
}

#[test]
fn an_attempt_is_on_flash_before_it_is_answered() {
    let rig = Rig::new(Policy::Never, &[]);
    let pin = rig.open(Modes::Pin).pin.unwrap();
    rig.flash.set(false);
    rig.run(async {
        for n in [1, 2] {
            let error = rig.by_pin(source(n), &pin).await.err();
            assert_eq!(error, Some(PairError::NotCounted(io::ErrorKind::StorageFull)));
        }
        rig.flash.set(true);
        let welcome = rig.pairing.hello(source(3), Mode::Pin, &NONCE, "Anna").unwrap();
        let (_, share) = pin_share(&welcome, SAID, &pin);
        let mut answer = pin!(rig.pairing.share(source(3), &welcome.attempt, &share));
        assert!(poll_once(answer.as_mut()).await.is_none(), "flash is busy");
        assert_eq!(
            rig.pairing.work.step(&rig.reactor, source(3), || ()).await,
            Ok(()),
            "and no work waits yet"
        );
        assert!(answer.await.is_ok());
    });
    let record = rig.saved.borrow().last().unwrap().clone();
    let counted = |record: &[u8]| {
        let mut budget = Budget::load(record, T(0)).unwrap();
        (1..=12).filter(|n| budget.spend(source(*n), T(0)).is_ok()).count()
    };
    assert_eq!(counted(&record), PER_HOUR - 3, "those that were not answered count as well");
    // A restart knows them, and one that cannot read its record lets nobody try.
    let again = Rig::new(Policy::Never, &record);
    assert_eq!(counted(&again.pairing.state.borrow().budget.record(clock::boot())), PER_HOUR - 3);
    let damaged = Rig::new(Policy::Never, &record[..record.len() - 1]);
    assert_eq!(damaged.pairing.open(viewer(Modes::Pin)).err(), Some(OpenError::PinShut));
    let shown = damaged.open(Modes::Both);
    assert!(shown.pin.is_none() && shown.secret.is_some());
}

/// What an attacker gets who tries one PIN after the other, from sources that `from` names.
fn brute_force(rig: &Rig, from: impl Fn(u32) -> Source) -> (usize, Vec<PairError>) {
    let (mut answers, mut errors) = (0, Vec::new());
    rig.run(async {
        for number in 0..10_000 {
            match rig.guess(from(number), &Pin::parse(&format!("{number:08}")).unwrap()).await {
                Ok(()) => answers += 1,
                Err(e) if errors.contains(&e) => {}
                Err(e) => errors.push(e),
            }
        }
    });
    (answers, errors)
}

#[test]
fn ten_thousand_guesses_of_one_source_are_three() {
    let rig = Rig::new(Policy::Never, &[]);
    let pin = rig.open(Modes::Pin).pin.unwrap();
    assert_eq!(brute_force(&rig, |_| source(1)), (PER_SOURCE, vec![PairError::Exhausted]));
    let other = rig.run(rig.by_pin(source(2), &pin));
    assert!(other.unwrap().1.is_some(), "nobody else is refused, and it is still this PIN");
}

#[test]
fn ten_thousand_guesses_of_many_sources_are_ten_and_qr_goes_on() {
    let rig = Rig::new(Policy::Never, &[]);
    let shown = rig.open(Modes::Both);
    let many = |n: u32| Source::from(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)));
    assert_eq!(brute_force(&rig, many), (PER_HOUR, vec![PairError::Closed]));
    let pins: Vec<String> = rig.told().into_iter().filter(|event| event.ends_with("pin")).collect();
    assert_eq!(pins, ["new pin", "no pin"]);
    assert_eq!(rig.pairing.open(viewer(Modes::Pin)).err(), Some(OpenError::PinShut));
    let (attempt, proof) = rig.by_qr(many(0), &shown).unwrap();
    assert!(rig.run(rig.pairing.finish(many(0), &attempt, &proof)).is_ok());
    assert!(rig.open(Modes::Both).pin.is_none());
}

#[test]
fn the_fifth_attempt_may_be_right_while_another_pin_is_shown() {
    let rig = Rig::new(Policy::Never, &[]);
    let old = rig.open(Modes::Pin).pin.unwrap();
    rig.run(async {
        for n in 1..=4 {
            rig.guess(source(n), &other_than(&old)).await.unwrap();
        }
        let (fifth, right) = rig.by_pin(source(5), &old).await.unwrap();
        let new = match rig.events.borrow().last() {
            Some(PairEvent::NewPin(Some(new))) => new.clone(),
            other => panic!("{other:?}"),
        };
        assert_ne!(new.digits(), old.digits());
        rig.guess(source(6), &old).await.unwrap(); // the old one is gone
        assert!(rig.by_pin(source(7), &new).await.unwrap().1.is_some());
        assert!(rig.pairing.finish(source(5), &fifth, &right.unwrap().0).await.is_ok());
    });
}

/// The end of a pairing that the screen is asked about, while `meanwhile` happens.
fn asked(rig: &Rig, meanwhile: impl FnOnce(u32)) -> Option<PairError> {
    let shown = rig.open(Modes::Qr);
    let (attempt, proof) = rig.by_qr(source(1), &shown).unwrap();
    rig.run(async {
        let mut end = pin!(rig.pairing.finish(source(1), &attempt, &proof));
        if let Some(end) = poll_once(end.as_mut()).await {
            return end.err();
        }
        let id = match rig.events.borrow().last() {
            Some(PairEvent::Ask(ask)) => ask.id,
            other => panic!("{other:?}"),
        };
        meanwhile(id);
        end.await.err()
    })
}

#[test]
fn the_screen_decides_who_is_let_in() {
    let rig = Rig::new(Policy::Always, &[]);
    let answer = |id, allow| assert!(rig.pairing.answer(id, allow));
    assert_eq!(asked(&rig, |id| answer(id, true)), None);
    assert_eq!(asked(&rig, |id| answer(id, false)), Some(PairError::Dissent(Dissent::Denied)));
    assert_eq!(rig.told()[3..], ["opened", "closed", "ask 2 Anna", "failed denied"]);
    let denied = Some(PairError::Dissent(Dissent::Denied));
    assert_eq!(
        asked(&rig, |_| assert!(!rig.pairing.close(), "it closed when the proof came")),
        denied,
        "closing says no"
    );
    assert_eq!(asked(&rig, |_| drop(rig.open(Modes::Qr))), denied, "so does opening anew");
    let wrong = |id: u32| {
        assert!(!rig.pairing.answer(id + 1, true) && !rig.pairing.answer(id - 1, true));
        answer(id, true);
        assert!(!rig.pairing.answer(id, false), "it was answered");
    };
    assert_eq!(asked(&rig, wrong), None);
    rig.screens.set(0);
    let nobody = Some(PairError::Dissent(Dissent::NobodyThere));
    assert_eq!(asked(&rig, |_| panic!("nobody was asked")), nobody);
    assert!(!rig.pairing.answer(6, true), "a question that nobody saw does not wait");
}

#[test]
fn a_question_ends_with_who_waits_and_with_patience() {
    let rig = Rig::new(Policy::Always, &[]);
    let consent = Consent::default();
    let question = || (TerminalName::new("Anna").unwrap(), Role::Owner, Mode::Pin);
    rig.run(async {
        let patience = Duration::from_millis(5);
        let unanswered = consent.ask(&rig.reactor, patience, question(), |_| 1).await;
        assert_eq!(unanswered, Err(Dissent::NoAnswer));
        {
            let mut first = pin!(consent.ask(&rig.reactor, T(60), question(), |_| 1));
            assert!(poll_once(first.as_mut()).await.is_none());
            let second = consent.ask(&rig.reactor, T(60), question(), |_| panic!("one at a time")).await;
            assert_eq!(second, Err(Dissent::Occupied));
        }
        assert!(!consent.answer(2, true), "who waited hung up");
        let at_once = |ask: Ask| usize::from(consent.answer(ask.id, true));
        assert_eq!(consent.ask(&rig.reactor, T(60), question(), at_once).await, Ok(()));
    });
}

#[test]
fn the_board_says_who_is_asked_about() {
    let asks = |policy: &str| {
        let of = |role, first| Policy::named(policy).asks(role, first);
        [of(Role::Owner, true), of(Role::Owner, false), of(Role::Viewer, false), of(Role::Guest, false)]
    };
    assert_eq!(asks("always"), [true; 4]);
    assert_eq!(asks("owner"), [false, true, false, false]);
    assert_eq!(asks("never"), [false; 4]);
    assert_eq!(asks(board::PAIR_CONSENT), asks("owner"), "what the base board has");
}

#[test]
fn what_is_over_is_forgotten_on_flash() {
    // One attempt, with no second left of its hour.
    let rig = Rig::new(Policy::Never, &[1, 1, 0, 10, 0, 0, 1, 0]);
    rig.run(async {
        let saved = async {
            while rig.saved.borrow().is_empty() {
                rig.reactor.sleep(Duration::from_millis(5)).await?;
            }
            Ok(())
        };
        rig.pairing.tend().or(rig.reactor.within(T(60), saved)).await.unwrap();
    });
    let saved = rig.saved.borrow().last().unwrap().clone();
    assert_eq!(saved, Budget::default().record(T(0)).as_slice());
}

#[test]
fn nothing_that_is_shown_to_logs_has_a_secret() {
    let rig = Rig::new(Policy::Never, &[]);
    let shown = rig.open(Modes::Both);
    let text = format!("{shown:?} {:?} {:?}", rig.events.borrow(), Secret::new([0x5a; 16]));
    assert!(!text.contains(shown.pin.unwrap().digits()), "{text}");
    assert!(text.contains("Pin(..)") && text.contains("Secret(..)"));
}
