//! What each forwarder of a handover has been asked and has answered.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_model::Now;
use session::UnitId;

use super::action::{Action, Completion, ForwarderId, Ticket};
use super::limits::HandoverLimits;
use crate::ledger::{ForwarderNote, Primary};

/// One forwarder's part in a handover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Not asked yet; the fence has not begun.
    Idle,
    /// To be asked to hold.
    Fence,
    /// Holds; to be asked to count again.
    CountAt(Duration),
    /// Did not answer in time: its lease is not to be renewed.
    Revoke,
    /// Nothing that it sent can reach legacy after this.
    Safe(Duration),
    /// Holds, and nothing is on its way; or has lost its lease long enough ago.
    Drained,
    /// To be told where its held writes go.
    Release,
    /// Was told, or has lost its lease (then it is told when it joins again).
    Released,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    ticket: Ticket,
    until: Duration,
}

#[derive(Debug)]
struct Forwarder {
    part: Part,
    asked: Option<Asked>,
    answered: bool,
    drained_at: Option<Duration>,
}

/// All forwarders of one handover.
#[derive(Debug)]
pub(super) struct Forwarders {
    by_id: BTreeMap<ForwarderId, Forwarder>,
}

impl Forwarders {
    pub(super) fn new(ids: impl IntoIterator<Item = ForwarderId>) -> Self {
        let fresh = |id| (id, Forwarder { part: Part::Idle, asked: None, answered: true, drained_at: None });
        Self { by_id: ids.into_iter().map(fresh).collect() }
    }

    pub(super) fn assume_drained(&mut self) {
        self.by_id.values_mut().for_each(|forwarder| forwarder.part = Part::Drained);
    }

    pub(super) fn fence(&mut self) {
        self.by_id.values_mut().for_each(|forwarder| forwarder.part = Part::Fence);
    }

    pub(super) fn release(&mut self) {
        for forwarder in self.by_id.values_mut() {
            forwarder.part = Part::Release;
            forwarder.asked = None;
        }
    }

    /// One that joins was given the present state of every unit with its lease: it holds what is held. Once
    /// releases go out it may have missed its own, and is told again.
    pub(super) fn join(&mut self, now: Now, id: ForwarderId, fencing: bool, safe_at: Option<Duration>) {
        let releasing = self.by_id.values().any(|other| matches!(other.part, Part::Release | Part::Released));
        let idle = self.by_id.values().all(|other| other.part == Part::Idle);
        let part = match safe_at {
            _ if releasing => Part::Release,
            _ if idle => Part::Idle,
            // What it sent in its earlier life may still arrive.
            Some(at) if at > now.elapsed => Part::Safe(at),
            // It may have joined just before the fence began, and not hold yet.
            _ if fencing => Part::Fence,
            _ => Part::Drained,
        };
        let drained_at = Some(now.elapsed);
        self.by_id.insert(id, Forwarder { part, asked: None, answered: true, drained_at });
    }

    pub(super) fn all_drained(&self) -> bool {
        self.by_id.values().all(|forwarder| forwarder.part == Part::Drained)
    }

    pub(super) fn all_released(&self) -> bool {
        self.by_id.values().all(|forwarder| forwarder.part == Part::Released)
    }

    pub(super) fn notes(&self, began: Duration) -> Vec<ForwarderNote> {
        let note = |(id, forwarder): (&ForwarderId, &Forwarder)| ForwarderNote {
            forwarder: id.0,
            answered: forwarder.answered,
            after_ms: u64::try_from(forwarder.drained_at.unwrap_or(began).saturating_sub(began).as_millis())
                .unwrap_or(u64::MAX),
        };
        self.by_id.iter().map(note).collect()
    }

    pub(super) fn expects(&self, ticket: Ticket) -> bool {
        self.by_id.values().any(|forwarder| forwarder.asked.is_some_and(|asked| asked.ticket == ticket))
    }

    pub(super) fn handle_completion(
        &mut self,
        now: Now,
        ticket: Ticket,
        completion: &Completion,
        limits: &HandoverLimits,
    ) {
        let awaited =
            |forwarder: &&mut Forwarder| forwarder.asked.is_some_and(|asked| asked.ticket == ticket);
        let Some(forwarder) = self.by_id.values_mut().find(awaited) else { return };
        forwarder.asked = None;
        match (forwarder.part, completion) {
            (Part::Fence | Part::CountAt(_), Completion::OnTheWay(0)) => forwarder.drained(now, true),
            (Part::Fence | Part::CountAt(_), Completion::OnTheWay(_)) => {
                forwarder.part = Part::CountAt(now.deadline(limits.poll_every));
            }
            (Part::Fence | Part::CountAt(_), _) => forwarder.part = Part::Revoke,
            (Part::Revoke, Completion::SafeAt(at)) if now.elapsed >= *at => forwarder.drained(now, false),
            (Part::Revoke, Completion::SafeAt(at)) => forwarder.part = Part::Safe(*at),
            // Told, or unreachable: one that is unreachable loses its lease, and is told when it joins again.
            (Part::Release, _) => forwarder.part = Part::Released,
            (Part::Revoke | Part::Idle | Part::Safe(_) | Part::Drained | Part::Released, _) => {}
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        for forwarder in self.by_id.values_mut() {
            if forwarder.asked.is_some_and(|asked| now.elapsed >= asked.until) {
                forwarder.asked = None;
                match forwarder.part {
                    Part::Fence | Part::CountAt(_) => forwarder.part = Part::Revoke,
                    Part::Release => forwarder.part = Part::Released,
                    Part::Revoke | Part::Idle | Part::Safe(_) | Part::Drained | Part::Released => {}
                }
            }
            match forwarder.part {
                Part::Safe(at) if now.elapsed >= at => forwarder.drained(now, false),
                // Due: `poll_action` hands it out.
                Part::CountAt(at) if now.elapsed >= at => forwarder.part = Part::CountAt(Duration::ZERO),
                Part::Safe(_) | Part::CountAt(_) => {}
                Part::Idle | Part::Fence | Part::Revoke | Part::Drained | Part::Release | Part::Released => {}
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let due = |forwarder: &Forwarder| match (forwarder.asked, forwarder.part) {
            (Some(asked), _) => Some(asked.until),
            (None, Part::CountAt(at) | Part::Safe(at)) => Some(at),
            (None, _) => None,
        };
        self.by_id.values().filter_map(due).min()
    }

    /// The next question that nobody was asked yet; `asked` must follow.
    pub(super) fn poll_action(&self, units: &[UnitId], side: Primary) -> Option<Action> {
        self.by_id.iter().find_map(|(&id, forwarder)| {
            if forwarder.asked.is_some() {
                return None;
            }
            let units = || units.to_vec();
            match forwarder.part {
                Part::Fence => Some(Action::Fence { forwarder: id, units: units() }),
                Part::CountAt(Duration::ZERO) => Some(Action::Count { forwarder: id, units: units() }),
                Part::Revoke => Some(Action::Revoke { forwarder: id }),
                Part::Release => Some(Action::Release { forwarder: id, units: units(), side }),
                Part::CountAt(_) | Part::Idle | Part::Safe(_) | Part::Drained | Part::Released => None,
            }
        })
    }

    pub(super) fn asked(&mut self, now: Now, ticket: Ticket, action: &Action, limits: &HandoverLimits) {
        let (Action::Fence { forwarder, .. }
        | Action::Count { forwarder, .. }
        | Action::Revoke { forwarder }
        | Action::Release { forwarder, .. }) = action
        else {
            return;
        };
        if let Some(forwarder) = self.by_id.get_mut(forwarder) {
            forwarder.asked = Some(Asked { ticket, until: now.deadline(limits.forwarder_answer_max) });
        }
    }
}

impl Forwarder {
    fn drained(&mut self, now: Now, answered: bool) {
        self.part = Part::Drained;
        self.answered = answered;
        self.drained_at = Some(now.elapsed);
    }
}
