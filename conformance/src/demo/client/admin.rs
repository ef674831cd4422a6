//! The few administrative requests with which the demo prepares its topics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::{CreateTopicsRequest, DeleteRecordsRequest};
use tokio::time::Instant;

use super::cluster::{BACKOFF, Cluster, Leader, topic_name};
use super::connection::{Connection, WireError};
use super::fetch;
use super::group::Place;

/// How long the brokers may take.
const PATIENCE: Duration = Duration::from_secs(30);
const PATIENCE_MS: i32 = 30_000;
/// Most epochs of one partition that are asked for.
const EPOCHS_MAX: usize = 10;

/// What the demo prepares its topics with.
pub(in crate::demo) struct Preparation {
    cluster: Cluster,
    topics: Vec<String>,
}

impl Preparation {
    /// Nothing is contacted yet.
    pub(in crate::demo) fn new(bootstrap: &[String], topics: &[String]) -> Self {
        let cluster = Cluster::new("demo-preparation", bootstrap.to_vec(), topics.to_vec());
        Self { cluster, topics: topics.to_vec() }
    }

    /// Creates the topics, as many copies as brokers up to three; waits until each partition has a leader.
    pub(in crate::demo) async fn create(&mut self, partitions: i32) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while let Err(error) = self.cluster.refresh().await {
            anyhow::ensure!(Instant::now() < until && error.retriable(), "metadata: {error}");
            tokio::time::sleep(BACKOFF).await;
        }
        let copies = i16::try_from(self.cluster.nodes().min(3)).unwrap_or(1);
        let topic = |name: &String| {
            CreatableTopic::default()
                .with_name(topic_name(name))
                .with_num_partitions(partitions)
                .with_replication_factor(copies)
        };
        let request = CreateTopicsRequest::default()
            .with_topics(self.topics.iter().map(topic).collect())
            .with_timeout_ms(PATIENCE_MS);
        loop {
            let answer = self.cluster.any().await?.call(&request).await?;
            let refused =
                answer.topics.iter().find_map(|topic| ResponseError::try_from_code(topic.error_code));
            match refused {
                None | Some(ResponseError::TopicAlreadyExists) => break,
                Some(error) if error.is_retriable() && Instant::now() < until => {}
                Some(error) => anyhow::bail!("the topics cannot be created: {error:?}"),
            }
            tokio::time::sleep(BACKOFF).await;
        }
        Ok(self.cluster.settle(PATIENCE).await?)
    }

    /// Deletes the records below an offset, by topic and partition.
    pub(in crate::demo) async fn delete_below(
        &mut self,
        offsets: &BTreeMap<(String, i32), i64>,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        for ((topic, partition), offset) in offsets {
            while let Some(error) = self.delete_one(topic, *partition, *offset).await? {
                let again = error.is_retriable() && Instant::now() < until;
                anyhow::ensure!(again, "records of {topic}-{partition} cannot be deleted: {error:?}");
                tokio::time::sleep(BACKOFF).await;
                self.cluster.refresh().await?;
            }
        }
        Ok(())
    }

    async fn delete_one(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<Option<ResponseError>, WireError> {
        let Some(leader) = self.cluster.leader(topic, partition) else {
            return Ok(Some(ResponseError::LeaderNotAvailable));
        };
        let entry = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
        let entry = DeleteRecordsTopic::default().with_name(topic_name(topic)).with_partitions(vec![entry]);
        let request = DeleteRecordsRequest::default().with_topics(vec![entry]).with_timeout_ms(PATIENCE_MS);
        let answer = self.cluster.connection(leader.node).await?.call(&request).await?;
        let part = answer.topics.first().and_then(|topic| topic.partitions.first());
        Ok(part.and_then(|part| ResponseError::try_from_code(part.error_code)))
    }

    /// What the topics' logs are like, as their leaders answer.
    pub(in crate::demo) async fn nature(&mut self) -> anyhow::Result<Nature> {
        self.cluster.refresh().await?;
        let mut nature = Nature::default();
        for place in self.cluster.partitions() {
            let Some(leader) = self.cluster.leader(&place.0, place.1) else { continue };
            let connection = self.cluster.connection(leader.node).await?;
            let Ok(start) = fetch::earliest(&connection, &place, leader).await? else { continue };
            nature.starts.insert(start);
            nature.nodes.insert(leader.node);
            nature.epochs.insert(leader.epoch);
            nature.epochs.extend(epochs_below(&connection, &place, leader, start).await?);
        }
        Ok(nature)
    }
}

/// What logs are like.
#[derive(Debug, Default)]
pub(in crate::demo) struct Nature {
    /// First offsets.
    pub(in crate::demo) starts: BTreeSet<i64>,
    /// Leader epochs that their histories know.
    pub(in crate::demo) epochs: BTreeSet<i32>,
    /// Nodes that lead them.
    pub(in crate::demo) nodes: BTreeSet<i32>,
}

/// Epochs of a partition's history below the present one: asked from there downwards, each answer names the largest
/// at or below what was asked for.
async fn epochs_below(
    connection: &Connection,
    place: &Place,
    leader: Leader,
    start: i64,
) -> Result<BTreeSet<i32>, WireError> {
    let mut epochs = BTreeSet::new();
    let mut wanted = leader.epoch;
    for _ in 0..EPOCHS_MAX {
        let Ok(Some((found, end))) = fetch::end_of_epoch(connection, place, leader, wanted).await? else {
            break;
        };
        // Below the oldest epoch that it knows, a leader answers with the log start and whatever was asked.
        if end <= start {
            break;
        }
        epochs.insert(found);
        if found == 0 {
            break;
        }
        wanted = found - 1;
    }
    Ok(epochs)
}
