//! `sluice verify`: both sides read again, independently of every feed, and compared.
//!
//! Legacy is read over connections of its own; the kernel's copy is read from its log. What the feeds believe plays no
//! part, except that the hashes that they kept are reckoned again from what legacy has now. Batches are compared one
//! by one, then what belongs to a topic (id, partitions, configuration) and the groups' offsets. A verification changes
//! nothing on either side and holds nothing up: it reads at a bounded rate, one partition at a time, and ends
//! when whoever asked for it goes away.
//!
//! | phase | batches are compared |
//! |---|---|
//! | mirror to canary | up to what the kernel holds as final, asked before legacy |
//! | cutover | up to where legacy ends, asked before the kernel: what the way back has brought |
//! | retired | not at all: legacy is not contacted |
//!
//! Owns: reading, comparing, the report. Leaves to others: what is verified ([`Plan`]), and writing differences to
//! the ledger before anybody is told of them.

mod broker;
mod fidelity;
mod groups;
mod legacy;
mod logs;
mod plan;
mod report;
mod topics;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::Clock;

pub use fidelity::{Facts, IGNORED, Ignored, Row};
pub use plan::{GroupPlan, LogPlan, Options, Plan};
pub use report::{Finding, GroupReport, LogReport, Report, Scope};

/// Why a verification ended before it was done. Nothing was changed; it can be repeated.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Legacy cannot be asked.
    #[error("legacy: {0}")]
    Legacy(String),
    /// The kernel cannot be asked.
    #[error("the kernel: {0}")]
    Kernel(String),
}

/// How far a verification is; shown while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    units: AtomicU64,
    units_done: AtomicU64,
    offsets: AtomicU64,
    bytes: AtomicU64,
    differing: AtomicU64,
}

impl Progress {
    /// For the admin API.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "units": of(&self.units),
            "units_done": of(&self.units_done),
            "offsets_compared": of(&self.offsets),
            "bytes_read": of(&self.bytes),
            "differing": of(&self.differing),
        })
    }
}

/// Reads no faster than it may.
#[derive(Debug)]
struct Pace {
    clock: Clock,
    begun: Duration,
    bytes: u64,
    bytes_per_second: u64,
}

impl Pace {
    fn new(clock: Clock, bytes_per_second: u64) -> Self {
        Self { clock, begun: clock.now().elapsed, bytes: 0, bytes_per_second }
    }

    /// Waits until so many more bytes are within the rate.
    async fn spent(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(seconds) = self.bytes.saturating_mul(1000).checked_div(self.bytes_per_second) {
            self.clock.sleep_until(self.begun.saturating_add(Duration::from_millis(seconds))).await;
        }
    }
}

/// Verifies everything of a plan.
///
/// # Errors
///
/// [`VerifyError`]: a side could not be asked. What a single partition or group keeps from being compared stands in the
/// report instead.
pub async fn run(plan: &Plan, progress: &Arc<Progress>) -> Result<Report, VerifyError> {
    let begun = plan.clock.now();
    let units = plan.logs.len() + plan.groups.len();
    progress.units.store(u64::try_from(units).unwrap_or(u64::MAX), Ordering::Relaxed);
    let mut legacy = legacy::Legacy::new(plan);
    let names: Vec<String> = plan.topics();
    legacy.look(&names).await?;
    let mut report = Report { wall_ms: begun.wall_ms, ..Report::default() };
    let compared = topics::compare(plan, &mut legacy, &names).await?;
    (report.topics, report.settings) = (compared.topics, compared.settings);
    report.findings.extend(compared.findings);
    let mut pace = Pace::new(plan.clock, plan.options.bytes_per_second);
    for log in &plan.logs {
        let (found, findings) = logs::compare(plan, &mut legacy, log, &mut pace, progress).await;
        report.logs.push(found);
        report.findings.extend(findings);
        progress.units_done.fetch_add(1, Ordering::Relaxed);
    }
    for group in &plan.groups {
        let (found, findings) = groups::compare(plan, &mut legacy, group).await;
        report.groups.push(found);
        report.findings.extend(findings);
        progress.units_done.fetch_add(1, Ordering::Relaxed);
    }
    let took = plan.clock.now().elapsed.saturating_sub(begun.elapsed);
    report.took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    report.bytes = progress.bytes.load(Ordering::Relaxed);
    report.fidelity = fidelity::rows(&plan.clients, &report.facts());
    Ok(report)
}
