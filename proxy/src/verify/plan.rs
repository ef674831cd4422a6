//! What is to be verified, and how.

use std::collections::BTreeSet;
use std::sync::Arc;

use kernel_model::LogId;
use serde_json::Value;
use session::UnitId;
use shadow::Credentials;
use translator_kafka::catalog::CatalogHandle;
use translator_kafka::epochs::EpochTable;

use crate::clock::Clock;
use crate::ledger::Primary;
use crate::legacy::LegacyCluster;
use crate::shards::Shards;

/// What an operator wants verified.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only topics that one of these patterns names; none: all. Groups are compared when it is empty.
    pub topics: Vec<config::Pattern>,
    /// First offset that is compared, in every partition.
    pub from: u64,
    /// How fast legacy is read; 0: as fast as it answers.
    pub bytes_per_second: u64,
}

impl Options {
    /// Whether a topic is to be compared.
    #[must_use]
    pub fn names(&self, topic: &str) -> bool {
        self.topics.is_empty() || self.topics.iter().any(|pattern| pattern.matches(topic))
    }
}

/// A partition.
pub struct LogPlan {
    /// Its unit.
    pub unit: UnitId,
    /// Topic.
    pub topic: String,
    /// Number.
    pub partition: i32,
    /// The kernel's log, if there is one.
    pub log: Option<LogId>,
    /// Who serves it.
    pub primary: Primary,
    /// Where the present primary began, if it was ever moved.
    pub cut: Option<u64>,
    /// When that was, wall clock in milliseconds.
    pub moved_ms: Option<i64>,
    /// How clients see its leader epochs.
    pub epochs: Arc<EpochTable>,
    /// Hashes that the feeds have kept and the ledger has written down.
    pub marks: Vec<(u64, u64)>,
}

/// A group.
pub struct GroupPlan {
    /// Its unit.
    pub unit: UnitId,
    /// Group id.
    pub group: String,
    /// Who serves it.
    pub primary: Primary,
}

/// A verification that can be begun.
pub struct Plan {
    /// Name of the migration.
    pub migration: String,
    /// How legacy is reached.
    pub legacy: Arc<LegacyCluster>,
    /// Who connects there.
    pub credentials: Option<Credentials>,
    /// The kernel.
    pub shards: Shards,
    /// Its topics.
    pub catalog: CatalogHandle,
    /// Time.
    pub clock: Clock,
    /// Partitions.
    pub logs: Vec<LogPlan>,
    /// Groups.
    pub groups: Vec<GroupPlan>,
    /// What was asked for.
    pub options: Options,
    /// Who has connected, with which APIs: `{"clients": [..]}`.
    pub clients: Value,
}

impl Plan {
    /// Topics, each once.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.logs.iter().map(|log| &log.topic).collect();
        names.into_iter().cloned().collect()
    }
}
