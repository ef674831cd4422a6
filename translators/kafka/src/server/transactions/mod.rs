//! Requests about transactions: each goes to the coordinator of its transactional id's shard. What a
//! partition or a group needs a coordinator's word for is asked for here too.

mod administer;
mod ask;
mod offsets;

use kernel_model::{KernelError, Reply, Request, ShardId};

use self::ask::{Ask, Asked};
use super::operation::{Begin, Cx, Head};
use crate::catalog::Catalog;
use crate::codec::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use crate::codec::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use crate::codec::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    EndTxnRequest, EndTxnResponse, InitProducerIdRequest, InitProducerIdResponse,
};
use crate::coordinator::transaction::{
    GroupShard, Message as TransactionMessage, PartitionLog, Producer, Reply as TransactionReply,
};
use crate::errors::{ErrorCode, coordinator_error};
use crate::placement::{TRANSACTIONS, group_shard, transaction_shard};

pub(super) use self::administer::{describe, list, write_markers};
pub(super) use self::offsets::commit as commit_offsets;

/// From this version of InitProducerId a fenced producer is told so in so many words.
const INIT_FENCED_FROM: i16 = 4;
/// The same for the others.
const FENCED_FROM: i16 = 2;
/// Versions of AddPartitionsToTxn that brokers send each other, for several transactions at once.
const ADD_BATCHED_FROM: i16 = 4;
/// From this version every EndTxn takes a new epoch (`transaction.version` 2).
const END_BUMPS_FROM: i16 = 5;

/// The question and where it goes.
pub(super) fn question(id: &str, shards: u16, message: &TransactionMessage) -> (ShardId, Request) {
    let shard = transaction_shard(id, shards);
    (shard, Request::Coordinate { kind: TRANSACTIONS, message: message.to_bytes() })
}

/// Reads what a coordinator answered.
pub(super) fn reply_of(answer: Result<Reply, KernelError>) -> Result<TransactionReply, ErrorCode> {
    match answer {
        Ok(Reply::Coordinated(body)) => match TransactionReply::from_bytes(&body) {
            Some(TransactionReply::Refused(code)) => {
                Err(ErrorCode::from_code(code).unwrap_or(ErrorCode::UnknownServerError))
            }
            Some(reply) => Ok(reply),
            None => Err(ErrorCode::UnknownServerError),
        },
        Ok(_) => Err(ErrorCode::UnknownServerError),
        Err(error) => Err(coordinator_error(&error)),
    }
}

/// Older clients know a fenced producer by another code.
fn fenced(code: ErrorCode, version: i16, from: i16) -> ErrorCode {
    if code == ErrorCode::ProducerFenced && version < from { ErrorCode::InvalidProducerEpoch } else { code }
}

/// Begins InitProducerId of a transactional producer.
pub(super) fn init(cx: &mut Cx<'_>, head: Head, request: &InitProducerIdRequest) -> Begin {
    let id = request.transactional_id.as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default();
    let version = head.version;
    let finish = move |head: &Head, outcome: Asked| {
        let (error, producer) = match outcome {
            Ok(TransactionReply::Producer(producer)) => (ErrorCode::None, producer),
            Ok(_) => (ErrorCode::UnknownServerError, NO_PRODUCER),
            Err(code) => (fenced(code, version, INIT_FENCED_FROM), NO_PRODUCER),
        };
        head.respond(&InitProducerIdResponse {
            error_code: error.code(),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            ..Default::default()
        })
    };
    let (known_id, known_epoch) = (request.producer_id >= 0, request.producer_epoch >= 0);
    if id.is_empty() || known_id != known_epoch {
        return Begin::Done(finish(&head, Err(ErrorCode::InvalidRequest)));
    }
    let current = Producer { id: request.producer_id, epoch: request.producer_epoch };
    let message = TransactionMessage::Init {
        id: id.clone(),
        timeout_ms: request.transaction_timeout_ms,
        current: known_id.then_some(current),
        spare: None,
    };
    Ask::begin(cx, head, id, message, Box::new(finish))
}

const NO_PRODUCER: Producer = Producer { id: -1, epoch: -1 };

/// Begins AddPartitionsToTxn.
pub(super) fn add_partitions(cx: &mut Cx<'_>, head: Head, request: AddPartitionsToTxnRequest) -> Begin {
    if head.version >= ADD_BATCHED_FROM {
        return add_batched(cx, head, request);
    }
    let version = head.version;
    let topics = request.v3_and_below_topics;
    let (partitions, unknown) = locate(&cx.catalog(), &topics);
    let respond = move |head: &Head, code: ErrorCode, unknown: &[(String, i32)]| {
        let outcome = |topic: &str, partition: i32| outcome_beside_unknown(code, topic, partition, unknown);
        head.respond(&AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: results(&topics, outcome),
            ..Default::default()
        })
    };
    let id = request.v3_and_below_transactional_id.as_str().to_owned();
    if id.is_empty() {
        return Begin::Done(respond(&head, ErrorCode::InvalidRequest, &[]));
    }
    if !unknown.is_empty() {
        return Begin::Done(respond(&head, ErrorCode::OperationNotAttempted, &unknown));
    }
    let message = TransactionMessage::Join {
        id: id.clone(),
        producer: Producer {
            id: request.v3_and_below_producer_id,
            epoch: request.v3_and_below_producer_epoch,
        },
        partitions,
        groups: Vec::new(),
        verify_only: false,
    };
    let finish = move |head: &Head, outcome: Asked| {
        let code = outcome.err().unwrap_or(ErrorCode::None);
        respond(head, fenced(code, version, FENCED_FROM), &[])
    };
    Ask::begin(cx, head, id, message, Box::new(finish))
}

fn outcome_beside_unknown(
    code: ErrorCode,
    topic: &str,
    partition: i32,
    unknown: &[(String, i32)],
) -> ErrorCode {
    let is_unknown = unknown.iter().any(|(name, number)| name == topic && *number == partition);
    if is_unknown { ErrorCode::UnknownTopicOrPartition } else { code }
}

/// Partitions with their logs, and those that do not exist.
fn locate(catalog: &Catalog, topics: &[AddPartitionsToTxnTopic]) -> (Vec<PartitionLog>, Vec<(String, i32)>) {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for topic in topics {
        for &partition in &topic.partitions {
            let name = topic.name.as_str().to_owned();
            match catalog.topic(&topic.name).and_then(|topic| topic.partition(partition)) {
                Some(at) => found.push(PartitionLog { topic: name, partition, log: at.log.0 }),
                None => unknown.push((name, partition)),
            }
        }
    }
    (found, unknown)
}

fn results(
    topics: &[AddPartitionsToTxnTopic],
    outcome: impl Fn(&str, i32) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let topic = |topic: &AddPartitionsToTxnTopic| AddPartitionsToTxnTopicResult {
        name: topic.name.detached(),
        results_by_partition: topic
            .partitions
            .iter()
            .map(|&partition| AddPartitionsToTxnPartitionResult {
                partition_index: partition,
                partition_error_code: outcome(&topic.name, partition).code(),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    topics.iter().map(topic).collect()
}

/// Several transactions, each to its own coordinator; as brokers ask each other.
fn add_batched(cx: &mut Cx<'_>, head: Head, request: AddPartitionsToTxnRequest) -> Begin {
    let catalog = cx.catalog();
    let shards = cx.settings.shards;
    let mut questions = Vec::new();
    let mut places = Vec::new();
    for transaction in request.transactions {
        let (partitions, unknown) = locate(&catalog, &transaction.topics);
        if unknown.is_empty() {
            let id = transaction.transactional_id.as_str().to_owned();
            let message = TransactionMessage::Join {
                id: id.clone(),
                producer: Producer { id: transaction.producer_id, epoch: transaction.producer_epoch },
                partitions,
                groups: Vec::new(),
                verify_only: transaction.verify_only,
            };
            questions.push(question(&id, shards, &message));
        }
        places.push((transaction, unknown));
    }
    ask::all(cx, head, questions, move |head, answers| {
        let mut answers = answers.into_iter();
        let mut response = AddPartitionsToTxnResponse::default();
        for (transaction, unknown) in places {
            let (code, missing) = if unknown.is_empty() {
                match answers.next().unwrap_or(Err(ErrorCode::UnknownServerError)) {
                    Ok(TransactionReply::Joined { missing, .. }) => (ErrorCode::None, missing),
                    Ok(_) => (ErrorCode::UnknownServerError, Vec::new()),
                    Err(code) => (code, Vec::new()),
                }
            } else {
                (ErrorCode::OperationNotAttempted, Vec::new())
            };
            let outcome = |topic: &str, partition: i32| {
                let absent = missing.iter().any(|at| at.topic == topic && at.partition == partition);
                let code = if absent { ErrorCode::TransactionAbortable } else { code };
                outcome_beside_unknown(code, topic, partition, &unknown)
            };
            response.results_by_transaction.push(AddPartitionsToTxnResult {
                transactional_id: transaction.transactional_id.detached(),
                topic_results: results(&transaction.topics, outcome),
                ..Default::default()
            });
        }
        head.respond(&response)
    })
}

/// Begins AddOffsetsToTxn.
pub(super) fn add_offsets(cx: &mut Cx<'_>, head: Head, request: &AddOffsetsToTxnRequest) -> Begin {
    let version = head.version;
    let finish = move |head: &Head, outcome: Asked| {
        let code = fenced(outcome.err().unwrap_or(ErrorCode::None), version, FENCED_FROM);
        head.respond(&AddOffsetsToTxnResponse { error_code: code.code(), ..Default::default() })
    };
    let id = request.transactional_id.as_str().to_owned();
    if id.is_empty() {
        return Begin::Done(finish(&head, Err(ErrorCode::InvalidRequest)));
    }
    let message = TransactionMessage::Join {
        id: id.clone(),
        producer: Producer { id: request.producer_id, epoch: request.producer_epoch },
        partitions: Vec::new(),
        groups: vec![group_at(&request.group_id, cx.settings.shards)],
        verify_only: false,
    };
    Ask::begin(cx, head, id, message, Box::new(finish))
}

fn group_at(group: &str, shards: u16) -> GroupShard {
    GroupShard { group: group.to_owned(), shard: group_shard(group, shards).0 }
}

/// Begins EndTxn.
pub(super) fn end(cx: &mut Cx<'_>, head: Head, request: &EndTxnRequest) -> Begin {
    let version = head.version;
    let finish = move |head: &Head, outcome: Asked| {
        let (error, producer) = match outcome {
            Ok(TransactionReply::Producer(producer)) => (ErrorCode::None, producer),
            Ok(_) => (ErrorCode::UnknownServerError, NO_PRODUCER),
            Err(code) => (fenced(code, version, FENCED_FROM), NO_PRODUCER),
        };
        let mut response = EndTxnResponse { error_code: error.code(), ..Default::default() };
        if version >= END_BUMPS_FROM {
            (response.producer_id, response.producer_epoch) = (producer.id, producer.epoch);
        }
        head.respond(&response)
    };
    let id = request.transactional_id.as_str().to_owned();
    if id.is_empty() {
        return Begin::Done(finish(&head, Err(ErrorCode::InvalidRequest)));
    }
    let message = TransactionMessage::End {
        id: id.clone(),
        producer: Producer { id: request.producer_id, epoch: request.producer_epoch },
        commit: request.committed,
        bumps: version >= END_BUMPS_FROM,
        spare: None,
    };
    Ask::begin(cx, head, id, message, Box::new(finish))
}
