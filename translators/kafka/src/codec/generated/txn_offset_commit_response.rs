//! `TxnOffsetCommitResponse`, versions 0-6. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `TxnOffsetCommitResponse`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-6.
    pub throttle_time_ms: i32,
    /// `Topics`: `[]TxnOffsetCommitResponseTopic`, versions 0-6.
    pub topics: Vec<TxnOffsetCommitResponseTopic>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TxnOffsetCommitResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for TxnOffsetCommitResponse {
    const NAME: &'static str = "TxnOffsetCommitResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Response for TxnOffsetCommitResponse {
    const API: ApiKey = ApiKey::TxnOffsetCommit;
}

/// Struct `TxnOffsetCommitResponsePartition`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitResponsePartition {
    /// `PartitionIndex`: `int32`, versions 0-6.
    pub partition_index: i32,
    /// `ErrorCode`: `int16`, versions 0-6.
    pub error_code: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TxnOffsetCommitResponsePartition {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            error_code: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.error_code.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TxnOffsetCommitResponseTopic`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TxnOffsetCommitResponseTopic {
    /// `Name`: `string`, versions 0-5, ignorable.
    pub name: Str,
    /// `TopicId`: `uuid`, versions 6, ignorable.
    pub topic_id: Uuid,
    /// `Partitions`: `[]TxnOffsetCommitResponsePartition`, versions 0-6.
    pub partitions: Vec<TxnOffsetCommitResponsePartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TxnOffsetCommitResponseTopic {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: if f.version <= 5 { r.get(f)? } else { Str::default() },
            topic_id: if f.version >= 6 { r.get(f)? } else { Uuid::ZERO },
            partitions: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version <= 5 {
            self.name.write(out, f)?;
        }
        if f.version >= 6 {
            self.topic_id.write(out, f)?;
        }
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
