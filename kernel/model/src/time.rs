//! Time as an argument.
//!
//! Nothing below the drivers reads a clock. A driver takes one [`Now`] per turn of its loop and hands it
//! down, so a simulation can replay any run.

use std::time::Duration;

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now {
    /// Monotonic time since the process (or the simulation) began; never moves backwards. Deadlines,
    /// leases and time-outs are measured on it.
    pub elapsed: Duration,
    /// Wall clock in milliseconds since the Unix epoch; may jump. Timestamps and retention use it.
    pub wall_ms: i64,
}

impl Now {
    /// A reading with both clocks given.
    #[must_use]
    pub const fn new(elapsed: Duration, wall_ms: i64) -> Self {
        Self { elapsed, wall_ms }
    }

    /// The monotonic deadline `after` from now.
    #[must_use]
    pub fn deadline(&self, after: Duration) -> Duration {
        self.elapsed.saturating_add(after)
    }
}
