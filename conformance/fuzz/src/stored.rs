//! Records of legacy's `__consumer_offsets`, and the messages that carry groups between the sides.

use bytes::Bytes;
use translator_kafka::codec::messages::{
    ConsumerProtocolSubscription, GroupMetadataKey, GroupMetadataValue, OffsetCommitKey, OffsetCommitValue,
};
use translator_kafka::codec::{CoordinatorRecord, Message};
use translator_kafka::coordinator::group::decode_offsets_record;
use translator_kafka::coordinator::group::transfer::{Transfer, TransferReply};

/// The first byte is the length of the key; the value follows it.
pub(crate) fn run(input: &[u8]) {
    let Some((&length, rest)) = input.split_first() else { return };
    let (key, value) = rest.split_at(usize::from(length).min(rest.len()));
    let _tombstone = decode_offsets_record(key, None);
    let _record = decode_offsets_record(key, Some(value));
    let all = Bytes::copy_from_slice(input);
    if let Ok(Some(message)) = Transfer::decode(&all) {
        assert!(matches!(Transfer::decode(&message.encode()), Ok(Some(_))));
    }
    if let Ok(reply) = TransferReply::decode(all.clone()) {
        assert!(TransferReply::decode(reply.encode()).is_ok());
    }
    let _subscription = ConsumerProtocolSubscription::decode_exact(all, 3);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let record = |key: Option<Vec<u8>>, value: Option<Vec<u8>>| {
        let (key, value) = (key?, value?);
        Some([&[u8::try_from(key.len()).ok()?][..], &key, &value].concat())
    };
    let offset = || keyed(&OffsetCommitKey { group: "g".into(), topic: "t".into(), ..Default::default() });
    let group = || keyed(&GroupMetadataKey { group: "g".into() });
    let mut seeds: Vec<_> = (0..=3)
        .filter_map(|version| record(offset(), versioned(&OffsetCommitValue::default(), version)))
        .collect();
    let value = GroupMetadataValue { protocol_type: "consumer".into(), ..Default::default() };
    seeds.extend((0..=4).filter_map(|version| record(group(), versioned(&value, version))));
    seeds
}

fn keyed<M: CoordinatorRecord>(key: &M) -> Option<Vec<u8>> {
    let body = key.to_bytes(0).ok()?;
    Some([&M::RECORD_TYPE.to_be_bytes()[..], &body].concat())
}

fn versioned<M: Message>(value: &M, version: i16) -> Option<Vec<u8>> {
    Some([&version.to_be_bytes()[..], &value.to_bytes(version).ok()?].concat())
}
