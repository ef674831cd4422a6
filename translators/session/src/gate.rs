//! The gate of a unit: which side may serve it now, and how much is on its way to legacy.
//!
//! Sessions ask the gate before each write is forwarded; the handover fences, waits until nothing is on its
//! way, and releases to either side. One gate is shared by all sessions of a process.
//!
//! ```text
//!            fence()                release(Kernel)
//!  Legacy ───────────► Held ───────────────────────► Kernel
//!    ▲                  │  ▲                            │
//!    └──────────────────┘  └────────────────────────────┘
//!       release(Legacy)             fence()
//! ```

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use kernel_model::Now;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Names a unit: what has one primary. Readable: `events/orders/3`, `events/group/billing`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId(pub Arc<str>);

impl UnitId {
    /// A unit of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for UnitId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UnitId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self(name.into()))
    }
}

/// Who serves a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Legacy is primary.
    Legacy,
    /// Fenced: new writes wait.
    Held,
    /// The kernel is primary.
    Kernel,
}

/// What a session may do with a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Forward it to legacy; `leave` when its answer came, or can no longer come.
    Legacy,
    /// Wait until the unit is released.
    Held,
    /// The kernel serves it.
    Kernel,
}

/// The gate of one unit.
#[derive(Debug)]
pub struct Gate {
    side: AtomicU8,
    on_the_way: AtomicU64,
}

const LEGACY: u8 = 0;
/// Beside either side: it was fenced, and reads still are that side's.
const HELD: u8 = 1;
const KERNEL: u8 = 2;

impl Gate {
    /// A gate that opens to `side`.
    #[must_use]
    pub fn new(side: Side) -> Self {
        Self { side: AtomicU8::new(encode(side)), on_the_way: AtomicU64::new(0) }
    }

    /// Asks to pass one write. After [`Entry::Legacy`] the caller owes exactly one `leave`.
    #[must_use]
    pub fn enter(&self) -> Entry {
        // Counted before the side is read: a fence that runs in between sees either the count or the session
        // sees the fence. SeqCst makes the two orders one.
        self.on_the_way.fetch_add(1, Ordering::SeqCst);
        match decode(self.side.load(Ordering::SeqCst)) {
            Side::Legacy => Entry::Legacy,
            Side::Held => {
                self.leave();
                Entry::Held
            }
            Side::Kernel => {
                self.leave();
                Entry::Kernel
            }
        }
    }

    /// As [`Gate::enter`], for a write that belongs to something begun before the fence: the fence waits for its end,
    /// so what leads there must pass. Through a fence of what the kernel serves nothing passes.
    #[must_use]
    pub fn enter_to_end(&self) -> Entry {
        self.on_the_way.fetch_add(1, Ordering::SeqCst);
        let side = self.side.load(Ordering::SeqCst);
        if side & KERNEL == 0 {
            return Entry::Legacy;
        }
        self.leave();
        if side == KERNEL { Entry::Kernel } else { Entry::Held }
    }

    /// The answer to a forwarded write came, or its connection is closed.
    pub fn leave(&self) {
        self.on_the_way.fetch_sub(1, Ordering::SeqCst);
    }

    /// Lets no further write pass.
    pub fn fence(&self) {
        self.side.fetch_or(HELD, Ordering::SeqCst);
    }

    /// Opens to one side.
    pub fn release(&self, side: Side) {
        self.side.store(encode(side), Ordering::SeqCst);
    }

    /// Who serves the unit now.
    #[must_use]
    pub fn side(&self) -> Side {
        decode(self.side.load(Ordering::SeqCst))
    }

    /// Whether the kernel serves the unit, or served it when it was fenced: reads, which no fence holds, are its own until
    /// the gate is released to legacy.
    #[must_use]
    pub fn is_kernels(&self) -> bool {
        self.side.load(Ordering::SeqCst) & KERNEL != 0
    }

    /// Writes forwarded to legacy whose answers have not come.
    #[must_use]
    pub fn on_the_way(&self) -> u64 {
        self.on_the_way.load(Ordering::SeqCst)
    }
}

const fn encode(side: Side) -> u8 {
    match side {
        Side::Legacy => LEGACY,
        Side::Held => HELD,
        Side::Kernel => KERNEL,
    }
}

const fn decode(side: u8) -> Side {
    match side {
        LEGACY => Side::Legacy,
        KERNEL => Side::Kernel,
        _ => Side::Held,
    }
}

/// The right to forward writes to legacy, for a while. A session that finds it run out closes its
/// connection to legacy: an unmodified legacy cannot fence.
#[derive(Debug)]
pub struct Lease {
    until_ns: AtomicU64,
}

impl Lease {
    /// A lease that holds until `until` on the monotonic clock.
    #[must_use]
    pub fn new(until: Duration) -> Self {
        let lease = Self { until_ns: AtomicU64::new(0) };
        lease.renew(until);
        lease
    }

    /// Extends (or ends) the lease.
    pub fn renew(&self, until: Duration) {
        self.until_ns.store(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Whether writes may be forwarded at `now`.
    #[must_use]
    pub fn holds(&self, now: Now) -> bool {
        now.elapsed < Duration::from_nanos(self.until_ns.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fenced_gate_counts_what_passed_before_and_lets_nothing_more_pass() {
        let gate = Gate::new(Side::Legacy);
        assert_eq!(gate.enter(), Entry::Legacy);
        gate.fence();
        assert_eq!(gate.enter(), Entry::Held);
        assert_eq!(gate.on_the_way(), 1);
        gate.leave();
        assert_eq!(gate.on_the_way(), 0);
        gate.release(Side::Kernel);
        assert_eq!(gate.enter(), Entry::Kernel);
        assert_eq!(gate.on_the_way(), 0);
    }

    #[test]
    fn what_leads_to_the_end_of_something_begun_passes_the_fence_and_is_counted() {
        let gate = Gate::new(Side::Legacy);
        gate.fence();
        assert_eq!((gate.enter(), gate.enter_to_end()), (Entry::Held, Entry::Legacy));
        assert_eq!(gate.on_the_way(), 1);
        gate.leave();
        gate.release(Side::Kernel);
        assert_eq!(gate.enter_to_end(), Entry::Kernel);
        gate.fence();
        assert_eq!((gate.enter_to_end(), gate.on_the_way()), (Entry::Held, 0));
    }

    #[test]
    fn a_fenced_unit_is_read_from_the_side_that_it_is_leaving() {
        for (side, is_kernels) in [(Side::Legacy, false), (Side::Kernel, true)] {
            let gate = Gate::new(side);
            for _ in 0..2 {
                gate.fence();
                assert_eq!((gate.side(), gate.enter()), (Side::Held, Entry::Held));
                assert_eq!(gate.is_kernels(), is_kernels);
            }
            gate.release(Side::Legacy);
            assert_eq!((gate.side(), gate.is_kernels()), (Side::Legacy, false));
        }
    }

    #[test]
    fn a_lease_ends_at_its_deadline() {
        let lease = Lease::new(Duration::from_secs(3));
        assert!(lease.holds(Now::new(Duration::from_secs(2), 0)));
        assert!(!lease.holds(Now::new(Duration::from_secs(3), 0)));
    }
}
