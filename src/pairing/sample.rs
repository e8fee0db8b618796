//! A pairing without a box around it, for tests.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::rc::Rc;

use smol::LocalExecutor;

use super::*;
use crate::handshake::{Hello, Invitation, PinTerminal, QrTerminal, Transcript};

/// Runs `work` and what `executor` has, on one thread, as the box does.
pub(super) fn run<'a, T: 'a>(
    reactor: &Rc<Reactor>,
    executor: &LocalExecutor<'a>,
    work: impl Future<Output = T> + 'a,
) -> T {
    let work = executor.spawn(work);
    let clock = Rc::clone(reactor);
    let late = executor.spawn(async move { clock.sleep(Duration::from_secs(60)).await });
    loop {
        while executor.try_tick() {}
        if work.is_finished() {
            return smol::block_on(work); // goes on with its panic, if it had one
        }
        assert!(!late.is_finished(), "it does not end");
        reactor.wait(false, |_| ()).unwrap();
    }
}

pub(super) const FINGERPRINT: Fingerprint = Fingerprint([7; 32]);
pub(super) const BOX: &str = "stb";

/// A pairing with what it said and saved.
pub(super) struct Rig {
    pub(super) pairing: Pairing,
    pub(super) reactor: Rc<Reactor>,
    pub(super) events: Rc<RefCell<Vec<PairEvent>>>,
    pub(super) saved: Rc<RefCell<Vec<Vec<u8>>>>,
    /// Flash works.
    pub(super) flash: Rc<Cell<bool>>,
    /// Programs that show questions.
    pub(super) screens: Rc<Cell<usize>>,
}

impl Rig {
    pub(super) fn new(policy: Policy, attempts: &[u8]) -> Self {
        let reactor = Rc::new(Reactor::new().unwrap());
        let events = Rc::<RefCell<Vec<PairEvent>>>::default();
        let saved = Rc::<RefCell<Vec<Vec<u8>>>>::default();
        let (flash, screens) = (Rc::new(Cell::new(true)), Rc::new(Cell::new(1)));
        let (told, kept) = (Rc::clone(&events), Rc::clone(&saved));
        let (works, shows) = (Rc::clone(&flash), Rc::clone(&screens));
        let save: Save = Box::new(move |record| {
            let done = if works.get() {
                kept.borrow_mut().push(record);
                Ok(())
            } else {
                Err(io::ErrorKind::StorageFull.into())
            };
            // As flash does it: not before others had their turn.
            Box::pin(async {
                smol::future::yield_now().await;
                done
            })
        });
        let tell: Tell = Box::new(move |event| {
            told.borrow_mut().push(event.clone());
            shows.get()
        });
        let mut pairing = Pairing::new(&reactor, (BOX, FINGERPRINT), attempts, save, tell);
        pairing.policy = policy;
        Self { pairing, reactor, events, saved, flash, screens }
    }

    pub(super) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        run(&self.reactor, &LocalExecutor::new(), work)
    }

    pub(super) fn open(&self, modes: Modes) -> Shown {
        self.pairing.open(viewer(modes)).unwrap()
    }

    /// The events' names.
    pub(super) fn told(&self) -> Vec<String> {
        self.events.borrow().iter().map(name_of).collect()
    }

    /// A whole pairing by QR code, to the proof that is not yet sent.
    pub(super) fn by_qr(
        &self,
        from: Source,
        invitation: &Shown,
    ) -> Result<(AttemptId, [u8; PROOF]), PairError> {
        let nonce = Nonce([9; 16]);
        let welcome = self.pairing.hello(from, Mode::Qr, &nonce, "Anna")?;
        let secret = invitation.secret.clone().unwrap();
        Ok((welcome.attempt, qr_proof(&welcome, (&nonce, "Anna"), &secret)))
    }

    /// A whole pairing by PIN, to the confirmation that is not yet sent; none with a wrong PIN.
    pub(super) async fn by_pin(&self, from: Source, pin: &Pin) -> Result<PinAttempt, PairError> {
        let nonce = Nonce([9; 16]);
        let welcome = self.pairing.hello(from, Mode::Pin, &nonce, "Anna")?;
        let (terminal, share) = pin_share(&welcome, (&nonce, "Anna"), pin);
        let (share, confirm) = self.pairing.share(from, &welcome.attempt, &share).await?;
        Ok((welcome.attempt, terminal.finish(&share, &confirm).ok()))
    }

    /// Tries a wrong PIN by PIN pairing, and says so.
    pub(super) async fn guess(&self, from: Source, wrong: &Pin) -> Result<(), PairError> {
        let (attempt, confirm) = self.by_pin(from, wrong).await?;
        assert!(confirm.is_none(), "once in 10^7 runs, the PIN was guessed");
        let end = self.pairing.finish(from, &attempt, &[0; PROOF]).await;
        assert_eq!(end.err(), Some(PairError::Proof));
        Ok(())
    }
}

/// An attempt by PIN: with the right one, the terminal's confirmation and its key.
pub(super) type PinAttempt = (AttemptId, Option<([u8; PROOF], TerminalKey)>);

pub(super) fn viewer(modes: Modes) -> Terms {
    Terms { modes, role: Role::Viewer, guest: None, first: false }
}

pub(super) const fn source(n: u8) -> Source {
    Source::V4([10, 0, 0, n])
}

pub(super) fn transcript(welcome: &Welcome, (nonce, name): (&Nonce, &str)) -> Transcript {
    let mode = if matches!(welcome.opening, Opening::Proof(_)) { Mode::Qr } else { Mode::Pin };
    Transcript::of(&Hello {
        box_name: BOX,
        fingerprint: &FINGERPRINT,
        mode,
        box_nonce: &welcome.nonce,
        terminal_nonce: nonce,
        terminal_name: name,
        role: welcome.role,
    })
    .unwrap()
}

/// The terminal's proof, after it read the QR code and checked the box's.
pub(super) fn qr_proof(
    welcome: &Welcome,
    said: (&Nonce, &str),
    secret: &crate::handshake::Secret,
) -> [u8; PROOF] {
    let Opening::Proof(box_proof) = welcome.opening else { panic!("by QR the box proves first") };
    let code = Invitation::new(crate::handshake::BoxId([0; 8]), secret.clone(), &FINGERPRINT).fragment();
    let secret = Invitation::parse(&code).unwrap().secret;
    QrTerminal::start(&secret, &transcript(welcome, said)).finish(&box_proof).unwrap().0
}

pub(super) fn pin_share(welcome: &Welcome, said: (&Nonce, &str), pin: &Pin) -> (PinTerminal, [u8; SHARE]) {
    let Opening::Salt(salt) = welcome.opening else { panic!("by PIN there is a salt") };
    let mut bytes = [0; 64];
    random::fill(&mut bytes).unwrap();
    PinTerminal::start(pin, &salt, &transcript(welcome, said), Ephemeral::new(bytes))
}

/// A PIN that is not this one.
pub(super) fn other_than(pin: &Pin) -> Pin {
    let other = if pin.digits().starts_with('0') { "1" } else { "0" };
    Pin::parse(&format!("{other}{}", &pin.digits()[1..])).unwrap()
}

fn name_of(event: &PairEvent) -> String {
    match event {
        PairEvent::Opened(_) => "opened".into(),
        PairEvent::Closed { .. } => "closed".into(),
        PairEvent::NewPin(Some(_)) => "new pin".into(),
        PairEvent::NewPin(None) => "no pin".into(),
        PairEvent::Ask(ask) => format!("ask {} {}", ask.id, ask.name.as_str()),
        PairEvent::Paired { slot, .. } => format!("paired {slot}"),
        PairEvent::Failed(why) => format!("failed {}", why.code()),
    }
}
