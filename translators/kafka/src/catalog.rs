//! What topics there are, and where each partition's log lies: an immutable snapshot that the catalog's
//! coordinator publishes and every session reads on its hot path.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use kernel_model::{LogEpoch, LogId, LogKind};
use serde::{Deserialize, Serialize};

use crate::codec::Uuid;
use crate::topic_config::Settings;

/// One partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Its log; the id names the shard.
    pub log: LogId,
    /// Leader epoch.
    pub epoch: LogEpoch,
    /// Whether the kernel leads it or mirrors a source.
    pub kind: LogKind,
}

impl Partition {
    /// Whether the kernel leads it.
    #[must_use]
    pub fn is_led(&self) -> bool {
        self.kind == LogKind::Led
    }
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Name.
    pub name: Arc<str>,
    /// Id; a mirrored topic has its source's.
    pub id: Uuid,
    /// Partitions, by number.
    pub partitions: Vec<Partition>,
    /// Configuration that was set; the rest has its default.
    pub configs: BTreeMap<String, String>,
    /// The same, read.
    pub settings: Settings,
    /// Created by a mirror: legacy owns its id, configuration and number of partitions until it is adopted.
    pub legacy_created: bool,
}

impl Topic {
    /// The partition of this number.
    #[must_use]
    pub fn partition(&self, number: i32) -> Option<&Partition> {
        usize::try_from(number).ok().and_then(|number| self.partitions.get(number))
    }

    /// Whether the name is one of Kafka's own topics.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        is_internal(&self.name)
    }

    /// The stored form.
    #[must_use]
    pub(crate) fn to_stored(&self) -> Vec<u8> {
        let partitions = self.partitions.iter().map(|partition| StoredPartition {
            log: partition.log.0,
            epoch: partition.epoch.0,
            mirrored: !partition.is_led(),
        });
        let stored = StoredTopic {
            version: STORED_VERSION,
            id: self.id.0,
            partitions: partitions.collect(),
            configs: self.configs.clone(),
            legacy_created: self.legacy_created,
        };
        // A struct of numbers, strings and a string-keyed map always has a JSON form.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    ///
    /// When the value is not one, or of a version that is not known.
    pub(crate) fn from_stored(name: &str, value: &[u8]) -> Result<Self, String> {
        let stored: StoredTopic =
            serde_json::from_slice(value).map_err(|error| format!("topic {name}: {error}"))?;
        if stored.version != STORED_VERSION {
            return Err(format!("topic {name}: stored version {} is not known", stored.version));
        }
        let partitions = stored.partitions.iter().map(|partition| Partition {
            log: LogId(partition.log),
            epoch: LogEpoch(partition.epoch),
            kind: if partition.mirrored { LogKind::Mirrored } else { LogKind::Led },
        });
        Ok(Self {
            name: name.into(),
            id: Uuid(stored.id),
            partitions: partitions.collect(),
            settings: Settings::of(&stored.configs),
            configs: stored.configs,
            legacy_created: stored.legacy_created,
        })
    }
}

const STORED_VERSION: u16 = 1;

#[derive(Serialize, Deserialize)]
struct StoredTopic {
    version: u16,
    id: [u8; 16],
    partitions: Vec<StoredPartition>,
    configs: BTreeMap<String, String>,
    legacy_created: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredPartition {
    log: u64,
    epoch: i32,
    mirrored: bool,
}

/// Whether clients treat a topic of this name as internal.
#[must_use]
pub fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// Every topic at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    /// The cluster's id.
    pub cluster_id: String,
    /// Topics by name.
    topics: BTreeMap<Arc<str>, Arc<Topic>>,
    /// The same by id.
    by_id: BTreeMap<Uuid, Arc<Topic>>,
    /// Deleted topics whose committed offsets some group may still hold, with the ids they had.
    unforgotten: BTreeMap<Arc<str>, Uuid>,
}

impl Catalog {
    /// An empty catalog of this cluster.
    #[must_use]
    pub fn new(cluster_id: &str) -> Self {
        Self { cluster_id: cluster_id.to_owned(), ..Self::default() }
    }

    /// The topic of this name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    /// The topic of this id.
    #[must_use]
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.values()
    }

    /// Topics from this name on.
    pub fn topics_from(&self, name: &str) -> impl Iterator<Item = &Arc<Topic>> {
        let bounds = (std::ops::Bound::Included(name), std::ops::Bound::Unbounded);
        self.topics.range::<str, _>(bounds).map(|(_, topic)| topic)
    }

    /// How many topics there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.topics.len()
    }

    /// Whether there is no topic.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Adds or replaces a topic. Sessions see it only once a snapshot is published.
    pub fn put(&mut self, topic: Arc<Topic>) {
        if let Some(old) = self.topics.insert(topic.name.clone(), topic.clone()) {
            self.by_id.remove(&old.id);
        }
        self.by_id.insert(topic.id, topic);
    }

    /// Deleted topics whose committed offsets some group may still hold, by name, with the ids they had. No
    /// topic of such a name can be created, so that none is read from where another one was left.
    pub fn unforgotten(&self) -> impl Iterator<Item = (&Arc<str>, Uuid)> {
        self.unforgotten.iter().map(|(name, id)| (name, *id))
    }

    /// Whether this is the name of such a topic, and its id.
    #[must_use]
    pub fn unforgotten_id(&self, name: &str) -> Option<Uuid> {
        self.unforgotten.get(name).copied()
    }

    /// Notes that offsets of a deleted topic may still be held.
    pub fn note_unforgotten(&mut self, name: Arc<str>, id: Uuid) {
        self.unforgotten.insert(name, id);
    }

    /// Takes such a note back; `false` when there is none of this name and id.
    pub fn forgotten(&mut self, name: &str, id: Uuid) -> bool {
        self.unforgotten_id(name) == Some(id) && self.unforgotten.remove(name).is_some()
    }

    /// Removes a topic.
    pub fn remove(&mut self, name: &str) -> Option<Arc<Topic>> {
        let topic = self.topics.remove(name)?;
        self.by_id.remove(&topic.id);
        Some(topic)
    }
}

/// Where the current snapshot is found. Reading takes no lock.
#[derive(Debug, Clone)]
pub struct CatalogHandle(Arc<ArcSwap<Catalog>>);

impl CatalogHandle {
    /// A handle that holds `catalog`.
    #[must_use]
    pub fn new(catalog: Catalog) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(catalog)))
    }

    /// The current snapshot.
    #[must_use]
    pub fn load(&self) -> Arc<Catalog> {
        self.0.load_full()
    }

    /// Replaces the snapshot. For the catalog's coordinator, once a change is durable.
    pub fn publish(&self, catalog: Arc<Catalog>) {
        self.0.store(catalog);
    }
}

impl Default for CatalogHandle {
    fn default() -> Self {
        Self::new(Catalog::default())
    }
}
