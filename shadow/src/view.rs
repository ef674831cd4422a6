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

/// Most brokers of a cluster: each gets a port, and may get connections.
const BROKERS_MAX: usize = 10_000;

impl ClusterView {
    /// Reads an answer, keeping the topics that `wanted` names. `None` when the cluster cannot answer yet, or names
    /// more brokers than any cluster has.
    #[must_use]
    pub(crate) fn of(answer: &MetadataResponse, wanted: impl Fn(&str) -> bool) -> Option<Self> {
        if answer.brokers.is_empty() || answer.brokers.len() > BROKERS_MAX || answer.error_code != 0 {
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use translator_kafka::codec::messages::metadata_response::MetadataResponseBroker;

    use super::*;

    #[test]
    fn a_cluster_of_more_brokers_than_any_has_is_not_believed() {
        let broker = |node_id| MetadataResponseBroker { node_id, ..Default::default() };
        let naming =
            |count: i32| MetadataResponse { brokers: (0..count).map(broker).collect(), ..Default::default() };
        let most = i32::try_from(BROKERS_MAX).unwrap();
        assert_eq!(ClusterView::of(&naming(most), |_| true).unwrap().nodes.len(), BROKERS_MAX);
        assert!(ClusterView::of(&naming(most + 1), |_| true).is_none());
    }
}
