//! `DescribeQuorumRequest`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DescribeQuorumResponse;
use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `DescribeQuorumRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeQuorumRequest {
    /// `Topics`: `[]TopicData`, versions 0-2.
    pub topics: Vec<TopicData>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeQuorumRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { topics: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeQuorumRequest {
    const NAME: &'static str = "DescribeQuorumRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for DescribeQuorumRequest {
    const API: ApiKey = ApiKey::DescribeQuorum;
    type Response = DescribeQuorumResponse;
}

/// Struct `PartitionData`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionData {
    /// `PartitionIndex`: `int32`, versions 0-2.
    pub partition_index: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for PartitionData {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { partition_index: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopicData`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicData {
    /// `TopicName`: `string`, versions 0-2.
    pub topic_name: Str,
    /// `Partitions`: `[]PartitionData`, versions 0-2.
    pub partitions: Vec<PartitionData>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicData {
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
