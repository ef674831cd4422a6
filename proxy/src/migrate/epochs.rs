//! How clients see the leader epochs of a partition, from what the ledger has of its changes of side.

use std::sync::Arc;

use session::UnitId;
use shadow::Order as FeedOrder;
use translator_kafka::epochs::{EpochError, EpochTable};

use super::runner::Runner;
use super::units::{self, UnitName};
use crate::ledger::{Primary, SideChange, StopCause, What};

/// The table that a partition has after these changes of its primary, oldest first.
///
/// # Errors
///
/// [`EpochError`]: the ledger contradicts itself, or does not say what legacy called the moment of a way back.
pub(super) fn table_of(changes: &[SideChange]) -> Result<EpochTable, EpochError> {
    let mut table = EpochTable::default();
    for change in changes {
        match change.to {
            Primary::Kernel => table.kernel_leads(change.epoch, change.cut)?,
            Primary::Legacy => {
                table.legacy_leads(change.epoch, change.cut, change.legacy_epoch.unwrap_or(-1))?;
            }
        }
    }
    Ok(table)
}

impl Runner {
    /// Publishes how the leader epochs of these partitions are counted, to sessions and feeds: after the ledger has the
    /// commit, before the feed follows again and before a gate is released.
    pub(super) fn publish_epochs(&mut self, units: &[UnitId]) {
        let now = self.setup.clock.now();
        let mut contradictions = Vec::new();
        for unit in units {
            let Some((name, UnitName::Partition { topic, partition })) = units::parse(unit) else { continue };
            let table = match table_of(self.ledger.book().side_changes(unit)) {
                Ok(table) => table,
                Err(error) => {
                    contradictions.push((unit.clone(), error));
                    continue;
                }
            };
            for cluster in self.clusters.iter_mut().filter(|cluster| cluster.config.name == name) {
                if let Some(known) = cluster.units.get(unit) {
                    known.unit.set_epochs(table.clone());
                }
                let (topic, epochs) = (topic.clone(), Arc::new(table.clone()));
                cluster.feed.order(now, FeedOrder::SetEpochs { topic, partition, epochs });
            }
        }
        for (unit, error) in contradictions {
            self.epochs_unknown(&unit, error);
        }
    }

    /// Clients would be told epochs that go backwards: an operator has to look.
    fn epochs_unknown(&mut self, unit: &UnitId, error: EpochError) {
        tracing::error!(%unit, %error, "the ledger does not tell how leader epochs are counted");
        if self.ledger.book().stopped(unit).is_none() {
            let reason = format!("the ledger does not tell how its leader epochs are counted: {error}");
            let cause = StopCause::Contradiction;
            self.record_fact(What::UnitStopped { unit: unit.clone(), reason, cause });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(to: Primary, cut: u64, epoch: i32, legacy_epoch: Option<i32>) -> SideChange {
        SideChange { to, cut, epoch, legacy_epoch }
    }

    #[test]
    fn the_ledger_tells_how_epochs_are_counted() {
        let there = change(Primary::Kernel, 100, 107, Some(7));
        let back = change(Primary::Legacy, 250, 207, Some(9));
        assert!(table_of(&[]).unwrap().is_identity());
        let table = table_of(&[there, back]).unwrap();
        assert_eq!([7, 8, 9].map(|real| table.virtual_at(99, real)), [7, 8, 9]);
        assert_eq!(table.virtual_at(100, 7), 107);
        assert_eq!(table.virtual_now(10), 208);
    }

    #[test]
    fn a_ledger_that_does_not_tell_is_no_guess() {
        let there = change(Primary::Kernel, 100, 107, None);
        assert!(table_of(&[there]).is_ok(), "older entries do not say it, and need not");
        let back = change(Primary::Legacy, 250, 207, None);
        assert_eq!(table_of(&[there, back]), Err(EpochError::RealUnknown));
        assert_eq!(table_of(&[back]), Err(EpochError::RealUnknown));
        assert_eq!(table_of(&[there, there]), Err(EpochError::NotAbove { first: 107, last: 107 }));
    }
}
