//! `DescribeUserScramCredentialsResponse`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `DescribeUserScramCredentialsResponse`, versions 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeUserScramCredentialsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0, nullable.
    pub error_message: Option<Str>,
    /// `Results`: `[]DescribeUserScramCredentialsResult`, versions 0.
    pub results: Vec<DescribeUserScramCredentialsResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeUserScramCredentialsResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(Str::default()),
            results: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeUserScramCredentialsResponse {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            results: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.results.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeUserScramCredentialsResponse {
    const NAME: &'static str = "DescribeUserScramCredentialsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for DescribeUserScramCredentialsResponse {
    const API: ApiKey = ApiKey::DescribeUserScramCredentials;
}

/// Struct `CredentialInfo`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CredentialInfo {
    /// `Mechanism`: `int8`, versions 0.
    pub mechanism: i8,
    /// `Iterations`: `int32`, versions 0.
    pub iterations: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CredentialInfo {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { mechanism: r.get(f)?, iterations: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.mechanism.write(out, f)?;
        self.iterations.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribeUserScramCredentialsResult`, versions 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeUserScramCredentialsResult {
    /// `User`: `string`, versions 0.
    pub user: Str,
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0, nullable.
    pub error_message: Option<Str>,
    /// `CredentialInfos`: `[]CredentialInfo`, versions 0.
    pub credential_infos: Vec<CredentialInfo>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeUserScramCredentialsResult {
    fn default() -> Self {
        Self {
            user: Str::default(),
            error_code: 0,
            error_message: Some(Str::default()),
            credential_infos: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeUserScramCredentialsResult {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            user: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            credential_infos: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.user.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.credential_infos.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
