//! The handover in virtual time: a simulated legacy, forwarders with the real gates and leases, the real shard,
//! ledger and control; every fault at every edge of every action.
//!
//! `SLUICE_SEEDS` sets how many seeds run (1,000), `SLUICE_SEED` replays one, `SLUICE_TRACE=1` prints its events.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "a test"
)]

mod batches;
mod clients;
mod control;
mod disk;
mod faults;
mod feeding;
mod forwarding;
mod injecting;
mod judge;
mod kernel;
mod legacy;
mod operating;
mod planted;
mod returning;
mod reversing;
mod rng;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use faults::{Coverage, Edge, Fault, When};
use planted::Plant;
use proxy::handover::action::ActionKind;
use proxy::ledger::Primary;
use world::{S, World};

const CELLS_PER_SEED: u64 = 6;
/// From here on a seed is directed at one pair: `DIRECTED + pair * TRIES + try`.
const DIRECTED: u64 = 1_000_000;
const TRIES: u64 = 24;

/// Faults of a seed: its share of all pairs, and what it takes to reach rare edges.
fn plan(seed: u64) -> Vec<(Fault, Edge)> {
    let cells = faults::cells();
    let cell = |n: u64| cells[(n % cells.len() as u64) as usize];
    if seed >= DIRECTED {
        return with_enablers(vec![cell((seed - DIRECTED) / TRIES)]);
    }
    let mut final_one = false;
    let share = (0..CELLS_PER_SEED).map(|n| cell(seed * CELLS_PER_SEED + n));
    with_enablers(
        share.filter(|cell| !cell.0.is_final() || !std::mem::replace(&mut final_one, true)).collect(),
    )
}

/// Some edges are reached only when something else goes wrong before.
fn with_enablers(mut armed: Vec<(Fault, Edge)>) -> Vec<(Fault, Edge)> {
    for (_, (kind, _, side)) in armed.clone() {
        match kind {
            ActionKind::Revoke => {
                armed.push((Fault::PauseForwarder, (ActionKind::Fence, When::Before, side)));
            }
            ActionKind::Count => {
                armed.push((Fault::LegacySlow, (ActionKind::RecordBegun, When::Completed, side)));
            }
            ActionKind::Reopen | ActionKind::RecordAborted => {
                armed.push((Fault::CutLegacy, (ActionKind::Fence, When::After, side)));
            }
            _ => {}
        }
    }
    armed
}

fn run(seed: u64, armed: Vec<(Fault, Edge)>, plant: Option<Plant>) -> World {
    let mut world = World::new(seed, armed, plant);
    if plant == Some(Plant::NoSync) {
        world.disk.with(|disk| disk.plant_no_sync = true);
    }
    world.run(120 * S);
    world
}

fn seeds() -> u64 {
    std::env::var("SLUICE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

#[test]
fn every_seed_holds_every_invariant_with_every_fault_at_every_edge() {
    if let Some(seed) = std::env::var("SLUICE_SEED").ok().and_then(|text| text.parse().ok()) {
        let armed = plan(seed);
        println!("seed {seed}: {armed:?}");
        let world = run(seed, armed, None);
        println!("ended at {} s; acknowledged {:?}", world.now as f64 / 1e6, world.judge.acknowledged_by);
        assert!(world.judge.found.is_empty(), "{:#?}", world.judge.found);
        return;
    }
    let total = seeds();
    let mut tally = Tally::default();
    tally.run(&(0..total).collect::<Vec<_>>());
    let directed = if total < 1_000 { 0 } else { direct(&mut tally) };
    println!("{}", tally.coverage.table());
    let (all, missing) = (faults::cells().len(), tally.coverage.missing());
    println!(
        "{total} seeds and {directed} directed ones; {} of {all} pairs hit; batches acknowledged {:?}",
        all - missing.len(),
        tally.acknowledged
    );
    for (seed, invariant, text) in &tally.failures {
        println!("SLUICE_SEED={seed}: {invariant}: {}", text.chars().take(300).collect::<String>());
    }
    assert!(tally.failures.is_empty(), "replay with SLUICE_SEED={}", tally.failures[0].0);
    assert!(total < 1_000 || missing.is_empty(), "not hit: {missing:?}");
}

/// Runs seeds that are directed at what chance has not hit; answers how many.
fn direct(tally: &mut Tally) -> u64 {
    let cells = faults::cells();
    let mut count = 0;
    for attempt in 0..TRIES {
        let missing = tally.coverage.missing();
        let number = |cell| cells.iter().position(|other| *other == cell).unwrap() as u64;
        let seeds: Vec<u64> =
            missing.into_iter().map(|cell| DIRECTED + number(cell) * TRIES + attempt).collect();
        count += seeds.len() as u64;
        tally.run(&seeds);
    }
    count
}

/// What many runs came to.
#[derive(Default)]
struct Tally {
    coverage: Coverage,
    failures: Vec<(u64, &'static str, String)>,
    acknowledged: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn run(&mut self, seeds: &[u64]) {
        let next = AtomicUsize::new(0);
        let shared = Mutex::new(std::mem::take(self));
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
                scope.spawn(|| {
                    while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if shared.lock().unwrap().failures.len() >= 10 {
                            return;
                        }
                        let world = run(seed, plan(seed), None);
                        shared.lock().unwrap().add(seed, &world);
                    }
                });
            }
        });
        *self = shared.into_inner().unwrap();
    }

    fn add(&mut self, seed: u64, world: &World) {
        self.coverage.add(&world.coverage);
        for (side, count) in &world.judge.acknowledged_by {
            *self.acknowledged.entry(side).or_default() += count;
        }
        if let Some((invariant, text)) = world.judge.found.first() {
            self.failures.push((seed, *invariant, text.clone()));
        }
    }
}

type Planted = (Plant, &'static [&'static str], Vec<(Fault, (ActionKind, When))>);

/// Each mistake with the invariants that may name it, and the faults that bring it to light.
#[rustfmt::skip]
fn planted() -> Vec<Planted> {
    use ActionKind as K;
    use When::{After, Before, Completed};
    vec![
        (Plant::NoSync, &["G2", "G8"], vec![(Fault::CrashSluice, (K::Release, Completed))]),
        (Plant::EarlyAck, &["G4"], vec![(Fault::CrashSluice, (K::RecordAfter, Completed)), (Fault::KernelCrash, (K::Follow, After))]),
        (Plant::NoDrain, &["G1", "G4"], vec![(Fault::LegacySlow, (K::RecordBegun, Completed))]),
        (Plant::RefuseWritten, &["G5"], vec![]),
        (Plant::FeedCorrupts, &["K1", "G6", "K2"], vec![]),
        (Plant::NoProducerState, &["G7"], vec![(Fault::LostAnswers, (K::Fence, Before)), (Fault::LegacySlow, (K::RecordBegun, Completed))]),
        (Plant::SwitchOnce, &["G12"], vec![(Fault::CrashSluice, (K::Switch, After))]),
        (Plant::NoLease, &["G1", "G4", "G13"], vec![(Fault::PauseForwarder, (K::Fence, Before))]),
        (Plant::RevokeAtOnce, &["G1", "G4", "K7"], vec![(Fault::CutControl, (K::Fence, Before))]),
        (Plant::NoFenceLimit, &["G11", "G12"], vec![(Fault::CutLegacy, (K::Fence, After)), (Fault::LegacyPause, (K::Close, Completed))]),
        (Plant::DropDivergences, &["G13"], vec![(Fault::Bypass, (K::Release, Completed))]),
        (Plant::FeedWrites, &["G14"], vec![]),
        (Plant::UnboundedHeld, &["G15"], vec![(Fault::CutLegacy, (K::Fence, After))]),
        (Plant::AboveWatermark, &["K2"], vec![(Fault::LegacySlow, (K::RecordBegun, Completed))]),
        (Plant::TransactionIgnored, &["K3"], vec![(Fault::OpenTransaction, (K::RecordFence, Before))]),
        (Plant::LowEpoch, &["K5"], vec![]),
        (Plant::ReadsHeld, &["K5", "G6"], vec![(Fault::Bypass, (K::RecordCommit, After)), (Fault::CrashSluice, (K::Publish, After))]),
        (Plant::LoseMetadata, &["K6"], vec![]),
        (Plant::GroupNotFenced, &["K7", "K6"], vec![(Fault::CutControl, (K::RecordVerified, Before))]),
        (Plant::NoSourceCheck, &["K11", "K1", "G12"], vec![(Fault::Recreated, (K::RecordBegun, Completed)), (Fault::UncleanElection, (K::RecordBegun, After))]),
    ]
}

/// The same for mistakes on the way back.
#[rustfmt::skip]
fn planted_back() -> Vec<Planted> {
    use ActionKind as K;
    use When::{After, Completed};
    vec![
        (Plant::ReverseTrusts, &["K1", "G4", "G10", "G6", "G7", "K5", "G12"], vec![(Fault::Bypass, (K::RecordBegun, Completed))]),
        (Plant::LowShift, &["K5"], vec![]),
        (Plant::CopyLosesMetadata, &["K6"], vec![]),
        (Plant::NoGather, &["K7", "G11"], vec![]),
        (Plant::StaysGathered, &["G12"], vec![(Fault::CutLegacy, (K::Fence, After))]),
        (Plant::DismissesEverybody, &["K7"], vec![]),
    ]
}

/// Mistakes that nothing shows yet: each is a second line of defence, or is healed by the next handover. Known defects.
const UNSEEN: [(Plant, &str); 4] = [
    (Plant::NoTable, "a later handover releases the gate that a forwarder was not told of"),
    (Plant::NoClose, "the fence keeps every write from a log that is not closed"),
    (Plant::BackUnverified, "the reverse feed's own position says the same as legacy's end"),
    (Plant::GroupStaysOpen, "the fence keeps every commit from a group that is not closed"),
];

#[test]
fn every_planted_mistake_is_caught() {
    for (plant, why) in UNSEEN {
        println!("{plant:?}: not shown by any seed: {why}");
    }
    let mut missed = Vec::new();
    let towards =
        |side: Primary| move |(fault, (kind, when)): (Fault, (ActionKind, When))| (fault, (kind, when, side));
    let forward = planted().into_iter().map(|(plant, names, armed)| {
        (plant, names, armed.into_iter().map(towards(Primary::Kernel)).collect::<Vec<_>>())
    });
    let back = planted_back().into_iter().map(|(plant, names, armed)| {
        (plant, names, armed.into_iter().map(towards(Primary::Legacy)).collect::<Vec<_>>())
    });
    for (plant, names, armed) in forward.chain(back) {
        let caught = (0..600).find_map(|seed| {
            let world = run(2_000 + seed, armed.clone(), Some(plant));
            world
                .judge
                .found
                .iter()
                .find(|(name, _)| names.contains(name))
                .cloned()
                .map(|found| (seed, found))
        });
        match caught {
            Some((seed, (name, text))) => {
                println!(
                    "{plant:?}: {name} (after {seed} seeds): {}",
                    text.chars().take(140).collect::<String>()
                );
            }
            None => missed.push(plant),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn wrong_bytes_of_dual_write_are_corrected_by_the_feed() {
    for seed in 0..20 {
        let world = run(3_000 + seed, vec![], Some(Plant::WrongAhead));
        assert!(world.judge.found.is_empty(), "{:#?}", world.judge.found);
    }
}
