//! Transactional ids that the kernel serves while legacy keeps the same producers for them, so that they can go back.
//!
//! A producer id that the kernel gave by itself legacy could not be made to use. So an id that wants one has to wait
//! until legacy has given it: its producer is told to come again (CONCURRENT_TRANSACTIONS), and does so in a moment.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session::Side;

use super::shared::ClusterShared;
use crate::server::{Spare, SpareIds};

/// Ids of one unit that wait at a time; more are told to come again without being noted.
const WANTED_MAX: usize = 10_000;

/// What becomes of an id's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Its producer asked for this time-out; `None`: it goes on with the one that it has.
    Open(Option<i32>),
    /// Legacy has refused, with this code: told once.
    Refused(i16),
}

/// Of a unit of transactional ids: whether legacy keeps their producers, and which ids wait for one.
#[derive(Debug, Default)]
pub struct KeptIds {
    on: AtomicBool,
    wishes: Mutex<BTreeMap<String, Wish>>,
}

impl KeptIds {
    fn wishes(&self) -> MutexGuard<'_, BTreeMap<String, Wish>> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether legacy keeps the producers of these ids.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// From now on legacy keeps them, or does not.
    pub fn set(&self, on: bool) {
        if self.on.swap(on, Ordering::AcqRel) && !on {
            self.wishes().clear();
        }
    }

    /// Ids that wait for a producer id, each with the time-out that its producer has asked for.
    #[must_use]
    pub fn wanted(&self) -> Vec<(String, Option<i32>)> {
        let wishes = self.wishes();
        let open = wishes.iter().filter_map(|(id, wish)| match wish {
            Wish::Open(timeout_ms) => Some((id.clone(), *timeout_ms)),
            Wish::Refused(_) => None,
        });
        open.collect()
    }

    /// The kernel has what the id waits for.
    pub fn provided(&self, id: &str) {
        self.wishes().remove(id);
    }

    /// Legacy refuses it: the producer is told the next time that it asks.
    pub fn refused(&self, id: &str, code: i16) {
        if let Some(wish) = self.wishes().get_mut(id) {
            *wish = Wish::Refused(code);
        }
    }

    fn wish(&self, id: &str, timeout_ms: Option<i32>) -> Spare {
        let mut wishes = self.wishes();
        if let Some(Wish::Refused(code)) = wishes.get(id).copied() {
            wishes.remove(id);
            return Spare::Refused(code);
        }
        if wishes.contains_key(id) || wishes.len() < WANTED_MAX {
            wishes.insert(id.to_owned(), Wish::Open(timeout_ms));
        }
        Spare::Later
    }
}

/// What one connection asks.
pub(super) struct Wishes(pub(super) Arc<ClusterShared>);

impl SpareIds for Wishes {
    fn spare(&self, id: &str, timeout_ms: Option<i32>) -> Spare {
        let routes = self.0.routes.table();
        let Some(route) = routes.transaction(id).filter(|_| !self.0.routes.is_retired()) else {
            return Spare::Catalog;
        };
        let unit = &route.unit;
        if !unit.kept.is_on() {
            return Spare::Catalog;
        }
        // While the ids go back nothing begins.
        if unit.gate.side() == Side::Held { Spare::Later } else { unit.kept.wish(id, timeout_ms) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_waits_until_legacy_has_given_it_a_producer_or_refused_to() {
        let kept = KeptIds::default();
        kept.set(true);
        assert_eq!((kept.wish("a", Some(1)), kept.wish("b", None)), (Spare::Later, Spare::Later));
        assert_eq!(kept.wanted(), [("a".to_owned(), Some(1)), ("b".to_owned(), None)]);
        kept.provided("b");
        kept.refused("a", 50);
        assert_eq!(kept.wanted(), []);
        assert_eq!((kept.wish("a", Some(2)), kept.wish("a", Some(3))), (Spare::Refused(50), Spare::Later));
        kept.set(false);
        assert_eq!(kept.wanted(), []);
    }
}
