//! Records of `__consumer_offsets`, in every version.

use bytes::{BufMut, Bytes, BytesMut};

use super::subscription;
use crate::codec::messages::group_metadata_value::MemberMetadata;
use crate::codec::messages::{GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue};
use crate::codec::{CoordinatorRecord, Message};
use crate::coordinator::group::{OffsetsRecord, OffsetsRecordError, decode_offsets_record};

/// A key, as Kafka writes it.
pub(super) fn key<K: CoordinatorRecord>(kind: i16, key: &K) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(kind);
    key.encode(&mut out, 0).unwrap();
    out.freeze()
}

fn offset_key() -> OffsetCommitKey {
    OffsetCommitKey { group: "g".into(), topic: "orders".into(), partition: 3 }
}

#[test]
fn offsets_of_every_version_are_read() {
    let value = OffsetCommitValue {
        offset: 42,
        metadata: "beside".into(),
        commit_timestamp: 1_000,
        ..Default::default()
    };
    for version in 0..=4 {
        let mut value = value.clone();
        value.leader_epoch = if version >= 3 { 7 } else { -1 };
        value.expire_timestamp = if version == 1 { 2_000 } else { -1 };
        let bytes = value.to_versioned_bytes(version).unwrap();
        for kind in 0..=1 {
            let record = decode_offsets_record(&key(kind, &offset_key()), Some(&bytes)).unwrap();
            let OffsetsRecord::Offset { group, key, value: Some(found) } = record else {
                panic!("{record:?}")
            };
            assert_eq!((group.as_str(), key.topic.as_str(), key.partition), ("g", "orders", 3));
            assert_eq!((found.offset, found.commit_timestamp_ms), (42, 1_000), "version {version}");
            assert_eq!(found.leader_epoch, value.leader_epoch);
            assert_eq!(found.expire_timestamp_ms, (version == 1).then_some(2_000));
            assert_eq!(found.metadata.as_str(), "beside");
        }
    }
}

#[test]
fn generations_of_every_version_are_read() {
    let member = MemberMetadata {
        member_id: "m-1".into(),
        client_id: "m".into(),
        client_host: "/10.0.0.1".into(),
        session_timeout: 45_000,
        subscription: subscription(&["orders"], ""),
        assignment: Bytes::from_static(b"all"),
        ..Default::default()
    };
    for version in 0..=4 {
        let mut member = member.clone();
        member.rebalance_timeout = if version >= 1 { 300_000 } else { -1 };
        member.group_instance_id = (version >= 3).then(|| "one".into());
        let value = GroupMetadataValue {
            protocol_type: "consumer".into(),
            generation: 12,
            protocol: Some("range".into()),
            leader: Some("m-1".into()),
            current_state_timestamp: if version >= 2 { 5_000 } else { -1 },
            members: vec![member.clone()],
            ..Default::default()
        };
        let bytes = value.to_versioned_bytes(version).unwrap();
        let record = decode_offsets_record(&key(2, &GroupMetadataKey { group: "g".into() }), Some(&bytes));
        let Ok(OffsetsRecord::Group { group, generation: Some(found) }) = record else {
            panic!("{record:?}")
        };
        assert_eq!((group.as_str(), found.group_id.as_str(), found.generation), ("g", "g", 12));
        assert_eq!(found.state_timestamp_ms, (version >= 2).then_some(5_000), "version {version}");
        assert_eq!(found.members[0].rebalance_timeout_ms, if version >= 1 { 300_000 } else { 45_000 });
        assert_eq!(found.members[0].instance_id, member.group_instance_id);
        assert_eq!(found.members[0].protocols[0].metadata, member.subscription);
        assert_eq!(found.members[0].assignment, member.assignment);
    }
}

#[test]
fn tombstones_delete() {
    let offset = decode_offsets_record(&key(1, &offset_key()), None).unwrap();
    assert!(matches!(offset, OffsetsRecord::Offset { value: None, .. }));
    let group = decode_offsets_record(&key(2, &GroupMetadataKey { group: "g".into() }), None).unwrap();
    assert!(matches!(group, OffsetsRecord::Group { generation: None, .. }));
}

#[test]
fn other_kinds_of_groups_are_named() {
    // A member of a share group: group id, member id.
    let named = decode_offsets_record(b"\0\x0a\0\x03new\0\x01m", Some(b"\0\0whatever")).unwrap();
    assert_eq!(named, OffsetsRecord::Unsupported { key_version: 10, group: Some("new".into()) });
    let nameless = decode_offsets_record(b"\x7f\xff\xff\xff", None).unwrap();
    assert_eq!(nameless, OffsetsRecord::Unsupported { key_version: 0x7fff, group: None });
}

#[test]
fn wrong_bytes_are_errors_that_name_key_or_value() {
    let whole = key(1, &offset_key());
    for end in 0..whole.len() {
        let error = decode_offsets_record(&whole[..end], None).unwrap_err();
        assert!(matches!(error, OffsetsRecordError::Key(_)), "{end} bytes");
    }
    let value = OffsetCommitValue::default().to_versioned_bytes(3).unwrap();
    for end in 0..value.len() {
        let error = decode_offsets_record(&whole, Some(&value[..end])).unwrap_err();
        assert!(matches!(error, OffsetsRecordError::Value(_)), "{end} bytes");
    }
}
