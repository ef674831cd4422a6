//! `ElectLeadersRequest`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::ElectLeadersResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `ElectLeadersRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct ElectLeadersRequest {
    /// `ElectionType`: `int8`, versions 1-2.
    pub election_type: i8,
    /// `TopicPartitions`: `[]TopicPartitions`, versions 0-2, nullable.
    pub topic_partitions: Option<Vec<TopicPartitions>>,
    /// `TimeoutMs`: `int32`, versions 0-2, default `60000`.
    pub timeout_ms: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ElectLeadersRequest {
    fn default() -> Self {
        Self {
            election_type: 0,
            topic_partitions: Some(Vec::new()),
            timeout_ms: 60000,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ElectLeadersRequest {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            election_type: if f.version >= 1 { r.get(f)? } else { 0 },
            topic_partitions: r.get_nullable(f, true)?,
            timeout_ms: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 1 {
            self.election_type.write(out, f)?;
        } else {
            absent(self.election_type == 0, "ElectionType", f)?;
        }
        write_nullable(self.topic_partitions.as_ref(), true, "TopicPartitions", out, f)?;
        self.timeout_ms.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ElectLeadersRequest {
    const NAME: &'static str = "ElectLeadersRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Request for ElectLeadersRequest {
    const API: ApiKey = ApiKey::ElectLeaders;
    type Response = ElectLeadersResponse;
}

/// Struct `TopicPartitions`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartitions {
    /// `Topic`: `string`, versions 0-2.
    pub topic: Str,
    /// `Partitions`: `[]int32`, versions 0-2.
    pub partitions: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicPartitions {
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
