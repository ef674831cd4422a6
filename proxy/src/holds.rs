//! Writes that wait for a fenced unit.
//!
//! The handover marks a unit as held, fences its gate, and later opens the gate and releases the unit. In
//! that order no waiter is left behind: a session that met the fence registers either while the mark stands,
//! and is released with it, or after it is gone, and is answered at once.

use std::collections::BTreeMap;

use kernel_model::KernelError;
use parking_lot::Mutex;
use session::{Answer, RequestId, UnitId};
use tokio::sync::mpsc::UnboundedSender;

/// Where the answers to one connection's requests go. The channel itself has no bound; what is in it has,
/// because the driver has only a bounded number of requests open and each is answered once.
pub type Answers = UnboundedSender<(RequestId, Result<Answer, KernelError>)>;

/// One request that waits for an answer.
#[derive(Debug, Clone)]
pub struct ReplyTo {
    /// The connection.
    pub answers: Answers,
    /// Its number among all that ask ([`crate::shards::new_asker`]).
    pub asker: u64,
    /// Its request.
    pub id: RequestId,
}

impl ReplyTo {
    /// Answers; a connection that is gone needs none.
    pub fn send(self, answer: Result<Answer, KernelError>) {
        let _gone = self.answers.send((self.id, answer));
    }

    fn is_gone(&self) -> bool {
        self.answers.is_closed()
    }
}

/// The units that are held now, each with who waits for it.
#[derive(Debug, Default)]
pub struct HoldRegistry {
    held: Mutex<BTreeMap<UnitId, Vec<ReplyTo>>>,
}

impl HoldRegistry {
    /// Marks a unit as held. Comes before its gate is fenced.
    pub fn hold(&self, unit: &UnitId) {
        self.held.lock().entry(unit.clone()).or_default();
    }

    /// Answers `Released` once the unit is released; at once if it is not held.
    pub fn wait(&self, unit: &UnitId, reply_to: ReplyTo) {
        let mut held = self.held.lock();
        match held.get_mut(unit) {
            Some(waiting) => {
                // Bounded by live connections: those that gave up go first.
                waiting.retain(|other| !other.is_gone());
                waiting.push(reply_to);
            }
            None => reply_to.send(Ok(Answer::Released)),
        }
    }

    /// Forgets one waiter.
    pub fn cancel(&self, unit: &UnitId, answers: &Answers, id: RequestId) {
        if let Some(waiting) = self.held.lock().get_mut(unit) {
            waiting.retain(|other| !(other.id == id && other.answers.same_channel(answers)));
        }
    }

    /// Lets everybody go on who waits for this unit. Comes after its gate is open.
    pub fn release(&self, unit: &UnitId) {
        let waiting = self.held.lock().remove(unit).unwrap_or_default();
        for reply_to in waiting {
            reply_to.send(Ok(Answer::Released));
        }
    }

    /// How many writes wait now, over all units.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.held.lock().values().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    fn waiter(registry: &HoldRegistry, unit: &UnitId, id: u64) -> (Answers, Receiver) {
        let (answers, receiver) = unbounded_channel();
        registry.wait(unit, ReplyTo { answers: answers.clone(), asker: 0, id: RequestId(id) });
        (answers, receiver)
    }

    type Receiver = UnboundedReceiver<(RequestId, Result<Answer, KernelError>)>;

    #[test]
    fn a_waiter_is_answered_when_its_unit_is_released_and_not_before() {
        let (registry, unit) = (HoldRegistry::default(), UnitId::new("events/orders/3"));
        registry.hold(&unit);
        registry.hold(&UnitId::new("events/orders/4"));
        let (_answers, mut receiver) = waiter(&registry, &unit, 7);
        registry.release(&UnitId::new("events/orders/4"));
        assert!(receiver.try_recv().is_err());
        registry.release(&unit);
        assert!(matches!(receiver.try_recv(), Ok((RequestId(7), Ok(Answer::Released)))));
    }

    #[test]
    fn a_session_that_comes_after_the_release_is_answered_at_once() {
        let (registry, unit) = (HoldRegistry::default(), UnitId::new("events/orders/3"));
        registry.hold(&unit);
        registry.release(&unit);
        let (_answers, mut receiver) = waiter(&registry, &unit, 1);
        assert!(receiver.try_recv().is_ok());
    }

    #[test]
    fn cancelled_and_vanished_waiters_are_forgotten() {
        let (registry, unit) = (HoldRegistry::default(), UnitId::new("events/orders/3"));
        registry.hold(&unit);
        let (answers, mut receiver) = waiter(&registry, &unit, 1);
        registry.cancel(&unit, &answers, RequestId(1));
        assert_eq!(registry.waiting(), 0);
        drop(waiter(&registry, &unit, 2));
        let (_still_here, _receiver) = waiter(&registry, &unit, 3);
        assert_eq!(registry.waiting(), 1);
        registry.release(&unit);
        assert!(receiver.try_recv().is_err());
    }
}
