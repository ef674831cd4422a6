//! Records of legacy's `__consumer_offsets`, as far as classic and consumer groups are concerned.
//!
//! ```text
//! key    i16 type | content      0, 1  offset of a partition      2  generation of a group
//! value  i16 version | content   none: a tombstone, which deletes
//! key    3 to 8, 16   a group of the consumer protocol
//! ```
//!
//! Other types belong to share and streams groups. All of their keys begin with a
//! group id, so that the group can be named that cannot be moved.

use bytes::Bytes;
use thiserror::Error;

use super::consumer::decode_consumer_record;
use super::member::Protocol;
use super::snapshot::{CommittedOffset, GroupSnapshot, MemberSnapshot, OffsetKey};
use crate::codec::messages::group_metadata_value::MemberMetadata;
use crate::codec::messages::{
    GroupMetadataKey, GroupMetadataValue, LegacyOffsetCommitKey, OffsetCommitKey, OffsetCommitValue,
};
use crate::codec::{CoordinatorRecord as _, DecodeError, Format, Message as _, Reader, Str};

/// One record of `__consumer_offsets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OffsetsRecord {
    /// An offset was committed, or has gone (`None`).
    Offset {
        /// Group id.
        group: Str,
        /// Partition.
        key: OffsetKey,
        /// What was committed.
        value: Option<CommittedOffset>,
    },
    /// A generation was completed, or the group has gone (`None`).
    Group {
        /// Group id.
        group: Str,
        /// The generation: a snapshot without offsets.
        generation: Option<GroupSnapshot>,
    },
    /// A record of a group of the consumer protocol, as it was read: see [`super::decode_consumer_record`].
    Consumer {
        /// Group id.
        group: Str,
        /// Its key, with the type in front.
        key: Bytes,
        /// Its value, with the version in front.
        value: Option<Bytes>,
    },
    /// A record of another kind of group, or of a version nobody has looked at.
    Unsupported {
        /// First two bytes of the key.
        key_version: i16,
        /// The group it belongs to, where that can be read.
        group: Option<Str>,
    },
}

/// A record that cannot be read. The fault is legacy's, or of a version that this side does not know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OffsetsRecordError {
    /// The key.
    #[error("key of an offsets record: {0}")]
    Key(DecodeError),
    /// The value.
    #[error("value of an offsets record: {0}")]
    Value(DecodeError),
}

/// Key types of offsets; both have the layout of the newer one.
const OFFSET_TYPES: [i16; 2] = [LegacyOffsetCommitKey::RECORD_TYPE, OffsetCommitKey::RECORD_TYPE];

/// Decodes a record of `__consumer_offsets`. A value of `None` is a tombstone.
///
/// # Errors
///
/// [`OffsetsRecordError`] when key or value of a supported type are wrong.
pub fn decode_offsets_record(key: &[u8], value: Option<&[u8]>) -> Result<OffsetsRecord, OffsetsRecordError> {
    const RIGID: Format = Format { version: 0, flexible: false };
    let mut reader = Reader::new(Bytes::copy_from_slice(key));
    let key_version: i16 = reader.get(RIGID).map_err(OffsetsRecordError::Key)?;
    let value = value.map(Bytes::copy_from_slice);
    if OFFSET_TYPES.contains(&key_version) {
        let key = OffsetCommitKey::decode_rest(reader, 0).map_err(OffsetsRecordError::Key)?;
        let value = value.map(decode_offset).transpose()?;
        let (topic, partition) = (key.topic, key.partition);
        return Ok(OffsetsRecord::Offset { group: key.group, key: OffsetKey { topic, partition }, value });
    }
    if key_version == GroupMetadataKey::RECORD_TYPE {
        let key = GroupMetadataKey::decode_rest(reader, 0).map_err(OffsetsRecordError::Key)?;
        let generation = value.map(|value| decode_generation(&key.group, value)).transpose()?;
        return Ok(OffsetsRecord::Group { group: key.group, generation });
    }
    let plain = value.as_deref();
    if let Some((group, _)) = decode_consumer_record(key, plain).map_err(OffsetsRecordError::Value)? {
        return Ok(OffsetsRecord::Consumer { group, key: Bytes::copy_from_slice(key), value });
    }
    Ok(OffsetsRecord::Unsupported { key_version, group: reader.get(RIGID).ok() })
}

fn decode_offset(value: Bytes) -> Result<CommittedOffset, OffsetsRecordError> {
    let (_, value) = OffsetCommitValue::decode_versioned(value).map_err(OffsetsRecordError::Value)?;
    Ok(CommittedOffset {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: value.metadata,
        commit_timestamp_ms: value.commit_timestamp,
        expire_timestamp_ms: (value.expire_timestamp != -1).then_some(value.expire_timestamp),
    })
}

fn decode_generation(group: &Str, value: Bytes) -> Result<GroupSnapshot, OffsetsRecordError> {
    let (_, value) = GroupMetadataValue::decode_versioned(value).map_err(OffsetsRecordError::Value)?;
    let protocol = value.protocol.clone().unwrap_or_default();
    let members = value.members.into_iter().map(|member| decode_member(member, &protocol)).collect();
    Ok(GroupSnapshot {
        group_id: group.clone(),
        protocol_type: Some(value.protocol_type).filter(|name| !name.is_empty()),
        protocol_name: value.protocol,
        generation: value.generation,
        leader: value.leader,
        state_timestamp_ms: (value.current_state_timestamp != -1).then_some(value.current_state_timestamp),
        members,
        offsets: Vec::new(),
    })
}

fn decode_member(member: MemberMetadata, protocol: &Str) -> MemberSnapshot {
    // Version 0 has no rebalance time-out; the session's serves for it.
    let rebalance = Some(member.rebalance_timeout).filter(|timeout| *timeout != -1);
    MemberSnapshot {
        member_id: member.member_id,
        instance_id: member.group_instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        session_timeout_ms: member.session_timeout,
        rebalance_timeout_ms: rebalance.unwrap_or(member.session_timeout),
        protocols: vec![Protocol { name: protocol.clone(), metadata: member.subscription }],
        assignment: member.assignment,
    }
}
