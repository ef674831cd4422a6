//! Produce: judges each partition's batch as Kafka does, and appends it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use kernel_model::batch::{
    BATCH_HEADER_LEN, Codec, Fault, InflateError, Rules, TimestampBounds, VerifiedBatch, refused_records,
    validate,
};
use kernel_model::{KernelError, LogEpoch, LogId, Offset, Reply, Request, ShardId};

use super::LongWork;
use super::operation::{Begin, Cx, Finished, Gather, Head};
use super::transactions;
use crate::access::QuotaKind;
use crate::catalog::{Partition, Topic};
use crate::codec::Str;
use crate::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use crate::codec::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse,
};
use crate::codec::messages::{ProduceRequest, ProduceResponse};
use crate::coordinator::transaction::{
    Message as TransactionMessage, PartitionLog, Producer, Reply as TransactionReply,
};
use crate::errors::ErrorCode;

/// Topic and partition, by their places in the response.
struct Place {
    topic: usize,
    partition: usize,
    own: i32,
    epoch: LogEpoch,
    log: LogId,
    /// Of a batch in a transaction.
    joining: Option<Joining>,
}

/// How a batch gets into its producer's transaction: the log refuses the first one with a guard, the
/// transaction's coordinator vouches for it, and it is offered again.
struct Joining {
    id: Arc<str>,
    batch: VerifiedBatch,
    at: PartitionLog,
    version: i16,
    shards: u16,
    guard: Option<Offset>,
    vouched: bool,
}

/// From this version the first batch takes its partition into the transaction.
const JOINS_FROM: i16 = 12;
/// From this version clients know TRANSACTION_ABORTABLE.
const ABORTABLE_FROM: i16 = 11;

/// Why a partition's records are not taken, with a sentence and, where it is one record's fault, which.
struct Refusal {
    code: ErrorCode,
    message: Option<String>,
    /// The records that are at fault, each with a sentence.
    records: Vec<(u32, String)>,
    /// The batch came as far as its log: the client is told where that begins.
    by_log: bool,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: None, records: Vec::new(), by_log: false }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let code = ErrorCode::from(&fault);
        let records = fault.record_index().map(|index| (index, fault.to_string()));
        Self {
            code,
            message: Some(fault.to_string()),
            records: records.into_iter().collect(),
            by_log: matches!(code, ErrorCode::InvalidRecord | ErrorCode::InvalidTimestamp),
        }
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal { message: Some(message.to_owned()), ..ErrorCode::InvalidRecord.into() }
}

/// Begins a Produce that takes `bytes` on the wire.
pub(super) fn start(cx: &mut Cx<'_>, head: Head, request: ProduceRequest, bytes: usize) -> Begin {
    let catalog = cx.catalog();
    let version = head.version;
    let (throttle_time_ms, _) =
        cx.meter(QuotaKind::Produce, head.client_id.as_deref().unwrap_or_default(), bytes);
    let mut response = ProduceResponse { throttle_time_ms, ..Default::default() };
    let finish = if request.acks == 0 { finish_silent } else { finish_frame };
    let mut gather = Gather::new(head, place).finish_with(finish);
    let refused = refusal_of_all(&request, cx.settings.transactions);
    let whole = Whole {
        version,
        transactional_id: request.transactional_id.as_ref().map(|id| Arc::from(id.as_str())),
    };
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
                (None, Ok(topic)) => prepare(topic, data, &whole, cx),
            };
            let mut part =
                PartitionProduceResponse { index: data.index, base_offset: -1, ..Default::default() };
            match outcome {
                Err(refusal) => {
                    let log =
                        topic.ok().filter(|_| refusal.by_log).and_then(|topic| topic.partition(data.index));
                    if let Some(partition) = log {
                        let (own, epoch) = (cx.cluster.own, partition.epoch);
                        let (log, topic) = (partition.log, topic_at);
                        let place = Place { topic, partition: partition_at, own, epoch, log, joining: None };
                        gather.ask(cx, log.shard(), Request::Describe { log }, place);
                    }
                    refuse(&mut part, refusal);
                }
                Ok(Prepared { partition, batch, joining }) => {
                    let log = partition.log;
                    let append = match &joining {
                        Some(_) => Request::AppendTransactional { log, batch: Box::new(batch), guard: None },
                        None => Request::Append { log, batches: vec![batch], epoch: None },
                    };
                    let own = cx.cluster.own;
                    let (topic, epoch) = (topic_at, partition.epoch);
                    let place = Place { topic, partition: partition_at, own, epoch, log, joining };
                    gather.ask(cx, log.shard(), append, place);
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

/// What a request says of all its batches.
struct Whole {
    version: i16,
    transactional_id: Option<Arc<str>>,
}

/// A batch that may be offered to its log.
struct Prepared {
    partition: Partition,
    batch: VerifiedBatch,
    joining: Option<Joining>,
}

fn refusal_of_all(request: &ProduceRequest, transactions: bool) -> Option<ErrorCode> {
    if !matches!(request.acks, -1..=1) {
        return Some(ErrorCode::InvalidRequiredAcks);
    }
    // Where transactions are not served, no partition was ever added to one.
    (request.transactional_id.is_some() && !transactions).then_some(ErrorCode::InvalidTxnState)
}

fn prepare(
    topic: &Topic,
    data: &PartitionProduceData,
    whole: &Whole,
    cx: &Cx<'_>,
) -> Result<Prepared, Refusal> {
    let partition = topic.partition(data.index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if !partition.is_led() {
        return Err(ErrorCode::NotLeaderOrFollower.into());
    }
    let records = data.records.clone().unwrap_or_default();
    let batch = take_batch(topic, records, whole.version)?;
    if batch.header().is_transactional() && !cx.settings.transactions {
        return Err(ErrorCode::InvalidTxnState.into());
    }
    let timestamps = TimestampBounds {
        now_ms: cx.now.wall_ms,
        before_max_ms: topic.settings.timestamp_before_max_ms,
        after_max_ms: topic.settings.timestamp_after_max_ms,
    };
    let limits = &cx.settings.limits;
    let factored = topic.settings.message_bytes_max.saturating_mul(limits.inflated_bytes_factor);
    let rules = Rules {
        inflated_bytes_max: limits.inflated_bytes_max.max(factored),
        keys_required: topic.settings.is_compacted(),
        timestamps: (!topic.settings.append_time).then_some(timestamps),
    };
    let max_timestamp_ms = judge(&batch, &rules, cx.settings.long_work)?;
    // Retention and search by time go by the header. Kafka puts it right, too.
    let is_right = topic.settings.append_time || batch.header().max_timestamp_ms == max_timestamp_ms;
    let batch = if is_right { batch } else { batch.with_max_timestamp(max_timestamp_ms) };
    let joining = if batch.header().is_transactional() {
        // Who may use a transactional id can only be judged of one that is named.
        let id = whole.transactional_id.clone().ok_or(ErrorCode::TransactionalIdAuthorizationFailed)?;
        Some(Joining {
            id,
            batch: batch.clone(),
            at: PartitionLog { topic: topic.name.to_string(), partition: data.index, log: partition.log.0 },
            version: whole.version,
            shards: cx.settings.shards,
            guard: None,
            vouched: false,
        })
    } else {
        None
    };
    Ok(Prepared { partition: *partition, batch, joining })
}

impl Joining {
    /// Asks the transaction's coordinator for its word.
    fn ask(&mut self, guard: Offset) -> (ShardId, Request) {
        self.guard = Some(guard);
        let header = self.batch.header();
        let message = TransactionMessage::Join {
            id: self.id.to_string(),
            producer: Producer { id: header.producer_id, epoch: header.producer_epoch },
            partitions: vec![self.at.clone()],
            groups: Vec::new(),
            verify_only: self.version < JOINS_FROM,
        };
        transactions::question(&self.id, self.shards, &message)
    }

    /// Offers the batch again, or says why not.
    fn vouched(&mut self, answer: Result<Reply, KernelError>) -> Result<(ShardId, Request), ErrorCode> {
        let reply = transactions::reply_of(answer).map_err(|code| self.refusal(code))?;
        let TransactionReply::Joined { missing, .. } = reply else {
            return Err(ErrorCode::UnknownServerError);
        };
        if !missing.is_empty() {
            return Err(self.refusal(ErrorCode::TransactionAbortable));
        }
        self.vouched = true;
        let (log, batch, guard) = (LogId(self.at.log), Box::new(self.batch.clone()), self.guard);
        Ok((log.shard(), Request::AppendTransactional { log, batch, guard }))
    }

    /// What a client of this version is told: codes that it knows from Produce.
    #[allow(clippy::wildcard_enum_match_arm, reason = "every other code means the same to every version")]
    fn refusal(&self, code: ErrorCode) -> ErrorCode {
        match code {
            ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
            ErrorCode::TransactionAbortable if self.version < ABORTABLE_FROM => ErrorCode::InvalidTxnState,
            // To be tried again, without a look for another leader.
            ErrorCode::ConcurrentTransactions
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator => ErrorCode::NotEnoughReplicas,
            other => other,
        }
    }
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
    judged.map_err(|fault| {
        let all = refused_records(batch, &Rules { inflated_bytes_max, ..*rules }, REFUSED_RECORDS_MAX);
        let named = all.iter().filter_map(|fault| Some((fault.record_index()?, fault.to_string())));
        let records: Vec<(u32, String)> = named.collect();
        let first = Refusal::from(fault);
        if records.is_empty() { first } else { Refusal { records, ..first } }
    })
}

/// Most records of a batch that are named as refused.
const REFUSED_RECORDS_MAX: usize = 1000;

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
        return Err(Refusal { by_log: true, ..invalid("the base offset of a produced batch must be 0") });
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
    part.record_errors.extend(refusal.records.into_iter().map(|(index, fault)| BatchIndexAndErrorMessage {
        batch_index: i32::try_from(index).unwrap_or(i32::MAX),
        batch_index_error_message: Some(fault.into()),
        ..Default::default()
    }));
    part.error_message = message;
}

fn place(
    response: &mut ProduceResponse,
    place: &mut Place,
    answer: Result<Reply, KernelError>,
) -> Option<(ShardId, Request)> {
    let topic = response.responses.get_mut(place.topic)?;
    let part = topic.partition_responses.get_mut(place.partition)?;
    match (answer, place.joining.as_mut()) {
        (Err(KernelError::TransactionUnverified { guard }), Some(joining)) if !joining.vouched => {
            return Some(joining.ask(guard));
        }
        // The batch before it may wait for its coordinator's word still: this one gets its turn behind it, as both
        // then wait at one place.
        (Err(KernelError::SequenceOutOfOrder { .. }), Some(joining)) if joining.guard.is_none() => {
            return Some(joining.ask(Offset(0)));
        }
        (answer, Some(joining)) if joining.guard.is_some() && !joining.vouched => {
            match joining.vouched(answer) {
                Ok(again) => return Some(again),
                Err(code) => refuse(part, code.into()),
            }
        }
        (Ok(Reply::Described(log)), _) => part.log_start_offset = log.start.as_i64(),
        // It was refused already, and its log does not say where it begins.
        (Err(_), None) if part.error_code != 0 => {}
        (answer, _) => return placed(part, place, answer),
    }
    None
}

/// Writes an append's outcome down. Where a batch was refused by its log, asks where that begins.
fn placed(
    part: &mut PartitionProduceResponse,
    place: &Place,
    answer: Result<Reply, KernelError>,
) -> Option<(ShardId, Request)> {
    match answer {
        Ok(Reply::Appended(appended)) => {
            part.base_offset = appended.base_offset.as_i64();
            part.log_start_offset = appended.start.as_i64();
            part.log_append_time_ms = appended.append_time_ms.unwrap_or(-1);
        }
        Ok(_) => part.error_code = ErrorCode::UnknownServerError.code(),
        Err(error) => {
            let code = ErrorCode::from(&error);
            refuse(part, Refusal { message: Some(error.to_string()), ..code.into() });
            if code == ErrorCode::FencedLeaderEpoch {
                part.current_leader = LeaderIdAndEpoch {
                    leader_id: place.own,
                    leader_epoch: place.epoch.0,
                    ..Default::default()
                };
            }
            let by_log =
                matches!(error, KernelError::SequenceOutOfOrder { .. } | KernelError::ProducerFenced { .. });
            return by_log.then_some((place.log.shard(), Request::Describe { log: place.log }));
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
