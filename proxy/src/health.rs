//! Whether the process can do its work, and what keeps it from it.
//!
//! *Healthy*: nothing has failed for good; whoever restarts processes asks that. *Ready*: clients can be sent
//! here; a cluster whose legacy has not answered since the start is not ready, and is named with the reason.
//! A kernel that stands alone has no cluster to wait for.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use serde_json::{Value, json};

/// What a cluster waits for before it was first asked.
const NOT_ASKED: &str = "legacy has not answered yet";
/// First word of the parts that are shards of the kernel.
const SHARD: &str = "shard ";

#[derive(Debug, Default)]
struct State {
    started: bool,
    faults: BTreeMap<String, String>,
    /// Shards whose store refuses writes for lack of space.
    full: BTreeSet<String>,
    /// Shards that found stored files damaged or missing, and still run.
    damaged: BTreeMap<String, String>,
    /// By name; why a cluster does not serve yet.
    clusters: BTreeMap<String, Option<String>>,
}

/// Faults by part, and who is ready.
#[derive(Debug, Default)]
pub struct Health {
    state: Mutex<State>,
}

impl Health {
    /// Everything is started (or is being stopped).
    pub fn set_ready(&self, ready: bool) {
        self.state.lock().started = ready;
    }

    /// A part has failed and stays so: what the operator needs to know.
    pub fn fail(&self, part: &str, reason: &str) {
        tracing::error!(part, reason, "failed");
        let mut state = self.state.lock();
        state.faults.insert(part.to_owned(), reason.to_owned());
        metrics::gauge!("sluice_faults")
            .set(f64::from(u32::try_from(state.faults.len()).unwrap_or(u32::MAX)));
    }

    /// There is a cluster, and it is not ready before [`Health::set_cluster`] says so.
    pub fn expect_cluster(&self, name: &str) {
        self.state.lock().clusters.entry(name.to_owned()).or_insert_with(|| Some(NOT_ASKED.to_owned()));
    }

    /// A cluster serves its clients (`None`), or why it does not yet.
    pub fn set_cluster(&self, name: &str, waits_for: Option<String>) {
        self.state.lock().clusters.insert(name.to_owned(), waits_for);
    }

    /// A shard's store refuses writes for lack of space, or takes them again.
    pub fn set_full(&self, part: &str, full: bool) {
        let mut state = self.state.lock();
        let changed = if full { state.full.insert(part.to_owned()) } else { state.full.remove(part) };
        drop(state);
        match (changed, full) {
            (true, true) => tracing::error!(part, "the disk is full: writes are refused until there is room"),
            (true, false) => tracing::info!(part, "there is room on the disk again"),
            (false, _) => {}
        }
    }

    /// A shard has found stored files damaged; what they held cannot be read.
    pub fn set_damaged(&self, part: &str, what: &str) {
        let before = self.state.lock().damaged.insert(part.to_owned(), what.to_owned());
        if before.as_deref() != Some(what) {
            tracing::error!(part, what, "stored data is damaged");
        }
    }

    /// Whether nothing has failed.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.state.lock().faults.is_empty()
    }

    /// Whether it serves: started, nothing has failed, and every cluster has reached legacy.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let state = self.state.lock();
        state.started && state.faults.is_empty() && state.clusters.values().all(Option::is_none)
    }

    /// Why the kernel should take nothing more: shards that have stopped or hold damaged data.
    #[must_use]
    pub fn kernel_trouble(&self) -> Option<String> {
        let state = self.state.lock();
        let stopped = state.faults.iter().filter(|(part, _)| part.starts_with(SHARD));
        let stopped = stopped.map(|(part, reason)| format!("{part} has stopped: {reason}"));
        let damaged = state.damaged.iter().map(|(part, what)| format!("{part} has damaged data: {what}"));
        let all: Vec<String> = stopped.chain(damaged).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Shards whose store refuses writes for lack of space.
    #[must_use]
    pub fn full(&self) -> Vec<String> {
        self.state.lock().full.iter().cloned().collect()
    }

    /// For the admin API's status.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (healthy, ready) = (self.is_healthy(), self.is_ready());
        let state = self.state.lock();
        json!({
            "healthy": healthy,
            "ready": ready,
            "faults": state.faults,
            "full": state.full,
            "damaged": state.damaged,
        })
    }

    /// For `/readyz`: `{"ok", "started", "faults", "clusters": [{"name", "ready", "reason"}]}`.
    #[must_use]
    pub fn readiness(&self) -> Value {
        let ok = self.is_ready();
        let state = self.state.lock();
        let clusters = state
            .clusters
            .iter()
            .map(|(name, reason)| json!({ "name": name, "ready": reason.is_none(), "reason": reason }));
        json!({
            "ok": ok,
            "started": state.started,
            "faults": state.faults,
            "clusters": clusters.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_has_not_reached_legacy_is_named_and_a_kernel_alone_waits_for_none() {
        let health = Health::default();
        health.set_ready(true);
        assert!(health.is_ready());
        health.expect_cluster("events");
        assert!(!health.is_ready() && health.is_healthy());
        health.set_cluster("events", Some("127.0.0.1:1: connection refused".to_owned()));
        let shown = health.readiness();
        let row = json!({ "name": "events", "ready": false, "reason": "127.0.0.1:1: connection refused" });
        assert_eq!((&shown["ok"], &shown["clusters"][0]), (&json!(false), &row));
        health.set_cluster("events", None);
        health.expect_cluster("events");
        assert_eq!(health.readiness()["ok"], true);
    }

    #[test]
    fn trouble_of_the_kernel_is_told_apart_from_other_faults_and_from_a_full_disk() {
        let health = Health::default();
        health.set_full("shard 1", true);
        health.fail("admin", "gone");
        assert_eq!((health.kernel_trouble(), health.full()), (None, vec!["shard 1".to_owned()]));
        health.fail("shard 0", "fsync failed");
        health.set_damaged("shard 1", "segment 3");
        let trouble = health.kernel_trouble().unwrap();
        assert!(trouble.contains("shard 0 has stopped: fsync failed"), "{trouble}");
        assert!(trouble.contains("shard 1 has damaged data: segment 3"), "{trouble}");
        health.set_full("shard 1", false);
        assert!(health.full().is_empty());
    }
}
