//! `OffsetDeleteRequest`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::OffsetDeleteResponse;
use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, Wire};

/// Message `OffsetDeleteRequest`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteRequest {
    /// `GroupId`: `string`, versions 0.
    pub group_id: Str,
    /// `Topics`: `[]OffsetDeleteRequestTopic`, versions 0.
    pub topics: Vec<OffsetDeleteRequestTopic>,
}

impl Wire for OffsetDeleteRequest {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { group_id: r.get(f)?, topics: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.topics.write(out, f)?;
        Ok(())
    }
}

impl Message for OffsetDeleteRequest {
    const NAME: &'static str = "OffsetDeleteRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = None;
}

impl Request for OffsetDeleteRequest {
    const API: ApiKey = ApiKey::OffsetDelete;
    type Response = OffsetDeleteResponse;
}

/// Struct `OffsetDeleteRequestPartition`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteRequestPartition {
    /// `PartitionIndex`: `int32`, versions 0.
    pub partition_index: i32,
}

impl Wire for OffsetDeleteRequestPartition {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { partition_index: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        Ok(())
    }
}

/// Struct `OffsetDeleteRequestTopic`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetDeleteRequestTopic {
    /// `Name`: `string`, versions 0.
    pub name: Str,
    /// `Partitions`: `[]OffsetDeleteRequestPartition`, versions 0.
    pub partitions: Vec<OffsetDeleteRequestPartition>,
}

impl Wire for OffsetDeleteRequestTopic {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { name: r.get(f)?, partitions: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.partitions.write(out, f)?;
        Ok(())
    }
}
