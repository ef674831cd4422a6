//! Offsets that belong to a transaction: kept apart until it ends.
//!
//! ```text
//! message    u16 0xFFFE | i64 guard (−1: none) | TxnOffsetCommit frame without its size prefix
//! reply      u8 0 | body of the response
//!            u8 1 | i64 guard: somebody has to vouch for the transaction, then ask again with this guard
//! ```
//!
//! The first offsets of a transaction are taken only under a guard: a number that any end of a transaction of
//! the same producer makes worthless. A commit that was late on its way can then never leave offsets behind
//! that no end will come for.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kernel_model::commit::Op;
use kernel_model::time::Now;

use super::desk::{Pending, Turn};
use super::member::Caller;
use super::packing::{Packed, PackedError, Unpacker};
use super::snapshot::{CommittedOffset, OffsetKey};
use super::state::Group;
use super::{GroupCoordinator, stored};
use crate::codec::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::codec::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use crate::codec::{Message as _, Str, frame};
use crate::coordinator::transaction::message::{GROUP_END, GroupEnd};
use crate::errors::ErrorCode;

/// Begins a message of this kind; no host is that long.
const MARK: u16 = 0xfffe;
/// First byte of a reply.
const ANSWERED: u8 = 0;
const UNVERIFIED: u8 = 1;
/// Producers whose last end is remembered one by one.
const ENDS_REMEMBERED: usize = 4_096;

/// A message with a guard.
#[must_use]
pub fn txn_offset_commit_message(guard: Option<i64>, request: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(10 + request.len());
    out.put_u16(MARK);
    out.put_i64(guard.unwrap_or(-1));
    out.put_slice(request);
    out.freeze()
}

/// What a message with a guard is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TxnOffsetCommitReply {
    /// The body of the response.
    Answered(Bytes),
    /// To be repeated with this guard, once the transaction is vouched for.
    Unverified(i64),
}

impl TxnOffsetCommitReply {
    /// Reads a reply; `None` when it is none.
    #[must_use]
    pub fn read(mut reply: Bytes) -> Option<Self> {
        match reply.try_get_u8().ok()? {
            ANSWERED => Some(Self::Answered(reply)),
            UNVERIFIED => reply.try_get_i64().ok().map(Self::Unverified),
            _ => None,
        }
    }

    fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::new();
        match self {
            Self::Answered(body) => {
                out.put_u8(ANSWERED);
                out.put_slice(body);
            }
            Self::Unverified(guard) => {
                out.put_u8(UNVERIFIED);
                out.put_i64(*guard);
            }
        }
        out.freeze()
    }
}

/// Offsets of one producer's open transaction in one group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct OpenOffsets {
    pub(super) epoch: i16,
    pub(super) offsets: BTreeMap<OffsetKey, CommittedOffset>,
    /// Its end is on its way to the disk.
    pub(super) is_ending: bool,
}

/// An offset as it is stored while its transaction is open.
pub(super) struct StoredOpen {
    pub(super) epoch: i16,
    pub(super) offset: CommittedOffset,
}

impl Packed for StoredOpen {
    const BYTES_MIN: usize = 2 + CommittedOffset::BYTES_MIN;

    fn pack(&self, out: &mut BytesMut) {
        out.put_i16(self.epoch);
        self.offset.pack(out);
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        Ok(Self { epoch: from.get()?, offset: from.get()? })
    }
}

/// When producers' transactions ended last, by a count of all ends. Not kept over a restart: whoever holds a
/// guard has gone with the process.
#[derive(Debug, Default)]
pub(super) struct Ends {
    count: i64,
    last: BTreeMap<i64, i64>,
    /// Ends up to here may be forgotten.
    forgotten: i64,
}

impl Ends {
    fn note(&mut self, producer_id: i64) {
        self.count += 1;
        self.last.insert(producer_id, self.count);
        if self.last.len() > ENDS_REMEMBERED {
            let oldest = self.last.iter().min_by_key(|(_, at)| **at).map(|(id, at)| (*id, *at));
            if let Some((id, at)) = oldest {
                self.last.remove(&id);
                self.forgotten = self.forgotten.max(at);
            }
        }
    }

    fn holds(&self, producer_id: i64, guard: i64) -> bool {
        let last = self.last.get(&producer_id).copied().unwrap_or(self.forgotten);
        guard >= last && guard <= self.count
    }
}

/// A request with its header taken off.
struct Call {
    caller: Caller,
    guard: Option<i64>,
    request: TxnOffsetCommitRequest,
}

/// Reads a message of this kind; `Some(None)`: it is one and cannot be read.
fn open(id: kernel_model::coordinator::MessageId, message: &Bytes) -> Option<Option<Call>> {
    let mut rest = message.clone();
    if rest.try_get_u16() != Ok(MARK) {
        return None;
    }
    let read = || {
        let guard = rest.try_get_i64().ok()?;
        let (header, body) = frame::read_request_header(rest).ok()?;
        let version = header.request_api_version;
        let request = TxnOffsetCommitRequest::decode_request(body, version).ok()?;
        let caller = Caller { message: id, version };
        Some(Call { caller, guard: (guard >= 0).then_some(guard), request })
    };
    Some(read())
}

impl GroupCoordinator {
    /// Takes a message of this kind; `false`: it is another.
    pub(super) fn on_transactional(
        &mut self,
        now: Now,
        id: kernel_model::coordinator::MessageId,
        message: &Bytes,
    ) -> bool {
        match open(id, message) {
            None => return false,
            Some(None) => self.desk.reply(id, Bytes::new()),
            Some(Some(call)) => self.on_txn_commit(now, &call),
        }
        true
    }

    fn on_txn_commit(&mut self, now: Now, call: &Call) {
        let request = &call.request;
        if let Err(refusal) = self.admit_txn_commit(request) {
            return answer(&mut self.desk, call.caller, &refused(request, refusal));
        }
        let producer = request.producer_id;
        let held = self.groups.get(&request.group_id).and_then(|group| group.open.get(&producer));
        let outcome = match held {
            Some(held) if held.is_ending => Err(ErrorCode::ConcurrentTransactions),
            Some(held) if request.producer_epoch < held.epoch => Err(ErrorCode::InvalidProducerEpoch),
            Some(held) if request.producer_epoch == held.epoch => Ok(true),
            _ => Ok(call.guard.is_some_and(|guard| self.ends.holds(producer, guard))),
        };
        match outcome {
            Err(refusal) => answer(&mut self.desk, call.caller, &refused(request, refusal)),
            Ok(false) => {
                let reply = TxnOffsetCommitReply::Unverified(self.ends.count);
                self.desk.reply(call.caller.message, reply.to_bytes());
            }
            Ok(true) => {
                let admitted = self.admit_txn_member(request).and_then(|()| self.create(&request.group_id));
                if let Err(refusal) = admitted {
                    return answer(&mut self.desk, call.caller, &refused(request, refusal));
                }
                self.with_group(now, &request.group_id, |group, turn| {
                    group.commit_in_transaction(turn, request, call.caller);
                });
            }
        }
    }

    fn admit_txn_commit(&self, request: &TxnOffsetCommitRequest) -> Result<(), ErrorCode> {
        self.named_admission(&request.group_id)?;
        self.bound_commits()?;
        let catalog = self.catalog.load();
        if request.topics.iter().any(|topic| catalog.unforgotten_id(&topic.name).is_some()) {
            return Err(ErrorCode::UnknownTopicOrPartition);
        }
        Ok(())
    }

    /// Judges the member, once the transaction is known to take the group in.
    fn admit_txn_member(&self, request: &TxnOffsetCommitRequest) -> Result<(), ErrorCode> {
        if let Some(group) = self.groups.get(&request.group_id) {
            return group.validate_txn_commit(request);
        }
        let unknown = request.generation_id_or_member_epoch >= 0;
        if unknown { Err(ErrorCode::IllegalGeneration) } else { Ok(()) }
    }

    /// A coordinator's message: a transaction has ended.
    pub(super) fn on_end(&mut self, key: Bytes, action: &Bytes) {
        let is_end = key.get(1) == Some(&GROUP_END);
        let Some(end) = GroupEnd::read(action).filter(|_| is_end) else {
            let pending = Pending::Ended { group: Str::default(), producer_id: -1, entries: Vec::new() };
            self.desk.commit(vec![Op::TimerCancel { key }], pending);
            return;
        };
        self.ends.note(end.producer_id);
        let group_id = Str::from(end.at.group.as_str());
        let mut ops = vec![Op::TimerCancel { key }, end.told.send(end.at.shard)];
        let mut entries = Vec::new();
        if let Some(group) = self.groups.get_mut(&group_id) {
            match group.begin_end(end.producer_id, end.commit) {
                // A repeat of a message whose commit is on its way.
                None => return,
                Some((more, counted)) => {
                    ops.extend(more);
                    entries = counted;
                }
            }
        }
        let pending = Pending::Ended { group: group_id, producer_id: end.producer_id, entries };
        self.desk.commit(ops, pending);
    }
}

impl Group {
    fn validate_txn_commit(&self, request: &TxnOffsetCommitRequest) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        let anonymous = request.member_id.is_empty() && request.group_instance_id.is_none();
        // A producer that knows no group metadata commits whatever the group does.
        if generation < 0 && (anonymous || self.is_empty()) {
            return Ok(());
        }
        if let Some(consumer) = self.consumer.as_ref().filter(|consumer| !consumer.members.is_empty()) {
            return consumer.validate_epoch(&request.member_id, generation);
        }
        self.validate_member(&request.member_id, request.group_instance_id.as_ref())?;
        if generation == self.generation { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    fn commit_in_transaction(
        &mut self,
        turn: &mut Turn<'_>,
        request: &TxnOffsetCommitRequest,
        caller: Caller,
    ) {
        let mut response = TxnOffsetCommitResponse::default();
        let mut entries: Vec<(OffsetKey, CommittedOffset)> = Vec::new();
        for topic in &request.topics {
            let mut answered =
                TxnOffsetCommitResponseTopic { name: topic.name.clone(), ..Default::default() };
            for partition in &topic.partitions {
                let metadata = partition.committed_metadata.clone().unwrap_or_default();
                let key = OffsetKey { topic: topic.name.detached(), partition: partition.partition_index };
                let checked = self.check_txn_offset(turn, &key, &metadata, entries.len());
                if checked.is_ok() {
                    let offset = CommittedOffset {
                        offset: partition.committed_offset,
                        leader_epoch: partition.committed_leader_epoch,
                        metadata: metadata.detached(),
                        commit_timestamp_ms: turn.now.wall_ms,
                        expire_timestamp_ms: None,
                    };
                    entries.push((key, offset));
                }
                answered.partitions.push(TxnOffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: checked.err().map_or(0, ErrorCode::code),
                    ..Default::default()
                });
            }
            response.topics.push(answered);
        }
        if entries.is_empty() {
            return answer(turn.desk, caller, &response);
        }
        let (producer, epoch) = (request.producer_id, request.producer_epoch);
        let ops =
            entries.iter().map(|(key, offset)| stored::put_open(&self.id, producer, epoch, key, offset));
        let ops = ops.collect();
        // At once: an end that comes behind this commit must find them. A reader only learns that
        // something is open.
        let held = self.open.entry(producer).or_default();
        held.epoch = epoch;
        let before = entries
            .iter()
            .map(|(key, offset)| (key.clone(), held.offsets.insert(key.clone(), offset.clone())));
        let before = before.collect();
        let group = self.id.clone();
        turn.desk
            .commit(ops, Pending::InTransaction { group, producer_id: producer, before, caller, response });
    }

    fn check_txn_offset(
        &self,
        turn: &Turn<'_>,
        key: &OffsetKey,
        metadata: &Str,
        taken: usize,
    ) -> Result<(), ErrorCode> {
        if metadata.as_bytes().len() > turn.limits.offset_metadata_bytes_max {
            return Err(ErrorCode::OffsetMetadataTooLarge);
        }
        let open: usize = self.open.values().map(|held| held.offsets.len()).sum();
        let held = self.offsets.len() + self.in_flight.len() + open + taken;
        if held >= turn.limits.group_offsets_max && !self.offsets.contains_key(key) {
            return Err(ErrorCode::InvalidCommitOffsetSize);
        }
        Ok(())
    }

    /// The commit of open offsets was refused: they are as before.
    pub(super) fn not_in_transaction(
        &mut self,
        producer_id: i64,
        before: Vec<(OffsetKey, Option<CommittedOffset>)>,
    ) {
        let Some(held) = self.open.get_mut(&producer_id) else { return };
        for (key, offset) in before {
            match offset {
                Some(offset) => drop(held.offsets.insert(key, offset)),
                None => drop(held.offsets.remove(&key)),
            }
        }
        if held.offsets.is_empty() {
            self.open.remove(&producer_id);
        }
    }

    /// What the end of a producer's transaction changes, and the offsets that count from then on; `None`:
    /// it is on its way already.
    #[allow(clippy::type_complexity, reason = "operations and entries, as every commit of offsets has them")]
    fn begin_end(
        &mut self,
        producer_id: i64,
        commit: bool,
    ) -> Option<(Vec<Op>, Vec<(OffsetKey, CommittedOffset)>)> {
        let Some(held) = self.open.get_mut(&producer_id) else { return Some((Vec::new(), Vec::new())) };
        if held.is_ending {
            return None;
        }
        held.is_ending = true;
        let mut ops: Vec<Op> =
            held.offsets.keys().map(|key| stored::delete_open(&self.id, producer_id, key)).collect();
        let mut counted = Vec::new();
        for (key, offset) in held.offsets.iter().filter(|_| commit) {
            // The last write wins: what was committed plainly after these stays.
            let later =
                self.offsets.get(key).filter(|there| there.commit_timestamp_ms > offset.commit_timestamp_ms);
            if later.is_none() {
                ops.push(stored::put_offset(&self.id, key, offset));
                counted.push((key.clone(), offset.clone()));
            }
        }
        self.count_in_flight(&counted);
        Some((ops, counted))
    }

    /// The end is durable.
    pub(super) fn ended(&mut self, producer_id: i64, entries: Vec<(OffsetKey, CommittedOffset)>) {
        self.open.remove(&producer_id);
        self.settle_in_flight(&entries);
        self.apply_offsets(entries);
    }

    /// The end was refused; its message comes again.
    pub(super) fn not_ended(&mut self, producer_id: i64, entries: &[(OffsetKey, CommittedOffset)]) {
        self.settle_in_flight(entries);
        if let Some(held) = self.open.get_mut(&producer_id) {
            held.is_ending = false;
        }
    }

    /// Whether an open transaction has an offset for this partition.
    pub(super) fn is_unstable(&self, key: &OffsetKey) -> bool {
        self.open.values().any(|held| held.offsets.contains_key(key))
    }

    pub(super) fn apply_open(&mut self, producer_id: i64, key: OffsetKey, stored: StoredOpen) {
        let held = self.open.entry(producer_id).or_default();
        held.epoch = stored.epoch;
        let offset = CommittedOffset { metadata: stored.offset.metadata.detached(), ..stored.offset };
        held.offsets.insert(OffsetKey { topic: key.topic.detached(), ..key }, offset);
    }

    /// Topics are gone: their offsets are taken out of open transactions, whose end must not bring them back.
    pub(super) fn forget_open(&mut self, topics: &BTreeSet<Str>) -> Vec<Op> {
        let mut ops = Vec::new();
        for (&producer_id, held) in self.open.iter_mut().filter(|(_, held)| !held.is_ending) {
            let gone = held.offsets.extract_if(.., |key, _| topics.contains(&key.topic));
            ops.extend(gone.map(|(key, _)| stored::delete_open(&self.id, producer_id, &key)));
        }
        self.open.retain(|_, held| !held.offsets.is_empty());
        ops
    }

    /// Deletes what is stored of open transactions.
    pub(super) fn open_deletion(&self) -> impl Iterator<Item = Op> + '_ {
        self.open.iter().flat_map(move |(&producer_id, held)| {
            held.offsets.keys().map(move |key| stored::delete_open(&self.id, producer_id, key))
        })
    }
}

pub(super) fn answer(desk: &mut super::desk::Desk, caller: Caller, response: &TxnOffsetCommitResponse) {
    let Ok(body) = response.to_bytes(caller.version) else { return desk.reply(caller.message, Bytes::new()) };
    desk.reply(caller.message, TxnOffsetCommitReply::Answered(body).to_bytes());
}

/// An answer with one outcome for every partition.
pub fn refused(request: &TxnOffsetCommitRequest, code: ErrorCode) -> TxnOffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| TxnOffsetCommitResponseTopic {
        name: topic.name.detached(),
        topic_id: topic.topic_id,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| TxnOffsetCommitResponsePartition {
                partition_index: partition.partition_index,
                error_code: code.code(),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    TxnOffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}
