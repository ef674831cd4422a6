//! `PushTelemetryResponse`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, TaggedField, Wire};

/// Message `PushTelemetryResponse`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PushTelemetryResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for PushTelemetryResponse {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for PushTelemetryResponse {
    const NAME: &'static str = "PushTelemetryResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for PushTelemetryResponse {
    const API: ApiKey = ApiKey::PushTelemetry;
}
