//! `ListOffsetsRequest`, versions 1-11. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::ListOffsetsResponse;
use crate::codec::wire::{Tags, absent};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `ListOffsetsRequest`, versions 1-11.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListOffsetsRequest {
    /// `ReplicaId`: `int32`, versions 1-11.
    pub replica_id: i32,
    /// `IsolationLevel`: `int8`, versions 2-11.
    pub isolation_level: i8,
    /// `Topics`: `[]ListOffsetsTopic`, versions 1-11.
    pub topics: Vec<ListOffsetsTopic>,
    /// `TimeoutMs`: `int32`, versions 10-11, ignorable.
    pub timeout_ms: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ListOffsetsRequest {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            replica_id: r.get(f)?,
            isolation_level: if f.version >= 2 { r.get(f)? } else { 0 },
            topics: r.get(f)?,
            timeout_ms: if f.version >= 10 { r.get(f)? } else { 0 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.replica_id.write(out, f)?;
        if f.version >= 2 {
            self.isolation_level.write(out, f)?;
        } else {
            absent(self.isolation_level == 0, "IsolationLevel", f)?;
        }
        self.topics.write(out, f)?;
        if f.version >= 10 {
            self.timeout_ms.write(out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ListOffsetsRequest {
    const NAME: &'static str = "ListOffsetsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=11;
    const FLEXIBLE_FROM: Option<i16> = Some(6);
}

impl Request for ListOffsetsRequest {
    const API: ApiKey = ApiKey::ListOffsets;
    type Response = ListOffsetsResponse;
}

/// Struct `ListOffsetsPartition`, versions 1-11.
#[derive(Debug, Clone, PartialEq)]
pub struct ListOffsetsPartition {
    /// `PartitionIndex`: `int32`, versions 1-11.
    pub partition_index: i32,
    /// `CurrentLeaderEpoch`: `int32`, versions 4-11, ignorable, default `-1`.
    pub current_leader_epoch: i32,
    /// `Timestamp`: `int64`, versions 1-11.
    pub timestamp: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ListOffsetsPartition {
    fn default() -> Self {
        Self { partition_index: 0, current_leader_epoch: -1, timestamp: 0, unknown_tagged: Vec::new() }
    }
}

impl Wire for ListOffsetsPartition {
    const BYTES_MIN: usize = 12;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            current_leader_epoch: if f.version >= 4 { r.get(f)? } else { -1 },
            timestamp: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        if f.version >= 4 {
            self.current_leader_epoch.write(out, f)?;
        }
        self.timestamp.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `ListOffsetsTopic`, versions 1-11.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListOffsetsTopic {
    /// `Name`: `string`, versions 1-11.
    pub name: Str,
    /// `Partitions`: `[]ListOffsetsPartition`, versions 1-11.
    pub partitions: Vec<ListOffsetsPartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ListOffsetsTopic {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { name: r.get(f)?, partitions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
