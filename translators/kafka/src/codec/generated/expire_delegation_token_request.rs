//! `ExpireDelegationTokenRequest`, versions 1-2. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::messages::ExpireDelegationTokenResponse;
use crate::codec::wire::Tags;
use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, TaggedField, Wire};

/// Message `ExpireDelegationTokenRequest`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExpireDelegationTokenRequest {
    /// `Hmac`: `bytes`, versions 1-2.
    pub hmac: Bytes,
    /// `ExpiryTimePeriodMs`: `int64`, versions 1-2.
    pub expiry_time_period_ms: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ExpireDelegationTokenRequest {
    const BYTES_MIN: usize = 10;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            hmac: r.get(f)?,
            expiry_time_period_ms: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.hmac.write(out, f)?;
        self.expiry_time_period_ms.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ExpireDelegationTokenRequest {
    const NAME: &'static str = "ExpireDelegationTokenRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Request for ExpireDelegationTokenRequest {
    const API: ApiKey = ApiKey::ExpireDelegationToken;
    type Response = ExpireDelegationTokenResponse;
}
