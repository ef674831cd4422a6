//! A group as it is stored and as it moves between sides.
//!
//! ```text
//! group    u8 1 | id | protocol type? | protocol? | i32 generation | leader? | i64? state timestamp
//!          | u32 n | n × member | u32 n | n × (topic | i32 partition | offset)
//! member   id | instance id? | client id | host | i32 session ms | i32 rebalance ms
//!          | u32 n | n × (name | metadata) | assignment
//! offset   i64 offset | i32 leader epoch | metadata | i64 commit timestamp | i64? expire timestamp
//! bytes    u32 length | bytes          ? is u8 0, or u8 1 and the value
//! ```

use bytes::{BufMut, Bytes, BytesMut};

use super::member::Protocol;
use super::packing::{Packed, PackedError, Unpacker, pack_bytes, pack_count, pack_option};
use crate::codec::Str;

/// Names a partition for which offsets are kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffsetKey {
    /// Topic name.
    pub topic: Str,
    /// Partition.
    pub partition: i32,
}

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Offset of the next record to read.
    pub offset: i64,
    /// Leader epoch of the last record read; −1 where the client did not say.
    pub leader_epoch: i32,
    /// Whatever the client put beside it.
    pub metadata: Str,
    /// When it was committed, wall clock in milliseconds.
    pub commit_timestamp_ms: i64,
    /// When it expires, for clients old enough to ask for their own retention.
    pub expire_timestamp_ms: Option<i64>,
}

/// A member of a completed generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSnapshot {
    /// Member id.
    pub member_id: Str,
    /// Instance id of a static member.
    pub instance_id: Option<Str>,
    /// Client id.
    pub client_id: Str,
    /// Client host, as Kafka writes it (`/127.0.0.1`).
    pub client_host: Str,
    /// Session time-out in milliseconds.
    pub session_timeout_ms: i32,
    /// Rebalance time-out in milliseconds.
    pub rebalance_timeout_ms: i32,
    /// Protocols with the subscription for each. Legacy tells the chosen one only.
    pub protocols: Vec<Protocol>,
    /// Assignment.
    pub assignment: Bytes,
}

/// A group with its last completed generation and its offsets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupSnapshot {
    /// Group id.
    pub group_id: Str,
    /// Protocol type; `None` for offsets that never had members.
    pub protocol_type: Option<Str>,
    /// The protocol that was chosen.
    pub protocol_name: Option<Str>,
    /// Generation.
    pub generation: i32,
    /// Member id of the leader.
    pub leader: Option<Str>,
    /// When the group entered its state, wall clock in milliseconds. Expiry of an empty group's
    /// offsets is counted from here.
    pub state_timestamp_ms: Option<i64>,
    /// Members.
    pub members: Vec<MemberSnapshot>,
    /// Offsets.
    pub offsets: Vec<(OffsetKey, CommittedOffset)>,
}

impl GroupSnapshot {
    /// Whether there is anything to store beside the offsets.
    pub(super) fn has_generation(&self) -> bool {
        self.protocol_type.is_some() || self.generation != 0 || !self.members.is_empty()
    }
}

const VERSION: u8 = 1;

impl Packed for GroupSnapshot {
    const BYTES_MIN: usize = 21;

    fn pack(&self, out: &mut BytesMut) {
        out.put_u8(VERSION);
        pack_bytes(out, self.group_id.as_bytes());
        self.protocol_type.pack(out);
        self.protocol_name.pack(out);
        out.put_i32(self.generation);
        self.leader.pack(out);
        self.state_timestamp_ms.pack(out);
        self.members.pack(out);
        pack_count(out, self.offsets.len());
        for (key, offset) in &self.offsets {
            key.pack(out);
            offset.pack(out);
        }
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        from.version(VERSION)?;
        let group_id = from.get()?;
        let (protocol_type, protocol_name) = (from.get()?, from.get()?);
        let (generation, leader) = (from.get()?, from.get()?);
        let (state_timestamp_ms, members) = (from.get()?, from.get()?);
        let count = from.count(OffsetKey::BYTES_MIN + CommittedOffset::BYTES_MIN)?;
        let mut offsets = Vec::with_capacity(count);
        for _ in 0..count {
            offsets.push((from.get()?, from.get()?));
        }
        Ok(Self {
            group_id,
            protocol_type,
            protocol_name,
            generation,
            leader,
            state_timestamp_ms,
            members,
            offsets,
        })
    }
}

impl Packed for MemberSnapshot {
    const BYTES_MIN: usize = 29;

    fn pack(&self, out: &mut BytesMut) {
        self.member_id.pack(out);
        self.instance_id.pack(out);
        self.client_id.pack(out);
        self.client_host.pack(out);
        out.put_i32(self.session_timeout_ms);
        out.put_i32(self.rebalance_timeout_ms);
        self.protocols.pack(out);
        pack_bytes(out, &self.assignment);
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        Ok(Self {
            member_id: from.get()?,
            instance_id: from.get()?,
            client_id: from.get()?,
            client_host: from.get()?,
            session_timeout_ms: from.get()?,
            rebalance_timeout_ms: from.get()?,
            protocols: from.get()?,
            assignment: from.get()?,
        })
    }
}

impl Packed for Protocol {
    const BYTES_MIN: usize = 8;

    fn pack(&self, out: &mut BytesMut) {
        self.name.pack(out);
        self.metadata.pack(out);
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        Ok(Self { name: from.get()?, metadata: from.get()? })
    }
}

impl Packed for OffsetKey {
    const BYTES_MIN: usize = 8;

    fn pack(&self, out: &mut BytesMut) {
        self.topic.pack(out);
        out.put_i32(self.partition);
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        Ok(Self { topic: from.get()?, partition: from.get()? })
    }
}

impl Packed for CommittedOffset {
    const BYTES_MIN: usize = 25;

    fn pack(&self, out: &mut BytesMut) {
        out.put_i64(self.offset);
        out.put_i32(self.leader_epoch);
        self.metadata.pack(out);
        out.put_i64(self.commit_timestamp_ms);
        pack_option(out, self.expire_timestamp_ms.as_ref());
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        Ok(Self {
            offset: from.get()?,
            leader_epoch: from.get()?,
            metadata: from.get()?,
            commit_timestamp_ms: from.get()?,
            expire_timestamp_ms: from.get()?,
        })
    }
}
