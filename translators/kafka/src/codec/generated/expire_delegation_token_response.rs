//! `ExpireDelegationTokenResponse`, versions 1-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, TaggedField, Wire};

/// Message `ExpireDelegationTokenResponse`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExpireDelegationTokenResponse {
    /// `ErrorCode`: `int16`, versions 1-2.
    pub error_code: i16,
    /// `ExpiryTimestampMs`: `int64`, versions 1-2.
    pub expiry_timestamp_ms: i64,
    /// `ThrottleTimeMs`: `int32`, versions 1-2.
    pub throttle_time_ms: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ExpireDelegationTokenResponse {
    const BYTES_MIN: usize = 14;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            expiry_timestamp_ms: r.get(f)?,
            throttle_time_ms: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        self.expiry_timestamp_ms.write(out, f)?;
        self.throttle_time_ms.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ExpireDelegationTokenResponse {
    const NAME: &'static str = "ExpireDelegationTokenResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for ExpireDelegationTokenResponse {
    const API: ApiKey = ApiKey::ExpireDelegationToken;
}
