//! `OffsetForLeaderEpochRequest`, versions 2-4. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::OffsetForLeaderEpochResponse;
use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `OffsetForLeaderEpochRequest`, versions 2-4.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetForLeaderEpochRequest {
    /// `ReplicaId`: `int32`, versions 3-4, ignorable, default `-2`.
    pub replica_id: i32,
    /// `Topics`: `[]OffsetForLeaderTopic`, versions 2-4.
    pub topics: Vec<OffsetForLeaderTopic>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for OffsetForLeaderEpochRequest {
    fn default() -> Self {
        Self { replica_id: -2, topics: Vec::new(), unknown_tagged: Vec::new() }
    }
}

impl Wire for OffsetForLeaderEpochRequest {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            replica_id: if f.version >= 3 { r.get(f)? } else { -2 },
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 3 {
            self.replica_id.write(out, f)?;
        }
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for OffsetForLeaderEpochRequest {
    const NAME: &'static str = "OffsetForLeaderEpochRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=4;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl Request for OffsetForLeaderEpochRequest {
    const API: ApiKey = ApiKey::OffsetForLeaderEpoch;
    type Response = OffsetForLeaderEpochResponse;
}

/// Struct `OffsetForLeaderPartition`, versions 2-4.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetForLeaderPartition {
    /// `Partition`: `int32`, versions 2-4.
    pub partition: i32,
    /// `CurrentLeaderEpoch`: `int32`, versions 2-4, ignorable, default `-1`.
    pub current_leader_epoch: i32,
    /// `LeaderEpoch`: `int32`, versions 2-4.
    pub leader_epoch: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for OffsetForLeaderPartition {
    fn default() -> Self {
        Self { partition: 0, current_leader_epoch: -1, leader_epoch: 0, unknown_tagged: Vec::new() }
    }
}

impl Wire for OffsetForLeaderPartition {
    const BYTES_MIN: usize = 12;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition: r.get(f)?,
            current_leader_epoch: r.get(f)?,
            leader_epoch: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition.write(out, f)?;
        self.current_leader_epoch.write(out, f)?;
        self.leader_epoch.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `OffsetForLeaderTopic`, versions 2-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetForLeaderTopic {
    /// `Topic`: `string`, versions 2-4.
    pub topic: Str,
    /// `Partitions`: `[]OffsetForLeaderPartition`, versions 2-4.
    pub partitions: Vec<OffsetForLeaderPartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetForLeaderTopic {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { topic: r.get(f)?, partitions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
