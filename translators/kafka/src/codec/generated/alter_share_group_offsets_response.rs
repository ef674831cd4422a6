//! `AlterShareGroupOffsetsResponse`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `AlterShareGroupOffsetsResponse`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterShareGroupOffsetsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0, nullable.
    pub error_message: Option<Str>,
    /// `Responses`: `[]AlterShareGroupOffsetsResponseTopic`, versions 0.
    pub responses: Vec<AlterShareGroupOffsetsResponseTopic>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AlterShareGroupOffsetsResponse {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            responses: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.responses.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for AlterShareGroupOffsetsResponse {
    const NAME: &'static str = "AlterShareGroupOffsetsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for AlterShareGroupOffsetsResponse {
    const API: ApiKey = ApiKey::AlterShareGroupOffsets;
}

/// Struct `AlterShareGroupOffsetsResponsePartition`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterShareGroupOffsetsResponsePartition {
    /// `PartitionIndex`: `int32`, versions 0.
    pub partition_index: i32,
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0, nullable.
    pub error_message: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AlterShareGroupOffsetsResponsePartition {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `AlterShareGroupOffsetsResponseTopic`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterShareGroupOffsetsResponseTopic {
    /// `TopicName`: `string`, versions 0.
    pub topic_name: Str,
    /// `TopicId`: `uuid`, versions 0.
    pub topic_id: Uuid,
    /// `Partitions`: `[]AlterShareGroupOffsetsResponsePartition`, versions 0.
    pub partitions: Vec<AlterShareGroupOffsetsResponsePartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AlterShareGroupOffsetsResponseTopic {
    const BYTES_MIN: usize = 19;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topic_name: r.get(f)?,
            topic_id: r.get(f)?,
            partitions: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_name.write(out, f)?;
        self.topic_id.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
