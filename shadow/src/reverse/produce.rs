//! Writing to legacy: one request at a time to each leader, one batch of each partition in it, and what the answers
//! mean.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kernel_model::batch::{BatchHeader, patch_header};
use kernel_model::{LogEpoch, Now, Offset};
use translator_kafka::codec::messages::produce_request::{PartitionProduceData, TopicProduceData};
use translator_kafka::codec::messages::produce_response::PartitionProduceResponse;
use translator_kafka::codec::messages::{ProduceRequest, ProduceResponse};
use translator_kafka::codec::{ApiKey, Str, Uuid};
use translator_kafka::errors::ErrorCode;

use super::partition::{InFlight, Partition, REST, Stage};
use super::questions::{Row, named, row_of};
use super::{Asked, ClosedReason, Key, ReverseFeed, Tag};
use crate::feed::LinkId;

/// How long legacy may wait for its replicas.
pub(super) const WAIT: Duration = Duration::from_secs(15);
/// How long a partition rests that the link's user may not write to.
const REST_REFUSED: Duration = Duration::from_secs(5);
/// From this version on topics go by id.
const BY_ID_SINCE: i16 = 13;
/// The newest version of Produce in which a batch does not itself take its partition into the transaction: legacy's
/// coordinator knows of none of them.
const OUTSIDE_TRANSACTIONS_UNTIL: i16 = 11;
/// The transactional id that our writes name. Legacy asks no more of it than whether the link's user may write under it;
/// producers are known by what their batches say.
const TRANSACTIONAL_ID: &str = "sluice-way-back";
/// Any version.
pub(super) const ANY: i16 = i16::MAX;

/// What an answer to a batch means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    /// It is no larger or smaller the next time.
    TooLarge,
    /// Legacy refuses it for what it is; asked a few times, it is believed.
    Unacceptable,
    /// Not allowed at present.
    Forbidden,
    /// Not now, or nobody knows: look at what legacy holds.
    Unclear,
}

pub(super) fn verdict(code: i16) -> Verdict {
    match ErrorCode::from_code(code) {
        Some(ErrorCode::None) => Verdict::Taken,
        Some(ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge) => Verdict::TooLarge,
        Some(
            ErrorCode::CorruptMessage
            | ErrorCode::InvalidRecord
            | ErrorCode::InvalidTimestamp
            | ErrorCode::UnsupportedCompressionType
            | ErrorCode::UnsupportedForMessageFormat
            | ErrorCode::PolicyViolation
            | ErrorCode::InvalidTopic
            | ErrorCode::InvalidRequest
            | ErrorCode::OutOfOrderSequenceNumber
            | ErrorCode::DuplicateSequenceNumber
            | ErrorCode::InvalidProducerEpoch
            | ErrorCode::ProducerFenced
            | ErrorCode::UnknownProducerId
            | ErrorCode::InvalidProducerIdMapping
            | ErrorCode::TransactionCoordinatorFenced,
        ) => Verdict::Unacceptable,
        Some(
            ErrorCode::TopicAuthorizationFailed
            | ErrorCode::ClusterAuthorizationFailed
            | ErrorCode::TransactionalIdAuthorizationFailed
            // Legacy verifies transactions after all: somebody has to change that.
            | ErrorCode::InvalidTxnState,
        ) => Verdict::Forbidden,
        _ => Verdict::Unclear,
    }
}

/// What may share a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// Batches outside transactions, or of one producer's: legacy takes those of two in one request for a mistake.
    Records(Option<(i64, i16)>),
    /// Markers: legacy's leaders write them.
    Markers,
}

impl Load {
    fn of(header: &BatchHeader) -> Self {
        if header.is_control() {
            Self::Markers
        } else {
            Self::Records(header.is_transactional().then_some((header.producer_id, header.producer_epoch)))
        }
    }
}

impl Partition {
    /// The batch to send, if there is one and nothing is under way.
    fn wants_sent(&self, now: Now) -> Option<InFlight> {
        if !matches!(self.stage, Stage::Sending)
            || self.in_flight.is_some()
            || self.asks_coordinators
            || self.asked.is_some()
            || self.rests(now)
        {
            return None;
        }
        let batch = self.ready.front()?;
        let header = batch.header();
        let (base, end) = (header.base_offset.0, header.end_offset().0);
        Some(InFlight { base, end, bytes: batch.bytes().len(), node: self.leader, at: now.elapsed })
    }

    fn judge_answer(&mut self, now: Now, answer: &PartitionProduceResponse) {
        let Some(sent) = self.in_flight else { return };
        if let Ok(start) = u64::try_from(answer.log_start_offset) {
            self.legacy_start = Some(start);
        }
        match verdict(answer.error_code) {
            Verdict::Taken if u64::try_from(answer.base_offset) == Ok(sent.base) => self.sent(now, sent),
            // Somebody else has written, or legacy remembers the batch from elsewhere.
            Verdict::Taken => {
                self.trouble = Some(format!(
                    "legacy answers offset {} for the batch at {}",
                    answer.base_offset, sent.base
                ));
                self.strike(now, |at| ClosedReason::refused(at, ErrorCode::DuplicateSequenceNumber.code()));
            }
            Verdict::TooLarge | Verdict::Unacceptable | Verdict::Forbidden | Verdict::Unclear => {
                self.not_taken(now, sent, answer.error_code);
            }
        }
    }

    /// Legacy did not take what was sent.
    pub(super) fn not_taken(&mut self, now: Now, sent: InFlight, code: i16) {
        let verdict = verdict(code);
        if verdict == Verdict::TooLarge {
            return self.close(ClosedReason::TooLarge { at: sent.base, bytes: sent.bytes });
        }
        self.trouble = Some(named(code));
        match verdict {
            Verdict::Unacceptable => self.strike(now, |at| ClosedReason::refused(at, code)),
            Verdict::Forbidden => self.settle(now, REST_REFUSED),
            Verdict::Taken | Verdict::TooLarge | Verdict::Unclear => self.settle(now, REST),
        }
    }
}

impl ReverseFeed {
    pub(super) fn produce(&mut self, now: Now) {
        let nodes = |id| if let LinkId::Node(node) = id { Some(node) } else { None };
        for node in self.free_nodes(nodes) {
            let Some((kind, sending)) = self.next_load(now, node) else { continue };
            for (key, sent) in &sending {
                if let Some(partition) = self.partitions.get_mut(key) {
                    partition.in_flight = Some(*sent);
                    partition.generation += 1;
                }
            }
            let asked = sending.iter().filter_map(|(key, _)| {
                let generation = self.partitions.get(key)?.generation;
                Some(Asked { key: key.clone(), generation })
            });
            let asked: Vec<Asked> = asked.collect();
            let sent = match kind {
                Load::Markers => self.send_markers(now, node, &sending, asked),
                Load::Records(producer) => self.send_batches(now, node, producer, &sending, asked),
            };
            if !sent {
                for (key, _) in &sending {
                    if let Some(partition) = self.partitions.get_mut(key) {
                        partition.in_flight = None;
                    }
                }
            }
        }
    }

    /// The next batch of each partition that a node leads, as far as one request holds: it begins behind the
    /// partition that the last one began with, and takes what may go with that one's batch.
    fn next_load(&mut self, now: Now, node: i32) -> Option<(Load, Vec<(Key, InFlight)>)> {
        let led = self.partitions.iter().filter(|(_, partition)| partition.leader == node);
        let ready = led.filter_map(|(key, partition)| {
            let sent = partition.wants_sent(now)?;
            Some((key, sent, Load::of(partition.ready.front()?.header())))
        });
        let mut ready: Vec<_> = ready.collect();
        let turn = self.send_turns.get(&node);
        let first = ready.partition_point(|(key, ..)| turn.is_some_and(|turn| *key <= turn));
        ready.rotate_left(first);
        let (first, _, kind) = ready.first()?;
        let (first, kind) = ((*first).clone(), *kind);
        let mut bytes = 0_usize;
        let mut sending: Vec<(Key, InFlight)> = Vec::new();
        for (key, batch, of) in ready {
            let more = bytes.saturating_add(batch.bytes);
            let fits = more <= self.config.limits.request_bytes_max || sending.is_empty();
            if of == kind && fits {
                bytes = more;
                sending.push((key.clone(), batch));
            }
        }
        self.send_turns.insert(node, first);
        Some((kind, sending))
    }

    fn send_batches(
        &mut self,
        now: Now,
        node: i32,
        producer: Option<(i64, i16)>,
        sending: &[(Key, InFlight)],
        asked: Vec<Asked>,
    ) -> bool {
        let batches = self.batches(sending);
        let newest = if producer.is_some() { OUTSIDE_TRANSACTIONS_UNTIL } else { ANY };
        let how = (ApiKey::Produce, newest);
        self.call(now, LinkId::Node(node), how, Tag::Produce(asked), WAIT, |version| ProduceRequest {
            transactional_id: producer.map(|_| Str::from(TRANSACTIONAL_ID)),
            ..request(batches, version)
        })
    }

    fn batches(&self, sending: &[(Key, InFlight)]) -> Vec<(String, Uuid, PartitionProduceData)> {
        let batch = |key: &Key| {
            let records = self.partitions.get(key)?.ready.front()?.bytes();
            let data = PartitionProduceData {
                index: key.1,
                records: Some(as_from_a_producer(records)),
                ..Default::default()
            };
            Some((key.0.clone(), self.topic_id(&key.0), data))
        };
        sending.iter().filter_map(|(key, _)| batch(key)).collect()
    }

    pub(super) fn see_produced(&mut self, now: Now, asked: &[Asked], answer: &ProduceResponse) {
        let mut rows: BTreeMap<Row<'_>, &PartitionProduceResponse> = BTreeMap::new();
        for topic in &answer.responses {
            for row in &topic.partition_responses {
                rows.insert((topic.topic_id, topic.name.as_str(), row.index), row);
            }
        }
        let mut refresh = false;
        for each in asked {
            let row = row_of(&rows, self.topic_id(&each.key.0), &each.key);
            let Some(partition) = self.asker(each) else { continue };
            match row {
                Some(row) => {
                    partition.judge_answer(now, row);
                    refresh |= verdict(row.error_code) == Verdict::Unclear;
                }
                None => {
                    partition.trouble = Some("legacy's answer leaves the batch out".to_owned());
                    partition.settle(now, REST);
                }
            }
        }
        if refresh {
            self.refresh(now);
        }
    }
}

/// A batch as its producer sent it: without offset, and without the epoch under which the kernel stored it. The
/// checksum covers neither.
fn as_from_a_producer(batch: &Bytes) -> Bytes {
    let mut copy = BytesMut::from(batch.as_ref());
    patch_header(&mut copy, Offset(0), LogEpoch(-1));
    copy.freeze()
}

fn request(batches: Vec<(String, Uuid, PartitionProduceData)>, version: i16) -> ProduceRequest {
    let by_id = version >= BY_ID_SINCE;
    let mut topics: BTreeMap<String, TopicProduceData> = BTreeMap::new();
    for (name, id, data) in batches {
        let topic = topics.entry(name).or_insert_with_key(|name| TopicProduceData {
            name: if by_id { Str::default() } else { Str::from(name.as_str()) },
            topic_id: if by_id { id } else { Uuid::default() },
            ..Default::default()
        });
        topic.partition_data.push(data);
    }
    ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: i32::try_from(WAIT.as_millis()).unwrap_or(i32::MAX),
        topic_data: topics.into_values().collect(),
        ..Default::default()
    }
}
