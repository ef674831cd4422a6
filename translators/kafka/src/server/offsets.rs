//! Where logs begin and end: ListOffsets, OffsetForLeaderEpoch, DeleteRecords.

use std::collections::BTreeSet;

use kernel_model::request::ReadLimit;
use kernel_model::{Commit, KernelError, LogEpoch, LogId, Offset, Op, Reply, Request, ShardId};

use super::operation::{Begin, Cx, Gather, Head};
use crate::catalog::{Catalog, Partition};
use crate::codec::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use crate::codec::messages::list_offsets_request::ListOffsetsPartition;
use crate::codec::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use crate::codec::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use crate::codec::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};
use crate::errors::ErrorCode;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// The partition, if the kernel leads it.
fn led(catalog: &Catalog, topic: &str, number: i32) -> Result<Partition, ErrorCode> {
    let topic = catalog.topic(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let partition = topic.partition(number).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if partition.is_led() { Ok(*partition) } else { Err(ErrorCode::NotLeaderOrFollower) }
}

/// Compares the client's idea of the leader epoch (−1: none) with the catalog's.
pub(super) fn check_epoch(client: i32, current: LogEpoch) -> Result<(), ErrorCode> {
    if client < 0 || client == current.0 {
        Ok(())
    } else if client < current.0 {
        Err(ErrorCode::FencedLeaderEpoch)
    } else {
        Err(ErrorCode::UnknownLeaderEpoch)
    }
}

struct ListPlace {
    /// The version has a field for the epoch.
    with_epoch: bool,
    topic: usize,
    partition: usize,
    timestamp: i64,
    limit: ReadLimit,
}

/// Begins ListOffsets.
pub(super) fn list(cx: &mut Cx<'_>, head: Head, request: ListOffsetsRequest) -> Begin {
    let catalog = cx.catalog();
    let version = head.version;
    let limit = if request.isolation_level == 1 { ReadLimit::Stable } else { ReadLimit::Durable };
    let mut response = ListOffsetsResponse::default();
    let mut gather = Gather::new(head, place_list);
    let repeated = repeated(&request);
    for (topic_at, wanted) in request.topics.iter().enumerate() {
        let mut answered = ListOffsetsTopicResponse { name: wanted.name.detached(), ..Default::default() };
        for (partition_at, part) in wanted.partitions.iter().enumerate() {
            let found = led(&catalog, &wanted.name, part.partition_index).and_then(|partition| {
                if repeated.contains(&(&*wanted.name, part.partition_index)) {
                    return Err(ErrorCode::InvalidRequest);
                }
                check_epoch(part.current_leader_epoch, partition.epoch)?;
                question(partition.log, part, limit, version).map(|question| (partition, question))
            });
            let mut answer =
                ListOffsetsPartitionResponse { partition_index: part.partition_index, ..Default::default() };
            match found {
                Err(code) => answer.error_code = code.code(),
                // What was moved to (or waits for) remote storage: nothing ever is.
                Ok((_, None)) => {}
                Ok((partition, Some(question))) => {
                    let timestamp = part.timestamp;
                    let place = ListPlace {
                        with_epoch: version >= 4,
                        topic: topic_at,
                        partition: partition_at,
                        timestamp,
                        limit,
                    };
                    gather.ask(cx, partition.log.shard(), question, place);
                }
            }
            answered.partitions.push(answer);
        }
        response.topics.push(answered);
    }
    gather.begin(response)
}

/// Partitions that are asked more than once: which of the answers is meant could not be told.
fn repeated(request: &ListOffsetsRequest) -> BTreeSet<(&str, i32)> {
    let mut seen = BTreeSet::new();
    let every = request
        .topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|part| (&*topic.name, part.partition_index)));
    every.filter(|partition| !seen.insert(*partition)).collect()
}

/// What answers a timestamp, special ones included.
fn question(
    log: LogId,
    part: &ListOffsetsPartition,
    limit: ReadLimit,
    version: i16,
) -> Result<Option<Request>, ErrorCode> {
    let since =
        |first: i16, request| if version >= first { Ok(request) } else { Err(ErrorCode::UnsupportedVersion) };
    match part.timestamp {
        LATEST | EARLIEST => Ok(Some(Request::Describe { log })),
        MAX_TIMESTAMP => since(7, Some(Request::FindByTime { log, timestamp_ms: None, limit })),
        EARLIEST_LOCAL => since(8, Some(Request::Describe { log })),
        LATEST_TIERED => since(9, None),
        EARLIEST_PENDING_UPLOAD => since(11, None),
        time if time >= 0 => Ok(Some(Request::FindByTime { log, timestamp_ms: Some(time), limit })),
        // A special timestamp that only a later version may know.
        _ => Err(ErrorCode::UnsupportedVersion),
    }
}

fn place_list(
    response: &mut ListOffsetsResponse,
    place: &mut ListPlace,
    answer: Result<Reply, KernelError>,
) -> Option<(ShardId, Request)> {
    let part = response.topics.get_mut(place.topic)?.partitions.get_mut(place.partition)?;
    match answer {
        Ok(Reply::Described(info)) => {
            let end = if place.limit == ReadLimit::Stable { info.stable_end } else { info.durable_end };
            let is_latest = place.timestamp == LATEST;
            part.offset = if is_latest { end } else { info.start }.as_i64();
            part.leader_epoch = if is_latest { info.epoch } else { info.start_epoch }.0;
        }
        Ok(Reply::Found(Some(found))) => {
            part.offset = found.offset.as_i64();
            part.timestamp = found.timestamp_ms;
            part.leader_epoch = found.epoch.0;
        }
        Ok(Reply::Found(None)) => {}
        Ok(_) => part.error_code = ErrorCode::UnknownServerError.code(),
        Err(error) => part.error_code = ErrorCode::from(&error).code(),
    }
    if !place.with_epoch {
        part.leader_epoch = -1;
    }
    None
}

/// Begins OffsetForLeaderEpoch.
pub(super) fn leader_epochs(cx: &mut Cx<'_>, head: Head, request: OffsetForLeaderEpochRequest) -> Begin {
    let catalog = cx.catalog();
    let mut response = OffsetForLeaderEpochResponse::default();
    let mut gather = Gather::new(head, place_epoch);
    for (topic_at, wanted) in request.topics.iter().enumerate() {
        let mut answered =
            OffsetForLeaderTopicResult { topic: wanted.topic.detached(), ..Default::default() };
        for (partition_at, part) in wanted.partitions.iter().enumerate() {
            let found = led(&catalog, &wanted.topic, part.partition).and_then(|partition| {
                check_epoch(part.current_leader_epoch, partition.epoch).map(|()| partition)
            });
            let mut answer = EpochEndOffset { partition: part.partition, ..Default::default() };
            match found {
                Err(code) => answer.error_code = code.code(),
                // Nothing was ever written under no epoch.
                Ok(_) if part.leader_epoch < 0 => {}
                Ok(partition) => {
                    let epoch = LogEpoch(part.leader_epoch);
                    let question = Request::FindEpochEnd { log: partition.log, epoch };
                    gather.ask(cx, partition.log.shard(), question, (topic_at, partition_at));
                }
            }
            answered.partitions.push(answer);
        }
        response.topics.push(answered);
    }
    gather.begin(response)
}

fn place_epoch(
    response: &mut OffsetForLeaderEpochResponse,
    place: &mut (usize, usize),
    answer: Result<Reply, KernelError>,
) -> Option<(ShardId, Request)> {
    let part = response.topics.get_mut(place.0)?.partitions.get_mut(place.1)?;
    match answer {
        Ok(Reply::EpochEnd(Some((epoch, end)))) => {
            part.leader_epoch = epoch.0;
            part.end_offset = end.as_i64();
        }
        Ok(Reply::EpochEnd(None)) => {}
        Ok(_) => part.error_code = ErrorCode::UnknownServerError.code(),
        Err(error) => part.error_code = ErrorCode::from(&error).code(),
    }
    None
}

struct DeletePlace {
    topic: usize,
    partition: usize,
    log: LogId,
    /// Up to where; negative means the high watermark.
    offset: i64,
    /// The new log start, once the trim is under way.
    trimmed_to: Option<Offset>,
}

/// Begins DeleteRecords.
pub(super) fn delete_records(cx: &mut Cx<'_>, head: Head, request: DeleteRecordsRequest) -> Begin {
    let catalog = cx.catalog();
    let mut response = DeleteRecordsResponse::default();
    let mut gather = Gather::new(head, place_delete);
    for (topic_at, wanted) in request.topics.iter().enumerate() {
        let mut answered = DeleteRecordsTopicResult { name: wanted.name.detached(), ..Default::default() };
        let keeps = catalog.topic(&wanted.name).is_some_and(|topic| !topic.settings.deleted);
        for (partition_at, part) in wanted.partitions.iter().enumerate() {
            let mut answer = DeleteRecordsPartitionResult {
                partition_index: part.partition_index,
                low_watermark: -1,
                ..Default::default()
            };
            match led(&catalog, &wanted.name, part.partition_index) {
                Err(code) => answer.error_code = code.code(),
                Ok(_) if keeps => answer.error_code = ErrorCode::PolicyViolation.code(),
                Ok(_) if part.offset < -1 => answer.error_code = ErrorCode::OffsetOutOfRange.code(),
                Ok(partition) => {
                    let place = DeletePlace {
                        topic: topic_at,
                        partition: partition_at,
                        log: partition.log,
                        offset: part.offset,
                        trimmed_to: None,
                    };
                    let question = Request::Describe { log: partition.log };
                    gather.ask(cx, partition.log.shard(), question, place);
                }
            }
            answered.partitions.push(answer);
        }
        response.topics.push(answered);
    }
    gather.begin(response)
}

fn place_delete(
    response: &mut DeleteRecordsResponse,
    place: &mut DeletePlace,
    answer: Result<Reply, KernelError>,
) -> Option<(ShardId, Request)> {
    let part = response.topics.get_mut(place.topic)?.partitions.get_mut(place.partition)?;
    match (answer, place.trimmed_to) {
        (Ok(Reply::Described(info)), None) => {
            let to = Offset::from_i64(place.offset).unwrap_or(info.durable_end);
            if to > info.durable_end {
                part.error_code = ErrorCode::OffsetOutOfRange.code();
            } else if to <= info.start {
                part.low_watermark = info.start.as_i64();
            } else {
                place.trimmed_to = Some(to);
                let trim = Op::LogTrim { log: place.log, start: to };
                return Some((place.log.shard(), Request::Commit(Commit::of(vec![trim]))));
            }
        }
        (Ok(Reply::Done), Some(to)) => part.low_watermark = to.as_i64(),
        (Ok(_), _) => part.error_code = ErrorCode::UnknownServerError.code(),
        (Err(error), _) => part.error_code = ErrorCode::from(&error).code(),
    }
    None
}
