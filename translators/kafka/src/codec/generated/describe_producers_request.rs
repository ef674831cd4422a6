//! `DescribeProducersRequest`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DescribeProducersResponse;
use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `DescribeProducersRequest`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeProducersRequest {
    /// `Topics`: `[]TopicRequest`, versions 0.
    pub topics: Vec<TopicRequest>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeProducersRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { topics: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeProducersRequest {
    const NAME: &'static str = "DescribeProducersRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for DescribeProducersRequest {
    const API: ApiKey = ApiKey::DescribeProducers;
    type Response = DescribeProducersResponse;
}

/// Struct `TopicRequest`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicRequest {
    /// `Name`: `string`, versions 0.
    pub name: Str,
    /// `PartitionIndexes`: `[]int32`, versions 0.
    pub partition_indexes: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicRequest {
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
