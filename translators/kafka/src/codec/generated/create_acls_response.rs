//! `CreateAclsResponse`, versions 1-3. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `CreateAclsResponse`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateAclsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-3.
    pub throttle_time_ms: i32,
    /// `Results`: `[]AclCreationResult`, versions 1-3.
    pub results: Vec<AclCreationResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CreateAclsResponse {
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

impl Message for CreateAclsResponse {
    const NAME: &'static str = "CreateAclsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=3;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for CreateAclsResponse {
    const API: ApiKey = ApiKey::CreateAcls;
}

/// Struct `AclCreationResult`, versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct AclCreationResult {
    /// `ErrorCode`: `int16`, versions 1-3.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 1-3, nullable.
    pub error_message: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for AclCreationResult {
    fn default() -> Self {
        Self { error_code: 0, error_message: Some(Str::default()), unknown_tagged: Vec::new() }
    }
}

impl Wire for AclCreationResult {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
