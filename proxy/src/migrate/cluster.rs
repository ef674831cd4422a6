//! One legacy cluster at work: its feed, its units, its virtual brokers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::{Cluster, Migration, Pattern};
use parking_lot::RwLock;
use session::UnitId;
use shadow::{ClusterView, Feed, LinkId};
use translator_kafka::gateway::{ClusterShared, Unit};

use super::access::LegacyAccess;
use super::links::Links;
use super::reverse::Reverse;
use super::units::UnitName;
use crate::legacy::LegacyCluster;
use crate::listener::BrokerPorts;

/// A unit, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) migration: String,
    pub(super) name: UnitName,
    pub(super) unit: Arc<Unit>,
}

/// One cluster.
pub(super) struct ClusterRun {
    pub(super) config: Cluster,
    pub(super) migrations: Vec<Migration>,
    pub(super) feed: Feed,
    pub(super) links: Links,
    pub(super) reverse: Reverse,
    /// Connections to legacy that do not work now: what ended them last.
    pub(super) link_trouble: BTreeMap<LinkId, String>,
    pub(super) legacy: Arc<LegacyCluster>,
    pub(super) shared: Arc<ClusterShared>,
    pub(super) units: BTreeMap<UnitId, Known>,
    pub(super) view: Option<ClusterView>,
    pub(super) ports: BrokerPorts,
    pub(super) listening: BTreeSet<i32>,
    pub(super) scope: Arc<Scope>,
    /// Who may do what on legacy, as it last said.
    pub(super) access: LegacyAccess,
    /// The listeners stand: legacy has answered once, or was known from before.
    pub(super) ready: bool,
    /// Bytes that its feed has read.
    pub(super) fed: metrics::Counter,
    /// Brokers that clients cannot reach here, and why.
    pub(super) portless: BTreeMap<i32, String>,
}

/// Which topics and groups are mirrored now: shared with the feed, which asks for every name it sees.
#[derive(Debug, Default)]
pub(super) struct Scope {
    mirrored: RwLock<BTreeSet<String>>,
    patterns: Vec<(String, Vec<Pattern>, Vec<Pattern>)>,
}

impl Scope {
    pub(super) fn new(migrations: &[Migration]) -> Self {
        let patterns = migrations
            .iter()
            .map(|each| (each.name.clone(), each.topics.clone(), each.groups.clone()))
            .collect();
        Self { mirrored: RwLock::default(), patterns }
    }

    /// The migration of a topic; the first that names it.
    pub(super) fn topic_owner(&self, topic: &str) -> Option<&str> {
        // Legacy's own topics are moved by what they hold, never as such.
        if topic.starts_with("__") {
            return None;
        }
        let found = self.patterns.iter().find(|(_, topics, _)| topics.iter().any(|each| each.matches(topic)));
        found.map(|(name, ..)| name.as_str())
    }

    /// The migration of a group.
    pub(super) fn group_owner(&self, group: &str) -> Option<&str> {
        let found = self.patterns.iter().find(|(_, _, groups)| groups.iter().any(|each| each.matches(group)));
        found.map(|(name, ..)| name.as_str())
    }

    /// Whether a topic is mirrored now.
    pub(super) fn mirrors_topic(&self, topic: &str) -> bool {
        self.topic_owner(topic).is_some_and(|owner| self.mirrored.read().contains(owner))
    }

    /// Whether a group is followed now.
    pub(super) fn follows_group(&self, group: &str) -> bool {
        self.group_owner(group).is_some_and(|owner| self.mirrored.read().contains(owner))
    }

    /// Switches a migration's mirror on or off. Says whether that changed anything.
    pub(super) fn set_mirrored(&self, migration: &str, on: bool) -> bool {
        let mut mirrored = self.mirrored.write();
        if on { mirrored.insert(migration.to_owned()) } else { mirrored.remove(migration) }
    }

    /// Whether anything is mirrored.
    pub(super) fn any(&self) -> bool {
        !self.mirrored.read().is_empty()
    }
}

impl ClusterRun {
    /// Partitions of these units, as the feed names them.
    pub(super) fn partitions<'a>(&self, units: impl IntoIterator<Item = &'a UnitId>) -> Vec<(String, i32)> {
        let named = units.into_iter().filter_map(|unit| self.units.get(unit));
        named
            .filter_map(|known| match &known.name {
                UnitName::Partition { topic, partition } => Some((topic.clone(), *partition)),
                UnitName::Group(_) | UnitName::Transactions(_) => None,
            })
            .collect()
    }

    /// Tells every session who leads on legacy, for clients that have to go back there.
    pub(super) fn note_leaders(&self, view: &ClusterView) {
        for known in self.units.values() {
            let UnitName::Partition { topic, partition } = &known.name else { continue };
            let found = view.topics.get(topic).and_then(|topic| topic.partitions.get(partition));
            let (node, epoch) = found.copied().unwrap_or((-1, -1));
            known.unit.see_legacy_leader(node, epoch);
        }
    }

    /// A broker's connection brings something. The first one, of the cluster, counts once the feed says so.
    pub(super) fn link_works(&mut self, link: LinkId) {
        if link != LinkId::Bootstrap {
            self.link_trouble.remove(&link);
        }
    }

    /// Why legacy cannot be reached, if it cannot: the first connection that does not work.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.link_trouble.values().next().map(String::as_str)
    }

    /// Groups among these units.
    pub(super) fn groups<'a>(&self, units: impl IntoIterator<Item = &'a UnitId>) -> Vec<String> {
        let named = units.into_iter().filter_map(|unit| self.units.get(unit));
        named
            .filter_map(|known| match &known.name {
                UnitName::Group(group) => Some(group.clone()),
                UnitName::Partition { .. } | UnitName::Transactions(_) => None,
            })
            .collect()
    }
}
