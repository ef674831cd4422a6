//! `SaslAuthenticateResponse`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `SaslAuthenticateResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct SaslAuthenticateResponse {
    /// `ErrorCode`: `int16`, versions 0-2.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-2, nullable.
    pub error_message: Option<Str>,
    /// `AuthBytes`: `bytes`, versions 0-2.
    pub auth_bytes: Bytes,
    /// `SessionLifetimeMs`: `int64`, versions 1-2, ignorable.
    pub session_lifetime_ms: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for SaslAuthenticateResponse {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(Str::default()),
            auth_bytes: Bytes::new(),
            session_lifetime_ms: 0,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for SaslAuthenticateResponse {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            auth_bytes: r.get(f)?,
            session_lifetime_ms: if f.version >= 1 { r.get(f)? } else { 0 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.auth_bytes.write(out, f)?;
        if f.version >= 1 {
            self.session_lifetime_ms.write(out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for SaslAuthenticateResponse {
    const NAME: &'static str = "SaslAuthenticateResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for SaslAuthenticateResponse {
    const API: ApiKey = ApiKey::SaslAuthenticate;
}
