//! Who gets which number, whatever lists and muxes say in whatever order.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;

use super::{ChannelTable, Claim, Entry};
use crate::import::Authority::{self, Import, Scan, Vendor};
use crate::source::Now;
use crate::ts::psi::Tracks;
use crate::ts::service_info::{Name, ServiceKind};
use crate::tuner::Tuners;
use crate::tuner::arbiter::Priority;

/// Sources that are configured, and one more that only lists name.
const SOURCES: u16 = 4;

/// What happens to a table.
#[derive(Clone, Debug)]
enum Step {
    /// The box is started again, with these lists: whose, the source, the number.
    Start(Authority, Vec<(Authority, u16, Option<u16>)>),
    /// A mux shows its services, each with the number that its network gives it.
    Show(u16, Vec<(u16, Option<u16>)>),
}

fn step() -> impl Strategy<Value = Step> {
    let authority = prop::sample::select(&[Vendor, Import, Scan][..]);
    let by = prop::sample::select(&[Vendor, Import][..]);
    let number = || prop::option::of(1..9_u16);
    let start = (authority, prop::collection::vec((by, 0..=SOURCES, number()), 0..8));
    let services = prop::collection::btree_map(0..3_u16, number(), 1..3);
    let show = (0..SOURCES, services).prop_map(|(source, all)| (source, all.into_iter().collect()));
    prop_oneof![
        start.prop_map(|(authority, lists)| Step::Start(authority, lists)),
        show.prop_map(|(source, services)| Step::Show(source, services)),
        show_once(),
    ]
}

/// A mux of one service, as most that lists name are.
fn show_once() -> impl Strategy<Value = Step> {
    (0..SOURCES, prop::option::of(1..9_u16)).prop_map(|(source, lcn)| Step::Show(source, vec![(0, lcn)]))
}

fn url(source: u16) -> String {
    format!("file:{source}.ts")
}

fn load(record: &[u8]) -> ChannelTable {
    let tuners = Tuners::new((0..SOURCES).map(|source| url(source).parse().unwrap())).unwrap();
    ChannelTable::load(record, &tuners).unwrap()
}

/// What the table knows beside its entries, kept by the test.
#[derive(Clone, Debug)]
struct Told {
    authority: Authority,
    lists: Vec<(Authority, u16, Option<u16>)>,
    /// The networks' numbers of the muxes that were seen since the start.
    networks: BTreeMap<u16, BTreeMap<u16, u16>>,
}

impl Told {
    /// The slow way to say which source each number is for by the lists of `by`: the first line that names both.
    fn listed(&self, by: Authority) -> BTreeMap<u16, u16> {
        let mut listed = BTreeMap::new();
        for (_, source, number) in self.lists.iter().filter(|(whose, ..)| *whose == by) {
            let Some(number) = number else { continue };
            if *source < SOURCES && !listed.contains_key(number) && !listed.values().any(|s| s == source) {
                listed.insert(*number, *source);
            }
        }
        listed
    }

    /// The numbers that the authority may take from whoever has them.
    fn wanted(&self) -> BTreeSet<u16> {
        match self.authority {
            Scan => self.networks.values().flat_map(|network| network.values().copied()).collect(),
            by => self.listed(by).into_keys().collect(),
        }
    }

    fn lcn(&self, (source, service): (u16, u16)) -> Option<u16> {
        self.networks.get(&source)?.get(&service).copied()
    }
}

fn apply(step: &Step, table: &mut ChannelTable, told: &mut Told) {
    match step {
        Step::Start(authority, lists) => {
            table.dirty = true;
            *table = load(&table.take_record().unwrap());
            *told = Told { authority: *authority, lists: lists.clone(), networks: BTreeMap::new() };
            let claim = |(by, source, number): &(Authority, u16, Option<u16>)| {
                let (name, provider, group) = (Name::new("listed"), Name::default(), Name::default());
                let (by, source, kind) = (*by, url(*source), ServiceKind::Television);
                Claim { by, source, service: None, number: *number, name, provider, kind, group }
            };
            table.claim(*authority, lists.iter().map(claim).collect());
        }
        Step::Show(source, services) => {
            let network = services.iter().filter_map(|(service, lcn)| Some((*service, (*lcn)?))).collect();
            told.networks.insert(*source, network);
            show(table, *source, services);
        }
    }
}

/// What [`ChannelTable::correct`] does of a mux that shows these services.
fn show(table: &mut ChannelTable, source: u16, services: &[(u16, Option<u16>)]) {
    table.configured.iter_mut().find(|c| c.source == source).unwrap().numbered = true;
    let lcn_of = |id| services.iter().find(|(service, _)| *service == id).and_then(|(_, lcn)| *lcn);
    for entry in table.entries.iter_mut().filter(|e| e.source == source) {
        entry.lcn = lcn_of(entry.service.service_id);
    }
    table.settle(source, services.iter().map(|(service, _)| *service));
    for (service, lcn) in services {
        if table.place_of(source, *service).is_none() {
            let given = |n| services.iter().any(|(_, lcn)| *lcn == Some(n));
            let number = table.number_of_new(source, *service, *lcn, given).unwrap();
            table.insert(Entry { lcn: *lcn, ..Entry::new(number, source, *service) });
            table.bind(source, *service);
        }
    }
}

/// Numbers by channel.
fn numbers(table: &ChannelTable) -> BTreeMap<(u16, u16), u16> {
    table.entries.iter().map(|e| ((e.source, e.service.service_id), e.number)).collect()
}

/// What holds after any step.
fn check(table: &ChannelTable, told: &Told, before: &BTreeMap<(u16, u16), u16>) {
    assert!(table.entries.windows(2).all(|pair| pair[0].number < pair[1].number), "numbers are unique");
    let after = numbers(table);
    assert_eq!(after.len(), table.entries.len(), "a service is one channel");
    let bearer = |number: u16| after.iter().find(|(_, n)| **n == number).map(|(channel, _)| *channel);
    let listed = told.listed(told.authority);
    for (number, source) in &listed {
        if after.keys().any(|(s, _)| s == source) {
            assert_eq!(bearer(*number).map(|(s, _)| s), Some(*source), "{number} is its list's");
        }
    }
    if told.authority == Scan {
        for (source, network) in &told.networks {
            for (service, lcn) in
                network.iter().filter(|(service, _)| after.contains_key(&(*source, **service)))
            {
                let (of, other) = bearer(*lcn).expect("whoever has a number of its own takes it");
                let has_it_too = told.lcn((of, other)) == Some(*lcn) || !told.networks.contains_key(&of);
                assert!(has_it_too, "{source} {service}: {lcn} is with {of} {other}");
            }
        }
    }
    let wanted = told.wanted();
    for (channel, number) in before {
        let now = after.get(channel).expect("no channel is lost");
        let is_moved = match told.authority {
            Scan => told.lcn(*channel).is_some(),
            _ => listed.values().any(|source| *source == channel.0),
        };
        assert!(now == number || is_moved || wanted.contains(number), "{channel:?}: {number} is now {now}");
    }
    adds_at_free_numbers(told, before, &after);
}

/// A new channel that is the first of its source has the number of a list that is not the authority, where nobody had
/// it and nobody who is heard before wants it.
fn adds_at_free_numbers(told: &Told, before: &BTreeMap<(u16, u16), u16>, after: &BTreeMap<(u16, u16), u16>) {
    let new: Vec<_> = after.keys().filter(|channel| !before.contains_key(channel)).collect();
    let [channel] = new[..] else { return };
    if before.keys().any(|(source, _)| *source == channel.0) || !told.listed(told.authority).is_empty() {
        return;
    }
    let by = [Vendor, Import].into_iter().find(|by| *by != told.authority && !told.listed(*by).is_empty());
    let wish = by.and_then(|by| told.listed(by).into_iter().find(|(_, source)| *source == channel.0));
    let own = told.lcn(*channel).filter(|_| told.authority == Scan);
    if let Some((number, _)) =
        wish.filter(|(number, _)| own.is_none() && !before.values().any(|n| n == number))
    {
        assert_eq!(after[channel], number, "it was free");
    }
}

proptest! {
    #[test]
    fn numbers_are_unique_and_in_the_authority_s_order(steps in prop::collection::vec(step(), 1..24)) {
        let mut table = load(&[]);
        let mut told = Told { authority: Import, lists: Vec::new(), networks: BTreeMap::new() };
        for step in &steps {
            let before = numbers(&table);
            apply(step, &mut table, &mut told);
            check(&table, &told, &before);
            let after = numbers(&table);
            apply(step, &mut table, &mut told);
            assert_eq!(numbers(&table), after, "the same again changes nothing");
        }
    }
}

/// Numbers by channel after `steps`.
fn after(steps: &[Step]) -> Vec<((u16, u16), u16)> {
    let mut table = load(&[]);
    let mut told = Told { authority: Import, lists: Vec::new(), networks: BTreeMap::new() };
    steps.iter().for_each(|step| apply(step, &mut table, &mut told));
    numbers(&table).into_iter().collect()
}

#[test]
fn what_lists_name_is_kept_for_their_channels() {
    let lists = vec![(Import, 1, Some(3))];
    let without = vec![(0, None), (1, None), (2, None)];
    for (authority, lcn, number) in
        [(Vendor, Some(3), 1), (Import, Some(3), 1), (Scan, Some(3), 3), (Scan, Some(2), 2)]
    {
        let start = Step::Start(authority, lists.clone());
        assert_eq!(
            after(&[start.clone(), Step::Show(0, vec![(0, lcn)])]),
            [((0, 0), number)],
            "{authority:?}"
        );
        let filled = after(&[start, Step::Show(0, without.clone())]);
        assert_eq!(filled, [((0, 0), 1), ((0, 1), 2), ((0, 2), 4)], "3 is for the list's channel");
    }
}

#[test]
fn a_network_s_number_stays_while_its_mux_is_not_looked_at() {
    let mut steps = vec![
        Step::Start(Scan, Vec::new()),
        Step::Show(0, vec![(0, Some(5))]),
        Step::Start(Scan, Vec::new()),
        Step::Show(1, vec![(0, Some(5))]),
    ];
    assert_eq!(after(&steps), [((0, 0), 5), ((1, 0), 1)]);
    steps.push(Step::Show(0, vec![(0, None)]));
    assert_eq!(after(&steps), [((0, 0), 1), ((1, 0), 5)], "its network has taken it away");
}

#[test]
fn a_source_on_another_interface_is_the_one_it_was() {
    let load = |record: &[u8], sources: &[&str]| {
        let tuners = Tuners::new(sources.iter().map(|url| url.parse().unwrap())).unwrap();
        ChannelTable::load(record, &tuners).unwrap()
    };
    let urls = ["udp://239.1.1.1:5000?iface=eth0", "udp://239.1.1.2:5000", "udp://239.1.1.1:5000?iface=end0"];
    let mut table = load(&[], &urls[..2]);
    show(&mut table, 0, &[(7, None)]);
    show(&mut table, 1, &[(8, None)]);
    table.dirty = true;
    let record = table.take_record().unwrap();
    for (sources, unchanged) in [(&urls[..2], true), (&urls[1..], false)] {
        let mut table = load(&record, sources);
        let places = table.configured.iter().map(|c| c.source).collect::<BTreeSet<_>>();
        assert_eq!(places, [0, 1].into(), "{sources:?}");
        assert_eq!(table.take_record().is_none(), unchanged);
    }
    // Where both are configured, they are two.
    assert_eq!(load(&record, &urls).configured.iter().map(|c| c.source).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn a_channel_s_rate_is_what_its_ring_got_lately_and_wears_no_flash() {
    let demo = concat!("file:", env!("CARGO_MANIFEST_DIR"), "/tests/data/demo.ts?loop");
    let mut tuners = Tuners::new([demo.parse().unwrap()]).unwrap();
    let mut table = ChannelTable::load(&[], &tuners).unwrap();
    let (mut epg, tick) = (crate::guide::sample(), Duration::from_millis(20));
    let mut run = |tuners: &mut Tuners, table: &mut ChannelTable, seconds: std::ops::Range<u64>| {
        for n in seconds {
            for turn in 0..50 {
                let boot = Duration::from_secs(100 + n) + tick * turn;
                tuners.tick(Now { boot, utc: Duration::ZERO }, tick, &mut epg);
                while let Some(id) = tuners.take_changed() {
                    table.correct(id, tuners, boot);
                }
            }
            tuners.open_ids().for_each(|id| table.correct(id, tuners, Duration::from_secs(101 + n)));
        }
    };
    tuners.survey(Duration::from_secs(100));
    run(&mut tuners, &mut table, 0..8);
    assert!(table.len() == 4 && table.entries.iter().all(|entry| entry.rate.is_none()), "nobody watches");
    let known = table.entries[0].known(Tracks::All);
    let mux = tuners.muxes().map(|(id, _)| id).next().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut lease = |tuners: &mut Tuners, now| {
        tuners.poll_lease(&mut cx, mux, &known, Priority::VIEWER, Duration::from_secs(now))
    };
    assert!(lease(&mut tuners, 108).is_pending());
    run(&mut tuners, &mut table, 8..9);
    let Poll::Ready(Ok(lease)) = lease(&mut tuners, 109) else { panic!("no lease") };
    let feed = lease.into_feed();
    run(&mut tuners, &mut table, 9..10);
    let _written = table.take_record();
    assert!(!table.take_measured());
    let before = feed.ring().borrow().head();
    run(&mut tuners, &mut table, 10..18);
    let mean = (feed.ring().borrow().head() - before) as u32; // in 8 s, so bytes are bits a second
    let rate = table.entries[0].rate.unwrap();
    assert!(rate.abs_diff(mean) < mean / 2 && mean > 100_000, "{rate} of some {mean}");
    assert!(table.entries[1].rate.is_none());
    assert!(!table.dirty, "a rate is not for flash");
    assert!(table.take_measured() && !table.take_measured(), "it is told once");
    drop(feed);
    tuners.shut_down();
    run(&mut tuners, &mut table, 18..20);
    assert_eq!((table.entries[0].rate, table.take_measured()), (Some(rate), false), "it stays known");
}
