//! Produce: judges each partition's batch as Kafka does, and appends it.

use std::collections::BTreeMap;

use bytes::Bytes;
use kernel_model::batch::{
    BATCH_HEADER_LEN, Codec, Fault, InflateError, Rules, TimestampBounds, VerifiedBatch, validate,
};
use kernel_model::{KernelError, LogEpoch, Reply, Request};

use super::LongWork;
use super::operation::{Begin, Cx, Finished, Gather, Head};
use crate::catalog::{Partition, Topic};
use crate::codec::Str;
use crate::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use crate::codec::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use crate::codec::messages::{ProduceRequest, ProduceResponse};
use crate::errors::ErrorCode;

/// Topic and partition, by their places in the response.
struct Place {
    topic: usize,
    partition: usize,
    own: i32,
    epoch: LogEpoch,
}

/// Why a partition's records are not taken, with a sentence and, where it is one record's fault, which.
struct Refusal {
    code: ErrorCode,
    message: Option<String>,
    record: Option<u32>,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: None, record: None }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let code = ErrorCode::from(&fault);
        Self { code, message: Some(fault.to_string()), record: fault.record_index() }
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal { code: ErrorCode::InvalidRecord, message: Some(message.to_owned()), record: None }
}

/// Begins a Produce.
pub(super) fn start(cx: &mut Cx<'_>, head: Head, request: ProduceRequest) -> Begin {
    let catalog = cx.catalog();
    let version = head.version;
    let mut response = ProduceResponse::default();
    let finish = if request.acks == 0 { finish_silent } else { finish_frame };
    let mut gather = Gather::new(head, place).finish_with(finish);
    let refused = refusal_of_all(&request);
    for (topic_at, wanted) in each_once(request.topic_data).iter().enumerate() {
        let topic = if version >= 13 {
            catalog.topic_by_id(wanted.topic_id).ok_or(ErrorCode::UnknownTopicId)
        } else {
            catalog.topic(&wanted.name).ok_or(ErrorCode::UnknownTopicOrPartition)
        };
        let mut answered = topic_response(wanted);
        for (partition_at, data) in wanted.partition_data.iter().enumerate() {
            let outcome = match (refused, topic) {
                (Some(code), _) | (None, Err(code)) => Err(Refusal::from(code)),
                (None, Ok(topic)) => prepare(topic, data, version, cx),
            };
            let mut part =
                PartitionProduceResponse { index: data.index, base_offset: -1, ..Default::default() };
            match outcome {
                Err(refusal) => refuse(&mut part, refusal),
                Ok((partition, batch)) => {
                    let append = Request::Append { log: partition.log, batches: vec![batch], epoch: None };
                    let own = cx.cluster.own;
                    let place =
                        Place { topic: topic_at, partition: partition_at, own, epoch: partition.epoch };
                    gather.ask(cx, partition.log.shard(), append, place);
                }
            }
            answered.partition_responses.push(part);
        }
        response.responses.push(answered);
    }
    gather.begin(response)
}

/// Names every partition once, with what the request says of it last, which is all that Kafka takes of it
/// and all that it answers.
fn each_once(topics: Vec<TopicProduceData>) -> Vec<TopicProduceData> {
    let mut merged: Vec<TopicProduceData> = Vec::with_capacity(topics.len());
    let (mut topic_places, mut places) = (BTreeMap::new(), BTreeMap::new());
    for mut topic in topics {
        let partitions = std::mem::take(&mut topic.partition_data);
        let name = (topic.name.clone(), topic.topic_id);
        let at = *topic_places.entry(name).or_insert_with(|| {
            merged.push(topic);
            merged.len() - 1
        });
        let Some(topic) = merged.get_mut(at) else { continue };
        for data in partitions {
            let place = *places.entry((at, data.index)).or_insert(topic.partition_data.len());
            match topic.partition_data.get_mut(place) {
                Some(earlier) => *earlier = data,
                None => topic.partition_data.push(data),
            }
        }
    }
    merged
}

fn topic_response(wanted: &TopicProduceData) -> TopicProduceResponse {
    // Detached: a name must not keep the whole request alive until the disk has answered.
    TopicProduceResponse {
        name: wanted.name.detached(),
        topic_id: wanted.topic_id,
        partition_responses: Vec::with_capacity(wanted.partition_data.len()),
        ..Default::default()
    }
}

fn refusal_of_all(request: &ProduceRequest) -> Option<ErrorCode> {
    if !matches!(request.acks, -1..=1) {
        return Some(ErrorCode::InvalidRequiredAcks);
    }
    // Transactions are not served yet, and no partition was ever added to one.
    request.transactional_id.is_some().then_some(ErrorCode::InvalidTxnState)
}

fn prepare(
    topic: &Topic,
    data: &PartitionProduceData,
    version: i16,
    cx: &Cx<'_>,
) -> Result<(Partition, VerifiedBatch), Refusal> {
    let partition = topic.partition(data.index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if !partition.is_led() {
        return Err(ErrorCode::NotLeaderOrFollower.into());
    }
    let records = data.records.clone().unwrap_or_default();
    let batch = take_batch(topic, records, version)?;
    let timestamps = TimestampBounds {
        now_ms: cx.now.wall_ms,
        before_max_ms: topic.settings.timestamp_before_max_ms,
        after_max_ms: topic.settings.timestamp_after_max_ms,
    };
    let limits = &cx.settings.limits;
    let factored = topic.settings.message_bytes_max.saturating_mul(limits.inflated_bytes_factor);
    let rules = Rules {
        inflated_bytes_max: limits.inflated_bytes_max.max(factored),
        keys_required: topic.settings.compacted,
        timestamps: (!topic.settings.append_time).then_some(timestamps),
    };
    let max_timestamp_ms = judge(&batch, &rules, cx.settings.long_work)?;
    // Retention and search by time go by the header. Kafka puts it right, too.
    let is_right = topic.settings.append_time || batch.header().max_timestamp_ms == max_timestamp_ms;
    let batch = if is_right { batch } else { batch.with_max_timestamp(max_timestamp_ms) };
    Ok((*partition, batch))
}

/// What a batch may inflate to on the connection's own time: a few milliseconds.
const INFLATED_AT_ONCE_MAX: usize = 2 << 20;

fn judge(batch: &VerifiedBatch, rules: &Rules, long_work: LongWork) -> Result<i64, Refusal> {
    let inflated_bytes_max = rules.inflated_bytes_max.min(INFLATED_AT_ONCE_MAX);
    let mut judged = validate(batch, &Rules { inflated_bytes_max, ..*rules });
    let is_long = matches!(judged, Err(Fault::Inflate(InflateError::TooLarge { .. })));
    if is_long && inflated_bytes_max < rules.inflated_bytes_max {
        let ran = long_work(&mut || judged = validate(batch, rules));
        if !ran {
            return Err(ErrorCode::from(&KernelError::Overloaded).into());
        }
    }
    Ok(judged?)
}

/// Exactly one batch of version 2, small enough and with a right checksum.
fn take_batch(topic: &Topic, mut records: Bytes, version: i16) -> Result<VerifiedBatch, Refusal> {
    if records.is_empty() {
        return Err(invalid("a produce request must hold exactly one record batch for each partition"));
    }
    if records.len() > topic.settings.segment_bytes {
        return Err(ErrorCode::RecordListTooLarge.into());
    }
    if records.len() > topic.settings.message_bytes_max.max(BATCH_HEADER_LEN) {
        let max = topic.settings.message_bytes_max;
        let message = format!("a batch of {} bytes where {max} are allowed", records.len());
        return Err(Refusal { message: Some(message), ..ErrorCode::MessageTooLarge.into() });
    }
    let batch = VerifiedBatch::take(&mut records)
        .map_err(|error| Refusal { message: Some(error.to_string()), ..ErrorCode::from(error).into() })?;
    if !records.is_empty() {
        return Err(invalid("a produce request must hold exactly one record batch for each partition"));
    }
    let header = batch.header();
    if header.base_offset.0 != 0 {
        return Err(invalid("the base offset of a produced batch must be 0"));
    }
    if header.is_transactional() {
        return Err(ErrorCode::InvalidTxnState.into());
    }
    if version < 7 && header.codec() == Codec::Zstd.number() {
        return Err(ErrorCode::UnsupportedCompressionType.into());
    }
    Ok(batch)
}

fn refuse(part: &mut PartitionProduceResponse, refusal: Refusal) {
    part.error_code = refusal.code.code();
    part.base_offset = -1;
    let message = refusal.message.map(Str::from);
    if let Some(index) = refusal.record {
        part.record_errors.push(BatchIndexAndErrorMessage {
            batch_index: i32::try_from(index).unwrap_or(i32::MAX),
            batch_index_error_message: message.clone(),
            ..Default::default()
        });
    }
    part.error_message = message;
}

fn place(
    response: &mut ProduceResponse,
    place: &mut Place,
    answer: Result<Reply, KernelError>,
) -> Option<Request> {
    let topic = response.responses.get_mut(place.topic)?;
    let part = topic.partition_responses.get_mut(place.partition)?;
    match answer {
        Ok(Reply::Appended(appended)) => {
            part.base_offset = appended.base_offset.as_i64();
            part.log_start_offset = appended.start.as_i64();
            part.log_append_time_ms = appended.append_time_ms.unwrap_or(-1);
        }
        Ok(_) => part.error_code = ErrorCode::UnknownServerError.code(),
        Err(error) => {
            let code = ErrorCode::from(&error);
            refuse(part, Refusal { code, message: Some(error.to_string()), record: None });
            if code == ErrorCode::FencedLeaderEpoch {
                part.current_leader = LeaderIdAndEpoch {
                    leader_id: place.own,
                    leader_epoch: place.epoch.0,
                    ..Default::default()
                };
            }
        }
    }
    None
}

fn finish_frame(head: &Head, mut response: ProduceResponse) -> Finished {
    if head.version < 10 {
        for part in response.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses) {
            part.current_leader = LeaderIdAndEpoch::default();
        }
    }
    head.respond(&response)
}

/// With acks 0 the only way to report a refusal is to close the connection.
fn finish_silent(_head: &Head, response: ProduceResponse) -> Finished {
    let parts = || response.responses.iter().flat_map(|topic| &topic.partition_responses);
    if parts().any(|part| part.error_code != 0) {
        Finished::Close("a produce request without acknowledgement was refused")
    } else {
        Finished::Silent
    }
}
