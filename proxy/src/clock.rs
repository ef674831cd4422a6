//! The only place that reads clocks. Whatever lies below the drivers is handed a [`Now`].

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kernel_model::Now;

/// Both clocks of this process. Copies share one origin.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose monotonic time begins now. A process makes one and hands out copies.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Reads both clocks.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> Now {
        // A wall clock before 1970 reads as 0: it is wrong anyway, and nothing may panic over it.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now::new(self.origin.elapsed(), i64::try_from(wall.as_millis()).unwrap_or(i64::MAX))
    }

    /// The runtime's form of a monotonic deadline, for its timers.
    #[must_use]
    pub fn instant(&self, elapsed: Duration) -> tokio::time::Instant {
        // A deadline past what the platform can represent is as good as a year.
        const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
        let at = self.origin.checked_add(elapsed).unwrap_or_else(|| self.origin + FAR);
        tokio::time::Instant::from_std(at)
    }

    /// Sleeps until a monotonic deadline; `None` sleeps for ever.
    pub async fn sleep_until(&self, deadline: Option<Duration>) {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(self.instant(deadline)).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_move_backwards_and_far_deadlines_do_not_panic() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(clock.now().elapsed >= first.elapsed);
        assert!(first.wall_ms > 1_600_000_000_000);
        let _ = clock.instant(Duration::MAX);
    }
}
