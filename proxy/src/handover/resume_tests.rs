//! What an order to resume does, by the state of the ledger and of the copies.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use kernel_model::Now;

use super::*;
use crate::handover::action::{ForwarderId, UnitKind};
use crate::handover::migration::{ControlLimits, MigrationSpec};
use crate::ledger::{CommittedUnit, Decider, Digest, Evidence, HandoverId, Ledger, MemoryStore, Primary};

const CAUSES: [StopCause; 10] = [
    StopCause::SourceTruncated,
    StopCause::SourceChanged,
    StopCause::SourceRecreated,
    StopCause::SourceDeleted,
    StopCause::OldFormat,
    StopCause::DamagedBatch,
    StopCause::Refused,
    StopCause::CopyDamaged,
    StopCause::Contradiction,
    StopCause::Unknown,
];

fn unit(name: &str) -> UnitId {
    UnitId::new(&format!("events/{name}"))
}

fn set(names: &[&str]) -> BTreeSet<UnitId> {
    names.iter().map(|name| unit(name)).collect()
}

/// Migration `orders` with topic `a` (partitions 0 and 1) and `b` (partition 0), all on legacy.
struct Desk {
    ledger: Ledger<MemoryStore>,
    facts: BTreeMap<UnitId, CopyFacts>,
}

impl Desk {
    fn new() -> Self {
        let mut ledger = Ledger::open(MemoryStore::default()).unwrap();
        let migration = || "orders".to_owned();
        let units: Vec<UnitId> = set(&["a/0", "a/1", "b/0"]).into_iter().collect();
        let whats = vec![
            What::MigrationCreated { migration: migration(), cluster: "events".to_owned() },
            What::UnitsAdded { migration: migration(), units: units.clone() },
        ];
        ledger.append(1, &Decider::Sluice, whats).unwrap();
        let facts = units.into_iter().map(|unit| {
            let together = if unit.0.contains("/a/") { set(&["a/0", "a/1"]) } else { set(&["b/0"]) };
            (unit, CopyFacts { together, on_legacy: true, ..CopyFacts::default() })
        });
        Self { ledger, facts: facts.collect() }
    }

    fn tell(&mut self, whats: Vec<What>) {
        self.ledger.append(2, &Decider::Sluice, whats).unwrap();
    }

    fn stop(&mut self, name: &str, cause: StopCause) {
        self.tell(vec![What::UnitStopped { unit: unit(name), reason: format!("{cause:?}"), cause }]);
    }

    /// The kernel becomes primary, with a handover that is still open or not.
    fn move_unit(&mut self, name: &str, open: bool) {
        let (handover, moved) = (HandoverId(1), unit(name));
        let evidence = Evidence {
            unit: moved.clone(),
            source_end: 7,
            target_end: 7,
            records: 7,
            chain: Digest(1),
            producers: Digest(1),
            source_epoch: 1,
            target_epoch: 2,
            legacy_epoch: None,
            marks: Vec::new(),
            acknowledged: None,
        };
        let migration = "orders".to_owned();
        let to = Primary::Kernel;
        self.tell(vec![What::HandoverBegun {
            handover,
            migration: migration.clone(),
            to,
            units: vec![moved],
        }]);
        if !open {
            let units = vec![CommittedUnit { epoch: 1, evidence }];
            self.tell(vec![What::Committed { handover, migration, to, units, fence_ms: 1 }]);
            self.tell(vec![What::Following { handover }]);
        }
    }

    fn control(&self) -> Migrations {
        let spec = MigrationSpec { name: "orders".to_owned(), cluster: "events".to_owned() };
        let (book, limits) = (self.ledger.book(), ControlLimits::default());
        Migrations::restore(Now::default(), book, vec![spec], limits, &[ForwarderId(0)])
    }

    fn resume(&self, name: Option<&str>, discard_copy: bool) -> Result<ResumePlan, Refused> {
        let order =
            ResumeOrder { migration: "orders".to_owned(), unit: name.map(str::to_owned), discard_copy };
        self.control().plan_resume(self.ledger.book(), &order, |unit| self.facts[unit].clone())
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut CopyFacts)) {
        change(self.facts.get_mut(&unit(name)).unwrap());
    }
}

#[test]
fn over_a_sound_copy_copying_goes_on_and_over_another_only_when_it_is_discarded() {
    for cause in CAUSES {
        let mut desk = Desk::new();
        desk.stop("a/0", cause);
        let kept = desk.resume(Some("a/0"), false);
        if cause.leaves_copy_sound() {
            let expected =
                ResumePlan { resumed: set(&["a/0"]), followed: set(&["a/0"]), ..ResumePlan::default() };
            assert_eq!(kept, Ok(expected), "{cause:?}");
        } else {
            let text = kept.unwrap_err().to_string();
            assert!(text.ends_with("sluice resume orders events/a/0 --discard-copy"), "{text}");
        }
        let plan = desk.resume(Some("a/0"), true).unwrap();
        let both = set(&["a/0", "a/1"]);
        assert_eq!(
            (plan.resumed, plan.discarded, plan.followed),
            (set(&["a/0"]), both.clone(), both),
            "{cause:?}"
        );
        assert_eq!(plan.gone, set(&[]));
    }
}

#[test]
fn units_are_named_with_or_without_their_cluster_or_not_at_all() {
    let mut desk = Desk::new();
    desk.stop("a/0", StopCause::OldFormat);
    desk.stop("b/0", StopCause::OldFormat);
    let resumed = |name| desk.resume(name, false).map(|plan| plan.resumed);
    assert_eq!(resumed(Some("events/a/0")), Ok(set(&["a/0"])));
    assert_eq!(resumed(Some("a/0")), Ok(set(&["a/0"])));
    assert_eq!(resumed(None), Ok(set(&["a/0", "b/0"])));
}

#[test]
fn with_the_copy_every_stopped_partition_of_the_topic_goes_on() {
    let mut desk = Desk::new();
    desk.stop("a/0", StopCause::SourceRecreated);
    desk.stop("a/1", StopCause::SourceRecreated);
    desk.stop("b/0", StopCause::SourceRecreated);
    let plan = desk.resume(Some("a/1"), true).unwrap();
    assert_eq!((plan.resumed, plan.discarded), (set(&["a/0", "a/1"]), set(&["a/0", "a/1"])));
}

#[test]
fn what_is_not_stopped_or_not_known_is_refused() {
    let mut desk = Desk::new();
    assert_eq!(desk.resume(None, true), Err(Refused::NothingStopped("orders".to_owned())));
    desk.stop("a/0", StopCause::OldFormat);
    assert_eq!(desk.resume(Some("a/1"), true), Err(Refused::NotStopped(unit("a/1"))));
    let unknown = Refused::NoSuchUnit { unit: "a/7".to_owned(), migration: "orders".to_owned() };
    assert_eq!(desk.resume(Some("a/7"), true), Err(unknown));
    let order = ResumeOrder { migration: "other".to_owned(), unit: None, discard_copy: true };
    let refused = desk.control().plan_resume(desk.ledger.book(), &order, |_| CopyFacts::default());
    assert_eq!(refused, Err(Refused::Unknown("other".to_owned())));
}

#[test]
fn a_copy_is_never_discarded_while_the_kernel_leads_any_of_it() {
    for by_ledger in [true, false] {
        let mut desk = Desk::new();
        desk.stop("a/0", StopCause::SourceTruncated);
        if by_ledger {
            desk.move_unit("a/1", false);
        } else {
            desk.change("a/0", |facts| facts.led = true);
        }
        let refused = desk.resume(Some("a/0"), true).unwrap_err();
        assert!(matches!(refused, Refused::KernelLeads { .. }), "{refused}");
    }
}

#[test]
fn what_the_kernel_leads_goes_on_as_it_is() {
    let mut desk = Desk::new();
    desk.move_unit("a/0", false);
    desk.stop("a/0", StopCause::SourceDeleted);
    let plan = desk.resume(Some("a/0"), false).unwrap();
    assert_eq!((plan.resumed.clone(), plan.followed.len(), plan.discarded.len()), (set(&["a/0"]), 0, 0));
    desk.tell(plan.entries(desk.ledger.book(), "orders"));
    assert_eq!(desk.ledger.book().stop(&unit("a/0")), None);
    assert_eq!(desk.ledger.book().owner(&unit("a/0")).side, Primary::Kernel);
}

#[test]
fn a_handover_ends_first() {
    let mut desk = Desk::new();
    desk.stop("a/0", StopCause::OldFormat);
    desk.move_unit("a/1", true);
    assert_eq!(desk.resume(Some("a/0"), true), Err(Refused::InHandover(unit("a/1"))));
    assert!(desk.resume(Some("a/0"), false).is_ok(), "its own copy is left as it is");
}

#[test]
fn the_feed_may_know_better_than_the_ledger() {
    let mut desk = Desk::new();
    desk.stop("a/0", StopCause::OldFormat);
    desk.change("a/0", |facts| facts.feed = Some(StopCause::SourceRecreated));
    assert!(matches!(desk.resume(Some("a/0"), false), Err(Refused::CopyUnsound { .. })));
    desk.change("a/0", |facts| (facts.feed, facts.on_legacy) = (None, false));
    assert!(matches!(desk.resume(Some("a/0"), false), Err(Refused::CopyUnsound { .. })));
}

#[test]
fn what_legacy_has_no_more_leaves_the_migration() {
    let mut desk = Desk::new();
    desk.stop("a/0", StopCause::SourceDeleted);
    desk.stop("a/1", StopCause::SourceDeleted);
    desk.change("a/1", |facts| facts.on_legacy = false);
    let plan = desk.resume(None, true).unwrap();
    assert_eq!((plan.gone.clone(), plan.followed.clone()), (set(&["a/1"]), set(&["a/0"])));
    desk.tell(plan.entries(desk.ledger.book(), "orders"));
    let book = desk.ledger.book();
    assert_eq!(book.migrations()["orders"].units, set(&["a/0", "b/0"]));
    assert!(["a/0", "a/1"].iter().all(|name| book.stop(&unit(name)).is_none()));
    let mut control = desk.control();
    let found = [(unit("a/1"), UnitKind::Log)];
    control.handle_discovered(Now::default(), book, "orders", &found);
    control.forget_units("orders", &plan.gone);
    assert!(!control.works["orders"].kinds.contains_key(&unit("a/1")));
}

#[test]
fn the_ledger_says_what_was_decided_and_reads_the_same_again() {
    let mut desk = Desk::new();
    desk.stop("a/0", StopCause::SourceTruncated);
    let plan = desk.resume(None, true).unwrap();
    let entries = plan.entries(desk.ledger.book(), "orders");
    let [What::UnitResumed { discarded: true, reason, .. }] = &entries[..] else { panic!("{entries:?}") };
    assert!(reason.contains("discarded") && reason.contains("SourceTruncated"), "{reason}");
    desk.tell(entries);
    let before = desk.ledger.book().clone();
    let again = Ledger::open(desk.ledger.into_store()).unwrap();
    assert_eq!(*again.book(), before);
}

#[test]
fn an_entry_without_a_cause_needs_a_new_copy() {
    let text =
        r#"{"number":1,"wall_ms":1,"by":"sluice","kind":"unit_stopped","unit":"events/a/0","reason":"old"}"#;
    let entry: crate::ledger::Entry = serde_json::from_str(text).unwrap();
    let What::UnitStopped { cause, .. } = entry.what else { panic!("{entry:?}") };
    assert!(!cause.leaves_copy_sound());
}
