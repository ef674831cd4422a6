//! Orders of the migrations that are no action of a handover: entries, and phases.

use std::time::Duration;

use kernel_model::Now;
use session::{Request, RequestId, UnitId};
use shadow::Order as FeedOrder;
use translator_kafka::coordinator::message::CatalogMessage;
use translator_kafka::placement::{CATALOG, CATALOG_SHARD};

use super::runner::Runner;
use super::units::{self, UnitName};
use crate::failpoint;
use crate::handover::action::ActionKind;
use crate::handover::migration::Order;
use crate::handover::phase::Phase;
use crate::ledger::{DivergenceKind, Explanation, Sample, What};

/// How long a unit that missed its deadline is only mirrored.
const DUAL_WRITE_REST: Duration = Duration::from_secs(5);
/// The configuration value under which a topic stores what its producers sent.
const AS_PRODUCED: &str = "producer";

impl Runner {
    pub(super) fn execute(&mut self, order: Order) {
        match order {
            Order::Record { id, by, whats } => {
                failpoint::reached("before", ActionKind::RecordOther);
                let outcome = self.record(&by, whats);
                failpoint::reached("after", ActionKind::RecordOther);
                let now = self.setup.clock.now();
                self.migrations.handle_done(now, self.ledger.book(), id, outcome);
            }
            Order::Apply { id, phase, units } => {
                failpoint::reached("before", format_args!("Apply"));
                let outcome = self.apply(phase, &units);
                failpoint::reached("after", format_args!("Apply"));
                let now = self.setup.clock.now();
                self.migrations.handle_done(now, self.ledger.book(), id, outcome);
            }
            Order::Handover { handover, by, ticket, action } => self.act(handover, &by, ticket, action),
        }
    }

    /// Runs units as a phase wants. Idempotent.
    fn apply(&mut self, phase: Phase, units: &[UnitId]) -> Result<(), String> {
        for unit in units {
            let Some((cluster, _)) = units::parse(unit) else { continue };
            let found = self.clusters.iter().position(|run| run.config.name == cluster);
            if let Some(index) = found {
                self.apply_unit(index, phase, unit);
            }
        }
        self.apply_scopes();
        Ok(())
    }

    pub(super) fn apply_unit(&mut self, index: usize, phase: Phase, unit: &UnitId) {
        self.apply_canary(index, phase, unit);
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let Some(known) = cluster.units.get(unit) else { return };
        let dual = match &known.name {
            _ if self.ledger.book().stopped(unit).is_some() => false,
            UnitName::Group(_) | UnitName::Transactions(_) => false,
            UnitName::Partition { topic, .. } => {
                let configs = cluster.feed.configs().get(topic);
                phase >= Phase::DualWrite && configs.is_none_or(stores_as_produced)
            }
        };
        known.unit.set_dual_write(dual);
    }

    /// What follows from units that have reached `retired`.
    pub(super) fn look_at_retired(&mut self) {
        self.retire_clusters();
        self.adopt_retired();
        self.adopt_access();
    }

    /// The kernel did not hold a batch in time: the unit is only mirrored for a while, and the ledger says so.
    pub(super) fn fall_back(&mut self, unit: &UnitId, reason: &str) {
        let known = self.clusters.iter().find_map(|cluster| cluster.units.get(unit));
        let Some(known) = known.filter(|known| known.unit.dual_write()) else { return };
        known.unit.set_dual_write(false);
        let now = self.setup.clock.now();
        self.fallen_back.insert(unit.clone(), now.deadline(DUAL_WRITE_REST));
        metrics::counter!("sluice_dual_write_fallbacks_total").increment(1);
        tracing::warn!(%unit, reason, "dual-write falls back to mirror for a while");
        self.record_fact(What::Diverged {
            unit: unit.clone(),
            divergence: DivergenceKind::DualWriteMissed,
            sample: Sample::new(0, reason, &[]),
            explained_by: Some(Explanation::DualWriteMissed),
        });
    }

    /// Units that fell back are dual-written again after their rest.
    pub(super) fn try_dual_write_again(&mut self, now: Now) {
        let due: Vec<UnitId> = self
            .fallen_back
            .iter()
            .filter(|(_, at)| **at <= now.elapsed)
            .map(|(unit, _)| unit.clone())
            .collect();
        for unit in due {
            self.fallen_back.remove(&unit);
            let phase = self.ledger.book().phase(&unit);
            for index in 0..self.clusters.len() {
                self.apply_unit(index, phase, &unit);
            }
        }
    }

    /// Mirrors every migration whose units are past observe.
    pub(super) fn apply_scopes(&mut self) {
        let now = self.setup.clock.now();
        let book = self.ledger.book();
        for cluster in &mut self.clusters {
            let (mut changed, mut lingers) = (false, true);
            for migration in &cluster.migrations {
                let recorded = book.migrations().get(&migration.name);
                let wanted = recorded.and_then(|recorded| recorded.intent);
                let phases = recorded.iter().flat_map(|each| &each.units).map(|unit| book.phase(unit));
                let furthest = phases.max().unwrap_or(Phase::Observe).max(wanted.unwrap_or(Phase::Observe));
                let on = furthest >= Phase::Mirror && furthest < Phase::Retired;
                changed |= cluster.scope.set_mirrored(&migration.name, on);
                // From dual-write on clients and fences wait for what is mirrored.
                lingers &= !on || furthest < Phase::DualWrite;
            }
            cluster.feed.order(now, FeedOrder::Linger(lingers));
            cluster.feed.order(now, FeedOrder::Mirror(cluster.scope.any()));
            if changed {
                cluster.feed.order(now, FeedOrder::Reconsider);
            }
        }
    }

    /// A cluster all of whose migrations are retired is contacted no more: the kernel answers everything.
    fn retire_clusters(&mut self) {
        let now = self.setup.clock.now();
        let kernel_id = self.setup.config.kernel.client_node_id();
        let book = self.ledger.book();
        for cluster in &mut self.clusters {
            let retired = |migration: &config::Migration| {
                let units = cluster.units.iter().filter(|(_, known)| known.migration == migration.name);
                let mut phases = units.map(|(unit, _)| book.phase(unit)).peekable();
                phases.peek().is_some() && phases.all(|phase| phase == Phase::Retired)
            };
            let mut migrations = cluster.migrations.iter().peekable();
            let all = migrations.peek().is_some() && migrations.all(retired);
            if cluster.shared.routes.is_retired() || !all {
                continue;
            }
            tracing::info!(cluster = cluster.config.name, "retired: legacy is no longer contacted");
            let mut view = (*cluster.shared.view.load_full()).clone();
            view.nodes.retain(|node| node.id == kernel_id);
            cluster.shared.view.store(std::sync::Arc::new(view));
            cluster.shared.routes.retire();
            // In this order: what is told by the second finds the first.
            cluster.legacy.retire();
            cluster.feed.order(now, FeedOrder::Stop);
            cluster.reverse.feed.order(now, shadow::ReverseOrder::StopAll);
        }
    }

    /// Topics whose units are all retired become the kernel's own. Looked at again until it is done.
    fn adopt_retired(&mut self) {
        let book = self.ledger.book();
        let catalog = self.setup.catalog.load();
        let mut adopt = Vec::new();
        for topic in catalog.topics().filter(|topic| topic.legacy_created) {
            let mut units = self.clusters.iter().flat_map(|cluster| &cluster.units).filter(|(_, known)| {
                matches!(&known.name, UnitName::Partition { topic: of, .. } if **of == *topic.name)
            });
            let mut any = false;
            let all = units.all(|(unit, _)| {
                any = true;
                book.phase(unit) == Phase::Retired
            });
            if any && all {
                adopt.push(topic.name.to_string());
            }
        }
        for topic in adopt {
            let message = CatalogMessage::Adopt { topic }.to_bytes();
            let request = kernel_model::Request::Coordinate { kind: CATALOG, message };
            let id = RequestId(self.next_number());
            self.ask_shard(id, Request::Kernel { shard: CATALOG_SHARD, request });
        }
    }
}

/// Whether legacy stores a topic's batches byte for byte as they come.
fn stores_as_produced(configs: &std::collections::BTreeMap<String, String>) -> bool {
    let compression = configs.get("compression.type").is_none_or(|value| value == AS_PRODUCED);
    let stamps = configs.get("message.timestamp.type").is_none_or(|value| value != "LogAppendTime");
    compression && stamps
}
