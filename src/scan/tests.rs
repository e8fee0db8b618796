//! What a scan visits, against a slow account of what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::plan::{By, Found, Outcome, Plan, StreamId};
use crate::delivery::{System, Tuning};
use crate::ts::network::NetworkMux;

const TV: Found = Found { muxes: 1, tv: 2, radio: 1, other: 0 };

/// Place `n` of a raster.
fn place(n: u8) -> Tuning {
    Tuning::new(System::DvbT2, 474_000_000 + u32::from(n) * 8_000_000)
}

/// What is on air: at each place the mux that is sent there, and which places its network names. A mux that is sent at
/// several places names what the first of them says.
type Ether = BTreeMap<u8, (u16, Vec<u8>)>;

fn ether() -> impl Strategy<Value = Ether> {
    let names = prop::collection::vec(0..12_u8, 0..5);
    prop::collection::btree_map(0..12_u8, (0..6_u16, names), 0..10)
}

fn named(ether: &Ether, by: u8) -> Vec<NetworkMux> {
    let id = ether.get(&by).map(|(id, _)| id);
    let told = ether.values().find(|(other, _)| Some(other) == id);
    let told = told.map(|(_, places)| places.as_slice()).unwrap_or_default();
    let mux = |n: &u8| {
        let (id, _) = ether.get(n)?;
        Some(NetworkMux { original_network_id: 1, transport_stream_id: *id, tuning: place(*n) })
    };
    told.iter().filter_map(mux).collect()
}

/// The muxes that can be found from `seeds`, the slow way.
fn reachable(ether: &Ether, seeds: &[u8]) -> BTreeSet<StreamId> {
    let (mut places, mut ids) = (seeds.iter().copied().collect::<BTreeSet<u8>>(), BTreeSet::new());
    loop {
        let before = (places.len(), ids.len());
        for n in places.clone() {
            let Some((id, _)) = ether.get(&n) else { continue };
            ids.insert((1, *id));
            places.extend(named(ether, n).iter().map(|mux| place_of(&mux.tuning)));
        }
        if before == (places.len(), ids.len()) {
            return ids;
        }
    }
}

fn place_of(tuning: &Tuning) -> u8 {
    ((tuning.frequency - 474_000_000) / 8_000_000) as u8
}

/// Goes through with it; `moods` says when a visit waits for a tuner.
fn run(plan: &mut Plan, ether: &Ether, tuners: usize, moods: &mut impl Iterator<Item = bool>) {
    let (mut now, mut percent, mut visited) = (Duration::ZERO, 0, BTreeSet::new());
    while !plan.is_over() {
        now += Duration::from_secs(1);
        while let Some(stop) = plan.begin(tuners, now) {
            assert!(visited.insert(stop), "each place is visited once");
        }
        let visits: Vec<_> = plan.visits().collect();
        assert!(visits.len() <= tuners && (!visits.is_empty() || plan.is_over()));
        for (stop, tuning, _) in visits {
            if moods.next().unwrap_or_default() {
                plan.goes_on(stop, true, now);
                continue;
            }
            let n = place_of(&tuning);
            match ether.get(&n) {
                Some((id, _)) => _ = plan.receive(stop, (1, *id), TV, named(ether, n).iter(), now),
                None => assert_eq!(plan.fail(stop, |_| true, now), None),
            }
        }
        let way = plan.way(now);
        assert!(way.percent >= percent && way.done <= way.all, "{way:?}");
        assert_eq!(way.percent == 100, plan.is_over());
        percent = way.percent;
    }
}

proptest! {
    #[test]
    fn all_that_is_named_is_found_once(
        ether in ether(),
        seeds in prop::collection::vec(0..12_u8, 1..4),
        tuners in 1..=crate::board::INPUTS,
        moods in prop::collection::vec(any::<bool>(), 0..40),
    ) {
        let mut plan = Plan::new();
        seeds.iter().for_each(|n| assert!(plan.add(place(*n), By::Name)));
        run(&mut plan, &ether, tuners, &mut moods.into_iter());
        let received = |stop: &super::Stop| match stop.outcome {
            Outcome::Received(id) => Some(id),
            _ => None,
        };
        let ids: BTreeSet<StreamId> = plan.stops().iter().filter_map(received).collect();
        let found = plan.found();
        prop_assert_eq!((usize::from(found.muxes), usize::from(found.tv)), (ids.len(), 2 * ids.len()));
        prop_assert_eq!(ids, reachable(&ether, &seeds));
    }

    #[test]
    fn a_scan_that_was_cut_off_finds_the_same(ether in ether(), seed in 0..12_u8, cut in 0..20_usize) {
        let mut whole = Plan::new();
        whole.add(place(seed), By::Name);
        run(&mut whole, &ether, 1, &mut std::iter::empty());
        let mut plan = Plan::new();
        plan.add(place(seed), By::Name);
        for _ in 0..cut {
            let Some(stop) = plan.begin(1, Duration::ZERO) else { break };
            let n = place_of(&plan.stops()[stop].tuning);
            match ether.get(&n) {
                Some((id, _)) => _ = plan.receive(stop, (1, *id), TV, named(&ether, n).iter(), Duration::ZERO),
                None => _ = plan.fail(stop, |_| true, Duration::ZERO),
            }
        }
        plan.begin(1, Duration::ZERO); // the power goes in the middle of a visit
        let mut plan = Plan::restored(plan.found(), plan.stops().iter().copied());
        run(&mut plan, &ether, 1, &mut std::iter::empty());
        prop_assert_eq!((plan.found(), plan.stops()), (whole.found(), whole.stops()));
    }
}

fn ways(text: &str, by: By, knows: fn(System) -> bool) -> Vec<String> {
    let mut plan = Plan::new();
    plan.add(text.parse().unwrap(), by);
    let stop = plan.begin(1, Duration::ZERO).unwrap();
    let mut ways = Vec::new();
    while let Some(other) = plan.fail(stop, knows, Duration::ZERO) {
        assert_eq!(plan.visits().next().map(|(_, tuning, _)| tuning), Some(other));
        ways.push(other.to_string());
    }
    assert_eq!(
        (plan.stops()[0].outcome, plan.stops()[0].tuning.to_string()),
        (Outcome::Nothing, text.into())
    );
    ways
}

#[test]
fn the_second_generation_and_other_symbol_rates_are_tried() {
    let t2 = ["dvb-t2:474000000?bw=8000000"];
    assert_eq!(ways("dvb-t:474000000?bw=8000000&mod=qam64", By::Name, |_| true), t2);
    assert_eq!(ways("dvb-t:474000000", By::Name, |system| system != System::DvbT2), [""; 0]);
    assert_eq!(ways("dvb-t2:474000000", By::Raster, |_| true), [""; 0]);
    assert_eq!(ways("dvb-c:474000000?sr=6900000", By::Raster, |_| true), ["dvb-c:474000000?sr=6875000"]);
    assert_eq!(ways("dvb-c:474000000?sr=6900000", By::Name, |_| true), [""; 0], "who named it knows");
}

#[test]
fn what_was_received_is_known_as_it_is_sent() {
    let mut plan = Plan::new();
    plan.add("dvb-t:474000000".parse().unwrap(), By::Name);
    let stop = plan.begin(1, Duration::ZERO).unwrap();
    plan.fail(stop, |_| true, Duration::ZERO);
    let tower = NetworkMux { original_network_id: 1, transport_stream_id: 2, tuning: place(3) };
    assert!(plan.receive(stop, (1, 1), TV, [tower].iter(), Duration::ZERO));
    assert_eq!(plan.stops()[0].tuning.to_string(), "dvb-t2:474000000");
    // Another tower of the same mux is no news, and one that is named so is not visited.
    plan.add(place(5), By::Name);
    let stop = plan.begin(1, Duration::ZERO).unwrap();
    assert_eq!(stop, 1);
    assert!(plan.receive(stop, (1, 2), TV, std::iter::empty(), Duration::ZERO));
    assert_eq!(plan.begin(1, Duration::ZERO), Some(2));
    assert!(!plan.receive(2, (1, 2), TV, std::iter::empty(), Duration::ZERO));
    assert_eq!(plan.found().muxes, 2);
    plan.add(place(7), By::Network((1, 2)));
    assert_eq!(plan.begin(1, Duration::ZERO), None);
    assert_eq!(plan.stops()[3].outcome, Outcome::Left);
    // Tables have one descriptor for all towers: what is beside DTMB is DTMB.
    let mut plan = Plan::new();
    plan.add("dtmb:474000000".parse().unwrap(), By::Name);
    plan.begin(1, Duration::ZERO);
    let tower = NetworkMux { tuning: "dvb-t:602000000?bw=8000000&mod=qam64".parse().unwrap(), ..tower };
    plan.receive(0, (1, 1), TV, [tower].iter(), Duration::ZERO);
    assert_eq!(plan.stops()[1].tuning.to_string(), "dtmb:602000000?bw=8000000");
}

#[test]
fn the_time_left_is_by_the_mean_and_waiting_does_not_count() {
    let at = Duration::from_secs;
    let mut plan = Plan::new();
    (0..5).for_each(|n| assert!(plan.add(place(n), By::Name)));
    assert_eq!(plan.way(at(0)).left, None);
    let first = plan.begin(1, at(0)).unwrap();
    plan.goes_on(first, true, at(100));
    plan.goes_on(first, false, at(100));
    plan.goes_on(first, false, at(104));
    plan.fail(first, |_| false, at(106));
    assert_eq!(plan.way(at(106)).left, Some(at(4 * 6)));
    let second = plan.begin(2, at(106)).unwrap();
    plan.goes_on(second, false, at(106));
    assert_eq!(plan.way(at(108)).left, Some(at(4 * 6 - 2)));
    let third = plan.begin(2, at(108)).unwrap();
    plan.goes_on(third, false, at(108));
    assert_eq!(plan.way(at(108)).left, Some(at((4 * 6 - 2) / 2)), "two tuners");
    assert_eq!(plan.begin(2, at(108)), None);
}
