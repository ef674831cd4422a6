//! `EndTxnResponse`, versions 0-5. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, TaggedField, Wire};

/// Message `EndTxnResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq)]
pub struct EndTxnResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-5.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0-5.
    pub error_code: i16,
    /// `ProducerId`: `int64`, versions 5, ignorable, default `-1`.
    pub producer_id: i64,
    /// `ProducerEpoch`: `int16`, versions 5, ignorable, default `-1`.
    pub producer_epoch: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for EndTxnResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            producer_id: -1,
            producer_epoch: -1,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for EndTxnResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            producer_id: if f.version >= 5 { r.get(f)? } else { -1 },
            producer_epoch: if f.version >= 5 { r.get(f)? } else { -1 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        if f.version >= 5 {
            self.producer_id.write(out, f)?;
        }
        if f.version >= 5 {
            self.producer_epoch.write(out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for EndTxnResponse {
    const NAME: &'static str = "EndTxnResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Response for EndTxnResponse {
    const API: ApiKey = ApiKey::EndTxn;
}
