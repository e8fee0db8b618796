//! The registrar against a model too simple to be wrong: one name has one owner at any time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 3] = ["alice", "bob", "carol"];

#[derive(Clone, Debug)]
enum Step {
    Claim(usize, usize),
    Handover(usize, usize, usize),
    Recover(usize, usize),
    Release(usize, bool),
    Beat(usize, usize, u8),
    Bye(usize, usize),
    Fail(bool),
    Restart,
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let (stb, name) = (0..3_usize, 0..NAMES.len());
    prop_oneof![
        (stb.clone(), name.clone()).prop_map(|(stb, name)| Step::Claim(stb, name)),
        (stb.clone(), stb.clone(), name.clone()).prop_map(|(from, to, name)| Step::Handover(from, to, name)),
        (stb.clone(), name.clone()).prop_map(|(stb, name)| Step::Recover(stb, name)),
        (name.clone(), any::<bool>()).prop_map(|(name, erase)| Step::Release(name, erase)),
        (stb.clone(), name.clone(), 1..4_u8).prop_map(|(stb, name, last)| Step::Beat(stb, name, last)),
        (stb, name).prop_map(|(stb, name)| Step::Bye(stb, name)),
        any::<bool>().prop_map(Step::Fail),
        Just(Step::Restart),
        prop_oneof![1..700_u32, Just(80 * 3600), Just(91 * 86_400)].prop_map(Step::Wait),
    ]
}

/// What should be: who has each name (by number of the box), where it is, and who may have a resting one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Owned { by: usize, at: Option<u8>, heard: u64 },
    Resting { by: Option<usize>, until: u64 },
}

struct World {
    rig: Rig,
    /// What each box holds of each name.
    boxes: Vec<Vec<TestBox>>,
    model: BTreeMap<usize, State>,
    codes: BTreeMap<usize, crate::registration::RecoveryCode>,
}

fn ten_names() -> Settings {
    Settings { move_delay: Duration::ZERO, ..settings() }
}

impl World {
    fn new() -> Self {
        let stbs = || (0..NAMES.len()).map(|_| ());
        let boxes = (10..13).map(|seed| stbs().map(|()| TestBox::new(seed)).collect()).collect();
        Self { rig: Rig::new(ten_names()), boxes, model: BTreeMap::new(), codes: BTreeMap::new() }
    }

    fn take(&mut self, stb: usize, name: usize) {
        self.model.insert(name, State::Owned { by: stb, at: None, heard: self.rig.now.utc });
        if let Some(code) = self.boxes[stb][name].recovery.take() {
            self.codes.insert(name, code);
        }
    }

    /// Between 600 and 660 s a lease may have ended, or not: what is shown decides.
    fn settle(&mut self) {
        for (number, state) in &mut self.model {
            let State::Owned { at, heard, .. } = state else { continue };
            let shown = self.rig.registrar.show(self.rig.now, 0, NAMES[*number]);
            if self.rig.now.utc - *heard >= 600 && shown.is_none_or(|shown| shown.v4.is_none()) {
                *at = None;
            }
        }
    }

    fn claim(&mut self, stb: usize, name: usize) {
        self.settle();
        let may = match self.model.get(&name) {
            None => true,
            Some(State::Owned { by, .. }) => *by == stb,
            Some(State::Resting { by, .. }) => *by == Some(stb),
        };
        let at = match self.model.get(&name) {
            Some(State::Owned { at, heard, .. }) => Some((*at, *heard)),
            _ => None,
        };
        let got = self.boxes[stb][name].claim(&mut self.rig, NAMES[name]).is_ok();
        assert_eq!(got, may && self.rig.fails.is_none(), "{:?}", self.model);
        if got {
            self.take(stb, name);
            if let (Some((was, _)), Some(State::Owned { at, .. })) = (at, self.model.get_mut(&name)) {
                *at = was; // new keys for the same box
            }
        }
    }

    fn step(&mut self, step: &Step) {
        let fails = self.rig.fails.is_some();
        match *step {
            Step::Claim(stb, name) => self.claim(stb, name),
            Step::Handover(from, to, name) => {
                let is_owner = matches!(self.model.get(&name), Some(State::Owned { by, .. }) if *by == from);
                if !is_owner || from == to {
                    return;
                }
                let signature = self.boxes[from][name].handover(NAMES[name], self.boxes[to][name].public());
                let also = Also { handover: Some(signature), ..Also::default() };
                let got = self.boxes[to][name].claim_with(&mut self.rig, NAMES[name], &also).is_ok();
                assert_eq!(got, !fails);
                if got {
                    self.take(to, name);
                }
            }
            Step::Recover(stb, name) => {
                let is_other = matches!(self.model.get(&name), Some(State::Owned { by, .. }) if *by != stb);
                let Some(code) = self.codes.get(&name).cloned().filter(|_| is_other) else { return };
                let also = Also { recovery: Some(&code), ..Also::default() };
                let got = self.boxes[stb][name].claim_with(&mut self.rig, NAMES[name], &also).is_ok();
                assert_eq!(got, !fails);
                if got {
                    self.take(stb, name);
                }
            }
            Step::Release(name, erase) => {
                let Some(State::Owned { by, .. }) = self.model.get(&name).cloned() else { return };
                self.rig.registrar.release_by_operator(self.rig.now, 0, NAMES[name], erase).unwrap();
                self.rig.commit();
                if !fails {
                    let until = self.rig.now.utc + 90 * 86_400;
                    self.model.insert(name, State::Resting { by: (!erase).then_some(by), until });
                }
            }
            Step::Beat(stb, name, last) => self.beat(stb, name, last),
            Step::Bye(stb, name) => self.bye(stb, name),
            Step::Fail(on) => self.rig.fails = on.then(|| "full".into()),
            Step::Restart => {
                self.rig.restart(ten_names());
                self.rig.registrar.trust_clock(); // months without a write are no wrong clock here
                let now = self.rig.now.utc;
                self.settle();
                for state in self.model.values_mut() {
                    if let State::Owned { heard, .. } = state {
                        *heard = now; // a lease to be heard of again
                    }
                }
            }
            Step::Wait(seconds) => {
                // Claims that end after 400 days are another test's.
                let end = self.rig.now.utc + u64::from(seconds);
                if end > Self::new().rig.now.utc + 390 * 86_400 {
                    return;
                }
                self.rig.fails = None;
                self.rig.wait(u64::from(seconds));
                self.rig.wait(60); // the sweep gets round
                let now = self.rig.now.utc;
                self.model.retain(|_, state| !matches!(state, State::Resting { until, .. } if *until <= now));
            }
        }
    }

    fn beat(&mut self, stb: usize, name: usize, last: u8) {
        if self.boxes[stb][name].psk.is_none() {
            return;
        }
        let was = self.rig.published(NAMES[name]).and_then(|(v4, _)| v4);
        let ack = self.boxes[stb][name].beat(&mut self.rig, &format!("192.0.1.{last}:9"));
        let Some(ack) = ack else { return };
        let now = self.rig.now.utc;
        match self.model.get_mut(&name) {
            Some(State::Owned { by, at, heard }) if ack.status == Status::Published => {
                assert_eq!(*by, stb, "only who has it is acknowledged");
                (*at, *heard) = (Some(last), now);
            }
            _ => {
                assert_eq!(ack.flags, AckFlags::NAME_LOST);
                assert_eq!(self.rig.published(NAMES[name]).and_then(|(v4, _)| v4), was);
            }
        }
    }

    fn bye(&mut self, stb: usize, name: usize) {
        let fails = self.rig.fails.is_some();
        let Some(State::Owned { by, at, .. }) = self.model.get_mut(&name) else { return };
        let stb_of = &mut self.boxes[stb][name];
        if *by != stb || stb_of.psk.is_none() || at.is_none() {
            return;
        }
        let (bye, last) = (crate::registration::Bye { epoch: stb_of.epoch }, at.unwrap());
        let packet = stb_of.sealed(&bye);
        self.rig.send(Came::Udp, &format!("192.0.1.{last}:9"), &packet);
        let is_off = self.rig.published(NAMES[name]) == Some((None, None));
        assert!(!is_off || !fails);
        if is_off {
            *at = None;
        }
    }

    /// The registrar says what the model says.
    fn check(&mut self) {
        for (number, name) in NAMES.iter().enumerate() {
            let shown = self.rig.registrar.show(self.rig.now, 0, name);
            match (self.model.get_mut(&number), shown) {
                (None, None) => {}
                (Some(State::Owned { by, at, heard }), Some(shown)) => {
                    assert_eq!(shown.key, Some(self.boxes[*by][number].public()));
                    if self.rig.now.utc - *heard > 660 {
                        *at = None;
                    }
                    let is_certain = self.rig.now.utc - *heard < 600;
                    let expected = at.map(|last| std::net::Ipv4Addr::new(192, 0, 1, last));
                    assert!(shown.v4 == expected || !is_certain, "{name}: {shown:?}, not {expected:?}");
                }
                (Some(State::Resting { .. }), Some(shown)) => assert_eq!(shown.lease, Lease::Resting),
                (model, shown) => panic!("{name}: {model:?}, and {shown:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn one_name_has_one_owner_at_any_time(steps in proptest::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
            world.check();
        }
    }
}
