use super::*;
use crate::service::sample::{CAPACITY, Feeder};

fn filled(frames: u64) -> Feeder {
    let mut feeder = Feeder::new(12 * CAPACITY);
    (0..frames).for_each(|_| feeder.frame());
    feeder
}

#[test]
fn a_list_names_what_can_be_fetched_and_tells_the_time() {
    let feeder = filled(220);
    let mut sessions = Sessions::new(6);
    let epoch = Some(Duration::from_secs(1_000_000_000));
    let id = sessions.begin(feeder.feed.clone(), (), epoch, feeder.now()).unwrap();
    let session = sessions.visit(id, |()| true, feeder.now()).unwrap();
    assert_eq!(session.ready(feeder.now()).map(|rate| rate > 100_000), Ok(true));
    let text = session.playlist(feeder.now(), "?t=abc");
    let head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n\
                #EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-PROGRAM-DATE-TIME:2001-09-09T01:46:40.000Z\n\
                #EXTINF:2.400000,\n7-0.ts?t=abc\n#EXT-X-PROGRAM-DATE-TIME:2001-09-09T01:46:42.400Z\n";
    assert!(text.starts_with(head), "{text}");
    assert!(text.ends_with("7-2.ts?t=abc\n"), "{text}");
    let piece = session.piece(1).unwrap();
    let preamble = piece.length - (piece.range.end - piece.range.start);
    assert_eq!(preamble, 2 * 188, "PAT and PMT");
    assert_eq!(session.fetched(), (piece.length, piece.range.end));
    assert!(session.piece(3).is_none(), "it still grows");
    feeder.feed.ring().borrow_mut().end(Ended::Source);
    assert!(session.playlist(feeder.now(), "").ends_with("7-2.ts\n#EXT-X-ENDLIST\n"));
}

#[test]
fn the_clock_of_a_box_that_does_not_know_the_time_is_not_told() {
    let feeder = filled(220);
    let mut sessions = Sessions::new(0);
    let id = sessions.begin(feeder.feed.clone(), (), None, feeder.now()).unwrap();
    let text = sessions.visit(id, |()| true, feeder.now()).unwrap().playlist(feeder.now(), "");
    assert!(!text.contains("DATE-TIME") && text.contains("#EXTINF"), "{text}");
}

#[test]
fn a_session_lives_as_long_as_something_is_asked_for() {
    let feeder = filled(220);
    let mut sessions = Sessions::new(0);
    let [a, b, c] = ["asks", "fetches", "left"]
        .map(|ticket| sessions.begin(feeder.feed.clone(), ticket, None, Duration::ZERO).unwrap());
    for s in 1..20 {
        let now = Duration::from_secs(s);
        assert!(sessions.visit(a, |_| true, now).is_some());
        assert!(sessions.visit(c, |_| false, now).is_none(), "another's");
        sessions.look_after(now, |ticket| *ticket == "fetches", |_, _| panic!("nothing ended"));
        assert_eq!(sessions.table.iter().any(|t| t.id == c), s < 6, "after {s} s");
    }
    assert_eq!((sessions.len(), sessions.find(|ticket| *ticket == "fetches")), (2, Some(b)));
    sessions.end(|ticket| *ticket == "fetches", |ticket| assert_eq!(*ticket, "fetches"));
    assert_eq!((sessions.len(), feeder.feed.watchers()), (1, 1), "its ring is watched no more");
}

#[test]
fn the_end_of_a_stream_is_told_once_and_what_is_left_can_be_fetched_for_a_while() {
    let feeder = filled(220);
    let mut sessions = Sessions::new(0);
    let id = sessions.begin(feeder.feed.clone(), 'a', None, Duration::ZERO).unwrap();
    feeder.feed.ring().borrow_mut().end(Ended::TvTook);
    let told = std::cell::RefCell::new(Vec::<_, 4>::new());
    let mut lasted = 0;
    for s in 0..100 {
        let now = Duration::from_secs(s);
        sessions.look_after(now, |_| false, |ticket, why| _ = told.borrow_mut().push((*ticket, why)));
        let Some(session) = sessions.visit(id, |_| true, now) else { break };
        assert!(session.piece(2).is_some());
        lasted = s;
    }
    assert_eq!((told.into_inner()[..].to_vec(), lasted), (vec![('a', Ended::TvTook)], LAST.as_secs() - 1));
    assert_eq!(sessions.find(|_| true), None, "nobody goes on with it");
}

#[test]
fn a_full_table_says_so() {
    let feeder = filled(1);
    let mut sessions = Sessions::new(u32::MAX - 1);
    for _ in 0..board::HLS_SESSIONS {
        sessions.begin(feeder.feed.clone(), (), None, Duration::ZERO).unwrap();
    }
    let full = sessions.begin(feeder.feed.clone(), (), None, Duration::ZERO);
    assert_eq!(full, Err(Full(board::HLS_SESSIONS)));
    assert_eq!(feeder.feed.watchers(), board::HLS_SESSIONS);
}

#[test]
fn names_are_two_numbers_and_nothing_else() {
    assert_eq!(
        (parse("7"), parse("7-0"), parse("4294967295-12")),
        (Some((7, None)), Some((7, Some(0))), Some((u32::MAX, Some(12))))
    );
    for bad in ["", "-", "7-", "-7", "+7", "7-+1", "7-1-1", "4294967296", "7-99999999999999999999", "٣"] {
        assert_eq!(parse(bad), None, "{bad}");
    }
}
