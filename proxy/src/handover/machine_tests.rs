//! The machine by hand: both directions, limits, failures, what a late forwarder is told.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

use super::*;
use crate::handover::action::{ActionKind, Obstacle, Whose};
use crate::ledger::{Digest, DivergenceKind};

const F0: ForwarderId = ForwarderId(0);
const F1: ForwarderId = ForwarderId(1);

fn unit() -> UnitId {
    UnitId::new("events/orders/0")
}

fn at(millis: u64) -> Now {
    Now::new(Duration::from_millis(millis), 0)
}

fn machine(to: Primary, forwarders: &[ForwarderId]) -> Handover {
    let plan = Plan {
        handover: HandoverId(7),
        migration: "orders".to_owned(),
        to,
        units: vec![PlannedUnit { unit: unit(), kind: UnitKind::Log, epoch: 4 }],
        by: Decider::Sluice,
    };
    Handover::new(at(0), plan, HandoverLimits::default(), forwarders.iter().copied(), Duration::ZERO)
}

fn equal(whose: Whose) -> Facts {
    let chain = (whose != Whose::Source).then_some(Digest(9));
    Facts { end: 40, settled: 40, records: chain.map(|_| 30), chain, epoch: 6, ..Facts::default() }
}

/// Answers everything well, unless `special` has another answer (`Some(None)`: none at all); collects kinds.
fn play(
    machine: &mut Handover,
    now: Now,
    mut special: impl FnMut(&Action) -> Option<Option<Completion>>,
) -> Vec<ActionKind> {
    let mut kinds = Vec::new();
    while let Some((ticket, action)) = machine.poll_action() {
        kinds.push(action.kind());
        assert!(kinds.len() < 200, "the machine does not come to rest: {kinds:?}");
        let well = match &action {
            Action::Ask { whose, units, .. } => {
                Completion::Facts(units.iter().map(|unit| (unit.clone(), equal(*whose))).collect())
            }
            Action::Fence { .. } | Action::Count { .. } => Completion::OnTheWay(0),
            Action::Revoke { .. } => Completion::SafeAt(now.elapsed + Duration::from_secs(5)),
            _ => Completion::Done,
        };
        if let Some(completion) = special(&action).unwrap_or(Some(well)) {
            machine.handle_completion(now, ticket, completion);
        }
    }
    kinds
}

#[test]
fn both_directions_take_the_same_steps_and_commit_once() {
    for to in [Primary::Kernel, Primary::Legacy] {
        let mut machine = machine(to, &[F0]);
        let mut committed = Vec::new();
        let mut released = Vec::new();
        let kinds = play(&mut machine, at(5), |action| {
            match action {
                Action::Record(whats) => {
                    committed
                        .extend(whats.iter().filter(|what| matches!(what, What::Committed { .. })).cloned());
                }
                Action::Release { side, .. } => released.push(*side),
                _ => {}
            }
            None
        });
        use ActionKind as K;
        let ask = [K::AskSource, K::AskFeed, K::AskTarget, K::AskSource];
        let expected = [
            &[K::RecordBegun][..],
            &ask,
            &[K::RecordFence, K::Fence, K::Close],
            &ask,
            &[
                K::RecordVerified,
                K::RecordCommit,
                K::Switch,
                K::Publish,
                K::Release,
                K::RecordAfter,
                K::Follow,
            ],
            &[K::RecordAfter],
        ]
        .concat();
        assert_eq!(kinds, expected);
        assert_eq!(released, [to]);
        let [What::Committed { units, to: side, .. }] = &committed[..] else { panic!("{committed:?}") };
        assert_eq!((*side, units[0].epoch, units[0].evidence.target_epoch), (to, 5, 106));
        assert!(matches!(machine.outcome(), Some(Outcome::Moved { .. })));
        assert_eq!(machine.poll_timeout(), None);
    }
}

/// Plays until the fence; the feed has one record less than the source until `calm_at`. When the fence began.
fn fenced_at(calm_at: u64) -> u64 {
    let mut machine = machine(Primary::Kernel, &[F0]);
    for now in (0..5_000).step_by(5) {
        machine.handle_timeout(at(now));
        let kinds = play(&mut machine, at(now), |action| match action {
            Action::Ask { whose: Whose::Feed, .. } if now < calm_at => {
                let behind = Facts { end: 39, settled: 39, ..equal(Whose::Feed) };
                Some(Some(Completion::Facts([(unit(), behind)].into())))
            }
            _ => None,
        });
        if kinds.contains(&ActionKind::Fence) {
            return now;
        }
    }
    panic!("it is never fenced: {}", machine.waits_for());
}

#[test]
fn a_fence_waits_for_a_moment_without_lag_but_not_for_ever() {
    assert_eq!(fenced_at(0), 0);
    assert_eq!(fenced_at(300), 300);
    assert_eq!(fenced_at(u64::MAX), 1_000);
}

#[test]
fn a_fence_past_its_limit_releases_to_the_old_primary_and_says_why() {
    let mut machine = machine(Primary::Kernel, &[F0]);
    let busy = |action: &Action| match action {
        Action::Fence { .. } | Action::Count { .. } => Some(Some(Completion::OnTheWay(3))),
        _ => None,
    };
    play(&mut machine, at(0), busy);
    assert!(machine.holds());
    let mut released = Vec::new();
    let mut now = 0;
    while machine.outcome().is_none() {
        now = u64::try_from(machine.poll_timeout().unwrap().as_millis()).unwrap().max(now + 1);
        machine.handle_timeout(at(now));
        play(&mut machine, at(now), |action| {
            if let Action::Release { side, .. } = action {
                released.push(*side);
            }
            busy(action)
        });
    }
    assert_eq!(now, 12_000);
    assert_eq!(released, [Primary::Legacy]);
    let Some(Outcome::Aborted { step: Step::Fence, reason, .. }) = machine.outcome() else { panic!() };
    assert!(reason.contains("on its way"), "{reason}");
}

#[test]
fn a_silent_forwarder_is_waited_for_until_nothing_of_it_can_arrive() {
    let mut machine = machine(Primary::Kernel, &[F0, F1]);
    let silent = |action: &Action| match action {
        Action::Fence { forwarder: F1, .. } | Action::Release { forwarder: F1, .. } => Some(None),
        _ => None,
    };
    play(&mut machine, at(0), silent);
    machine.handle_timeout(at(1_000));
    let kinds = play(&mut machine, at(1_000), silent);
    assert_eq!(kinds, [ActionKind::Revoke]);
    machine.handle_timeout(at(5_999));
    assert_eq!(play(&mut machine, at(5_999), silent), []);
    machine.handle_timeout(at(6_000));
    let kinds = play(&mut machine, at(6_000), silent);
    assert_eq!(kinds[0], ActionKind::Close);
    assert!(kinds.contains(&ActionKind::RecordCommit));
}

#[test]
fn a_ledger_that_fails_at_the_commit_stops_the_machine_with_its_units_held() {
    let mut machine = machine(Primary::Kernel, &[F0]);
    let kinds = play(&mut machine, at(0), |action| {
        let commit = action.kind() == ActionKind::RecordCommit;
        commit.then(|| Some(Completion::Failed("EIO".to_owned())))
    });
    assert_eq!(kinds.last(), Some(&ActionKind::RecordCommit));
    assert_eq!(machine.outcome(), Some(&Outcome::Stopped { reason: "EIO".to_owned() }));
    assert!(machine.holds());
}

#[test]
fn different_hashes_end_the_handover_before_the_fence() {
    let mut machine = machine(Primary::Kernel, &[F0]);
    let kinds = play(&mut machine, at(0), |action| match action {
        Action::Ask { whose: Whose::Target, .. } => {
            let facts = Facts { chain: Some(Digest(8)), ..equal(Whose::Target) };
            Some(Some(Completion::Facts([(unit(), facts)].into())))
        }
        _ => None,
    });
    assert!(!kinds.contains(&ActionKind::Fence));
    assert!(matches!(machine.outcome(), Some(Outcome::Aborted { step: Step::Prepare, .. })));
}

#[test]
fn an_obstacle_that_passes_is_waited_for_and_one_that_does_not_is_not() {
    let obstacle = |passing| {
        move |action: &Action| match action {
            Action::Ask { whose: Whose::Source, .. } => {
                let obstacle = Some(Obstacle { reason: "the group rebalances".to_owned(), passing });
                let facts = Facts { obstacle, ..equal(Whose::Source) };
                Some(Some(Completion::Facts([(unit(), facts)].into())))
            }
            _ => None,
        }
    };
    let mut waiting = machine(Primary::Kernel, &[F0]);
    play(&mut waiting, at(0), obstacle(true));
    assert!(waiting.outcome().is_none());
    assert!(waiting.waits_for().contains("rebalances"));
    waiting.handle_timeout(at(5));
    play(&mut waiting, at(5), |_| None);
    assert!(matches!(waiting.outcome(), Some(Outcome::Moved { .. })));
    let mut ended = machine(Primary::Kernel, &[F0]);
    play(&mut ended, at(0), obstacle(false));
    assert!(matches!(ended.outcome(), Some(Outcome::Aborted { .. })));
}

#[test]
fn a_bypass_write_behind_the_fence_is_recorded_and_moved() {
    let mut machine = machine(Primary::Kernel, &[F0]);
    let mut asked = 0;
    let mut recorded = Vec::new();
    let grown = |end| Facts { end, settled: end, ..equal(Whose::Feed) };
    let mut now = 0;
    while machine.outcome().is_none() && now < 1_000 {
        play(&mut machine, at(now), |action| match action {
            Action::Record(whats) => {
                recorded.extend(whats.clone());
                None
            }
            Action::Ask { whose, .. } => {
                asked += 1;
                // Somebody writes between the two looks at the source behind the fence.
                let end = if asked >= 8 { 41 } else { 40 };
                let facts = Facts { chain: (*whose != Whose::Source).then_some(Digest(end)), ..grown(end) };
                Some(Some(Completion::Facts([(unit(), Facts { records: None, ..facts })].into())))
            }
            _ => None,
        });
        now += 5;
        machine.handle_timeout(at(now));
    }
    let kept =
        |what: &&What| matches!(what, What::Diverged { divergence: DivergenceKind::BypassDuringFence, .. });
    assert_eq!(machine.outcome().map(|outcome| matches!(outcome, Outcome::Moved { .. })), Some(true));
    assert_eq!(recorded.iter().filter(kept).count(), 1);
    let cut = recorded.iter().find_map(|what| match what {
        What::Committed { units, .. } => Some(units[0].evidence.source_end),
        _ => None,
    });
    assert_eq!(cut, Some(41));
}

#[test]
fn one_that_joins_behind_the_commit_is_told_the_new_primary() {
    let mut machine = machine(Primary::Kernel, &[F0]);
    play(&mut machine, at(0), |action| (action.kind() == ActionKind::Follow).then_some(None));
    machine.handle_joined(at(1), F1, None);
    let (_, action) = machine.poll_action().unwrap();
    assert!(matches!(action, Action::Release { forwarder: F1, side: Primary::Kernel, .. }), "{action:?}");
}

#[test]
fn going_back_before_the_commit_does_not_wait_for_a_kernel_that_fails() {
    let plan = machine(Primary::Kernel, &[]).plan.clone();
    let limits = HandoverLimits::default();
    let mut aborting = Handover::resume_aborting(at(0), plan, Step::Verify, limits, [F0]);
    let kinds = play(&mut aborting, at(0), |action| {
        (action.kind() == ActionKind::Reopen).then(|| Some(Completion::Failed("down".to_owned())))
    });
    assert_eq!(kinds, [ActionKind::Reopen, ActionKind::Release, ActionKind::RecordAborted]);
    assert!(matches!(aborting.outcome(), Some(Outcome::Aborted { step: Step::Verify, .. })));
}

fn group(name: &str) -> UnitId {
    UnitId::new(&format!("events/group/{name}"))
}

/// Of two groups one rebalances, from the question on that `from` numbers.
fn rebalancing(from: usize) -> impl FnMut(&Action) -> Option<Option<Completion>> {
    let mut asked = 0;
    move |action| match action {
        Action::Ask { whose, units, .. } => {
            asked += 1;
            let facts = |unit: &UnitId| {
                let busy = asked >= from && *unit == group("a") && *whose == Whose::Source;
                let reason = "the group is rebalancing".to_owned();
                let obstacle = busy.then_some(Obstacle { reason, passing: true });
                (unit.clone(), Facts { obstacle, ..equal(*whose) })
            };
            Some(Some(Completion::Facts(units.iter().map(facts).collect())))
        }
        _ => None,
    }
}

fn two_groups() -> Handover {
    let planned = |name| PlannedUnit { unit: group(name), kind: UnitKind::Group, epoch: 0 };
    let plan = Plan { units: vec![planned("a"), planned("b")], ..machine(Primary::Kernel, &[]).plan };
    Handover::new(at(0), plan, HandoverLimits::default(), [F0], Duration::ZERO)
}

#[test]
fn a_rebalancing_group_is_left_behind_before_anybody_is_held() {
    let mut machine = two_groups();
    let kinds = play(&mut machine, at(0), rebalancing(1));
    assert!(!kinds.contains(&ActionKind::Fence), "{kinds:?}");
    let Some(Outcome::Aborted { step: Step::Prepare, busy, .. }) = machine.outcome() else {
        panic!("{:?}", machine.outcome())
    };
    assert_eq!(busy.keys().collect::<Vec<_>>(), [&group("a")]);
}

#[test]
fn a_rebalance_that_begins_with_the_fence_ends_it_long_before_its_limit() {
    let mut machine = two_groups();
    let mut rebalancing = rebalancing(5);
    // The join of its member is answered when the others have joined, and they are held.
    let mut special = |action: &Action| match action {
        Action::Fence { .. } | Action::Count { .. } => Some(Some(Completion::OnTheWay(1))),
        other => rebalancing(other),
    };
    play(&mut machine, at(0), &mut special);
    assert!(machine.holds());
    let mut now = 0;
    while machine.outcome().is_none() {
        now = u64::try_from(machine.poll_timeout().unwrap().as_millis()).unwrap().max(now + 1);
        machine.handle_timeout(at(now));
        play(&mut machine, at(now), &mut special);
    }
    assert!(now <= 100, "held for {now} ms");
    let Some(Outcome::Aborted { step: Step::Fence, busy, reason }) = machine.outcome() else {
        panic!("{:?}", machine.outcome())
    };
    assert_eq!(busy.keys().collect::<Vec<_>>(), [&group("a")]);
    assert!(reason.contains("events/group/a: the group is rebalancing"), "{reason}");
}

#[test]
fn a_rebalance_that_shows_in_the_comparison_behind_the_fence_ends_it_at_once() {
    let mut machine = two_groups();
    let kinds = play(&mut machine, at(0), rebalancing(5));
    assert!(kinds.contains(&ActionKind::Fence) && !kinds.contains(&ActionKind::RecordCommit), "{kinds:?}");
    assert!(matches!(machine.outcome(), Some(Outcome::Aborted { step: Step::Verify, .. })));
}
