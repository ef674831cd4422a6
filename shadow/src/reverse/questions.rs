//! What legacy's leaders are asked beside the batches that are brought: where logs end, what lies before the end, and
//! to move their start. A connection of its own, so that none of it waits behind a write.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_model::Now;
use kernel_model::batch::split;
use translator_kafka::codec::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use translator_kafka::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use translator_kafka::codec::messages::fetch_response::PartitionData;
use translator_kafka::codec::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use translator_kafka::codec::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, FetchRequest, FetchResponse, ListOffsetsRequest,
    ListOffsetsResponse,
};
use translator_kafka::codec::{ApiKey, Str, Uuid};
use translator_kafka::errors::ErrorCode;

use super::partition::{Partition, REST, Stage};
use super::produce::ANY;
use super::{Asked, ClosedReason, Key, ReverseFact, ReverseFeed, Tag};
use crate::feed::LinkId;

/// Partitions of one question.
const PARTITIONS_MAX: usize = 1_000;
/// Bytes of one answer to a comparison, over all partitions, and of each.
const TAIL_BYTES_MAX: i32 = 8 << 20;
const TAIL_PARTITION_BYTES: i32 = 1 << 20;
/// How often legacy's end is compared with the position while nothing is to be brought: somebody may write there.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long the removal of records rests that legacy refused.
const DELETE_REST: Duration = Duration::from_secs(5);
/// How long legacy may take to remove records.
const DELETE_WAIT: Duration = Duration::from_secs(10);
/// Special timestamps of ListOffsets.
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;
/// The replica id of a debugging consumer: asked as one, a leader tells the end of its log, replicated or not.
const DEBUGGING_CONSUMER: i32 = -2;
/// The replica id of a consumer.
const CONSUMER: i32 = -1;
/// From this version on a fetch names topics by id.
const FETCH_BY_ID_SINCE: i16 = 13;

/// What a partition wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    End,
    Tail(u64),
    Coordinators,
}

/// A partition in a request.
pub(super) struct Named {
    pub(super) asked: Asked,
    leader_epoch: i32,
    from: u64,
}

impl Partition {
    pub(super) fn question(&self, now: Now) -> Option<Question> {
        if self.asked.is_some() || self.rests(now) {
            return None;
        }
        match &self.stage {
            Stage::Settling(settling) => match settling.end {
                None => Some(Question::End),
                Some(end) => (settling.legacy.next < end && settling.legacy.prints.is_empty())
                    .then_some(Question::Tail(settling.legacy.next)),
            },
            Stage::Sending if self.asks_coordinators => Some(Question::Coordinators),
            Stage::Sending if self.in_flight.is_none() && self.ready.is_empty() => {
                (self.check_due <= now.elapsed).then_some(Question::End)
            }
            Stage::Sending | Stage::Closed(_) => None,
        }
    }

    /// Legacy is to begin there too: the kernel's records below were removed, and legacy has had them all.
    fn wants_deleted(&self, now: Now) -> Option<u64> {
        let due = self.deleting.is_none() && self.delete_due <= now.elapsed && !self.rests(now);
        let (Stage::Sending, Some(position)) = (&self.stage, self.position) else { return None };
        let behind = self.legacy_start.unwrap_or(0) < self.kernel_start;
        (due && behind && position >= self.kernel_start).then_some(self.kernel_start)
    }

    /// Legacy could not answer.
    pub(super) fn unanswered(&mut self, now: Now, code: i16) {
        self.trouble = Some(named(code));
        self.rests_until = self.rests_until.max(now.deadline(REST));
    }
}

/// An error by its name.
pub(super) fn named(code: i16) -> String {
    match ErrorCode::from_code(code) {
        Some(known) => format!("legacy answers {known:?}"),
        None => format!("legacy answers with error {code}"),
    }
}

impl ReverseFeed {
    pub(super) fn ask_questions(&mut self, now: Now) {
        let questions = |id| if let LinkId::Questions(node) = id { Some(node) } else { None };
        for node in self.free_nodes(questions) {
            // Answers come in order: one question at a time keeps every kind in its turn.
            let sent = self.ask_tails(now, node)
                || self.ask_ends(now, node)
                || self.ask_coordinators(now, node)
                || self.ask_deletions(now, node);
            let _nothing_to_ask = !sent;
        }
    }

    pub(super) fn named(&self, node: i32, wants: impl Fn(&Partition) -> Option<u64>) -> Vec<Named> {
        let led = self.partitions.iter().filter(|(_, partition)| partition.leader == node);
        let named = led.filter_map(|(key, partition)| {
            let asked = Asked { key: key.clone(), generation: partition.generation };
            let (from, leader_epoch) = (wants(partition)?, partition.leader_epoch);
            Some(Named { asked, leader_epoch, from })
        });
        named.take(PARTITIONS_MAX).collect()
    }

    fn note_asked(&mut self, node: i32, named: &[Named]) {
        for each in named {
            if let Some(partition) = self.partitions.get_mut(&each.asked.key) {
                partition.asked = Some(node);
            }
        }
    }

    fn ask_ends(&mut self, now: Now, node: i32) -> bool {
        let wants = |partition: &Partition| (partition.question(now) == Some(Question::End)).then_some(0);
        let named = self.named(node, wants);
        if named.is_empty() {
            return false;
        }
        let request = list_offsets(&named, LATEST, DEBUGGING_CONSUMER);
        self.ask_node(now, node, ApiKey::ListOffsets, named, Tag::Ends, |_, _| request)
    }

    fn ask_tails(&mut self, now: Now, node: i32) -> bool {
        let wants = |partition: &Partition| match partition.question(now) {
            Some(Question::Tail(from)) => Some(from),
            Some(Question::End | Question::Coordinators) | None => None,
        };
        let named = self.named(node, wants);
        if named.is_empty() {
            return false;
        }
        let ids: BTreeMap<String, Uuid> =
            named.iter().map(|each| (each.asked.key.0.clone(), self.topic_id(&each.asked.key.0))).collect();
        self.ask_node(now, node, ApiKey::Fetch, named, Tag::Tail, |named, version| {
            fetch(named, &ids, version)
        })
    }

    pub(super) fn ask_node<R: translator_kafka::codec::Request>(
        &mut self,
        now: Now,
        node: i32,
        api: ApiKey,
        named: Vec<Named>,
        tag: impl FnOnce(Vec<Asked>) -> Tag,
        request: impl FnOnce(&[Named], i16) -> R,
    ) -> bool {
        let asked = named.iter().map(|each| each.asked.clone()).collect();
        let sent =
            self.call(now, LinkId::Questions(node), (api, ANY), tag(asked), Duration::ZERO, |version| {
                request(&named, version)
            });
        if sent {
            self.note_asked(node, &named);
        }
        sent
    }

    pub(super) fn see_ends(&mut self, now: Now, asked: &[Asked], answer: &ListOffsetsResponse) {
        let found = offsets(answer);
        let mut refresh = false;
        for each in asked {
            let Some(partition) = self.asker(each) else { continue };
            partition.asked = None;
            match found.get(&(each.key.0.as_str(), each.key.1)).copied() {
                Some((0, Some(end))) => partition.end_told(now, end),
                Some((code, _)) => {
                    partition.unanswered(now, code);
                    refresh = true;
                }
                None => partition.unanswered(now, ErrorCode::UnknownServerError.code()),
            }
        }
        if refresh {
            self.refresh(now);
        }
    }

    pub(super) fn see_tail(&mut self, now: Now, asked: &[Asked], answer: &FetchResponse) {
        let mut found: BTreeMap<(Uuid, &str, i32), &PartitionData> = BTreeMap::new();
        for topic in &answer.responses {
            for data in &topic.partitions {
                found.insert((topic.topic_id, topic.topic.as_str(), data.partition_index), data);
            }
        }
        let (mut refresh, mut below) = (answer.error_code != 0, Vec::new());
        for each in asked {
            let id = self.topic_id(&each.key.0);
            let by_name = (Uuid::default(), each.key.0.as_str(), each.key.1);
            let data = found.get(&(id, "", each.key.1)).or_else(|| found.get(&by_name)).copied();
            let Some(partition) = self.asker(each) else { continue };
            partition.asked = None;
            match data.map(|data| (data, ErrorCode::from_code(data.error_code))) {
                Some((data, Some(ErrorCode::None))) => partition.take_tail(now, data),
                Some((_, Some(ErrorCode::OffsetOutOfRange))) => below.push(each.clone()),
                Some((data, _)) => {
                    partition.unanswered(now, data.error_code);
                    refresh = true;
                }
                None => partition.unanswered(now, answer.error_code),
            }
        }
        if refresh {
            self.refresh(now);
        }
        self.ask_starts(now, below);
    }

    /// A read out of range: legacy's own retention may have removed what was to be compared.
    fn ask_starts(&mut self, now: Now, below: Vec<Asked>) {
        let mut by_node: BTreeMap<i32, Vec<Named>> = BTreeMap::new();
        for asked in below {
            if let Some(partition) = self.asker(&asked) {
                let named = Named { asked, leader_epoch: partition.leader_epoch, from: 0 };
                by_node.entry(partition.leader).or_default().push(named);
            }
        }
        for (node, named) in by_node {
            let request = list_offsets(&named, EARLIEST, CONSUMER);
            self.ask_node(now, node, ApiKey::ListOffsets, named, Tag::Starts, |_, _| request);
        }
    }

    pub(super) fn see_starts(&mut self, now: Now, asked: &[Asked], answer: &ListOffsetsResponse) {
        let found = offsets(answer);
        for each in asked {
            let Some(partition) = self.asker(each) else { continue };
            partition.asked = None;
            match found.get(&(each.key.0.as_str(), each.key.1)).copied() {
                Some((0, Some(start))) => partition.start_told(now, start),
                Some((code, _)) => partition.unanswered(now, code),
                None => partition.unanswered(now, ErrorCode::UnknownServerError.code()),
            }
        }
    }

    fn ask_deletions(&mut self, now: Now, node: i32) -> bool {
        let named = self.named(node, |partition| partition.wants_deleted(now));
        if named.is_empty() {
            return false;
        }
        let request = delete_records(&named);
        let asked = named.iter().map(|each| each.asked.clone()).collect();
        let link = LinkId::Questions(node);
        let sent =
            self.call(now, link, (ApiKey::DeleteRecords, ANY), Tag::Delete(asked), DELETE_WAIT, |_| request);
        for each in named.iter().filter(|_| sent) {
            if let Some(partition) = self.partitions.get_mut(&each.asked.key) {
                partition.deleting = Some(node);
            }
        }
        sent
    }

    pub(super) fn see_deleted(&mut self, now: Now, asked: &[Asked], answer: &DeleteRecordsResponse) {
        let results = answer.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|each| ((topic.name.as_str(), each.partition_index), each))
        });
        let results: BTreeMap<_, _> = results.collect();
        for each in asked {
            // Whatever else has happened since: legacy has removed them.
            let Some(partition) = self.partitions.get_mut(&each.key) else { continue };
            partition.deleting = None;
            let result = results.get(&(each.key.0.as_str(), each.key.1)).copied();
            match result.map(|result| (result.error_code, u64::try_from(result.low_watermark))) {
                Some((0, Ok(start))) => {
                    let before = partition.legacy_start.replace(start);
                    let (topic, partition) = each.key.clone();
                    if before != Some(start) {
                        self.facts.push_back(ReverseFact::Deleted { topic, partition, start });
                    }
                }
                Some((code, _)) => {
                    partition.trouble = Some(format!("records are not removed: {}", named(code)));
                    partition.delete_due = now.deadline(DELETE_REST);
                }
                None => partition.delete_due = now.deadline(DELETE_REST),
            }
        }
    }
}

impl Partition {
    fn end_told(&mut self, now: Now, end: u64) {
        self.check_due = now.deadline(CHECK_EVERY);
        if matches!(self.stage, Stage::Settling(_)) {
            return self.end_known(now, end);
        }
        // The generation is the same: nothing was sent since it was asked.
        if self.position == Some(end) {
            self.checked = Some(self.generation);
            self.unplaced = None;
            self.trouble = None;
        } else if self.in_flight.is_none() {
            self.settle(now, Duration::ZERO);
        }
    }

    fn start_told(&mut self, now: Now, start: u64) {
        self.legacy_start = Some(start);
        let Stage::Settling(settling) = &self.stage else { return };
        if start > settling.legacy.next {
            self.compare_from(now, start);
        } else {
            // Not below its start: legacy's end has moved.
            self.settle(now, REST);
        }
    }

    fn take_tail(&mut self, now: Now, data: &PartitionData) {
        if let Ok(start) = u64::try_from(data.log_start_offset) {
            self.legacy_start = Some(start);
        }
        let mut records = data.records.clone().unwrap_or_default();
        let batches = match split(&mut records) {
            Ok(batches) => batches,
            Err(error) => {
                self.trouble = Some(format!("legacy sent a damaged batch: {error}"));
                return self.settle(now, REST);
            }
        };
        if batches.is_empty() {
            // What legacy holds is not replicated yet.
            self.rests_until = self.rests_until.max(now.deadline(REST));
            return;
        }
        self.take_prints(now, true, batches.iter());
    }
}

/// Error and offset of each partition of an answer.
fn offsets(answer: &ListOffsetsResponse) -> BTreeMap<(&str, i32), (i16, Option<u64>)> {
    let topics = answer.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|each| {
            let offset = u64::try_from(each.offset).ok();
            ((topic.name.as_str(), each.partition_index), (each.error_code, offset))
        })
    });
    topics.collect()
}

/// Partitions by topic.
fn by_topic(named: &[Named]) -> BTreeMap<&str, Vec<&Named>> {
    let mut topics: BTreeMap<&str, Vec<&Named>> = BTreeMap::new();
    for each in named {
        topics.entry(each.asked.key.0.as_str()).or_default().push(each);
    }
    topics
}

fn list_offsets(named: &[Named], timestamp: i64, replica_id: i32) -> ListOffsetsRequest {
    let partition = |each: &&Named| ListOffsetsPartition {
        partition_index: each.asked.key.1,
        // A broker that does not lead under this epoch, or not any more, must not answer.
        current_leader_epoch: each.leader_epoch,
        timestamp,
        ..Default::default()
    };
    let topic = |(name, partitions): (&str, Vec<&Named>)| ListOffsetsTopic {
        name: Str::from(name),
        partitions: partitions.iter().map(partition).collect(),
        ..Default::default()
    };
    let topics = by_topic(named).into_iter().map(topic).collect();
    ListOffsetsRequest { replica_id, isolation_level: 0, topics, ..Default::default() }
}

fn fetch(named: &[Named], ids: &BTreeMap<String, Uuid>, version: i16) -> FetchRequest {
    let by_id = version >= FETCH_BY_ID_SINCE;
    let partition = |each: &&Named| FetchPartition {
        partition: each.asked.key.1,
        current_leader_epoch: each.leader_epoch,
        fetch_offset: i64::try_from(each.from).unwrap_or(i64::MAX),
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: TAIL_PARTITION_BYTES,
        ..Default::default()
    };
    let topic = |(name, partitions): (&str, Vec<&Named>)| FetchTopic {
        topic: if by_id { Str::default() } else { Str::from(name) },
        topic_id: ids.get(name).copied().filter(|_| by_id).unwrap_or_default(),
        partitions: partitions.iter().map(partition).collect(),
        ..Default::default()
    };
    FetchRequest {
        replica_id: -1,
        max_wait_ms: 0,
        min_bytes: 0,
        max_bytes: TAIL_BYTES_MAX,
        isolation_level: 0,
        session_id: 0,
        session_epoch: -1,
        topics: by_topic(named).into_iter().map(topic).collect(),
        ..Default::default()
    }
}

fn delete_records(named: &[Named]) -> DeleteRecordsRequest {
    let partition = |each: &&Named| DeleteRecordsPartition {
        partition_index: each.asked.key.1,
        offset: i64::try_from(each.from).unwrap_or(i64::MAX),
        ..Default::default()
    };
    let topic = |(name, partitions): (&str, Vec<&Named>)| DeleteRecordsTopic {
        name: Str::from(name),
        partitions: partitions.iter().map(partition).collect(),
        ..Default::default()
    };
    DeleteRecordsRequest {
        topics: by_topic(named).into_iter().map(topic).collect(),
        timeout_ms: i32::try_from(DELETE_WAIT.as_millis()).unwrap_or(i32::MAX),
        ..Default::default()
    }
}

/// Topic and partition of an answer's row.
pub(super) type Row<'a> = (Uuid, &'a str, i32);

/// The row of a partition, by id or by name, as the request named it.
pub(super) fn row_of<'a, T: Copy>(rows: &BTreeMap<Row<'a>, T>, id: Uuid, key: &'a Key) -> Option<T> {
    let by_id = rows.get(&(id, "", key.1));
    by_id.or_else(|| rows.get(&(Uuid::default(), key.0.as_str(), key.1))).copied()
}

impl ClosedReason {
    /// Legacy refuses a batch for what it is.
    pub(super) fn refused(at: u64, code: i16) -> Self {
        Self::Refused { at, code, error: named(code) }
    }
}
