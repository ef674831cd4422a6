//! `AlterConfigsResponse`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `AlterConfigsResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterConfigsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-2.
    pub throttle_time_ms: i32,
    /// `Responses`: `[]AlterConfigsResourceResponse`, versions 0-2.
    pub responses: Vec<AlterConfigsResourceResponse>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AlterConfigsResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            responses: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.responses.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for AlterConfigsResponse {
    const NAME: &'static str = "AlterConfigsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for AlterConfigsResponse {
    const API: ApiKey = ApiKey::AlterConfigs;
}

/// Struct `AlterConfigsResourceResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterConfigsResourceResponse {
    /// `ErrorCode`: `int16`, versions 0-2.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-2, nullable.
    pub error_message: Option<Str>,
    /// `ResourceType`: `int8`, versions 0-2.
    pub resource_type: i8,
    /// `ResourceName`: `string`, versions 0-2.
    pub resource_name: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for AlterConfigsResourceResponse {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(Str::default()),
            resource_type: 0,
            resource_name: Str::default(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for AlterConfigsResourceResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            resource_type: r.get(f)?,
            resource_name: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.resource_type.write(out, f)?;
        self.resource_name.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
