//! The canary's part of the runner: which units take which share, whether their copies are fit to be read, and what
//! operators are told of the consumers.

use std::time::Duration;

use serde_json::{Value, json};
use session::UnitId;
use shadow::{FeedStatus, FollowerState};
use translator_kafka::canary::{Reader, ReaderId, Standing, Totals};

use super::cluster::{ClusterRun, Known};
use super::runner::Runner;
use super::situation::UNHEARD;
use super::units::UnitName;
use crate::handover::phase::Phase;
use crate::ledger::Book;

impl Runner {
    /// Sets a unit's share: that of its migration while it is in canary, none otherwise.
    pub(super) fn apply_canary(&self, index: usize, phase: Phase, unit: &UnitId) {
        let Some(cluster) = self.clusters.get(index) else { return };
        let Some(known) = cluster.units.get(unit) else { return };
        let share = self.ledger.book().migrations().get(&known.migration).and_then(|each| each.percent);
        let percent =
            share.filter(|_| phase == Phase::Canary && matches!(known.name, UnitName::Partition { .. }));
        let routes = &cluster.shared.routes;
        if percent.is_some() && !routes.any_canary() {
            cluster.shared.readers.forget_told();
        }
        routes.set_canary(&known.unit, percent);
    }

    /// Looks whether copies may be read. Every quarter of a second, and whenever something has happened to one.
    pub(super) fn look_at_copies(&self, index: usize, status: &FeedStatus) {
        let Some(cluster) = self.clusters.get(index).filter(|cluster| cluster.shared.routes.any_canary())
        else {
            return;
        };
        let trouble = self.setup.health.kernel_trouble();
        for (unit, known) in &cluster.units {
            if known.unit.canary().percent().is_none() {
                continue;
            }
            let standing = standing(cluster, self.ledger.book(), (unit, known), status);
            let unfit = trouble.clone().or(standing.unfit);
            known.unit.canary().stand(Standing { unfit, ..standing });
        }
    }

    /// A unit's copy must not be read from this moment on.
    pub(super) fn close_copy(&self, unit: &UnitId, reason: &str) {
        let known = self.clusters.iter().find_map(|cluster| cluster.units.get(unit));
        if let Some(known) = known {
            known.unit.canary().close(reason);
        }
    }
}

/// Whether a unit's copy may be read, by what its feed says.
fn standing(
    cluster: &ClusterRun,
    book: &Book,
    (unit, known): (&UnitId, &Known),
    status: &FeedStatus,
) -> Standing {
    let unknown = |why: &str| Standing { leader: None, epoch: -1, unfit: Some(why.to_owned()) };
    let UnitName::Partition { topic, partition } = &known.name else { return unknown("it is a group") };
    let limits = cluster.migrations.iter().find(|each| each.name == known.migration).map(|each| &each.limits);
    let (Some(limits), Some(at)) = (limits, status.partitions.get(&(topic.clone(), *partition))) else {
        return unknown("it is not followed");
    };
    let behind = at.high_watermark.saturating_sub(at.confirmed);
    let compacted = cluster.feed.configs().get(topic).and_then(|configs| configs.get("cleanup.policy"));
    let leader = cluster.view.as_ref().and_then(|view| view.topics.get(topic));
    let leader = leader.and_then(|topic| topic.partitions.get(partition)).map(|(leader, _)| *leader);
    let unfit = if let Some(stop) = book.stopped(unit) {
        Some(format!("it is stopped: {stop}"))
    } else if book.divergences(unit).1 > 0 {
        Some("it has differences that nothing explains".to_owned())
    } else if at.state != FollowerState::Following {
        Some("its copy is not being made".to_owned())
    } else if at.heard_ago >= UNHEARD {
        Some(format!("legacy was last heard {} s ago", at.heard_ago.as_secs()))
    } else if behind > limits.lag_records_max || at.behind_for > Duration::from_millis(limits.lag_ms_max) {
        Some(format!("it is {behind} records and {} ms behind", at.behind_for.as_millis()))
    } else if compacted.is_some_and(|policy| policy.contains("compact")) {
        Some("it is compacted: its copy may hold what legacy has removed".to_owned())
    } else {
        None
    };
    Standing { leader: leader.filter(|leader| *leader >= 0), epoch: at.epoch, unfit }
}

impl ClusterRun {
    /// The canary for status: null while there is none.
    pub(super) fn canary_status(&self) -> Value {
        if !self.shared.routes.any_canary() {
            return Value::Null;
        }
        let all = self.shared.readers.all();
        let cannot: Vec<Value> = all
            .iter()
            .filter_map(|(id, reader)| Some((id, reader, reader.cannot.as_ref()?)))
            .map(|(id, reader, why)| {
                json!({
                    "client_id": id.client_id,
                    "address": id.host,
                    "fetch_version": reader.fetch_version,
                    "why": why,
                })
            })
            .collect();
        let held_back: Vec<Value> = self
            .units
            .iter()
            .filter(|(_, known)| known.unit.canary().percent().is_some() && !known.unit.is_moved())
            .filter_map(|(unit, known)| {
                let why = known.unit.canary().standing().unfit.clone()?;
                Some(json!({ "unit": unit.to_string(), "why": why }))
            })
            .collect();
        let reading = all.iter().filter(|(_, reader)| reader.served > 0).count();
        let Totals { named, served, served_bytes, sent_back, forgotten } = self.shared.readers.totals();
        json!({
            "reading": reading,
            "cannot": cannot,
            "held_back": held_back,
            "named": named,
            "served": served,
            "served_bytes": served_bytes,
            "sent_back": sent_back,
            "forgotten": forgotten,
        })
    }
}

/// A consumer's part in the canary, for the list of clients.
pub(crate) fn reader_json(id: &ReaderId, reader: &Reader) -> Value {
    json!({
        "place": id.place(),
        "fetch_version": reader.fetch_version,
        "named": reader.named,
        "served": reader.served,
        "served_bytes": reader.served_bytes,
        "sent_back": reader.sent_back,
        "last_back": reader.last_back,
        "cannot": reader.cannot,
    })
}

/// Publishes the sums of a cluster's canary.
pub(super) fn publish(cluster: &ClusterRun) {
    let totals = cluster.shared.readers.totals();
    let name = || cluster.config.name.clone();
    metrics::counter!("sluice_canary_named_total", "cluster" => name()).absolute(totals.named);
    metrics::counter!("sluice_canary_fetches_total", "cluster" => name(), "outcome" => "served")
        .absolute(totals.served);
    metrics::counter!("sluice_canary_fetches_total", "cluster" => name(), "outcome" => "sent_back")
        .absolute(totals.sent_back);
    metrics::counter!("sluice_canary_bytes_total", "cluster" => name()).absolute(totals.served_bytes);
    let all = cluster.shared.readers.all();
    let cannot = all.iter().filter(|(_, reader)| reader.cannot.is_some()).count();
    metrics::gauge!("sluice_canary_consumers_that_cannot", "cluster" => name())
        .set(f64::from(u32::try_from(cannot).unwrap_or(u32::MAX)));
}
