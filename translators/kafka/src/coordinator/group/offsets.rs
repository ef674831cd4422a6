//! OffsetCommit, OffsetFetch and OffsetDelete.
//!
//! A fetch sees what is durable. What is on its way to the disk is counted per partition, so that
//! deletion and expiry, which come behind it, neither miss it nor remove it.

use std::collections::BTreeSet;

use kernel_model::commit::Op;

use super::desk::{Pending, Turn};
use super::member::Caller;
use super::snapshot::{CommittedOffset, OffsetKey};
use super::state::{Group, Phase};
use super::stored;
use crate::codec::Str;
use crate::codec::messages::offset_commit_request::OffsetCommitRequestPartition;
use crate::codec::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::codec::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::codec::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
};
use crate::errors::ErrorCode;

/// First version of OffsetCommit that members of the consumer protocol may use.
const MEMBER_EPOCH_FROM: i16 = 9;

/// An offset that nobody has committed.
pub(super) const NO_OFFSET: CommittedOffset = CommittedOffset {
    offset: -1,
    leader_epoch: -1,
    metadata: Str::from_static(""),
    commit_timestamp_ms: -1,
    expire_timestamp_ms: None,
};

/// A commit's answer with one outcome for every partition.
pub(super) fn commit_response(request: &OffsetCommitRequest, refusal: ErrorCode) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| OffsetCommitResponseTopic {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(|one| outcome(one, Err(refusal))).collect(),
        ..OffsetCommitResponseTopic::default()
    });
    OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
}

fn outcome(
    partition: &OffsetCommitRequestPartition,
    outcome: Result<(), ErrorCode>,
) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: outcome.err().map_or(0, ErrorCode::code),
        ..OffsetCommitResponsePartition::default()
    }
}

impl Group {
    /// Commits offsets; the answer follows when they are durable.
    pub(super) fn commit_offsets(
        &mut self,
        turn: &mut Turn<'_>,
        request: &OffsetCommitRequest,
        caller: Caller,
    ) {
        if let Err(refusal) = self.validate_commit(request, caller.version) {
            return turn.desk.answer(caller, &commit_response(request, refusal));
        }
        if matches!(self.phase, Phase::Stable { .. } | Phase::Preparing { .. }) {
            self.touch(turn.now, &request.member_id);
        }
        let mut response = OffsetCommitResponse::default();
        let mut entries = Vec::new();
        for topic in &request.topics {
            let partitions = topic.partitions.iter().map(|partition| {
                let key = OffsetKey { topic: topic.name.clone(), partition: partition.partition_index };
                let checked = self.check_commit(turn, &key, partition, entries.len());
                if checked.is_ok() {
                    entries.push((key, committed(turn, request, partition)));
                }
                outcome(partition, checked)
            });
            let topic = OffsetCommitResponseTopic {
                name: topic.name.clone(),
                partitions: partitions.collect(),
                ..OffsetCommitResponseTopic::default()
            };
            response.topics.push(topic);
        }
        if entries.is_empty() {
            return turn.desk.answer(caller, &response);
        }
        let ops = entries.iter().map(|(key, offset)| stored::put_offset(&self.id, key, offset)).collect();
        self.count_in_flight(&entries);
        let group = self.id.clone();
        turn.desk.commit(ops, Pending::Offsets { group, entries, caller, response });
    }

    fn validate_commit(&self, request: &OffsetCommitRequest, version: i16) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        // A consumer without group management, or an administrator.
        if generation < 0 && self.is_empty() {
            return Ok(());
        }
        if let Some(consumer) = self.consumer.as_ref().filter(|consumer| !consumer.members.is_empty()) {
            consumer.validate_epoch(&request.member_id, generation)?;
            let knows = version >= MEMBER_EPOCH_FROM;
            return if knows { Ok(()) } else { Err(ErrorCode::UnsupportedVersion) };
        }
        if generation < 0 && request.member_id.is_empty() && request.group_instance_id.is_none() {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate_member(&request.member_id, request.group_instance_id.as_ref())?;
        if generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        // It knows of the generation but cannot have its assignment yet.
        if matches!(self.phase, Phase::Completing { .. }) {
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    fn check_commit(
        &self,
        turn: &Turn<'_>,
        key: &OffsetKey,
        partition: &OffsetCommitRequestPartition,
        taken: usize,
    ) -> Result<(), ErrorCode> {
        let metadata = partition.committed_metadata.as_ref().map_or(0, |text| text.as_bytes().len());
        if metadata > turn.limits.offset_metadata_bytes_max {
            return Err(ErrorCode::OffsetMetadataTooLarge);
        }
        let held = self.offsets.len() + self.in_flight.len() + taken;
        if held >= turn.limits.group_offsets_max && !self.offsets.contains_key(key) {
            return Err(ErrorCode::InvalidCommitOffsetSize);
        }
        Ok(())
    }

    pub(super) fn count_in_flight(&mut self, entries: &[(OffsetKey, CommittedOffset)]) {
        for (key, _) in entries {
            *self.in_flight.entry(key.clone()).or_default() += 1;
        }
    }

    pub(super) fn settle_in_flight(&mut self, entries: &[(OffsetKey, CommittedOffset)]) {
        for (key, _) in entries {
            if let Some(count) = self.in_flight.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    self.in_flight.remove(key);
                }
            }
        }
    }

    /// Takes durable offsets over.
    pub(super) fn apply_offsets(&mut self, entries: Vec<(OffsetKey, CommittedOffset)>) {
        for (key, offset) in entries {
            self.apply_offset(key, offset);
        }
    }

    pub(super) fn apply_offset(&mut self, key: OffsetKey, offset: CommittedOffset) {
        // What is kept must not keep the request's frame alive.
        let offset = CommittedOffset { metadata: offset.metadata.detached(), ..offset };
        if let Some(held) = self.offsets.get_mut(&key) {
            *held = offset;
        } else {
            self.offsets.insert(OffsetKey { topic: key.topic.detached(), ..key }, offset);
        }
    }

    /// Deletes offsets of topics that no member reads.
    pub(super) fn delete_offsets(
        &mut self,
        turn: &mut Turn<'_>,
        request: &OffsetDeleteRequest,
        caller: Caller,
    ) {
        if !self.is_empty() && !self.uses_consumer_protocol() {
            return turn.desk.answer(caller, &delete_refused(ErrorCode::NonEmptyGroup));
        }
        let mut response = OffsetDeleteResponse::default();
        let mut keys = Vec::new();
        for topic in &request.topics {
            let subscribed = self.is_subscribed(&topic.name);
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                let key = OffsetKey { topic: topic.name.clone(), partition: partition.partition_index };
                if !subscribed && (self.offsets.contains_key(&key) || self.in_flight.contains_key(&key)) {
                    keys.push(key);
                }
                partitions.push(OffsetDeleteResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: if subscribed { ErrorCode::GroupSubscribedToTopic.code() } else { 0 },
                });
            }
            response.topics.push(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions });
        }
        if keys.is_empty() {
            return turn.desk.answer(caller, &response);
        }
        let ops = keys.iter().map(|key| stored::delete_offset(&self.id, key)).collect();
        let group = self.id.clone();
        turn.desk.commit(ops, Pending::OffsetsDeleted { group, keys, caller, response });
    }

    /// What is committed for these topics, what is on its way included.
    pub(super) fn offsets_of(&self, topics: &BTreeSet<Str>) -> Vec<OffsetKey> {
        let concerned = |key: &&OffsetKey| topics.contains(&key.topic);
        let mut keys: Vec<OffsetKey> = self.offsets.keys().filter(concerned).cloned().collect();
        let coming = self.in_flight.keys().filter(concerned);
        keys.extend(coming.filter(|key| !self.offsets.contains_key(key)).cloned());
        keys
    }

    pub(super) fn drop_offsets(&mut self, keys: &[OffsetKey]) {
        for key in keys {
            self.offsets.remove(key);
        }
    }

    /// Deletes everything that is stored of the group, what is on its way included.
    pub(super) fn deletion(&self) -> Vec<Op> {
        let mut keys: Vec<&OffsetKey> = self.offsets.keys().collect();
        keys.extend(self.in_flight.keys().filter(|key| !self.offsets.contains_key(key)));
        let offsets = keys.into_iter().map(|key| stored::delete_offset(&self.id, key));
        let consumer = self.consumer.iter().flat_map(|consumer| consumer.deletion(&self.id));
        let group = [stored::delete_group(&self.id)];
        offsets.chain(self.open_deletion()).chain(group).chain(consumer).collect()
    }
}

/// An OffsetDelete that is refused as a whole.
pub(super) fn delete_refused(refusal: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse { error_code: refusal.code(), ..OffsetDeleteResponse::default() }
}

fn committed(
    turn: &Turn<'_>,
    request: &OffsetCommitRequest,
    partition: &OffsetCommitRequestPartition,
) -> CommittedOffset {
    let now_ms = turn.now.wall_ms;
    let retention_ms = request.retention_time_ms;
    CommittedOffset {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.clone().unwrap_or_default(),
        commit_timestamp_ms: now_ms,
        expire_timestamp_ms: (retention_ms != -1).then(|| now_ms.saturating_add(retention_ms)),
    }
}
