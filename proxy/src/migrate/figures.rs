//! What the runner tells metrics and log: migrations as they stand, and what the ledger has just been told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel_model::Now;

use super::runner::Runner;
use crate::handover::gate::Lag;
use crate::handover::status::MigrationStatus;
use crate::ledger::{Primary, What};
use crate::room;

/// How often the figures are published.
const EVERY: Duration = Duration::from_secs(1);

/// Migration, phase and primary.
type UnitsKey = (String, &'static str, Primary);

/// What was published, so that what is gone becomes 0.
#[derive(Debug, Default)]
pub(super) struct Published {
    due: Duration,
    units: BTreeSet<UnitsKey>,
}

impl Runner {
    /// Publishes how far the migrations are.
    pub(super) fn publish_figures(&mut self, now: Now) {
        if self.published.due > now.elapsed {
            return;
        }
        self.published.due = now.deadline(EVERY);
        for cluster in &self.clusters {
            let connected = f64::from(u8::from(cluster.feed.is_connected()));
            let name = cluster.config.name.clone();
            metrics::gauge!("sluice_legacy_connected", "cluster" => name).set(connected);
            super::canary::publish(cluster);
        }
        if let Some(room) = self.room {
            let needed = self.bytes_to_come.saturating_add(room::reserve_bytes(&self.setup.config));
            metrics::gauge!("sluice_disk_free_bytes").set(float(room.free_bytes));
            metrics::gauge!("sluice_disk_needed_bytes").set(float(needed));
        }
        let book = self.ledger.book();
        metrics::gauge!("sluice_fence_milliseconds_max").set(float(book.fence_ms_max()));
        let all = self.migrations.status(now, book);
        let mut units: BTreeMap<UnitsKey, u64> =
            self.published.units.iter().map(|key| (key.clone(), 0)).collect();
        for migration in &all {
            publish(migration);
            for unit in &migration.units {
                *units.entry((migration.name.clone(), unit.phase.name(), unit.primary)).or_default() += 1;
            }
        }
        for ((migration, phase, primary), count) in &units {
            let labels = [
                ("migration", migration.clone()),
                ("phase", (*phase).to_owned()),
                ("primary", primary.to_string()),
            ];
            metrics::gauge!("sluice_migration_units", &labels).set(float(*count));
        }
        self.published.units = units.into_keys().collect();
    }
}

fn publish(migration: &MigrationStatus) {
    let label = [("migration", migration.name.clone())];
    let units = &migration.units;
    let lags = || units.iter().filter_map(|unit| unit.lag.as_ref());
    // A copy that is only being made has no number yet.
    let records = lags().map(|lag| lag.records).filter(|records| *records != Lag::UNKNOWN);
    let records = records.fold(0, u64::saturating_add);
    let seconds = lags().map(|lag| lag.seconds).max().unwrap_or_default();
    let stopped = units.iter().filter(|unit| unit.stopped.is_some()).count();
    let red = migration.gate.iter().flat_map(|gate| &gate.requirements).filter(|each| !each.green).count();
    metrics::gauge!("sluice_migration_lag_records", &label).set(float(records));
    metrics::gauge!("sluice_migration_lag_seconds", &label).set(float(seconds));
    metrics::gauge!("sluice_migration_units_stopped", &label).set(float(stopped as u64));
    metrics::gauge!("sluice_migration_gate_red", &label).set(float(red as u64));
    let all: u64 = units.iter().map(|unit| unit.divergences).sum();
    let unexplained: u64 = units.iter().map(|unit| unit.unexplained).sum();
    for (explained, count) in [("yes", all.saturating_sub(unexplained)), ("no", unexplained)] {
        let labels = [("migration", migration.name.clone()), ("explained", explained.to_owned())];
        metrics::gauge!("sluice_divergences", &labels).set(float(count));
    }
}

/// Counts and logs an entry that has just become durable.
pub(super) fn recorded(what: &What) {
    match what {
        What::PhaseIntent { migration, from, to } => tracing::info!(migration, %from, %to, "on its way"),
        What::CanaryShare { migration, percent } => {
            tracing::info!(migration, percent, "share of the consumers that read from the kernel");
        }
        What::IntentDropped { migration, reason } => tracing::warn!(migration, reason, "given up"),
        What::PhaseReached { migration, phase, units } => {
            tracing::info!(migration, %phase, units = units.len(), "phase reached");
        }
        What::Forced { migration, to, missing } => {
            tracing::warn!(migration, %to, missing = missing.join("; "), "forced past a red gate");
        }
        What::Committed { handover, migration, to, units, fence_ms } => {
            let units = units.len();
            tracing::info!(migration, handover = handover.0, primary = %to, units, fence_ms, "the primary has changed");
        }
        What::Released { fence_ms, .. } => count_fence("moved", *fence_ms),
        What::Aborted { handover, step, reason, fence_ms } => {
            tracing::warn!(handover = handover.0, %step, reason, fence_ms, "a handover ended on the old primary");
            // Before the fence nobody was held.
            if *fence_ms > 0 {
                count_fence("aborted", *fence_ms);
            }
        }
        What::Diverged { unit, sample, explained_by, .. } => {
            let (detail, explained) = (&sample.detail, explained_by.is_some());
            tracing::warn!(%unit, detail, explained, "the sides differ");
        }
        What::UnitResumed { unit, reason, discarded } => {
            tracing::warn!(%unit, reason, discarded, "a stopped unit goes on");
        }
        What::UnitsRemoved { migration, units } => {
            tracing::warn!(
                migration,
                units = units.len(),
                "units that legacy has no more leave the migration"
            );
        }
        What::MigrationCreated { .. }
        | What::UnitsAdded { .. }
        | What::GateChecked { .. }
        | What::HandoverBegun { .. }
        | What::StepBegun { .. }
        | What::Verified { .. }
        | What::Following { .. }
        | What::WayBackClosed { .. }
        | What::UnitStopped { .. } => {}
    }
}

fn count_fence(outcome: &'static str, fence_ms: u64) {
    metrics::counter!("sluice_fences_total", "outcome" => outcome).increment(1);
    metrics::counter!("sluice_fence_milliseconds_total", "outcome" => outcome).increment(fence_ms);
}

/// Metrics are floating point; above 2^53 the last digits do not matter.
#[allow(clippy::cast_precision_loss, reason = "figures for a graph")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}
