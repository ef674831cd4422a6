//! What legacy says about itself: its nodes, and the topics that a feed is to follow.

use std::collections::BTreeMap;

use translator_kafka::codec::Uuid;
use translator_kafka::codec::messages::MetadataResponse;

use crate::feed::Address;

/// One view of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterView {
    /// Cluster id.
    pub cluster_id: String,
    /// Controller's node id.
    pub controller: i32,
    /// Nodes by id.
    pub nodes: BTreeMap<i32, Address>,
    /// Topics that are followed, and the group offsets' own, by name.
    pub topics: BTreeMap<String, LegacyTopic>,
}

/// One topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegacyTopic {
    /// Topic id.
    pub id: Uuid,
    /// Leader and leader epoch of each partition, by number. A partition without a leader has −1.
    pub partitions: BTreeMap<i32, (i32, i32)>,
    /// Fewest replicas of a partition.
    pub replicas: usize,
}

impl LegacyTopic {
    /// Number of partitions, if they are numbered from 0 without a gap.
    #[must_use]
    pub fn partition_count(&self) -> Option<i32> {
        let count = i32::try_from(self.partitions.len()).ok()?;
        (count > 0 && self.partitions.keys().copied().eq(0..count)).then_some(count)
    }
}

impl ClusterView {
    /// Reads an answer, keeping the topics that `wanted` names. `None` when the cluster cannot answer yet.
    #[must_use]
    pub(crate) fn of(answer: &MetadataResponse, wanted: impl Fn(&str) -> bool) -> Option<Self> {
        if answer.brokers.is_empty() || answer.error_code != 0 {
            return None;
        }
        let nodes = answer.brokers.iter().map(|broker| {
            let port = u16::try_from(broker.port).unwrap_or(0);
            (broker.node_id, Address { host: broker.host.as_str().to_owned(), port })
        });
        let mut topics = BTreeMap::new();
        for topic in &answer.topics {
            let name = topic.name.as_deref().unwrap_or_default();
            if topic.error_code != 0 || !wanted(name) {
                continue;
            }
            let partitions = topic
                .partitions
                .iter()
                .map(|partition| (partition.partition_index, (partition.leader_id, partition.leader_epoch)));
            let replicas = topic.partitions.iter().map(|partition| partition.replica_nodes.len()).min();
            let legacy = LegacyTopic {
                id: topic.topic_id,
                partitions: partitions.collect(),
                replicas: replicas.unwrap_or(0),
            };
            topics.insert(name.to_owned(), legacy);
        }
        Some(Self {
            cluster_id: answer.cluster_id.as_deref().unwrap_or_default().to_owned(),
            controller: answer.controller_id,
            nodes: nodes.collect(),
            topics,
        })
    }
}
