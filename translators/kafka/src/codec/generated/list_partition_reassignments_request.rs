//! `ListPartitionReassignmentsRequest`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::ListPartitionReassignmentsResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `ListPartitionReassignmentsRequest`, versions 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ListPartitionReassignmentsRequest {
    /// `TimeoutMs`: `int32`, versions 0, default `60000`.
    pub timeout_ms: i32,
    /// `Topics`: `[]ListPartitionReassignmentsTopics`, versions 0, nullable.
    pub topics: Option<Vec<ListPartitionReassignmentsTopics>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ListPartitionReassignmentsRequest {
    fn default() -> Self {
        Self { timeout_ms: 60000, topics: None, unknown_tagged: Vec::new() }
    }
}

impl Wire for ListPartitionReassignmentsRequest {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            timeout_ms: r.get(f)?,
            topics: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.timeout_ms.write(out, f)?;
        write_nullable(self.topics.as_ref(), true, "Topics", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ListPartitionReassignmentsRequest {
    const NAME: &'static str = "ListPartitionReassignmentsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for ListPartitionReassignmentsRequest {
    const API: ApiKey = ApiKey::ListPartitionReassignments;
    type Response = ListPartitionReassignmentsResponse;
}

/// Struct `ListPartitionReassignmentsTopics`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListPartitionReassignmentsTopics {
    /// `Name`: `string`, versions 0.
    pub name: Str,
    /// `PartitionIndexes`: `[]int32`, versions 0.
    pub partition_indexes: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ListPartitionReassignmentsTopics {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            partition_indexes: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.partition_indexes.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
