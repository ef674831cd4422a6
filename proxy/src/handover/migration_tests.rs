//! Commands, gates, steps and restarts, with an executor that does everything at once.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

use std::collections::BTreeSet;

use super::*;
use crate::handover::action::{Facts, Obstacle, Whose};
use crate::handover::command::{Accepted, Command, Refused};
use crate::handover::gate::{Lag, WayBack};
use crate::ledger::{Digest, Ledger, MemoryStore};

struct Desk {
    control: Migrations,
    ledger: Ledger<MemoryStore>,
    leases: Leases,
    applied: Vec<(Phase, usize)>,
    now: u64,
    /// The source is not equal to the target.
    unequal: bool,
    /// This group is in the middle of a rebalance.
    rebalancing: Option<UnitId>,
    /// Units whose members were asked to come together, and wait.
    gathered: BTreeSet<UnitId>,
}

fn units() -> Vec<(UnitId, UnitKind)> {
    let log = |n: u32| (UnitId::new(&format!("events/orders/{n}")), UnitKind::Log);
    vec![log(0), log(1), log(2), (UnitId::new("events/group/billing"), UnitKind::Group)]
}

fn good() -> Situation {
    Situation {
        lag: units().into_iter().map(|(unit, _)| (unit, Lag::default())).collect(),
        rules_missing: Some(Vec::new()),
        accept_single_copy: true,
        legacy_replicas: 3,
        ..Situation::default()
    }
}

fn limits() -> ControlLimits {
    let handover = HandoverLimits { units_max: 2, ..HandoverLimits::default() };
    ControlLimits { handover, ..ControlLimits::default() }
}

impl Desk {
    fn open(store: MemoryStore) -> Self {
        Self::open_with(store, &units())
    }

    fn open_with(store: MemoryStore, found: &[(UnitId, UnitKind)]) -> Self {
        let ledger = Ledger::open(store).unwrap();
        let now = Now::new(Duration::ZERO, 0);
        let spec = MigrationSpec { name: "orders".to_owned(), cluster: "events".to_owned() };
        let control = Migrations::restore(now, ledger.book(), vec![spec], limits(), &[ForwarderId(0)]);
        let mut leases = Leases::after_start(now, Duration::from_secs(1), Duration::from_secs(1));
        leases.join(now, ForwarderId(0));
        let mut desk = Self {
            control,
            ledger,
            leases,
            applied: vec![],
            now: 0,
            unequal: false,
            rebalancing: None,
            gathered: BTreeSet::new(),
        };
        desk.run(1);
        desk.control.handle_discovered(now, desk.ledger.book(), "orders", found);
        desk.control.handle_situation(now, desk.ledger.book(), "orders", good());
        desk.run(1);
        desk
    }

    fn now(&self) -> Now {
        Now::new(Duration::from_millis(self.now), 0)
    }

    /// Executes orders, for so many milliseconds.
    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now += 1;
            let now = self.now();
            self.control.handle_timeout(now, self.ledger.book(), Some(&self.leases));
            while let Some(order) = self.control.poll_order() {
                self.execute(order);
            }
        }
    }

    /// Executes the next order, whenever it comes.
    fn step(&mut self) {
        for _ in 0..10_000 {
            if let Some(order) = self.control.poll_order() {
                return self.execute(order);
            }
            self.now += 1;
            let now = self.now();
            self.control.handle_timeout(now, self.ledger.book(), Some(&self.leases));
        }
    }

    fn execute(&mut self, order: Order) {
        let now = self.now();
        match order {
            Order::Record { id, by, whats } => {
                let outcome =
                    self.ledger.append(0, &by, whats).map(|_| ()).map_err(|error| error.to_string());
                self.control.handle_done(now, self.ledger.book(), id, outcome);
            }
            Order::Apply { id, phase, units } => {
                self.applied.push((phase, units.len()));
                self.control.handle_done(now, self.ledger.book(), id, Ok(()));
            }
            Order::Handover { handover, by, ticket, action } => {
                let completion = self.act(&by, action);
                self.control.handle_completion(now, handover, ticket, completion);
            }
        }
    }

    fn act(&mut self, by: &Decider, action: Action) -> Completion {
        match action {
            Action::Record(whats) => {
                self.ledger.append(0, by, whats).unwrap();
                Completion::Done
            }
            Action::Ask { whose, units, .. } => {
                let differs = self.unequal && whose == Whose::Target;
                let chain = Some(Digest(u64::from(differs)));
                let legacy_epoch = Some(3);
                let facts = Facts { end: 5, settled: 5, chain, legacy_epoch, ..Facts::default() };
                let busy = |unit: &UnitId| whose == Whose::Source && self.rebalancing.as_ref() == Some(unit);
                let obstacle = |unit: &UnitId| {
                    let reason = "the group is rebalancing".to_owned();
                    busy(unit).then_some(Obstacle { reason, passing: true })
                };
                let each =
                    |unit: UnitId| (unit.clone(), Facts { obstacle: obstacle(&unit), ..facts.clone() });
                Completion::Facts(units.into_iter().map(each).collect())
            }
            Action::Fence { .. } | Action::Count { .. } => Completion::OnTheWay(0),
            Action::Gather { units, .. } => {
                self.gathered.extend(units);
                Completion::Done
            }
            Action::Reopen { units, .. } => {
                self.gathered.retain(|unit| !units.contains(unit));
                Completion::Done
            }
            Action::Switch(owners) => {
                self.gathered.retain(|unit| owners.iter().all(|owner| owner.unit != *unit));
                Completion::Done
            }
            _ => Completion::Done,
        }
    }

    fn advance(&mut self, to: Option<Phase>, force: bool) -> Result<Accepted, Refused> {
        let command = Command::Advance {
            migration: "orders".to_owned(),
            to,
            percent: None,
            force,
            by: "ada".to_owned(),
        };
        self.control.handle_command(self.now(), self.ledger.book(), command)
    }

    fn rollback(&mut self, to: Option<Phase>) -> Result<Accepted, Refused> {
        let command = Command::Rollback { migration: "orders".to_owned(), to, by: "ada".to_owned() };
        self.control.handle_command(self.now(), self.ledger.book(), command)
    }

    fn phase(&self) -> Phase {
        phase_of(self.ledger.book(), "orders")
    }
}

#[test]
fn forward_to_cutover_passes_every_step_and_moves_partitions_before_groups() {
    let mut desk = Desk::open(MemoryStore::default());
    let accepted = desk.advance(Some(Phase::Cutover), false).unwrap();
    assert_eq!(accepted.steps, [Phase::Mirror, Phase::DualWrite, Phase::Cutover]);
    assert!(accepted.notes[0].contains("canary"));
    desk.run(4_000);
    assert_eq!(desk.phase(), Phase::Cutover);
    let batches: Vec<Vec<String>> = desk
        .ledger
        .entries()
        .unwrap()
        .into_iter()
        .filter_map(|entry| match entry.what {
            What::Committed { units, .. } => {
                Some(units.iter().map(|unit| unit.evidence.unit.to_string()).collect())
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        batches,
        [vec!["events/orders/0", "events/orders/1"], vec!["events/orders/2"], vec!["events/group/billing"]]
    );
    let status = desk.control.status(desk.now(), desk.ledger.book());
    assert_eq!((status[0].phase, status[0].wanted), (Phase::Cutover, None));
    assert!(
        matches!(desk.rollback(None), Err(Refused::WayBackClosed(reason)) if reason.contains("not known"))
    );
    assert_eq!(
        desk.advance(Some(Phase::Mirror), false),
        Err(Refused::NotForward { from: Phase::Cutover, to: Phase::Mirror })
    );
    desk.advance(None, false).unwrap();
    desk.run(100);
    assert_eq!(desk.phase(), Phase::Retired);
    assert_eq!(desk.advance(None, false), Err(Refused::Retired));
    assert_eq!(desk.rollback(None), Err(Refused::Retired));
}

#[test]
fn a_red_gate_refuses_and_force_is_written_down() {
    let mut desk = Desk::open(MemoryStore::default());
    let red = Situation { kernel_trouble: Some("stopped".to_owned()), ..good() };
    desk.control.handle_situation(desk.now(), desk.ledger.book(), "orders", red);
    let Err(Refused::GateRed(report)) = desk.advance(None, false) else { panic!() };
    assert!(report.missing()[0].starts_with("kernel-health: stopped"));
    desk.advance(None, true).unwrap();
    desk.run(50);
    assert_eq!(desk.phase(), Phase::Mirror);
    let forced = |what: &What| matches!(what, What::Forced { missing, .. } if missing.len() == 1);
    let entries = desk.ledger.entries().unwrap();
    let entry = entries.iter().find(|entry| forced(&entry.what)).unwrap();
    assert_eq!(entry.by, Decider::Operator("ada".to_owned()));
}

#[test]
fn back_from_dual_write_goes_through_mirror_to_observe() {
    let mut desk = Desk::open(MemoryStore::default());
    assert_eq!(desk.rollback(None), Err(Refused::NotBack { from: Phase::Observe, to: Phase::Observe }));
    assert_eq!(desk.advance(Some(Phase::Canary), false), Err(Refused::ShareMissing));
    desk.advance(Some(Phase::DualWrite), false).unwrap();
    desk.run(100);
    assert_eq!(desk.phase(), Phase::DualWrite);
    desk.applied.clear();
    desk.rollback(None).unwrap();
    desk.run(100);
    assert_eq!(desk.phase(), Phase::Observe);
    assert_eq!(desk.applied, [(Phase::Mirror, 4), (Phase::Observe, 4)]);
}

fn all_open() -> Situation {
    let way_back = units().into_iter().map(|(unit, _)| (unit, WayBack::Open)).collect();
    Situation { way_back, ..good() }
}

fn at_cutover() -> Desk {
    let mut desk = Desk::open(MemoryStore::default());
    desk.advance(Some(Phase::Cutover), false).unwrap();
    desk.run(4_000);
    assert_eq!(desk.phase(), Phase::Cutover);
    desk.control.handle_situation(desk.now(), desk.ledger.book(), "orders", all_open());
    desk.applied.clear();
    desk
}

fn moved_to(desk: &mut Desk, side: Primary) -> Vec<String> {
    let entries = desk.ledger.entries().unwrap();
    let committed = entries.into_iter().filter_map(|entry| match entry.what {
        What::Committed { units, to, .. } if to == side => Some(units),
        _ => None,
    });
    committed.flatten().map(|unit| unit.evidence.unit.to_string()).collect()
}

#[test]
fn back_from_cutover_moves_groups_first_and_then_goes_through_every_phase() {
    let mut desk = at_cutover();
    let accepted = desk.rollback(None).unwrap();
    assert_eq!(accepted.steps, [Phase::DualWrite, Phase::Mirror, Phase::Observe]);
    desk.run(1_000);
    assert_eq!(desk.phase(), Phase::Observe);
    let back = moved_to(&mut desk, Primary::Legacy);
    assert_eq!(
        back,
        ["events/group/billing", "events/orders/0", "events/orders/1", "events/orders/2"],
        "partitions and groups may only be mixed with the group on legacy"
    );
    assert_eq!(desk.applied, [(Phase::DualWrite, 4), (Phase::Mirror, 4), (Phase::Observe, 4)]);
    // Epochs grow each time, and legacy's own are shifted above the kernel's.
    let owner = desk.ledger.book().owner(&units()[0].0);
    assert_eq!((owner.side, owner.epoch), (Primary::Legacy, 2));
    let change = desk.ledger.book().side_changes(&units()[0].0)[1];
    assert!(change.epoch >= 100 && change.legacy_epoch == Some(3));
    desk.advance(Some(Phase::Cutover), false).unwrap();
    desk.run(4_000);
    assert_eq!(desk.phase(), Phase::Cutover);
    assert_eq!(desk.ledger.book().owner(&units()[0].0).epoch, 3);
}

#[test]
fn a_closed_way_back_refuses_and_says_which_unit_and_why() {
    let mut desk = at_cutover();
    let mut one = all_open();
    one.way_back.insert(units()[1].0.clone(), WayBack::Closed("legacy took writes at 17".to_owned()));
    desk.control.handle_situation(desk.now(), desk.ledger.book(), "orders", one.clone());
    let Err(Refused::WayBackClosed(reason)) = desk.rollback(None) else { panic!() };
    assert_eq!(reason, "events/orders/1: legacy took writes at 17");
    let status = desk.control.status(desk.now(), desk.ledger.book());
    assert_eq!(status[0].way_back, WayBack::Closed(reason));
    // What the ledger has said of it stays, whatever is seen later.
    let what = What::WayBackClosed { unit: units()[2].0.clone(), reason: "compacted".to_owned() };
    desk.ledger.append(0, &Decider::Sluice, vec![what]).unwrap();
    desk.control.handle_situation(desk.now(), desk.ledger.book(), "orders", all_open());
    assert_eq!(desk.rollback(None), Err(Refused::WayBackClosed("events/orders/2: compacted".to_owned())));
    desk.run(100);
    assert_eq!((desk.phase(), desk.applied.len()), (Phase::Cutover, 0));
}

#[test]
fn a_way_back_that_closes_in_the_middle_ends_the_rollback_where_it_stands() {
    let mut desk = at_cutover();
    desk.unequal = true;
    desk.rollback(Some(Phase::DualWrite)).unwrap();
    desk.run(5);
    let mut closed = all_open();
    closed.way_back.insert(units()[1].0.clone(), WayBack::Closed("a bypass write".to_owned()));
    desk.control.handle_situation(desk.now(), desk.ledger.book(), "orders", closed);
    desk.unequal = false;
    desk.run(60_000);
    let status = desk.control.status(desk.now(), desk.ledger.book());
    assert_eq!((status[0].wanted, status[0].doing.as_str()), (None, "nothing"));
    assert!(status[0].last.as_deref().unwrap().contains("a bypass write"));
    assert!(!moved_to(&mut desk, Primary::Legacy).contains(&"events/orders/1".to_owned()));
    assert_eq!(desk.ledger.book().owner(&units()[1].0).side, Primary::Kernel);
}

#[test]
fn a_start_in_the_middle_of_a_rollback_goes_on_with_it() {
    for stop_at in 1..60 {
        let mut desk = at_cutover();
        desk.rollback(Some(Phase::Mirror)).unwrap();
        for _ in 0..stop_at {
            desk.step();
        }
        let mut desk = Desk::open(desk.ledger.into_store());
        desk.control.handle_situation(desk.now(), desk.ledger.book(), "orders", all_open());
        desk.run(6_000);
        // Before the intent was durable nothing had been decided.
        let decided = desk.ledger.entries().unwrap().iter().any(|entry| {
            matches!(entry.what, What::PhaseIntent { to: Phase::Mirror, from: Phase::Cutover, .. })
        });
        let expected = if decided { Phase::Mirror } else { Phase::Cutover };
        assert_eq!(desk.phase(), expected, "stopped after {stop_at} orders");
        assert!(desk.ledger.book().open().next().is_none());
    }
}

#[test]
fn an_advance_that_cannot_succeed_ends_with_its_reason_and_leaves_legacy_primary() {
    let mut desk = Desk::open(MemoryStore::default());
    desk.unequal = true;
    desk.advance(Some(Phase::Cutover), false).unwrap();
    desk.run(15_000);
    assert_eq!(desk.phase(), Phase::DualWrite);
    let status = desk.control.status(desk.now(), desk.ledger.book());
    assert_eq!(status[0].wanted, None);
    assert!(status[0].last.as_ref().unwrap().contains("differ"), "{:?}", status[0].last);
    assert_eq!(desk.ledger.book().migrations()["orders"].intent, None);
}

#[test]
fn an_intent_goes_on_after_a_restart_and_phases_are_applied_again() {
    let mut desk = Desk::open(MemoryStore::default());
    desk.advance(Some(Phase::Cutover), false).unwrap();
    // Dual-write is reached at once; leases of the earlier run keep the first handover waiting.
    desk.run(200);
    assert_eq!(desk.phase(), Phase::DualWrite);
    let mut again = Desk::open(desk.ledger.into_store());
    assert!(again.applied.contains(&(Phase::DualWrite, 4)));
    again.run(6_000);
    assert_eq!(again.phase(), Phase::Cutover);
}

#[test]
fn a_new_partition_follows_to_dual_write_and_waits_for_the_next_advance() {
    let mut desk = Desk::open(MemoryStore::default());
    desk.advance(Some(Phase::Cutover), false).unwrap();
    desk.run(4_000);
    let new = UnitId::new("events/orders/3");
    desk.control.handle_discovered(desk.now(), desk.ledger.book(), "orders", &[(new.clone(), UnitKind::Log)]);
    desk.run(10);
    assert_eq!(desk.ledger.book().phase(&new), Phase::DualWrite);
    assert_eq!(desk.phase(), Phase::DualWrite);
    let mut situation = good();
    situation.lag.insert(new.clone(), Lag::default());
    desk.control.handle_situation(desk.now(), desk.ledger.book(), "orders", situation);
    desk.advance(None, false).unwrap();
    desk.run(1_000);
    assert_eq!((desk.phase(), desk.ledger.book().owner(&new).side), (Phase::Cutover, Primary::Kernel));
}

#[test]
fn a_rebalancing_group_is_left_for_the_next_batch_and_shown_so() {
    let mut desk = Desk::open(MemoryStore::default());
    let (busy, other) = (UnitId::new("events/group/billing"), UnitId::new("events/group/shipping"));
    let found = [(other.clone(), UnitKind::Group)];
    desk.control.handle_discovered(desk.now(), desk.ledger.book(), "orders", &found);
    desk.run(10);
    let mut situation = good();
    situation.lag.insert(other.clone(), Lag::default());
    desk.control.handle_situation(desk.now(), desk.ledger.book(), "orders", situation);
    desk.rebalancing = Some(busy.clone());
    desk.advance(Some(Phase::Cutover), false).unwrap();
    desk.run(4_000);
    assert_eq!(desk.ledger.book().owner(&other).side, Primary::Kernel);
    assert_eq!(desk.ledger.book().owner(&busy).side, Primary::Legacy);
    let status = desk.control.status(desk.now(), desk.ledger.book());
    let shown = status[0].units.iter().find(|unit| unit.unit == busy).unwrap();
    let waits_for = status[0].handover.as_ref().unwrap().waits_for.clone();
    assert_eq!(waits_for, "events/group/billing: the group is rebalancing");
    assert_eq!(shown.set_aside.as_deref(), Some("the group is rebalancing"));
    desk.rebalancing = None;
    desk.run(100);
    assert_eq!(desk.phase(), Phase::Cutover);
    let status = desk.control.status(desk.now(), desk.ledger.book());
    assert!(status[0].units.iter().all(|unit| unit.set_aside.is_none()));
}

#[path = "migration_canary_tests.rs"]
mod canary;
#[path = "migration_groups_tests.rs"]
mod groups;
