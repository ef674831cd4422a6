//! OffsetFetch: one group up to version 7, any number from version 8.

use std::collections::BTreeMap;

use super::offsets::NO_OFFSET;
use super::snapshot::{CommittedOffset, OffsetKey};
use super::state::Group;
use crate::codec::Str;
use crate::codec::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use crate::codec::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::codec::messages::{OffsetFetchRequest, OffsetFetchResponse};
use crate::errors::ErrorCode;

/// From this version a request names any number of groups.
const GROUPS_FROM: i16 = 8;
/// From this version an error of the group has a field of its own.
const GROUP_ERROR_FROM: i16 = 2;

/// The groups a request asks for, in the form of version 8.
pub(super) fn wanted(request: &OffsetFetchRequest, version: i16) -> Vec<OffsetFetchRequestGroup> {
    if version >= GROUPS_FROM {
        return request.groups.clone();
    }
    let topics = request.topics.as_ref().map(|topics| {
        let topic = |topic: &crate::codec::messages::offset_fetch_request::OffsetFetchRequestTopic| {
            OffsetFetchRequestTopics {
                name: topic.name.clone(),
                partition_indexes: topic.partition_indexes.clone(),
                ..OffsetFetchRequestTopics::default()
            }
        };
        topics.iter().map(topic).collect()
    });
    vec![OffsetFetchRequestGroup {
        group_id: request.group_id.clone(),
        topics,
        ..OffsetFetchRequestGroup::default()
    }]
}

/// The answer for one group. A group that does not exist has no offsets; that is no error.
pub(super) fn fetch(
    wanted: &OffsetFetchRequestGroup,
    group: Option<&Group>,
    refusal: Option<ErrorCode>,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let stale = group.and_then(|group| member_refusal(wanted, group));
    let refusal = refusal.or(stale);
    let served = group.filter(|_| refusal.is_none());
    let topics = match &wanted.topics {
        Some(topics) => topics.iter().map(|topic| some_of(topic, served, require_stable)).collect(),
        None => served.map(|group| all_of(group, require_stable)).unwrap_or_default(),
    };
    OffsetFetchResponseGroup {
        group_id: wanted.group_id.clone(),
        topics,
        error_code: refusal.map_or(0, ErrorCode::code),
        ..OffsetFetchResponseGroup::default()
    }
}

/// Whether the member of the consumer protocol that asks is none, or has another epoch.
fn member_refusal(wanted: &OffsetFetchRequestGroup, group: &Group) -> Option<ErrorCode> {
    let consumer = group.consumer.as_ref()?;
    if wanted.member_id.is_none() && wanted.member_epoch < 0 {
        return None;
    }
    let id = wanted.member_id.clone().unwrap_or_default();
    consumer.validate_epoch(&id, wanted.member_epoch).err()
}

fn some_of(
    topic: &OffsetFetchRequestTopics,
    group: Option<&Group>,
    require_stable: bool,
) -> OffsetFetchResponseTopics {
    let partition = |index: &i32| {
        let key = OffsetKey { topic: topic.name.clone(), partition: *index };
        if require_stable && group.is_some_and(|group| group.is_unstable(&key)) {
            return unstable(*index);
        }
        partition_of(*index, group.and_then(|group| group.offsets.get(&key)).unwrap_or(&NO_OFFSET))
    };
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        partitions: topic.partition_indexes.iter().map(partition).collect(),
        ..OffsetFetchResponseTopics::default()
    }
}

fn all_of(group: &Group, require_stable: bool) -> Vec<OffsetFetchResponseTopics> {
    let mut topics: BTreeMap<&Str, Vec<OffsetFetchResponsePartitions>> = BTreeMap::new();
    for (key, offset) in &group.offsets {
        let waits = require_stable && group.is_unstable(key);
        let answer = if waits { unstable(key.partition) } else { partition_of(key.partition, offset) };
        topics.entry(&key.topic).or_default().push(answer);
    }
    let topic = |(name, partitions): (&Str, _)| OffsetFetchResponseTopics {
        name: name.clone(),
        partitions,
        ..OffsetFetchResponseTopics::default()
    };
    topics.into_iter().map(topic).collect()
}

fn partition_of(index: i32, offset: &CommittedOffset) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: index,
        committed_offset: offset.offset,
        committed_leader_epoch: offset.leader_epoch,
        metadata: Some(offset.metadata.clone()),
        ..OffsetFetchResponsePartitions::default()
    }
}

/// An open transaction may change it: the client asks again.
fn unstable(index: i32) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        error_code: ErrorCode::UnstableOffsetCommit.code(),
        ..partition_of(index, &NO_OFFSET)
    }
}

/// The answer in the form of its version.
pub(super) fn response(groups: Vec<OffsetFetchResponseGroup>, version: i16) -> OffsetFetchResponse {
    if version >= GROUPS_FROM {
        return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
    }
    let group = groups.into_iter().next().unwrap_or_default();
    let error_code = if version < GROUP_ERROR_FROM { 0 } else { group.error_code };
    // The oldest version has an error per partition only.
    let partition_error = if version < GROUP_ERROR_FROM { group.error_code } else { 0 };
    let partition = |one: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: one.partition_index,
        committed_offset: one.committed_offset,
        committed_leader_epoch: one.committed_leader_epoch,
        metadata: one.metadata,
        error_code: if one.error_code == 0 { partition_error } else { one.error_code },
        ..OffsetFetchResponsePartition::default()
    };
    let topic = |topic: OffsetFetchResponseTopics| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
        ..OffsetFetchResponseTopic::default()
    };
    let topics = group.topics.into_iter().map(topic).collect();
    OffsetFetchResponse { topics, error_code, ..OffsetFetchResponse::default() }
}
