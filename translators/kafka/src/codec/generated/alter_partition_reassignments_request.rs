//! `AlterPartitionReassignmentsRequest`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::AlterPartitionReassignmentsResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `AlterPartitionReassignmentsRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterPartitionReassignmentsRequest {
    /// `TimeoutMs`: `int32`, versions 0-1, default `60000`.
    pub timeout_ms: i32,
    /// `AllowReplicationFactorChange`: `bool`, versions 1, default `true`.
    pub allow_replication_factor_change: bool,
    /// `Topics`: `[]ReassignableTopic`, versions 0-1.
    pub topics: Vec<ReassignableTopic>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for AlterPartitionReassignmentsRequest {
    fn default() -> Self {
        Self {
            timeout_ms: 60000,
            allow_replication_factor_change: true,
            topics: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for AlterPartitionReassignmentsRequest {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            timeout_ms: r.get(f)?,
            allow_replication_factor_change: if f.version >= 1 { r.get(f)? } else { true },
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.timeout_ms.write(out, f)?;
        if f.version >= 1 {
            self.allow_replication_factor_change.write(out, f)?;
        } else {
            absent(self.allow_replication_factor_change, "AllowReplicationFactorChange", f)?;
        }
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for AlterPartitionReassignmentsRequest {
    const NAME: &'static str = "AlterPartitionReassignmentsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for AlterPartitionReassignmentsRequest {
    const API: ApiKey = ApiKey::AlterPartitionReassignments;
    type Response = AlterPartitionReassignmentsResponse;
}

/// Struct `ReassignablePartition`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReassignablePartition {
    /// `PartitionIndex`: `int32`, versions 0-1.
    pub partition_index: i32,
    /// `Replicas`: `[]int32`, versions 0-1, nullable.
    pub replicas: Option<Vec<i32>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ReassignablePartition {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            replicas: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        write_nullable(self.replicas.as_ref(), true, "Replicas", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `ReassignableTopic`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReassignableTopic {
    /// `Name`: `string`, versions 0-1.
    pub name: Str,
    /// `Partitions`: `[]ReassignablePartition`, versions 0-1.
    pub partitions: Vec<ReassignablePartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ReassignableTopic {
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
