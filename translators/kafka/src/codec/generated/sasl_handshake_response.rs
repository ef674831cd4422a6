//! `SaslHandshakeResponse`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, Wire};

/// Message `SaslHandshakeResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SaslHandshakeResponse {
    /// `ErrorCode`: `int16`, versions 0-1.
    pub error_code: i16,
    /// `Mechanisms`: `[]string`, versions 0-1.
    pub mechanisms: Vec<Str>,
}

impl Wire for SaslHandshakeResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { error_code: r.get(f)?, mechanisms: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        self.mechanisms.write(out, f)?;
        Ok(())
    }
}

impl Message for SaslHandshakeResponse {
    const NAME: &'static str = "SaslHandshakeResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = None;
}

impl Response for SaslHandshakeResponse {
    const API: ApiKey = ApiKey::SaslHandshake;
}
