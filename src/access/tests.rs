use super::parental::Parental;
use super::terminals::tests::enrolment;
use super::*;

const T: fn(u64) -> Duration = Duration::from_secs;
const PLAIN: Door = Door::Plain;

fn access(boot: u16) -> Access {
    let nowhere = std::env::temp_dir();
    let keys = BoxKeys::make(None).unwrap();
    let loaded = Loaded {
        keys,
        terminals: Terminals::default(),
        parental: Parental::default(),
        floor: 0,
        committed: false,
        registration: None,
    };
    Access::new(loaded, Writer::new(&nowhere).unwrap(), ClockSource::Rtc, boot, 8).unwrap()
}

/// Lets somebody in, in memory alone.
fn let_in(access: &Access, name: &str, role: Role) -> (u8, u16) {
    access.terminals.borrow_mut().enrol(enrolment(name, role), None).unwrap()
}

fn link(access: &Access, scope: Scope, ttl: u64) -> TokenText {
    access.mint(&Terms { scope, ttl: T(ttl), connections: None, recording: false }, T(100)).unwrap()
}

fn by_link<'r>(text: &'r str) -> Credentials<'r> {
    Credentials { link: Some(text), ..Credentials::default() }
}

fn by_cookie<'r>(text: &'r str) -> Credentials<'r> {
    Credentials { cookie: Some(text), ..Credentials::default() }
}

fn is_known(access: &Access, shown: Credentials<'_>, door: Door, now: u64) -> bool {
    access.identify(shown, door, T(now)).is_ok()
}

#[test]
fn a_link_of_the_box_is_good_until_it_expires_and_at_home() {
    let access = access(7);
    let text = link(&access, Scope::Channel(42), 60);
    let caller = access.identify(by_link(&text), PLAIN, T(159)).unwrap();
    assert!(caller.sees(42) && !caller.sees(43) && caller.slot().is_none());
    assert!(caller.may_list().is_err() && caller.may_manage().is_err() && caller.may_hand_out().is_err());
    assert!(!is_known(&access, by_link(&text), PLAIN, 160), "expired");
    assert!(!is_known(&access, by_link(&text), Door::Tls, 101), "made over plain HTTP");
    assert!(!is_known(&access, by_cookie(&text), PLAIN, 101), "a link is no cookie");
    assert!(!is_known(&access, Credentials { bearer: Some(&text), ..Credentials::default() }, PLAIN, 101));
    assert!(!is_known(&access, Credentials::default(), PLAIN, 101));
}

#[test]
fn nothing_is_good_at_another_box_or_in_another_boot() {
    let (one, other) = (access(7), access(7));
    let text = link(&one, Scope::Everything, 60);
    assert!(is_known(&one, by_link(&text), PLAIN, 101) && !is_known(&other, by_link(&text), PLAIN, 101));
    let slot = let_in(&one, "a", Role::Owner);
    let_in(&other, "a", Role::Owner);
    let cookie = one.cookie(slot, PLAIN).unwrap();
    let session = sign_in(&one, slot.0, &one.challenge(T(100)), 100).unwrap();
    let Access { keys, terminals, .. } = one;
    let loaded = Loaded {
        keys: keys.into_inner(),
        terminals: terminals.into_inner(),
        parental: Parental::default(),
        floor: 0,
        committed: false,
        registration: None,
    };
    let nowhere = std::env::temp_dir();
    let rebooted = Access::new(loaded, Writer::new(&nowhere).unwrap(), ClockSource::Rtc, 8, 8).unwrap();
    assert!(!is_known(&rebooted, by_link(&text), PLAIN, 1), "a link ends with its boot");
    assert!(is_known(&rebooted, by_cookie(&cookie), PLAIN, 1), "a cookie does not");
    let bearer = Credentials { bearer: Some(&session), ..Credentials::default() };
    assert!(!is_known(&rebooted, bearer, PLAIN, 1), "a session does");
}

fn sign_in(access: &Access, slot: u8, nonce: &Nonce, now: u64) -> Result<TokenText, Refusal> {
    let key = TerminalKey::new([7; 32]); // of `enrolment`
    let cnonce = Nonce([slot; 16]);
    let fingerprint = access.fingerprint();
    let request =
        SessionRequest { box_nonce: nonce, terminal_nonce: &cnonce, body: &[], fingerprint: &fingerprint };
    let proof = request.sign(&key);
    let signed = Signed { slot, nonce: *nonce, cnonce, proof: &proof };
    access.sign_in(signed, PLAIN, T(now)).map(|(_, token)| token)
}

#[test]
fn a_terminal_signs_once_for_a_session() {
    let access = access(7);
    let (slot, _) = let_in(&access, "a", Role::Owner);
    let nonce = access.challenge(T(100));
    let token = sign_in(&access, slot, &nonce, 100).unwrap();
    let bearer = Credentials { bearer: Some(&token), ..Credentials::default() };
    let caller = access.identify(bearer, PLAIN, T(101)).unwrap();
    assert_eq!((caller.slot(), caller.role()), (Some(slot), Some(Role::Owner)));
    assert!(caller.may_manage().is_ok() && caller.may_hand_out().is_ok());
    assert_eq!(sign_in(&access, slot, &nonce, 101).err(), Some(Refusal::NotKnown), "replayed");
    assert_eq!(sign_in(&access, 5, &nonce, 101).err(), Some(Refusal::NotKnown), "nobody's slot");
    let stale = access.challenge(T(0));
    assert_eq!(sign_in(&access, slot, &stale, 100).err(), Some(Refusal::NotKnown), "stale");
}

#[test]
fn the_boxs_own_links_alone_are_a_recorders() {
    let access = access(7);
    let viewer = let_in(&access, "phone", Role::Viewer);
    let viewer = access.identify(by_cookie(&access.cookie(viewer, PLAIN).unwrap()), PLAIN, T(1)).unwrap();
    for recording in [false, true] {
        let terms = Terms { scope: Scope::Everything, ttl: T(60), connections: None, recording };
        let is_recorder =
            |link: TokenText| access.identify(by_link(&link), PLAIN, T(1)).unwrap().is_recorder();
        assert_eq!(is_recorder(access.mint(&terms, T(1)).unwrap()), recording);
        assert!(!is_recorder(access.mint_for(&viewer, PLAIN, &terms, T(1)).unwrap()), "{recording}");
    }
}

#[test]
fn revoking_ends_all_that_was_made_for_a_terminal_and_nothing_else() {
    let access = access(7);
    let owner = let_in(&access, "owner", Role::Owner);
    let guest = let_in(&access, "phone", Role::Viewer);
    let cookies = [owner, guest].map(|slot| access.cookie(slot, PLAIN).unwrap());
    let callers = [0, 1].map(|i| access.identify(by_cookie(&cookies[i]), PLAIN, T(1)).unwrap());
    let terms = Terms { scope: Scope::Everything, ttl: T(60), connections: None, recording: false };
    let links = [0, 1].map(|i| access.mint_for(&callers[i], PLAIN, &terms, T(1)).unwrap());
    let code = access.hand_over(&callers[1], T(1)).unwrap();
    let uses = [0, 1].map(|i| access.connect(&callers[i], None).ok().unwrap());
    let (done, _) = (smol::block_on(smol::future::poll_once(access.revoke(guest.0))), ());
    assert!(done.is_none(), "it waits for flash, which nobody writes here");
    assert_eq!(uses.each_ref().map(LinkUse::is_over), [false, true]);
    assert!(access.take_over());
    assert!(
        is_known(&access, by_cookie(&cookies[0]), PLAIN, 2)
            && is_known(&access, by_link(&links[0]), PLAIN, 2)
    );
    assert!(
        !is_known(&access, by_cookie(&cookies[1]), PLAIN, 2)
            && !is_known(&access, by_link(&links[1]), PLAIN, 2)
    );
    assert!(access.redeem(&code, PLAIN, T(2)).is_err());
    assert_eq!(let_in(&access, "next", Role::Viewer), (guest.0, 3), "in the same slot");
    assert!(!is_known(&access, by_cookie(&cookies[1]), PLAIN, 2), "the next is somebody else");
}

#[test]
fn a_guest_ends_with_its_time_and_without_one_it_never_begins() {
    let access = access(7);
    let_in(&access, "owner", Role::Owner);
    let mut new = enrolment("guest", Role::Guest);
    let soon = clock::utc().as_secs() + 3600;
    new.guest = Some(GuestTerms { channels: [1, 2].into_iter().collect(), until: soon });
    let slot = access.terminals.borrow_mut().enrol(new, None).unwrap();
    let cookie = access.cookie(slot, PLAIN).unwrap();
    let caller = access.identify(by_cookie(&cookie), PLAIN, T(1)).unwrap();
    assert!(caller.sees(1) && !caller.sees(3) && caller.may_list().is_ok());
    assert!(
        caller.may_hand_out().is_err() && caller.may_manage().is_err() && caller.may_change(slot.0).is_err()
    );
    let watching = access.connect(&caller, None).ok().unwrap();
    access.end_guests();
    assert!(!watching.is_over());
    let end = |until| {
        let mut terminals = access.terminals.borrow_mut();
        let terminal = terminals.slots[usize::from(slot.0)].terminal.as_mut().unwrap();
        terminal.guest.as_mut().unwrap().until = until;
    };
    end(soon - 7200);
    assert_eq!(access.identify(by_cookie(&cookie), PLAIN, T(1)).err(), Some(Refusal::NotKnown));
    access.end_guests();
    assert!(watching.is_over());
    end(soon);
    let timeless = Access { clock: WallClock::new(ClockSource::None, 0), ..access };
    assert_eq!(timeless.identify(by_cookie(&cookie), PLAIN, T(1)).err(), Some(Refusal::NoTime));
}

#[test]
fn a_players_url_is_good_at_home_until_it_is_revoked_and_for_watching_alone() {
    let access = access(7);
    let_in(&access, "owner", Role::Owner);
    let (slot, _) = let_in(&access, "kodi", Role::Player);
    let url = access.player_token(&access.terminal(slot).unwrap()).unwrap();
    let caller = access.identify(by_link(&url), PLAIN, T(1)).unwrap();
    assert!(caller.is_player() && caller.may_list().is_ok() && caller.sees(7));
    assert!(caller.may_hand_out().is_err() && caller.may_speak_for_itself().is_err());
    assert!(!is_known(&access, by_link(&url), Door::Tls, 1), "at home only");
    let cookie = access.cookie((slot, 1), PLAIN).unwrap();
    assert!(!is_known(&access, by_cookie(&cookie), PLAIN, 1), "a player has no session");
    access.terminals.borrow_mut().revoke(slot);
    assert!(!is_known(&access, by_link(&url), PLAIN, 1));
}

#[test]
fn a_code_takes_the_same_slot_elsewhere_once() {
    let access = access(7);
    let slot = let_in(&access, "phone", Role::Owner);
    let cookie = access.cookie(slot, PLAIN).unwrap();
    let caller = access.identify(by_cookie(&cookie), PLAIN, T(1)).unwrap();
    let code = access.hand_over(&caller, T(1)).unwrap();
    let (redeemed, other) = access.redeem(&code, Door::Tls, T(2)).unwrap();
    assert_eq!(redeemed.slot(), caller.slot());
    assert!(
        is_known(&access, by_cookie(&other), Door::Tls, 3)
            && !is_known(&access, by_cookie(&cookie), Door::Tls, 3)
    );
    assert!(access.redeem(&code, PLAIN, T(2)).is_err());
    let renewed = access.renewed_cookie(&caller, PLAIN).unwrap();
    assert!(renewed != cookie && is_known(&access, by_cookie(&renewed), PLAIN, 3));
}

#[test]
fn every_token_of_every_kind_fails_when_a_bit_of_it_is_flipped() {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let access = access(7);
    let slot = let_in(&access, "phone", Role::Owner);
    let (player, _) = let_in(&access, "kodi", Role::Player);
    let texts = [
        link(&access, Scope::Everything, 60),
        access.player_token(&access.terminal(player).unwrap()).unwrap(),
        access.cookie(slot, PLAIN).unwrap(),
        sign_in(&access, slot.0, &access.challenge(T(100)), 100).unwrap(),
    ];
    for (kind, text) in texts.iter().enumerate() {
        let is_good = |text: &str| {
            let shown = match kind {
                0 | 1 => by_link(text),
                2 => by_cookie(text),
                _ => Credentials { bearer: Some(text), ..Credentials::default() },
            };
            is_known(&access, shown, PLAIN, 101)
        };
        assert!(is_good(text), "{kind}");
        let mut token = [0; 32];
        Base64UrlUnpadded::decode(text, &mut token).unwrap();
        for bit in 0..256 {
            let mut forged = token;
            forged[bit / 8] ^= 1 << (bit % 8);
            let mut text = [0; TOKEN_CHARS];
            let forged = Base64UrlUnpadded::encode(&forged, &mut text).unwrap();
            assert!(!is_good(forged), "{kind}, bit {bit}");
        }
    }
}
