//! `OffsetForLeaderEpochResponse`, versions 2-4. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `OffsetForLeaderEpochResponse`, versions 2-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetForLeaderEpochResponse {
    /// `ThrottleTimeMs`: `int32`, versions 2-4, ignorable.
    pub throttle_time_ms: i32,
    /// `Topics`: `[]OffsetForLeaderTopicResult`, versions 2-4.
    pub topics: Vec<OffsetForLeaderTopicResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetForLeaderEpochResponse {
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

impl Message for OffsetForLeaderEpochResponse {
    const NAME: &'static str = "OffsetForLeaderEpochResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=4;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl Response for OffsetForLeaderEpochResponse {
    const API: ApiKey = ApiKey::OffsetForLeaderEpoch;
}

/// Struct `EpochEndOffset`, versions 2-4.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochEndOffset {
    /// `ErrorCode`: `int16`, versions 2-4.
    pub error_code: i16,
    /// `Partition`: `int32`, versions 2-4.
    pub partition: i32,
    /// `LeaderEpoch`: `int32`, versions 2-4, ignorable, default `-1`.
    pub leader_epoch: i32,
    /// `EndOffset`: `int64`, versions 2-4, default `-1`.
    pub end_offset: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for EpochEndOffset {
    fn default() -> Self {
        Self { error_code: 0, partition: 0, leader_epoch: -1, end_offset: -1, unknown_tagged: Vec::new() }
    }
}

impl Wire for EpochEndOffset {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            partition: r.get(f)?,
            leader_epoch: r.get(f)?,
            end_offset: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        self.partition.write(out, f)?;
        self.leader_epoch.write(out, f)?;
        self.end_offset.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `OffsetForLeaderTopicResult`, versions 2-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetForLeaderTopicResult {
    /// `Topic`: `string`, versions 2-4.
    pub topic: Str,
    /// `Partitions`: `[]EpochEndOffset`, versions 2-4.
    pub partitions: Vec<EpochEndOffset>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetForLeaderTopicResult {
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
