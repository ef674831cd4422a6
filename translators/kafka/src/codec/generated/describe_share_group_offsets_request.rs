//! `DescribeShareGroupOffsetsRequest`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DescribeShareGroupOffsetsResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `DescribeShareGroupOffsetsRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeShareGroupOffsetsRequest {
    /// `Groups`: `[]DescribeShareGroupOffsetsRequestGroup`, versions 0-1.
    pub groups: Vec<DescribeShareGroupOffsetsRequestGroup>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeShareGroupOffsetsRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { groups: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.groups.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeShareGroupOffsetsRequest {
    const NAME: &'static str = "DescribeShareGroupOffsetsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for DescribeShareGroupOffsetsRequest {
    const API: ApiKey = ApiKey::DescribeShareGroupOffsets;
    type Response = DescribeShareGroupOffsetsResponse;
}

/// Struct `DescribeShareGroupOffsetsRequestTopic`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeShareGroupOffsetsRequestTopic {
    /// `TopicName`: `string`, versions 0-1.
    pub topic_name: Str,
    /// `Partitions`: `[]int32`, versions 0-1.
    pub partitions: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeShareGroupOffsetsRequestTopic {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topic_name: r.get(f)?,
            partitions: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_name.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribeShareGroupOffsetsRequestGroup`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeShareGroupOffsetsRequestGroup {
    /// `GroupId`: `string`, versions 0-1.
    pub group_id: Str,
    /// `Topics`: `[]DescribeShareGroupOffsetsRequestTopic`, versions 0-1, nullable.
    pub topics: Option<Vec<DescribeShareGroupOffsetsRequestTopic>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeShareGroupOffsetsRequestGroup {
    fn default() -> Self {
        Self { group_id: Str::default(), topics: Some(Vec::new()), unknown_tagged: Vec::new() }
    }
}

impl Wire for DescribeShareGroupOffsetsRequestGroup {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            topics: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        write_nullable(self.topics.as_ref(), true, "Topics", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
