//! What a start of the process makes of the migrations in the ledger.

use std::collections::{BTreeMap, VecDeque};

use kernel_model::Now;
use session::UnitId;

use super::{ControlLimits, MigrationSpec, Migrations};
use crate::handover::action::ForwarderId;
use crate::handover::phase::Phase;
use crate::handover::recovery;
use crate::handover::work::{Doing, Work, back_path, forward_path, furthest_phase, phase_of};
use crate::ledger::{Book, Decider, What};

impl Migrations {
    /// Takes up what the ledger says: open handovers end, phases are applied again, intents go on.
    #[must_use]
    pub fn restore(
        now: Now,
        book: &Book,
        specs: Vec<MigrationSpec>,
        limits: ControlLimits,
        forwarders: &[ForwarderId],
    ) -> Self {
        let mut control = Self {
            limits,
            works: BTreeMap::new(),
            handovers: BTreeMap::new(),
            orders: VecDeque::new(),
            next_order: 1,
            next_handover: book.next_handover(),
            stopped: None,
            background: BTreeMap::new(),
            apply_again: Vec::new(),
        };
        for spec in specs {
            control.restore_one(book, spec);
        }
        for handover in recovery::recover(now, book, limits.handover, forwarders) {
            let id = handover.plan().handover;
            if let Some(work) = control.works.get_mut(&handover.plan().migration) {
                let running = work.running().into_iter().chain([id]).collect();
                work.doing = Doing::Handovers { running, more_at: None };
            }
            control.handovers.insert(id, handover);
        }
        for name in control.works.keys().cloned().collect::<Vec<_>>() {
            control.resume_intent(now, book, &name);
        }
        control.collect(now);
        control
    }

    fn restore_one(&mut self, book: &Book, spec: MigrationSpec) {
        let recorded = book.migrations().get(&spec.name);
        if recorded.is_none() {
            let what = What::MigrationCreated { migration: spec.name.clone(), cluster: spec.cluster.clone() };
            self.record(Decider::Sluice, vec![what]);
        }
        let mut by_phase: BTreeMap<Phase, Vec<UnitId>> = BTreeMap::new();
        for unit in recorded.iter().flat_map(|recorded| &recorded.units) {
            by_phase.entry(book.phase(unit)).or_default().push(unit.clone());
        }
        for (phase, units) in by_phase {
            self.apply_in_background(phase, units);
        }
        let work = Work {
            kinds: BTreeMap::new(),
            situation: None,
            doing: Doing::Idle,
            path: VecDeque::new(),
            backward: false,
            force: false,
            percent: None,
            by: Decider::Sluice,
            intent_recorded: true,
            attempts: BTreeMap::new(),
            giving_up: None,
            last_gate: None,
            last_end: None,
            set_aside: BTreeMap::new(),
            spec,
        };
        self.works.insert(work.spec.name.clone(), work);
    }

    /// Goes on with an intent that the ledger still holds.
    fn resume_intent(&mut self, now: Now, book: &Book, name: &str) {
        let Some(wanted) = book.migrations().get(name).and_then(|recorded| recorded.intent) else { return };
        let (from, furthest) = (phase_of(book, name), furthest_phase(book, name));
        let until = now.deadline(self.limits.gate_wait);
        let Some(work) = self.works.get_mut(name) else { return };
        // On the way forward no unit is further than where all are to be.
        work.backward = wanted < furthest;
        work.path = if work.backward { back_path(furthest, wanted) } else { forward_path(from, wanted) };
        work.intent_recorded = true;
        if work.doing == Doing::Idle {
            work.doing = Doing::WaitGate { until, next_look: now.elapsed };
        }
    }
}
