//! `RenewDelegationTokenRequest`, versions 1-2. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::messages::RenewDelegationTokenResponse;
use crate::codec::wire::Tags;
use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, TaggedField, Wire};

/// Message `RenewDelegationTokenRequest`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RenewDelegationTokenRequest {
    /// `Hmac`: `bytes`, versions 1-2.
    pub hmac: Bytes,
    /// `RenewPeriodMs`: `int64`, versions 1-2.
    pub renew_period_ms: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for RenewDelegationTokenRequest {
    const BYTES_MIN: usize = 10;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { hmac: r.get(f)?, renew_period_ms: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.hmac.write(out, f)?;
        self.renew_period_ms.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for RenewDelegationTokenRequest {
    const NAME: &'static str = "RenewDelegationTokenRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Request for RenewDelegationTokenRequest {
    const API: ApiKey = ApiKey::RenewDelegationToken;
    type Response = RenewDelegationTokenResponse;
}
