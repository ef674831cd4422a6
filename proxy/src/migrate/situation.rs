//! What gates are told: lag, unsupported use, authorisation, room.

use std::collections::BTreeMap;
use std::time::Duration;

use config::Migration;
use kernel_model::Now;
use shadow::{FeedStatus, FollowerState};
use translator_kafka::topic_config;

use super::cluster::ClusterRun;
use super::runner::Runner;
use super::units::UnitName;
use crate::handover::gate::{Lag, Situation, Unsupported};
use crate::handover::phase::Phase;
use crate::handover::resume;
use crate::inventory::UnsupportedUse;
use crate::ledger::Primary;
use crate::room;

/// How often the room on the disk is measured.
const ROOM_EVERY: Duration = Duration::from_secs(2);

/// A leader that is fetched from answers four times a second, news or not.
pub(super) const UNHEARD: Duration = Duration::from_secs(3);

impl Runner {
    /// Looks at every migration and tells its gate.
    pub(super) fn look_at_situations(&mut self, now: Now) {
        let uses = self.setup.inventory.unsupported();
        self.look_at_room(now);
        self.bytes_to_come = self.clusters.iter().fold(0, |sum: u64, cluster| {
            let partitions = cluster.feed.status(now).partitions;
            partitions.values().fold(sum, |sum, each| sum.saturating_add(each.bytes_to_come))
        });
        for index in 0..self.clusters.len() {
            self.discover(index);
            let Some(cluster) = self.clusters.get(index) else { continue };
            let status = cluster.feed.status(now);
            self.look_at_copies(index, &status);
            let situations: Vec<(String, Situation)> = cluster
                .migrations
                .iter()
                .map(|migration| (migration.name.clone(), self.situation(cluster, migration, &status, &uses)))
                .collect();
            for (name, situation) in situations {
                self.migrations.handle_situation(now, self.ledger.book(), &name, situation);
            }
        }
    }

    /// Measures the kernel's disk: a system call, and a folder whose disk does not answer is no reason to stop.
    fn look_at_room(&mut self, now: Now) {
        if self.room_due > now.elapsed {
            return;
        }
        self.room_due = now.deadline(ROOM_EVERY);
        match tokio::task::block_in_place(|| room::measure(&self.setup.folder)) {
            Ok(room) => self.room = Some(room),
            Err(error) => tracing::warn!(%error, "the room on the kernel's disk cannot be measured"),
        }
    }

    fn situation(
        &self,
        cluster: &ClusterRun,
        migration: &Migration,
        status: &FeedStatus,
        uses: &[UnsupportedUse],
    ) -> Situation {
        let book = self.ledger.book();
        let mine: Vec<_> =
            cluster.units.iter().filter(|(_, known)| known.migration == migration.name).collect();
        let mut situation = Situation {
            rules_missing: self.rules_missing(cluster),
            accept_single_copy: migration.accept_single_copy,
            kernel_trouble: self.setup.health.kernel_trouble(),
            disk_full: self.setup.health.full(),
            disk_free_bytes: self.room.map(|room| room.free_bytes),
            disk_reserve_bytes: room::reserve_bytes(&self.setup.config),
            disk_needed_bytes: self.bytes_to_come,
            way_back: self.ways_back(cluster, &migration.name),
            ..Situation::default()
        };
        let ids_left = mine.iter().any(|(unit, known)| {
            matches!(known.name, UnitName::Transactions(_)) && book.owner(unit).side == Primary::Legacy
        });
        situation.move_together = ids_left.then_some(migration.limits.fence_units_max);
        for (unit, known) in &mine {
            if let Some(stop) = book.stop(unit) {
                let command = resume::command(book, &migration.name, unit, stop);
                situation.stopped.insert((*unit).clone(), format!("{}; to go on: {command}", stop.reason));
            }
            situation.unexplained_divergences += book.divergences(unit).1;
            // Once legacy is retired nobody follows it any more.
            let followed = !cluster.shared.routes.is_retired();
            let leads = book.owner(unit).side == Primary::Kernel;
            let lag = lag(&known.name, status, cluster.trouble());
            let lag = if leads { led_lag(&known.name, lag) } else { lag };
            if let Some(lag) = lag.filter(|_| followed) {
                situation.lag.insert((*unit).clone(), lag);
            }
        }
        let topics = mine.iter().filter_map(|(_, known)| match &known.name {
            UnitName::Partition { topic, .. } => Some(topic.clone()),
            UnitName::Group(_) | UnitName::Transactions(_) => None,
        });
        let topics: std::collections::BTreeSet<String> = topics.collect();
        let view = cluster.view.as_ref();
        let replicas =
            topics.iter().filter_map(|topic| view?.topics.get(topic)).map(|topic| topic.replicas).max();
        situation.legacy_replicas = replicas.and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
        situation.groups_not_followed = groups_not_followed(migration, status);
        situation.unsupported = unsupported(cluster, migration, status, uses, &topics);
        situation.users_not_stored = self.users_missing(cluster);
        situation
    }
}

/// What is known of legacy is older than a healthy legacy lets it become.
fn unheard(ago: Duration, trouble: Option<&str>) -> Option<String> {
    let why = trouble.map(|why| format!(": {why}")).unwrap_or_default();
    (ago >= UNHEARD).then(|| format!("legacy was last heard {} s ago{why}", ago.as_secs()))
}

/// Why the groups cannot move yet, where some are to.
fn groups_not_followed(migration: &Migration, status: &FeedStatus) -> Option<String> {
    if migration.groups.is_empty() || status.offsets.caught_up {
        return None;
    }
    let unread =
        "__consumer_offsets has not been read to its end, or legacy has none: no group ever committed";
    Some(status.offsets.error.clone().unwrap_or_else(|| unread.to_owned()))
}

/// How far the kernel is behind for one unit; `None` without a feed.
fn lag(name: &UnitName, status: &FeedStatus, trouble: Option<&str>) -> Option<Lag> {
    match name {
        // Asked for when they move; nothing of them is copied beforehand.
        UnitName::Transactions(_) => {
            Some(Lag { unheard: unheard(status.offsets.heard_ago, trouble), ..Lag::default() })
        }
        UnitName::Group(_) => Some(Lag {
            records: status.offsets.behind,
            seconds: 0,
            stopped: status.offsets.error.clone(),
            unheard: unheard(status.offsets.heard_ago, trouble),
        }),
        UnitName::Partition { topic, partition } => {
            let at = status.partitions.get(&(topic.clone(), *partition))?;
            let stopped =
                if let FollowerState::Stopped(reason) = &at.state { Some(reason.to_string()) } else { None };
            let records = at.high_watermark.saturating_sub(at.confirmed);
            let locating = at.state == FollowerState::Locating;
            // A copy that is only being made has everything before it.
            let records = if locating { Lag::UNKNOWN } else { records };
            let unheard = unheard(at.heard_ago, trouble);
            Some(Lag { records, seconds: at.behind_for.as_secs(), stopped, unheard })
        }
    }
}

/// Where the kernel leads there is nothing to be behind of: legacy's topic may be gone, and while the reverse feed brings
/// it what it lacks nobody asks it where it ends.
fn led_lag(name: &UnitName, lag: Option<Lag>) -> Option<Lag> {
    let unfollowed = lag.as_ref().is_none_or(|lag| lag.stopped.is_some() || lag.unheard.is_some());
    if unfollowed && matches!(name, UnitName::Partition { .. }) { Some(Lag::default()) } else { lag }
}

fn unsupported(
    cluster: &ClusterRun,
    migration: &Migration,
    status: &FeedStatus,
    uses: &[UnsupportedUse],
    topics: &std::collections::BTreeSet<String>,
) -> Vec<Unsupported> {
    let mut all = Vec::new();
    for used in uses {
        let mine = used.unit.as_ref().is_none_or(|unit| {
            cluster.units.get(unit).is_some_and(|known| known.migration == migration.name)
        });
        if mine {
            let (feature, who) = (used.feature.to_owned(), format!("{} at {}", used.client_id, used.address));
            all.push(Unsupported { feature, who, from_phase: Phase::Cutover });
        }
    }
    all.extend(cluster.strays(migration));
    let empty = BTreeMap::new();
    for topic in topics {
        let configs = cluster.feed.configs().get(topic).unwrap_or(&empty);
        // The kernel removes and compacts as Kafka does; a policy of another name it would not know how to follow.
        let policy = configs
            .get("cleanup.policy")
            .filter(|policy| topic_config::check("cleanup.policy", policy).is_err());
        if let Some(policy) = policy {
            let (feature, who) = (format!("cleanup.policy={policy}"), topic.clone());
            all.push(Unsupported { feature, who, from_phase: Phase::Cutover });
        }
    }
    for (group, reason) in &status.offsets.unsupported {
        if cluster.scope.group_owner(group) == Some(migration.name.as_str()) {
            let (feature, who) = (reason.clone(), group.clone());
            all.push(Unsupported { feature, who, from_phase: Phase::Cutover });
        }
    }
    all.sort();
    all.dedup();
    all
}
