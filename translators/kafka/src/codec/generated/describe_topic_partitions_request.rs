//! `DescribeTopicPartitionsRequest`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DescribeTopicPartitionsResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `DescribeTopicPartitionsRequest`, versions 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeTopicPartitionsRequest {
    /// `Topics`: `[]TopicRequest`, versions 0.
    pub topics: Vec<TopicRequest>,
    /// `ResponsePartitionLimit`: `int32`, versions 0, default `2000`.
    pub response_partition_limit: i32,
    /// `Cursor`: `Cursor`, versions 0, nullable.
    pub cursor: Option<Cursor>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeTopicPartitionsRequest {
    fn default() -> Self {
        Self { topics: Vec::new(), response_partition_limit: 2000, cursor: None, unknown_tagged: Vec::new() }
    }
}

impl Wire for DescribeTopicPartitionsRequest {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topics: r.get(f)?,
            response_partition_limit: r.get(f)?,
            cursor: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topics.write(out, f)?;
        self.response_partition_limit.write(out, f)?;
        write_nullable(self.cursor.as_ref(), true, "Cursor", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeTopicPartitionsRequest {
    const NAME: &'static str = "DescribeTopicPartitionsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for DescribeTopicPartitionsRequest {
    const API: ApiKey = ApiKey::DescribeTopicPartitions;
    type Response = DescribeTopicPartitionsResponse;
}

/// Struct `TopicRequest`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicRequest {
    /// `Name`: `string`, versions 0.
    pub name: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { name: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Cursor`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cursor {
    /// `TopicName`: `string`, versions 0.
    pub topic_name: Str,
    /// `PartitionIndex`: `int32`, versions 0.
    pub partition_index: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Cursor {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topic_name: r.get(f)?,
            partition_index: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_name.write(out, f)?;
        self.partition_index.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
