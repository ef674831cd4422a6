//! A consumer group as records of `__consumer_offsets`, in the layouts of Kafka's own coordinator. They are stored as
//! they are, under keys of their own, and written to the log where one is kept.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::commit::Op;

use super::super::stored;
use super::{MemberState, Partitions};
use crate::codec::messages::consumer_group_current_member_assignment_value::TopicPartitions;
use crate::codec::messages::consumer_group_target_assignment_member_value::TopicPartition;
use crate::codec::messages::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue, ConsumerGroupRegularExpressionKey, ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey, ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue,
};
use crate::codec::{CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, Uuid};

/// Key type of what topics looked like, which newer Kafkas no longer write and nobody here needs.
const TOPICS_TYPE: i16 = 4;
const RIGID: Format = Format { version: 0, flexible: false };

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberRecord {
    /// Instance id of a static member.
    pub instance_id: Option<Str>,
    /// Rack.
    pub rack_id: Option<Str>,
    /// Client id.
    pub client_id: Str,
    /// Client host.
    pub client_host: Str,
    /// Topics that it names.
    pub names: BTreeSet<Str>,
    /// Pattern of the names of topics that it wants too.
    pub pattern: Option<Str>,
    /// How long it may take to let partitions go, in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// The assignor that it prefers.
    pub assignor: Option<Str>,
    /// It speaks the classic protocol within a consumer group.
    pub is_classic: bool,
}

/// What a member has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CurrentRecord {
    /// Its epoch.
    pub epoch: i32,
    /// The one before, in case the answer that told it of its epoch was lost.
    pub previous_epoch: i32,
    /// Where it stands.
    pub state: MemberState,
    /// What it may read.
    pub assigned: Partitions,
    /// What it has to let go.
    pub revoking: Partitions,
}

impl CurrentRecord {
    /// Partitions that nobody else may have.
    pub(super) fn held(&self) -> impl Iterator<Item = (Uuid, i32)> + '_ {
        flat(&self.assigned).chain(flat(&self.revoking))
    }
}

pub(super) fn flat(partitions: &Partitions) -> impl Iterator<Item = (Uuid, i32)> + '_ {
    partitions.iter().flat_map(|(topic, numbers)| numbers.iter().map(|number| (*topic, *number)))
}

/// One record; `None` in it stands for a tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsumerRecord {
    /// Group epoch; without one the group has gone.
    Epoch(Option<i32>),
    /// A member, as it describes itself.
    Member {
        /// Member id.
        member: Str,
        /// What it says.
        about: Option<Box<MemberRecord>>,
    },
    /// For which group epoch the targets were made.
    TargetEpoch(Option<i32>),
    /// What a member is to have in the end.
    Target {
        /// Member id.
        member: Str,
        /// Its share.
        partitions: Option<Partitions>,
    },
    /// What a member has.
    Current {
        /// Member id.
        member: Str,
        /// Epoch and partitions.
        current: Option<Box<CurrentRecord>>,
    },
    /// The topics that a pattern stood for. Here it is looked for anew.
    Pattern {
        /// The pattern.
        pattern: Str,
        /// Names of the topics.
        topics: Option<Vec<Str>>,
    },
    /// What topics looked like, as older Kafkas noted it.
    Topics,
}

/// Whether a record of this key is stored.
pub(in super::super) fn is_kept(key: &[u8]) -> bool {
    let [high, low, ..] = key else { return false };
    let key_type = i16::from_be_bytes([*high, *low]);
    key_type != TOPICS_TYPE && key_type != ConsumerGroupRegularExpressionKey::RECORD_TYPE
}

/// Reads a record of a consumer group; `None` when its key is of another type. The first is the group's id.
///
/// # Errors
///
/// When it cannot be read.
pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Option<(Str, ConsumerRecord)>, DecodeError> {
    let mut rest = Reader::new(Bytes::copy_from_slice(key));
    let key_type: i16 = rest.get(RIGID)?;
    let value = value.map(Bytes::copy_from_slice);
    macro_rules! of_member {
        ($key:ident, $value:ident, $read:expr) => {{
            let key = $key::decode_rest(rest, 0)?;
            let read = value.map($value::decode_versioned).transpose()?.map(|(_, value)| $read(value));
            (key.group_id, key.member_id, read)
        }};
    }
    Ok(Some(match key_type {
        3 => {
            let key = ConsumerGroupMetadataKey::decode_rest(rest, 0)?;
            let value = value.map(ConsumerGroupMetadataValue::decode_versioned).transpose()?;
            (key.group_id, ConsumerRecord::Epoch(value.map(|(_, value)| value.epoch)))
        }
        TOPICS_TYPE => (rest.get(RIGID)?, ConsumerRecord::Topics),
        5 => {
            let (group, member, about) =
                of_member!(ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, about_of);
            (group, ConsumerRecord::Member { member, about })
        }
        6 => {
            let key = ConsumerGroupTargetAssignmentMetadataKey::decode_rest(rest, 0)?;
            let value =
                value.map(ConsumerGroupTargetAssignmentMetadataValue::decode_versioned).transpose()?;
            (key.group_id, ConsumerRecord::TargetEpoch(value.map(|(_, value)| value.assignment_epoch)))
        }
        7 => {
            let (group, member, partitions) = of_member!(
                ConsumerGroupTargetAssignmentMemberKey,
                ConsumerGroupTargetAssignmentMemberValue,
                target_of
            );
            (group, ConsumerRecord::Target { member, partitions })
        }
        8 => {
            let (group, member, current) = of_member!(
                ConsumerGroupCurrentMemberAssignmentKey,
                ConsumerGroupCurrentMemberAssignmentValue,
                current_of
            );
            (group, ConsumerRecord::Current { member, current })
        }
        ConsumerGroupRegularExpressionKey::RECORD_TYPE => {
            let key = ConsumerGroupRegularExpressionKey::decode_rest(rest, 0)?;
            let value = value.map(ConsumerGroupRegularExpressionValue::decode_versioned).transpose()?;
            let topics = value.map(|(_, value)| value.topics);
            (key.group_id, ConsumerRecord::Pattern { pattern: key.regular_expression, topics })
        }
        _ => return Ok(None),
    }))
}

fn about_of(value: ConsumerGroupMemberMetadataValue) -> Box<MemberRecord> {
    Box::new(MemberRecord {
        instance_id: value.instance_id,
        rack_id: value.rack_id,
        client_id: value.client_id,
        client_host: value.client_host,
        names: value.subscribed_topic_names.into_iter().collect(),
        pattern: value.subscribed_topic_regex.filter(|pattern| !pattern.is_empty()),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        assignor: value.server_assignor,
        is_classic: value.classic_member_metadata.is_some(),
    })
}

fn target_of(value: ConsumerGroupTargetAssignmentMemberValue) -> Partitions {
    let topics = value.topic_partitions.into_iter();
    topics.map(|topic| (topic.topic_id, topic.partitions.into_iter().collect())).collect()
}

fn current_of(value: ConsumerGroupCurrentMemberAssignmentValue) -> Box<CurrentRecord> {
    let read = |topics: Vec<TopicPartitions>| {
        topics.into_iter().map(|topic| (topic.topic_id, topic.partitions.into_iter().collect())).collect()
    };
    Box::new(CurrentRecord {
        epoch: value.member_epoch,
        previous_epoch: value.previous_member_epoch,
        state: match value.state {
            1 => MemberState::Unrevoked,
            2 => MemberState::Unreleased,
            _ => MemberState::Stable,
        },
        assigned: read(value.assigned_partitions),
        revoking: read(value.partitions_pending_revocation),
    })
}

/// Stores a record, or deletes it for a tombstone. Every record can be written: names are as long as a request may have
/// them, and version 0 has every field that is set here.
pub(super) fn put(group: &Str, record: &ConsumerRecord) -> Option<Op> {
    let (key, value) = encode(group, record).ok()?;
    Some(stored::consumer_op(group, &key, value))
}

/// Everything that is stored of one member, deleted.
pub(super) fn gone(group: &Str, member: &Str) -> Vec<Op> {
    let of = member.clone();
    [
        ConsumerRecord::Current { member: of.clone(), current: None },
        ConsumerRecord::Target { member: of.clone(), partitions: None },
        ConsumerRecord::Member { member: of, about: None },
    ]
    .iter()
    .filter_map(|record| put(group, record))
    .collect()
}

type Encoded = (Bytes, Option<Bytes>);

fn encode(group: &Str, record: &ConsumerRecord) -> Result<Encoded, EncodeError> {
    let group_id = group.clone();
    Ok(match record {
        ConsumerRecord::Epoch(epoch) => {
            let value = epoch.map(|epoch| ConsumerGroupMetadataValue { epoch, ..Default::default() });
            both(&ConsumerGroupMetadataKey { group_id }, value)?
        }
        ConsumerRecord::TargetEpoch(epoch) => {
            let value = epoch.map(|assignment_epoch| ConsumerGroupTargetAssignmentMetadataValue {
                assignment_epoch,
                ..Default::default()
            });
            both(&ConsumerGroupTargetAssignmentMetadataKey { group_id }, value)?
        }
        ConsumerRecord::Member { member, about } => {
            let key = ConsumerGroupMemberMetadataKey { group_id, member_id: member.clone() };
            both(&key, about.as_deref().map(about_value))?
        }
        ConsumerRecord::Target { member, partitions } => {
            let key = ConsumerGroupTargetAssignmentMemberKey { group_id, member_id: member.clone() };
            both(&key, partitions.as_ref().map(target_value))?
        }
        ConsumerRecord::Current { member, current } => {
            let key = ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id: member.clone() };
            both(&key, current.as_deref().map(current_value))?
        }
        ConsumerRecord::Pattern { pattern, topics } => {
            let key = ConsumerGroupRegularExpressionKey { group_id, regular_expression: pattern.clone() };
            let value = topics.as_ref().map(|topics| ConsumerGroupRegularExpressionValue {
                topics: topics.clone(),
                ..Default::default()
            });
            both(&key, value)?
        }
        ConsumerRecord::Topics => (Bytes::new(), None),
    })
}

fn both<K: CoordinatorRecord, V: Message>(key: &K, value: Option<V>) -> Result<Encoded, EncodeError> {
    let mut out = BytesMut::new();
    out.put_i16(K::RECORD_TYPE);
    key.encode(&mut out, 0)?;
    Ok((out.freeze(), value.map(|value| value.to_versioned_bytes(0)).transpose()?))
}

fn about_value(about: &MemberRecord) -> ConsumerGroupMemberMetadataValue {
    ConsumerGroupMemberMetadataValue {
        instance_id: about.instance_id.clone(),
        rack_id: about.rack_id.clone(),
        client_id: about.client_id.clone(),
        client_host: about.client_host.clone(),
        subscribed_topic_names: about.names.iter().cloned().collect(),
        subscribed_topic_regex: about.pattern.clone(),
        rebalance_timeout_ms: about.rebalance_timeout_ms,
        server_assignor: about.assignor.clone(),
        // Absent would mean that it is there, and empty.
        classic_member_metadata: about.is_classic.then(Default::default),
        ..Default::default()
    }
}

fn target_value(partitions: &Partitions) -> ConsumerGroupTargetAssignmentMemberValue {
    let topics = partitions.iter().map(|(topic, numbers)| TopicPartition {
        topic_id: *topic,
        partitions: numbers.iter().copied().collect(),
        ..Default::default()
    });
    ConsumerGroupTargetAssignmentMemberValue { topic_partitions: topics.collect(), ..Default::default() }
}

fn current_value(current: &CurrentRecord) -> ConsumerGroupCurrentMemberAssignmentValue {
    let listed = |partitions: &Partitions| {
        let topics = partitions.iter().map(|(topic, numbers)| TopicPartitions {
            topic_id: *topic,
            partitions: numbers.iter().copied().collect(),
            ..Default::default()
        });
        topics.collect()
    };
    ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: current.epoch,
        previous_member_epoch: current.previous_epoch,
        state: match current.state {
            MemberState::Stable => 0,
            MemberState::Unrevoked => 1,
            MemberState::Unreleased => 2,
        },
        assigned_partitions: listed(&current.assigned),
        partitions_pending_revocation: listed(&current.revoking),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_and_every_field_can_be_stored() {
        let longest: Str = "x".repeat(0x7fff).into();
        let about = MemberRecord {
            instance_id: Some(longest.clone()),
            rack_id: Some(longest.clone()),
            client_id: longest.clone(),
            client_host: longest.clone(),
            names: [longest.clone()].into(),
            pattern: Some(longest.clone()),
            rebalance_timeout_ms: i32::MAX,
            assignor: Some(longest.clone()),
            is_classic: false,
        };
        let share = Partitions::from([(Uuid([1; 16]), [0, i32::MAX].into())]);
        let current = CurrentRecord {
            epoch: i32::MAX,
            previous_epoch: i32::MAX,
            state: MemberState::Unrevoked,
            assigned: share.clone(),
            revoking: share.clone(),
        };
        let member = longest.clone();
        for record in [
            ConsumerRecord::Epoch(Some(i32::MAX)),
            ConsumerRecord::TargetEpoch(Some(i32::MAX)),
            ConsumerRecord::Member { member: member.clone(), about: Some(Box::new(about)) },
            ConsumerRecord::Target { member: member.clone(), partitions: Some(share) },
            ConsumerRecord::Current { member, current: Some(Box::new(current)) },
        ] {
            let (key, value) = encode(&longest, &record).unwrap();
            let read = decode(&key, value.as_deref()).unwrap().unwrap();
            assert!(read == (longest.clone(), record.clone()), "another one is read back");
            assert!(put(&longest, &record).is_some());
        }
    }
}
