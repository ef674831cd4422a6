//! The only place that reads clocks. Whatever lies below the drivers is handed a [`Now`].

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kernel_model::Now;
use tokio::time::Sleep;

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

    /// Sleeps until a monotonic deadline.
    pub async fn sleep_until(&self, deadline: Duration) {
        tokio::time::sleep_until(self.instant(deadline)).await;
    }
}

/// A timer for a deadline that moves with every message. Moving it later costs nothing: the timer fires at
/// its old deadline, and is armed again.
#[derive(Debug)]
pub struct Timer {
    clock: Clock,
    sleep: Option<Pin<Box<Sleep>>>,
    armed: Option<Duration>,
}

impl Timer {
    /// A timer on this clock. Allocates nothing until it is first armed.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, sleep: None, armed: None }
    }

    /// Ready at `deadline`, or never without one.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Duration>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.arm(deadline);
        }
        while let Some(sleep) = &mut self.sleep {
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.armed = None;
            if self.clock.now().elapsed >= deadline {
                return Poll::Ready(());
            }
            self.arm(deadline);
        }
        Poll::Pending
    }

    fn arm(&mut self, deadline: Duration) {
        let at = self.clock.instant(deadline);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
        self.armed = Some(deadline);
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
