//! Leader epochs of partitions that have changed sides: legacy tells its own, the copies and everybody behind the feed
//! see virtual ones ([`translator_kafka::epochs`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use translator_kafka::epochs::EpochTable;

/// The tables by topic and partition. Where there is none, virtual epochs are legacy's own.
#[derive(Debug, Default)]
pub(crate) struct Epochs(BTreeMap<String, BTreeMap<i32, Arc<EpochTable>>>);

impl Epochs {
    /// A partition's epochs are counted by this table from now on.
    pub(crate) fn set(&mut self, topic: &str, partition: i32, table: Arc<EpochTable>) {
        if table.is_identity() {
            if let Some(partitions) = self.0.get_mut(topic) {
                partitions.remove(&partition);
            }
        } else {
            self.0.entry(topic.to_owned()).or_default().insert(partition, table);
        }
    }

    /// The table of a partition, unless its epochs are legacy's own.
    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&Arc<EpochTable>> {
        self.0.get(topic)?.get(&partition)
    }

    /// The table of a partition.
    pub(crate) fn of(&self, topic: &str, partition: i32) -> Arc<EpochTable> {
        self.get(topic, partition).cloned().unwrap_or_default()
    }

    /// What the epoch of legacy's leader is to clients.
    pub(crate) fn virtual_now(&self, topic: &str, partition: i32, real: i32) -> i32 {
        self.get(topic, partition).map_or(real, |table| table.virtual_now(real))
    }
}
