//! Groups as records of `__consumer_offsets`, in the form that Kafka's own coordinator writes.
//!
//! The kernel keeps groups under keys and needs no such log. It is written where others want to read it: tools, and
//! another Sluice that is to move these groups. The records go into the same commit as the keys, so that a reader
//! of the log sees exactly what was answered.

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::batch::{BatchSpec, NewRecord};
use kernel_model::commit::Op;

use super::packing::Packed;
use super::snapshot::{CommittedOffset, GroupSnapshot, MemberSnapshot, OffsetKey};
use super::stored::StoredKey;
use crate::catalog::CatalogHandle;
use crate::codec::messages::group_metadata_value::MemberMetadata;
use crate::codec::messages::{GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue};
use crate::codec::{CoordinatorRecord, Message, Str};

/// Name of the log.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Versions of the values: the newest without a topic id.
const OFFSET_VALUE: i16 = 3;
const GROUP_VALUE: i16 = 3;
/// Version of the keys.
const KEY: i16 = 0;

/// Writes `__consumer_offsets`, once that topic is there. It has one partition, in this coordinator's shard.
#[derive(Debug)]
pub(super) struct Journal(pub(super) CatalogHandle);

impl Journal {
    /// Adds to a commit what it means in records.
    pub(super) fn extend(&self, ops: &mut Vec<Op>) {
        let catalog = self.0.load();
        let log = catalog.topic(OFFSETS_TOPIC).and_then(|topic| topic.partition(0)).map(|found| found.log);
        let records: Vec<Entry> = ops.iter().filter_map(entry).collect();
        let (Some(log), false) = (log, records.is_empty()) else { return };
        let encoded: Vec<NewRecord<'_>> = records
            .iter()
            .map(|entry| NewRecord {
                timestamp_ms: entry.timestamp_ms,
                key: Some(&entry.key),
                value: entry.value.as_deref(),
                headers: &[],
            })
            .collect();
        if let Ok(batch) = BatchSpec::default().encode(&encoded) {
            ops.push(Op::Deliver { log, batch: batch.bytes().clone(), views: Vec::new() });
        }
    }
}

/// One record.
struct Entry {
    timestamp_ms: i64,
    key: Bytes,
    /// `None`: a tombstone.
    value: Option<Bytes>,
}

fn entry(op: &Op) -> Option<Entry> {
    let (key, value) = if let Op::KvPut { key, value, .. } = op {
        (key, Some(value))
    } else if let Op::KvDelete { key } = op {
        (key, None)
    } else {
        return None;
    };
    match StoredKey::parse(key.clone())? {
        StoredKey::Offset(group, at) => {
            let offset = value.map(|value| CommittedOffset::from_packed(value.clone())).transpose().ok()?;
            offset_entry(&group, &at, offset)
        }
        StoredKey::Group(group) => {
            let group_value =
                value.map(|value| GroupSnapshot::from_packed(value.clone())).transpose().ok()?;
            group_entry(&group, group_value)
        }
        // They are stored in the layout of the log.
        StoredKey::Consumer(_, key) => Some(Entry { timestamp_ms: 0, key, value: value.cloned() }),
        StoredKey::Open(..) | StoredKey::Following(_) | StoredKey::Progress(_) => None,
    }
}

fn offset_entry(group: &Str, at: &OffsetKey, offset: Option<CommittedOffset>) -> Option<Entry> {
    let key = OffsetCommitKey { group: group.clone(), topic: at.topic.clone(), partition: at.partition };
    let timestamp_ms = offset.as_ref().map_or(0, |offset| offset.commit_timestamp_ms);
    let value = offset.map(|offset| OffsetCommitValue {
        offset: offset.offset,
        leader_epoch: offset.leader_epoch,
        metadata: offset.metadata,
        commit_timestamp: offset.commit_timestamp_ms,
        ..Default::default()
    });
    let value = value.map(|value| value.to_versioned_bytes(OFFSET_VALUE)).transpose().ok()?;
    Some(Entry { timestamp_ms, key: typed_key(&key)?, value })
}

fn group_entry(group: &Str, snapshot: Option<GroupSnapshot>) -> Option<Entry> {
    let key = GroupMetadataKey { group: group.clone() };
    let timestamp_ms = snapshot.as_ref().and_then(|group| group.state_timestamp_ms).unwrap_or(0);
    let value = snapshot.map(|group| {
        let protocol = group.protocol_name.clone().unwrap_or_default();
        GroupMetadataValue {
            protocol_type: group.protocol_type.unwrap_or_default(),
            generation: group.generation,
            protocol: group.protocol_name,
            leader: group.leader,
            current_state_timestamp: group.state_timestamp_ms.unwrap_or(-1),
            members: group.members.into_iter().map(|member| member_value(member, &protocol)).collect(),
            ..Default::default()
        }
    });
    let value = value.map(|value| value.to_versioned_bytes(GROUP_VALUE)).transpose().ok()?;
    Some(Entry { timestamp_ms, key: typed_key(&key)?, value })
}

fn member_value(member: MemberSnapshot, protocol: &Str) -> MemberMetadata {
    let chosen = member.protocols.into_iter().find(|offered| offered.name == *protocol);
    MemberMetadata {
        member_id: member.member_id,
        group_instance_id: member.instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        rebalance_timeout: member.rebalance_timeout_ms,
        session_timeout: member.session_timeout_ms,
        subscription: chosen.map(|chosen| chosen.metadata).unwrap_or_default(),
        assignment: member.assignment,
        ..Default::default()
    }
}

/// A key behind the number of its type.
fn typed_key<K: CoordinatorRecord>(key: &K) -> Option<Bytes> {
    let mut out = BytesMut::new();
    out.put_i16(K::RECORD_TYPE);
    key.encode(&mut out, KEY).ok()?;
    Some(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::super::stored;
    use super::super::{OffsetsRecord, decode_offsets_record};
    use super::*;

    fn decoded(op: &Op) -> OffsetsRecord {
        let entry = entry(op).unwrap();
        decode_offsets_record(&entry.key, entry.value.as_deref()).unwrap()
    }

    #[test]
    fn what_is_stored_is_read_back_from_the_log() {
        let key = OffsetKey { topic: "orders".into(), partition: 3 };
        let offset = CommittedOffset {
            offset: 42,
            leader_epoch: 5,
            metadata: "note".into(),
            commit_timestamp_ms: 1_000,
            expire_timestamp_ms: None,
        };
        let put = stored::put_offset("billing", &key, &offset);
        let expected =
            OffsetsRecord::Offset { group: "billing".into(), key: key.clone(), value: Some(offset) };
        assert_eq!(decoded(&put), expected);
        let gone = OffsetsRecord::Offset { group: "billing".into(), key: key.clone(), value: None };
        assert_eq!(decoded(&stored::delete_offset("billing", &key)), gone);
    }

    #[test]
    fn a_generation_is_read_back_with_its_members() {
        let group = GroupSnapshot {
            group_id: "billing".into(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            generation: 7,
            leader: Some("m1".into()),
            state_timestamp_ms: Some(9),
            members: vec![MemberSnapshot {
                member_id: "m1".into(),
                instance_id: None,
                client_id: "c".into(),
                client_host: "/127.0.0.1".into(),
                session_timeout_ms: 10_000,
                rebalance_timeout_ms: 20_000,
                protocols: vec![super::super::Protocol {
                    name: "range".into(),
                    metadata: Bytes::from_static(b"subscription"),
                }],
                assignment: Bytes::from_static(b"assignment"),
            }],
            offsets: Vec::new(),
        };
        let put = stored::put_group(&group);
        let expected = OffsetsRecord::Group { group: "billing".into(), generation: Some(group) };
        assert_eq!(decoded(&put), expected);
    }
}
