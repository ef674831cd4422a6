//! Where a group lies in the shard's keys.
//!
//! ```text
//! g m GROUP                                   last completed generation (a packed group, no offsets)
//! g o u16 length GROUP u16 length TOPIC i32   offset of a partition
//! g t i64 u16 length GROUP u16 length TOPIC i32   offset in a producer's open transaction
//! g f GROUP                                   the group follows legacy
//! g r u16 length GROUP RECORD KEY             record of a group of the consumer protocol, as Kafka writes it
//! g p i32                                     how far a partition of `__consumer_offsets` was followed
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kernel_model::commit::Op;
use kernel_model::coordinator::CoordinatorKind;

use super::packing::Packed;
use super::snapshot::{CommittedOffset, GroupSnapshot, OffsetKey};
use super::transactional::StoredOpen;
use crate::codec::Str;

/// The coordinator's kind: `g`.
pub const KIND: CoordinatorKind = CoordinatorKind(b'g');

/// What a key is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StoredKey {
    Group(Str),
    Offset(Str, OffsetKey),
    Open(Str, i64, OffsetKey),
    Following(Str),
    Progress(i32),
    /// A record of a group of the consumer protocol, by its own key.
    Consumer(Str, Bytes),
}

impl StoredKey {
    pub(super) fn parse(key: Bytes) -> Option<Self> {
        let mut rest = key;
        if rest.try_get_u8().ok()? != KIND.0 {
            return None;
        }
        match rest.try_get_u8().ok()? {
            b'm' => Str::try_from(rest).ok().map(Self::Group),
            b'f' => Str::try_from(rest).ok().map(Self::Following),
            b'p' => rest.try_get_i32().ok().map(Self::Progress),
            b'r' => {
                let group = take_name(&mut rest)?;
                Some(Self::Consumer(group, rest))
            }
            b'o' => {
                let (group, at) = take_offset_key(rest)?;
                Some(Self::Offset(group, at))
            }
            b't' => {
                let producer_id = rest.try_get_i64().ok()?;
                let (group, at) = take_offset_key(rest)?;
                Some(Self::Open(group, producer_id, at))
            }
            _ => None,
        }
    }
}

fn take_offset_key(mut rest: Bytes) -> Option<(Str, OffsetKey)> {
    let group = take_name(&mut rest)?;
    let topic = take_name(&mut rest)?;
    let partition = rest.try_get_i32().ok()?;
    rest.is_empty().then_some((group, OffsetKey { topic, partition }))
}

fn take_name(rest: &mut Bytes) -> Option<Str> {
    let length = usize::from(rest.try_get_u16().ok()?);
    (length <= rest.len()).then(|| rest.split_to(length)).and_then(|name| Str::try_from(name).ok())
}

/// Prefix of every key of this coordinator.
pub(super) const PREFIX: &[u8] = &[KIND.0];

fn key(kind: u8, group: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(2 + group.len());
    out.put_slice(&[KIND.0, kind]);
    out.put_slice(group.as_bytes());
    out.freeze()
}

fn offset_key(group: &str, key: &OffsetKey) -> Bytes {
    let mut out = BytesMut::with_capacity(10 + group.len() + key.topic.len());
    out.put_slice(&[KIND.0, b'o']);
    put_offset_key(&mut out, group, key);
    out.freeze()
}

fn open_key(group: &str, producer_id: i64, key: &OffsetKey) -> Bytes {
    let mut out = BytesMut::with_capacity(18 + group.len() + key.topic.len());
    out.put_slice(&[KIND.0, b't']);
    out.put_i64(producer_id);
    put_offset_key(&mut out, group, key);
    out.freeze()
}

fn put_offset_key(out: &mut BytesMut, group: &str, key: &OffsetKey) {
    for name in [group, key.topic.as_str()] {
        // Names come off the wire, where they are at most `i16::MAX` bytes long.
        out.put_u16(u16::try_from(name.len()).unwrap_or(u16::MAX));
        out.put_slice(name.as_bytes());
    }
    out.put_i32(key.partition);
}

fn put(key: Bytes, value: Bytes) -> Op {
    Op::KvPut { key, value, expires_ms: None }
}

/// Stores the generation of a group; its offsets have keys of their own.
pub(super) fn put_group(group: &GroupSnapshot) -> Op {
    debug_assert!(group.offsets.is_empty(), "offsets are stored apart");
    put(key(b'm', &group.group_id), group.to_packed())
}

pub(super) fn delete_group(group: &str) -> Op {
    Op::KvDelete { key: key(b'm', group) }
}

pub(super) fn put_offset(group: &str, at: &OffsetKey, offset: &CommittedOffset) -> Op {
    put(offset_key(group, at), offset.to_packed())
}

pub(super) fn delete_offset(group: &str, at: &OffsetKey) -> Op {
    Op::KvDelete { key: offset_key(group, at) }
}

pub(super) fn put_open(
    group: &str,
    producer_id: i64,
    epoch: i16,
    at: &OffsetKey,
    offset: &CommittedOffset,
) -> Op {
    let stored = StoredOpen { epoch, offset: offset.clone() };
    put(open_key(group, producer_id, at), stored.to_packed())
}

pub(super) fn delete_open(group: &str, producer_id: i64, at: &OffsetKey) -> Op {
    Op::KvDelete { key: open_key(group, producer_id, at) }
}

/// Stores a record of a group of the consumer protocol, or deletes it.
pub(super) fn consumer_op(group: &str, record_key: &[u8], value: Option<Bytes>) -> Op {
    let mut out = BytesMut::with_capacity(4 + group.len() + record_key.len());
    out.put_slice(&[KIND.0, b'r']);
    out.put_u16(u16::try_from(group.len()).unwrap_or(u16::MAX));
    out.put_slice(group.as_bytes());
    out.put_slice(record_key);
    match value {
        Some(value) => put(out.freeze(), value),
        None => Op::KvDelete { key: out.freeze() },
    }
}

pub(super) fn put_following(group: &str) -> Op {
    put(key(b'f', group), Bytes::new())
}

pub(super) fn delete_following(group: &str) -> Op {
    Op::KvDelete { key: key(b'f', group) }
}

pub(super) fn put_progress(partition: i32, next_offset: i64) -> Op {
    let mut out = BytesMut::new();
    out.put_slice(&[KIND.0, b'p']);
    out.put_i32(partition);
    put(out.freeze(), next_offset.to_packed())
}
