//! What administrators ask: which transactions there are, and how one that hangs is ended by hand.

use std::collections::BTreeMap;

use kernel_model::{Commit, KernelError, LogId, Reply, Request, ShardId};

use super::super::operation::{Begin, Cx, Gather, Head};
use super::{ask, question};
use crate::codec::Str;
use crate::codec::messages::describe_transactions_response::{TopicData, TransactionState};
use crate::codec::messages::list_transactions_response::TransactionState as ListedState;
use crate::codec::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use crate::codec::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ListTransactionsRequest,
    ListTransactionsResponse, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use crate::coordinator::transaction::ending::{mark, marker};
use crate::coordinator::transaction::{
    DescribedTransaction, Message as TransactionMessage, Producer, Reply as TransactionReply, is_state,
};
use crate::errors::ErrorCode;
use crate::placement::TRANSACTIONS;

/// Where Kafka keeps the offsets of groups: a group in a transaction is shown as one of its partitions.
const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// How many it has by default.
const OFFSETS_PARTITIONS: i32 = 50;
/// Longest pattern of ids, in bytes.
const PATTERN_BYTES_MAX: usize = 4_096;

/// Begins DescribeTransactions.
pub(in crate::server) fn describe(
    cx: &mut Cx<'_>,
    head: Head,
    request: &DescribeTransactionsRequest,
) -> Begin {
    let ids: Vec<String> = request.transactional_ids.iter().map(|id| id.as_str().to_owned()).collect();
    let shards = cx.settings.shards;
    let asked = |id: &String| question(id, shards, &TransactionMessage::Describe { ids: vec![id.clone()] });
    let questions = ids.iter().filter(|id| !id.is_empty()).map(asked).collect();
    ask::all(cx, head, questions, move |head, answers| {
        let mut answers = answers.into_iter();
        let mut response = DescribeTransactionsResponse::default();
        for id in ids {
            let found =
                if id.is_empty() { Err(ErrorCode::InvalidRequest) } else { described(answers.next()) };
            let state = found.map_or_else(
                |code| TransactionState { error_code: code.code(), ..Default::default() },
                shown,
            );
            response.transaction_states.push(TransactionState { transactional_id: id.into(), ..state });
        }
        head.respond(&response)
    })
}

fn described(answer: Option<ask::Asked>) -> Result<DescribedTransaction, ErrorCode> {
    match answer.unwrap_or(Err(ErrorCode::UnknownServerError))? {
        TransactionReply::Described(found) => {
            found.into_iter().next().flatten().ok_or(ErrorCode::TransactionalIdNotFound)
        }
        TransactionReply::Refused(_)
        | TransactionReply::NeedsProducerId
        | TransactionReply::Producer(_)
        | TransactionReply::Joined { .. }
        | TransactionReply::Listed(_)
        | TransactionReply::Tallied(_)
        | TransactionReply::Surveyed { .. } => Err(ErrorCode::UnknownServerError),
    }
}

fn shown(found: DescribedTransaction) -> TransactionState {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in found.partitions {
        topics.entry(topic).or_default().push(partition);
    }
    for group in found.groups {
        topics.entry(OFFSETS_TOPIC.to_owned()).or_default().push(offsets_partition(&group));
    }
    let topic = |(topic, mut partitions): (String, Vec<i32>)| {
        partitions.sort_unstable();
        partitions.dedup();
        TopicData { topic: topic.into(), partitions, ..Default::default() }
    };
    TransactionState {
        transaction_state: found.state.into(),
        transaction_timeout_ms: found.timeout_ms,
        transaction_start_time_ms: found.started_ms,
        producer_id: found.producer.id,
        producer_epoch: found.producer.epoch,
        topics: topics.into_iter().map(topic).collect(),
        ..Default::default()
    }
}

/// The partition that Kafka would keep a group's offsets in: Java's hash of the id.
fn offsets_partition(group: &str) -> i32 {
    let hash = group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    (hash & i32::MAX) % OFFSETS_PARTITIONS
}

/// Begins ListTransactions: every shard has some.
pub(in crate::server) fn list(cx: &mut Cx<'_>, head: Head, request: &ListTransactionsRequest) -> Begin {
    let pattern = match pattern_of(request.transactional_id_pattern.as_ref()) {
        Ok(pattern) => pattern,
        Err(code) => {
            let refused = ListTransactionsResponse { error_code: code.code(), ..Default::default() };
            return Begin::Done(head.respond(&refused));
        }
    };
    let names = || request.state_filters.iter().map(Str::as_str);
    let unknown: Vec<Str> = names().filter(|name| !is_state(name)).map(Str::from).collect();
    let states: Vec<String> = names().filter(|name| is_state(name)).map(str::to_owned).collect();
    if states.is_empty() && !unknown.is_empty() {
        let nothing = ListTransactionsResponse { unknown_state_filters: unknown, ..Default::default() };
        return Begin::Done(head.respond(&nothing));
    }
    let message = TransactionMessage::List {
        states,
        producers: request.producer_id_filters.clone(),
        duration_ms: if head.version >= 1 { request.duration_filter } else { -1 },
    };
    let asked =
        |shard| (ShardId(shard), Request::Coordinate { kind: TRANSACTIONS, message: message.to_bytes() });
    let questions = (0..cx.settings.shards.max(1)).map(asked).collect();
    ask::all(cx, head, questions, move |head, answers| {
        let mut response = ListTransactionsResponse { unknown_state_filters: unknown, ..Default::default() };
        for answer in answers {
            match answer {
                Ok(TransactionReply::Listed(listed)) => {
                    let wanted = listed
                        .into_iter()
                        .filter(|one| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&one.id)));
                    response.transaction_states.extend(wanted.map(|one| ListedState {
                        transactional_id: one.id.into(),
                        producer_id: one.producer_id,
                        transaction_state: one.state.into(),
                        ..Default::default()
                    }));
                }
                Ok(_) => response.error_code = ErrorCode::UnknownServerError.code(),
                Err(code) => response.error_code = code.code(),
            }
        }
        head.respond(&response)
    })
}

/// The whole id has to match.
fn pattern_of(pattern: Option<&Str>) -> Result<Option<regex_lite::Regex>, ErrorCode> {
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else { return Ok(None) };
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(ErrorCode::InvalidRegularExpression);
    }
    let whole = format!("^(?:{})$", pattern.as_str());
    regex_lite::Regex::new(&whole).map(Some).map_err(|_| ErrorCode::InvalidRegularExpression)
}

/// A marker on its way into one partition.
struct MarkerPlace {
    at: (usize, usize, usize),
    log: LogId,
    producer: Producer,
    commit: bool,
    coordinator_epoch: i32,
    now_ms: i64,
    written: bool,
}

/// Begins WriteTxnMarkers: markers by an administrator's hand, who ends a transaction that its coordinator
/// does not know.
pub(in crate::server) fn write_markers(
    cx: &mut Cx<'_>,
    head: Head,
    request: WriteTxnMarkersRequest,
) -> Begin {
    let catalog = cx.catalog();
    let mut response = WriteTxnMarkersResponse::default();
    let mut gather = Gather::new(head, place_marker);
    for (marker_at, wanted) in request.markers.iter().enumerate() {
        let mut result = WritableTxnMarkerResult { producer_id: wanted.producer_id, ..Default::default() };
        for (topic_at, topic) in wanted.topics.iter().enumerate() {
            let mut answered =
                WritableTxnMarkerTopicResult { name: topic.name.detached(), ..Default::default() };
            for (partition_at, &partition_index) in topic.partition_indexes.iter().enumerate() {
                let mut part = WritableTxnMarkerPartitionResult { partition_index, ..Default::default() };
                match catalog.topic(&topic.name).and_then(|topic| topic.partition(partition_index)) {
                    None => part.error_code = ErrorCode::UnknownTopicOrPartition.code(),
                    Some(found) if !found.is_led() => {
                        part.error_code = ErrorCode::NotLeaderOrFollower.code();
                    }
                    Some(found) => {
                        let place = MarkerPlace {
                            at: (marker_at, topic_at, partition_at),
                            log: found.log,
                            producer: Producer { id: wanted.producer_id, epoch: wanted.producer_epoch },
                            commit: wanted.transaction_result,
                            coordinator_epoch: wanted.coordinator_epoch,
                            now_ms: cx.now.wall_ms,
                            written: false,
                        };
                        gather.ask(cx, found.log.shard(), Request::Producers { log: found.log }, place);
                    }
                }
                answered.partitions.push(part);
            }
            result.topics.push(answered);
        }
        response.markers.push(result);
    }
    gather.begin(response)
}

fn place_marker(
    response: &mut WriteTxnMarkersResponse,
    place: &mut MarkerPlace,
    answer: Result<Reply, KernelError>,
) -> Option<(ShardId, Request)> {
    let (marker_at, topic_at, partition_at) = place.at;
    let topic = response.markers.get_mut(marker_at)?.topics.get_mut(topic_at)?;
    let part = topic.partitions.get_mut(partition_at)?;
    let code = match answer {
        Ok(Reply::Producers(producers)) if !place.written => {
            let known = producers.iter().find(|known| known.producer_id == place.producer.id);
            let bytes = marker(place.producer, place.commit, place.coordinator_epoch, place.now_ms);
            match bytes {
                _ if known.is_some_and(|known| known.epoch > place.producer.epoch) => {
                    ErrorCode::InvalidProducerEpoch
                }
                Some(bytes) if place.producer.id >= 0 && place.producer.epoch >= 0 => {
                    place.written = true;
                    let commit = Commit::of(vec![mark(place.log, &bytes)]);
                    return Some((place.log.shard(), Request::Commit(commit)));
                }
                _ => ErrorCode::InvalidRequest,
            }
        }
        Ok(Reply::Done) => ErrorCode::None,
        Ok(_) => ErrorCode::UnknownServerError,
        Err(error) => ErrorCode::from(&error),
    };
    part.error_code = code.code();
    None
}
