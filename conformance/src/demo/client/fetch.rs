//! Reading: where a member stands in its partitions, what it asks each leader, what the answers say.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{FetchResponse, PartitionData};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{BrokerId, FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest};
use tokio::time::Instant;

use super::cluster::{Cluster, Hint, Leader, topic_name};
use super::connection::{Connection, WireError};
use super::group::Place;

/// How long a broker may hold a fetch without records.
const LONG_POLL_MS: i32 = 500;
/// Asks for the first offset there is.
const EARLIEST: i64 = -2;
/// Newest version of Fetch that names topics instead of their ids.
const FETCH_BY_NAME: i16 = 12;

/// Where a member stands in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Next offset; `None` until it is known.
    pub(crate) next: Option<i64>,
    /// Leader epoch of the last record read, -1 for none.
    pub(crate) epoch: i32,
    /// Leader epoch for which the position was last found to be sound.
    pub(crate) sound_in: i32,
    /// No attempt before.
    pub(crate) not_before: Option<Instant>,
    /// In a fetch at present.
    pub(crate) flying: bool,
}

impl Position {
    /// At `next`, after a record of `epoch`.
    pub(crate) fn at(next: Option<i64>, epoch: i32) -> Self {
        Self { next, epoch, sound_in: -1, not_before: None, flying: false }
    }
}

/// What an answer says of one partition.
#[derive(Debug)]
pub(crate) struct Share {
    /// Which.
    pub(crate) place: Place,
    /// The error, if there is one.
    pub(crate) error: Option<ResponseError>,
    /// A new leader, if the broker named one.
    pub(crate) hint: Option<Hint>,
    /// Another node to read from (KIP-392), if the broker named one. It sends no batches then.
    pub(crate) replica: Option<i32>,
    /// Batches.
    pub(crate) records: Bytes,
}

/// Fetches from one leader. `wanted`: place and offset.
pub(crate) fn request(cluster: &Cluster, wanted: &[(Place, i64)]) -> FetchRequest {
    let mut topics: BTreeMap<&str, Vec<FetchPartition>> = BTreeMap::new();
    for ((topic, partition), offset) in wanted {
        let epoch = cluster.leader(topic, *partition).map_or(-1, |leader| leader.epoch);
        let entry = FetchPartition::default()
            .with_partition(*partition)
            .with_current_leader_epoch(epoch)
            .with_fetch_offset(*offset)
            .with_last_fetched_epoch(-1)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(1024 * 1024);
        topics.entry(topic).or_default().push(entry);
    }
    let topic = |(name, partitions): (&str, Vec<FetchPartition>)| {
        cluster
            .topic(name)
            .map(|topic| topic.for_fetch.clone())
            .unwrap_or_default()
            .with_partitions(partitions)
    };
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(LONG_POLL_MS)
        .with_min_bytes(1)
        .with_max_bytes(16 * 1024 * 1024)
        .with_session_id(0)
        .with_session_epoch(-1)
        .with_topics(topics.into_iter().map(topic).collect())
}

/// Sends a fetch, by topic name where a topic has no id.
pub(crate) async fn send(
    connection: &Connection,
    request: &FetchRequest,
) -> Result<FetchResponse, WireError> {
    let nameless = |topic: &kafka_protocol::messages::fetch_request::FetchTopic| topic.topic_id.is_nil();
    if request.topics.iter().any(nameless) {
        return connection.call_at_most(request, FETCH_BY_NAME).await;
    }
    connection.call(request).await
}

/// Takes an answer apart.
pub(crate) fn shares(cluster: &Cluster, answer: &FetchResponse, wanted: &[(Place, i64)]) -> Vec<Share> {
    let mut shares = Vec::new();
    for topic in &answer.responses {
        for part in &topic.partitions {
            let named = |((name, partition), _): &&(Place, i64)| {
                let known = cluster.topic(name).is_some_and(|known| {
                    let by_id = !topic.topic_id.is_nil() && known.for_fetch.topic_id == topic.topic_id;
                    by_id || known.for_fetch.topic == topic.topic
                });
                known && *partition == part.partition_index
            };
            let Some((place, _)) = wanted.iter().find(named) else { continue };
            shares.push(Share {
                place: place.clone(),
                error: ResponseError::try_from_code(part.error_code),
                hint: hint_of(answer, part),
                replica: Some(part.preferred_read_replica.0).filter(|node| *node >= 0),
                records: part.records.clone().unwrap_or_default(),
            });
        }
    }
    shares
}

fn hint_of(answer: &FetchResponse, part: &PartitionData) -> Option<Hint> {
    let node = part.current_leader.leader_id.0;
    let endpoint = answer.node_endpoints.iter().find(|endpoint| endpoint.node_id.0 == node);
    (node >= 0).then(|| Hint {
        leader: Leader { node, epoch: part.current_leader.leader_epoch },
        address: endpoint.map(|endpoint| format!("{}:{}", endpoint.host.as_str(), endpoint.port)),
    })
}

/// Asks the leader for the first offset of a partition.
pub(crate) async fn earliest(
    connection: &Connection,
    place: &Place,
    leader: Leader,
) -> Result<Result<i64, ResponseError>, WireError> {
    let partition = ListOffsetsPartition::default()
        .with_partition_index(place.1)
        .with_current_leader_epoch(leader.epoch)
        .with_timestamp(EARLIEST);
    let topic = ListOffsetsTopic::default().with_name(topic_name(&place.0)).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let answer = connection.call(&request).await?;
    let part = answer.topics.first().and_then(|topic| topic.partitions.first());
    let part = part.ok_or_else(|| WireError::Codec("ListOffsets without an answer".to_owned()))?;
    Ok(ResponseError::try_from_code(part.error_code).map_or(Ok(part.offset), Err))
}

/// Asks a new leader where the epoch of the last record read ends (KIP-320): below the position, and the log was
/// cut behind the reader's back. Answers the largest epoch at or below with its end; `None`: the leader knows none.
pub(crate) async fn end_of_epoch(
    connection: &Connection,
    place: &Place,
    leader: Leader,
    epoch: i32,
) -> Result<Result<Option<(i32, i64)>, ResponseError>, WireError> {
    let partition = OffsetForLeaderPartition::default()
        .with_partition(place.1)
        .with_current_leader_epoch(leader.epoch)
        .with_leader_epoch(epoch);
    let topic =
        OffsetForLeaderTopic::default().with_topic(topic_name(&place.0)).with_partitions(vec![partition]);
    let request =
        OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let answer = connection.call(&request).await?;
    let part = answer.topics.first().and_then(|topic| topic.partitions.first());
    let part = part.ok_or_else(|| WireError::Codec("OffsetForLeaderEpoch without an answer".to_owned()))?;
    let end =
        (part.leader_epoch >= 0 && part.end_offset >= 0).then_some((part.leader_epoch, part.end_offset));
    Ok(ResponseError::try_from_code(part.error_code).map_or(Ok(end), Err))
}
