//! `SaslHandshakeRequest`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::SaslHandshakeResponse;
use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, Wire};

/// Message `SaslHandshakeRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SaslHandshakeRequest {
    /// `Mechanism`: `string`, versions 0-1.
    pub mechanism: Str,
}

impl Wire for SaslHandshakeRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { mechanism: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.mechanism.write(out, f)?;
        Ok(())
    }
}

impl Message for SaslHandshakeRequest {
    const NAME: &'static str = "SaslHandshakeRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = None;
}

impl Request for SaslHandshakeRequest {
    const API: ApiKey = ApiKey::SaslHandshake;
    type Response = SaslHandshakeResponse;
}
