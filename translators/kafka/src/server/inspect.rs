//! What administrators look at: producers, sizes, elections.

use kernel_model::{KernelError, Reply, Request, ShardId};

use super::operation::{Begin, Cx, Gather, Head};
use crate::catalog::Topic;
use crate::codec::Str;
use crate::codec::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::codec::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use crate::codec::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use crate::codec::messages::{
    DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeProducersRequest, DescribeProducersResponse,
    ElectLeadersRequest, ElectLeadersResponse, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
};
use crate::errors::ErrorCode;

/// Topic and partition, by their places in the response.
type Place = (usize, usize);

/// Begins DescribeProducers.
pub(super) fn producers(cx: &mut Cx<'_>, head: Head, request: DescribeProducersRequest) -> Begin {
    let catalog = cx.catalog();
    let mut response = DescribeProducersResponse::default();
    let mut gather = Gather::new(head, place_producers);
    for (topic_at, wanted) in request.topics.iter().enumerate() {
        let mut answered = TopicResponse { name: wanted.name.detached(), ..Default::default() };
        for (partition_at, number) in wanted.partition_indexes.iter().enumerate() {
            let mut part = PartitionResponse { partition_index: *number, ..Default::default() };
            match catalog.topic(&wanted.name).and_then(|topic| topic.partition(*number)) {
                None => part.error_code = ErrorCode::UnknownTopicOrPartition.code(),
                Some(partition) => {
                    let question = Request::Producers { log: partition.log };
                    gather.ask(cx, partition.log.shard(), question, (topic_at, partition_at));
                }
            }
            answered.partitions.push(part);
        }
        response.topics.push(answered);
    }
    gather.begin(response)
}

fn place_producers(
    response: &mut DescribeProducersResponse,
    place: &mut Place,
    answer: Result<Reply, KernelError>,
) -> Option<(ShardId, Request)> {
    let part = response.topics.get_mut(place.0)?.partitions.get_mut(place.1)?;
    match answer {
        Ok(Reply::Producers(producers)) => {
            let state = |producer: &kernel_model::reply::ProducerInfo| ProducerState {
                producer_id: producer.producer_id,
                producer_epoch: producer.epoch.into(),
                last_sequence: producer.last_sequence,
                last_timestamp: producer.last_timestamp_ms,
                coordinator_epoch: -1,
                current_txn_start_offset: producer.open_from.map_or(-1, kernel_model::Offset::as_i64),
                ..Default::default()
            };
            part.active_producers = producers.iter().map(state).collect();
        }
        Ok(_) => part.error_code = ErrorCode::UnknownServerError.code(),
        Err(error) => part.error_code = ErrorCode::from(&error).code(),
    }
    None
}

/// What the one log directory is called.
const LOG_DIR: &str = "/sluice";
/// Partitions described at once when a client asks for all.
const LOG_DIR_PARTITIONS_MAX: usize = 100_000;

/// Begins DescribeLogDirs.
pub(super) fn log_dirs(cx: &mut Cx<'_>, head: Head, request: DescribeLogDirsRequest) -> Begin {
    let catalog = cx.catalog();
    let everything = |topic: &std::sync::Arc<Topic>| {
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        (topic.clone(), (0..count).collect::<Vec<i32>>())
    };
    let wanted: Vec<_> = match &request.topics {
        None => catalog.topics().map(everything).collect(),
        Some(topics) => topics
            .iter()
            .filter_map(|topic| Some((catalog.topic(&topic.topic)?.clone(), topic.partitions.clone())))
            .collect(),
    };
    let mut dir = DescribeLogDirsResult { log_dir: Str::from_static(LOG_DIR), ..Default::default() };
    let mut gather = Gather::new(head, place_log_dirs);
    let mut left = LOG_DIR_PARTITIONS_MAX;
    for (topic_at, (topic, numbers)) in wanted.iter().enumerate() {
        let mut answered = DescribeLogDirsTopic { name: Str::from(&*topic.name), ..Default::default() };
        for number in numbers {
            let Some(partition) = topic.partition(*number).filter(|_| left > 0) else { continue };
            left -= 1;
            let place = (topic_at, answered.partitions.len());
            gather.ask(cx, partition.log.shard(), Request::Describe { log: partition.log }, place);
            let part = DescribeLogDirsPartition { partition_index: *number, ..Default::default() };
            answered.partitions.push(part);
        }
        dir.topics.push(answered);
    }
    gather.begin(DescribeLogDirsResponse { results: vec![dir], ..Default::default() })
}

fn place_log_dirs(
    response: &mut DescribeLogDirsResponse,
    place: &mut Place,
    answer: Result<Reply, KernelError>,
) -> Option<(ShardId, Request)> {
    let part = response.results.first_mut()?.topics.get_mut(place.0)?.partitions.get_mut(place.1)?;
    // A partition that cannot be described has no size; the others are still of use.
    if let Ok(Reply::Described(info)) = answer {
        part.partition_size = i64::try_from(info.bytes).unwrap_or(i64::MAX);
    }
    None
}

/// Types of election.
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// Answers ElectLeaders: each partition has one replica, which leads already.
pub(super) fn elect_leaders(cx: &mut Cx<'_>, head: Head, request: ElectLeadersRequest) -> Begin {
    let catalog = cx.catalog();
    let mut response = ElectLeadersResponse::default();
    let known_type = matches!(request.election_type, PREFERRED | UNCLEAN);
    for wanted in request.topic_partitions.iter().flatten() {
        let topic = catalog.topic(&wanted.topic);
        let result = |number: &i32| {
            let known = topic.is_some_and(|topic| topic.partition(*number).is_some());
            let code = match (known_type, known) {
                (false, _) => ErrorCode::InvalidRequest,
                (true, true) => ErrorCode::ElectionNotNeeded,
                (true, false) => ErrorCode::UnknownTopicOrPartition,
            };
            PartitionResult { partition_id: *number, error_code: code.code(), ..Default::default() }
        };
        response.replica_election_results.push(ReplicaElectionResult {
            topic: wanted.topic.clone(),
            partition_result: wanted.partitions.iter().map(result).collect(),
            ..Default::default()
        });
    }
    Begin::Done(head.respond(&response))
}

/// Answers ListPartitionReassignments: replicas are never moved.
#[allow(clippy::needless_pass_by_value, reason = "the form of every request's beginning")]
pub(super) fn reassignments(
    _cx: &mut Cx<'_>,
    head: Head,
    _request: ListPartitionReassignmentsRequest,
) -> Begin {
    Begin::Done(
        head.respond(&ListPartitionReassignmentsResponse { error_message: None, ..Default::default() }),
    )
}
