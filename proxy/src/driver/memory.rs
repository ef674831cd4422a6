//! One budget for what the requests and answers of all connections hold.
//!
//! Each connection counts what it holds, and asks before it reads more of a frame that is not small: the whole frame
//! is counted at once, so that what was begun can be ended. Three quarters in, clients are not read any more, and what
//! is free is left to the answers of what they have asked; when all is held, legacy is not read either. The budget may
//! be exceeded by small reads, and by one frame for each thread that asks at the same moment.
//!
//! Frames that never end and answers that nobody takes would hold the budget for good. While it is short, whoever holds
//! more than a little and moves less than that in good time has to go ([`Tenure`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// A connection may read on with up to this much, whatever others hold.
const FREE_BYTES: usize = 64 * 1024;
/// Up to this much nothing is counted and nobody has to go: the first read of a frame that then waits for memory.
const LITTLE_BYTES: usize = 8 * 1024;
/// What whoever holds memory has to move at least, while it is short.
const BYTES_PER_SECOND_MIN: usize = 4 << 20;

/// How much is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Enough for everybody.
    Free = 0,
    /// Requests have to wait.
    Tight = 1,
    /// Answers have to wait, too.
    Full = 2,
}

/// The budget of all connections. See the module.
#[derive(Debug)]
pub struct Memory {
    held: AtomicUsize,
    max: usize,
    level: watch::Sender<Level>,
    /// The same level, for those who look at it with every message: looking takes no lock.
    glance: AtomicU8,
}

impl Memory {
    /// A budget of this many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self {
            held: AtomicUsize::new(0),
            max: bytes_max,
            level: watch::Sender::new(Level::Free),
            glance: AtomicU8::new(Level::Free as u8),
        }
    }

    /// Bytes that are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Level as it was told last.
    pub(crate) fn level(&self) -> Level {
        match self.glance.load(Ordering::Relaxed) {
            0 => Level::Free,
            1 => Level::Tight,
            _ => Level::Full,
        }
    }

    /// Waits until less than `level` is reached.
    pub(crate) async fn below(&self, level: Level) {
        let mut told = self.level.subscribe();
        // The sender lives as long as `self`.
        let _lower = told.wait_for(|now| *now < level).await;
    }

    #[cfg(test)]
    pub(super) async fn reached(&self, level: Level) {
        let mut told = self.level.subscribe();
        let _higher = told.wait_for(|now| *now >= level).await;
    }

    /// Counts bytes once there is room for them, until the guard is dropped. Without room it goes on after `patience`
    /// all the same: what holds the rest may be waiting for these very bytes.
    pub(crate) async fn borrow(self: Arc<Self>, bytes: usize, patience: Duration) -> Borrowed {
        let _room_or_late = tokio::time::timeout(patience, self.below(Level::Full)).await;
        self.change(0, bytes);
        Borrowed { memory: self, bytes }
    }

    fn change(&self, from: usize, to: usize) {
        let before = if to >= from {
            self.held.fetch_add(to - from, Ordering::Relaxed)
        } else {
            self.held.fetch_sub(from - to, Ordering::Relaxed)
        };
        let after = before.wrapping_add(to).wrapping_sub(from);
        if self.zone(before) != self.zone(after) {
            // The last of several at once sees what all have done.
            self.level.send_if_modified(|level| {
                let next = self.next_level(*level);
                self.glance.store(next as u8, Ordering::Relaxed);
                std::mem::replace(level, next) != next
            });
        }
    }

    /// Where a level begins, and where it ends again, an eighth below.
    fn borders(&self) -> [usize; 4] {
        let eighth = self.max / 8;
        [5, 6, 7, 8].map(|eighths| eighth * eighths)
    }

    fn zone(&self, held: usize) -> usize {
        self.borders().iter().filter(|border| held >= **border).count()
    }

    fn next_level(&self, level: Level) -> Level {
        match (self.zone(self.held()), level) {
            (4, _) | (3, Level::Full) => Level::Full,
            (2 | 3, _) | (1, Level::Tight | Level::Full) => Level::Tight,
            _ => Level::Free,
        }
    }
}

/// Bytes that are counted while this lives.
pub(crate) struct Borrowed {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.memory.change(self.bytes, 0);
    }
}

/// What one connection holds of the budget, for its requests or for their answers.
#[derive(Debug)]
pub(super) struct Share {
    memory: Arc<Memory>,
    /// From this level on nothing more is read.
    until: Level,
    counted: usize,
    admitted: usize,
}

impl Share {
    /// A share of requests.
    pub(super) fn of_requests(memory: &Arc<Memory>) -> Self {
        Self::new(memory, Level::Tight)
    }

    /// A share of answers.
    pub(super) fn of_answers(memory: &Arc<Memory>) -> Self {
        Self::new(memory, Level::Full)
    }

    fn new(memory: &Arc<Memory>, until: Level) -> Self {
        Self { memory: Arc::clone(memory), until, counted: 0, admitted: 0 }
    }

    /// Counts the bytes that are `held`, and asks whether to read on until they are `needed`, which are then
    /// counted too.
    pub(super) fn cover(&mut self, held: usize, needed: usize) -> bool {
        let may_read = needed <= FREE_BYTES || needed <= self.admitted || self.memory.level() < self.until;
        let counted = if may_read { needed } else { held };
        self.admitted = if may_read { needed } else { 0 };
        self.count(if counted <= LITTLE_BYTES { 0 } else { counted.next_multiple_of(LITTLE_BYTES) });
        may_read
    }

    /// Whether anything is counted.
    pub(super) fn is_held(&self) -> bool {
        self.counted > 0
    }

    /// Waits until `cover` may answer otherwise.
    pub(super) async fn room(&self) {
        self.memory.below(self.until).await;
    }

    fn count(&mut self, bytes: usize) {
        if bytes != self.counted {
            self.memory.change(self.counted, bytes);
            self.counted = bytes;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.count(0);
    }
}

/// How long a connection may go on holding what it holds while memory is short: it has to move as many bytes
/// as it held when its time began, and then gets as much again.
#[derive(Debug, Default)]
pub(super) struct Tenure(Option<Term>);

#[derive(Debug)]
struct Term {
    /// Bytes held when it began.
    bytes: usize,
    /// Bytes that had passed when it began.
    passed: u64,
    end: Duration,
}

impl Tenure {
    /// Looks at what the connection holds and at how much has passed through it until now; `patience` is added to
    /// what moving it takes. True if it has to go.
    pub(super) fn is_over(
        &mut self,
        now: Duration,
        level: Level,
        held: usize,
        passed: u64,
        patience: Duration,
    ) -> bool {
        if level == Level::Free || held <= LITTLE_BYTES {
            self.0 = None;
            return false;
        }
        match &self.0 {
            Some(term) if passed - term.passed < term.bytes as u64 => now >= term.end,
            Some(_) | None => {
                let millis = (held as u64).saturating_mul(1000) / BYTES_PER_SECOND_MIN as u64;
                let end = now.saturating_add(patience).saturating_add(Duration::from_millis(millis));
                self.0 = Some(Term { bytes: held, passed, end });
                false
            }
        }
    }

    /// When it has to be looked at again.
    pub(super) fn end(&self) -> Option<Duration> {
        self.0.as_ref().map(|term| term.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn levels_come_with_what_is_held_and_go_an_eighth_later() {
        let memory = Arc::new(Memory::new(8 * MIB));
        let mut share = Share::of_answers(&memory);
        let mut level_at = |eighths: usize| {
            share.cover(eighths * MIB, eighths * MIB);
            (memory.held(), memory.level())
        };
        assert_eq!(level_at(5), (5 * MIB, Level::Free));
        assert_eq!(level_at(6), (6 * MIB, Level::Tight));
        assert_eq!(level_at(5), (5 * MIB, Level::Tight));
        assert_eq!(level_at(8), (8 * MIB, Level::Full));
        assert_eq!(level_at(7), (7 * MIB, Level::Full));
        assert_eq!(level_at(6), (6 * MIB, Level::Tight));
        assert_eq!(level_at(4), (4 * MIB, Level::Free));
        drop(share);
        assert_eq!(memory.held(), 0);
    }

    #[test]
    fn what_was_begun_is_ended_and_nothing_large_is_begun_while_memory_is_short() {
        let memory = Arc::new(Memory::new(8 * MIB));
        let [mut first, mut second, mut small] = [(); 3].map(|()| Share::of_requests(&memory));
        assert!(first.cover(4096, 7 * MIB), "the whole frame is counted at once");
        assert_eq!((memory.held(), memory.level()), (7 * MIB, Level::Tight));
        assert!(!second.cover(4096, MIB));
        assert!(first.cover(6 * MIB, 7 * MIB));
        assert!(small.cover(10, FREE_BYTES));
        assert!(!first.cover(7 * MIB, 7 * MIB + 4096), "and nothing besides");
        let mut answers = Share::of_answers(&memory);
        assert!(answers.cover(0, MIB / 2), "answers may take what is left");
        assert!(first.cover(0, 0));
        assert!(second.cover(4096, MIB));
    }

    #[test]
    fn a_share_counts_what_it_holds_and_no_more() {
        let memory = Arc::new(Memory::new(8 * MIB));
        let mut share = Share::of_requests(&memory);
        for (held, counted) in [(1, 0), (LITTLE_BYTES, 0), (9_000, 16_384), (MIB, MIB), (100, 0)] {
            share.cover(held, held);
            assert_eq!(memory.held(), counted);
        }
    }

    #[test]
    fn who_holds_much_and_moves_less_has_to_go_while_memory_is_short() {
        let mut tenure = Tenure::default();
        let patience = Duration::from_secs(10);
        let mut is_over =
            |at, level, held, passed| tenure.is_over(Duration::from_secs(at), level, held, passed, patience);
        assert!(!is_over(0, Level::Free, 40 * MIB, 0));
        assert!(!is_over(100, Level::Tight, 40 * MIB, 0), "its time begins");
        assert!(!is_over(119, Level::Tight, 40 * MIB, 1 << 20));
        assert!(is_over(120, Level::Full, 40 * MIB, 1 << 20));
        assert!(!is_over(120, Level::Full, 40 * MIB, 40 << 20), "it has moved as much");
        assert!(!is_over(129, Level::Full, 40 * MIB, 40 << 20));
        assert!(!is_over(500, Level::Full, 100, 40 << 20), "a little is nothing");
        assert!(!is_over(500, Level::Free, 40 * MIB, 40 << 20));
    }

    #[tokio::test]
    async fn a_reader_waits_for_room_and_gives_back_what_it_took() {
        const LONG: Duration = Duration::from_secs(60);
        let memory = Arc::new(Memory::new(8 * MIB));
        let first = Arc::clone(&memory).borrow(8 * MIB, LONG).await;
        let second = tokio::spawn(Arc::clone(&memory).borrow(MIB, LONG));
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        let second = second.await.unwrap();
        assert_eq!(memory.held(), MIB);
        drop(second);
        assert_eq!((memory.held(), memory.level()), (0, Level::Free));
    }

    #[tokio::test]
    async fn a_reader_does_not_wait_for_ever() {
        let memory = Arc::new(Memory::new(8 * MIB));
        let _all = Arc::clone(&memory).borrow(8 * MIB, Duration::ZERO).await;
        let more = Arc::clone(&memory).borrow(MIB, Duration::from_millis(20));
        let _more = tokio::time::timeout(Duration::from_secs(30), more).await.unwrap();
        assert_eq!((memory.held(), memory.level()), (9 * MIB, Level::Full));
    }
}
