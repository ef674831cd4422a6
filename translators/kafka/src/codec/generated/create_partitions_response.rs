//! `CreatePartitionsResponse`, versions 0-3. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `CreatePartitionsResponse`, versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatePartitionsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-3.
    pub throttle_time_ms: i32,
    /// `Results`: `[]CreatePartitionsTopicResult`, versions 0-3.
    pub results: Vec<CreatePartitionsTopicResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CreatePartitionsResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            results: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.results.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for CreatePartitionsResponse {
    const NAME: &'static str = "CreatePartitionsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for CreatePartitionsResponse {
    const API: ApiKey = ApiKey::CreatePartitions;
}

/// Struct `CreatePartitionsTopicResult`, versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatePartitionsTopicResult {
    /// `Name`: `string`, versions 0-3.
    pub name: Str,
    /// `ErrorCode`: `int16`, versions 0-3.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-3, nullable.
    pub error_message: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CreatePartitionsTopicResult {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
