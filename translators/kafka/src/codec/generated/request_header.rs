//! `RequestHeader`, versions 1-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{DecodeError, EncodeError, Format, Message, Reader, Str, TaggedField, Wire};

/// Message `RequestHeader`, versions 1-2.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestHeader {
    /// `RequestApiKey`: `int16`, versions 1-2.
    pub request_api_key: i16,
    /// `RequestApiVersion`: `int16`, versions 1-2.
    pub request_api_version: i16,
    /// `CorrelationId`: `int32`, versions 1-2.
    pub correlation_id: i32,
    /// `ClientId`: `string`, versions 1-2, nullable.
    pub client_id: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for RequestHeader {
    fn default() -> Self {
        Self {
            request_api_key: 0,
            request_api_version: 0,
            correlation_id: 0,
            client_id: Some(Str::default()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for RequestHeader {
    const BYTES_MIN: usize = 10;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            request_api_key: r.get(f)?,
            request_api_version: r.get(f)?,
            correlation_id: r.get(f)?,
            client_id: r.get_nullable(f.rigid(), true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.request_api_key.write(out, f)?;
        self.request_api_version.write(out, f)?;
        self.correlation_id.write(out, f)?;
        write_nullable(self.client_id.as_ref(), true, "ClientId", out, f.rigid())?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for RequestHeader {
    const NAME: &'static str = "RequestHeader";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}
