//! How fast producers may write to what the kernel leads, so that the way back stays open: no faster than legacy takes
//! it, once it lags by more than its bound; and while partitions go back, so that their fence need not wait.
//!
//! A legacy that takes nothing at all slows nobody down: the way back lags, and the operator is told.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_model::Now;
use shadow::{ReverseStatus, WayBack};

use super::figures::float;
use super::runner::Runner;
use super::units::UnitName;

/// Longest wait of one write. Clients give up after half a minute, and have a few writes in flight.
const PACE_MAX: Duration = Duration::from_secs(1);
/// Who takes nothing for so long is not waited for.
const TAKES_NOTHING: Duration = Duration::from_secs(5);

impl Runner {
    /// Sets for every partition how long a write to it waits.
    pub(super) fn set_paces(&mut self, now: Now) {
        let mut figures: BTreeMap<&str, Figures> = BTreeMap::new();
        for cluster in &self.clusters {
            let lag_max = cluster.reverse.feed.limits().lag_records_max;
            for known in cluster.units.values() {
                let UnitName::Partition { topic, partition } = &known.name else { continue };
                let status = cluster.reverse.feed.status_of(now, topic, *partition);
                // Who was behind its bound catches up to half of it.
                let allowed = if self.migrations.goes_back(&known.unit.id) { 0 } else { lag_max / 2 };
                let pace = status.as_ref().map_or(Duration::ZERO, |status| pace(status, allowed));
                cluster.shared.routes.set_pace(&known.unit, pace);
                let figures = figures.entry(&known.migration).or_default();
                figures.paced += u32::from(!pace.is_zero());
                if let Some(status) = status {
                    figures.lag_records = figures.lag_records.saturating_add(status.lag_records);
                    figures.closed += u32::from(matches!(status.way_back, WayBack::Closed(_)));
                }
            }
        }
        for (migration, figures) in figures {
            figures.publish(migration);
        }
    }
}

/// The ways back of a migration's partitions, in numbers.
#[derive(Debug, Default)]
struct Figures {
    lag_records: u64,
    paced: u32,
    closed: u32,
}

impl Figures {
    fn publish(&self, migration: &str) {
        let label = [("migration", migration.to_owned())];
        metrics::gauge!("sluice_way_back_lag_records", &label).set(float(self.lag_records));
        metrics::gauge!("sluice_way_back_units_closed", &label).set(self.closed);
        metrics::gauge!("sluice_migration_units_paced", &label).set(self.paced);
    }
}

/// The time that legacy needs for what is above `allowed`: with that each producer has about one batch waiting.
fn pace(status: &ReverseStatus, allowed: u64) -> Duration {
    let lags = match status.way_back {
        WayBack::Open => allowed == 0,
        WayBack::Lagging => status.position.is_some(),
        WayBack::Closed(_) => false,
    };
    if !lags || status.behind_for > TAKES_NOTHING {
        return Duration::ZERO;
    }
    let above = status.lag_records.saturating_sub(allowed);
    let per_second = status.records_per_second.unwrap_or(0).max(1);
    Duration::from_millis(above.saturating_mul(1000) / per_second).min(PACE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(way_back: WayBack, lag_records: u64) -> ReverseStatus {
        ReverseStatus {
            way_back,
            cut: 0,
            position: Some(10),
            kernel_end: 10 + lag_records,
            lag_records,
            behind_for: Duration::ZERO,
            records_per_second: Some(1000),
            floor: 10,
            trouble: None,
        }
    }

    #[test]
    fn writes_wait_for_what_legacy_lacks_above_its_bound_only() {
        let ms = |status: &ReverseStatus, allowed| pace(status, allowed).as_millis();
        assert_eq!(ms(&status(WayBack::Open, 900), 500), 0, "open");
        assert_eq!(ms(&status(WayBack::Lagging, 700), 500), 200);
        assert_eq!(ms(&status(WayBack::Lagging, 700_000), 500), 1000, "at most");
        assert_eq!(ms(&status(WayBack::Open, 30), 0), 30, "it goes back");
        assert_eq!(
            ms(&status(WayBack::Closed(shadow::ClosedReason::Deleted), 700), 0),
            0,
            "nothing is brought"
        );
        let gone = ReverseStatus { behind_for: Duration::from_secs(6), ..status(WayBack::Lagging, 700) };
        assert_eq!(ms(&gone, 500), 0, "a legacy that takes nothing slows nobody down");
        let unknown = ReverseStatus { position: None, ..status(WayBack::Lagging, 700) };
        assert_eq!(ms(&unknown, 500), 0);
    }
}
