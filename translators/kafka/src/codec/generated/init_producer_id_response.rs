//! `InitProducerIdResponse`, versions 0-6. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent};
use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, TaggedField, Wire};

/// Message `InitProducerIdResponse`, versions 0-6.
#[derive(Debug, Clone, PartialEq)]
pub struct InitProducerIdResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-6, ignorable.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0-6.
    pub error_code: i16,
    /// `ProducerId`: `int64`, versions 0-6, default `-1`.
    pub producer_id: i64,
    /// `ProducerEpoch`: `int16`, versions 0-6.
    pub producer_epoch: i16,
    /// `OngoingTxnProducerId`: `int64`, versions 6, default `-1`.
    pub ongoing_txn_producer_id: i64,
    /// `OngoingTxnProducerEpoch`: `int16`, versions 6, default `-1`.
    pub ongoing_txn_producer_epoch: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for InitProducerIdResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            producer_id: -1,
            producer_epoch: 0,
            ongoing_txn_producer_id: -1,
            ongoing_txn_producer_epoch: -1,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for InitProducerIdResponse {
    const BYTES_MIN: usize = 16;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            producer_id: r.get(f)?,
            producer_epoch: r.get(f)?,
            ongoing_txn_producer_id: if f.version >= 6 { r.get(f)? } else { -1 },
            ongoing_txn_producer_epoch: if f.version >= 6 { r.get(f)? } else { -1 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        self.producer_id.write(out, f)?;
        self.producer_epoch.write(out, f)?;
        if f.version >= 6 {
            self.ongoing_txn_producer_id.write(out, f)?;
        } else {
            absent(self.ongoing_txn_producer_id == -1, "OngoingTxnProducerId", f)?;
        }
        if f.version >= 6 {
            self.ongoing_txn_producer_epoch.write(out, f)?;
        } else {
            absent(self.ongoing_txn_producer_epoch == -1, "OngoingTxnProducerEpoch", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for InitProducerIdResponse {
    const NAME: &'static str = "InitProducerIdResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for InitProducerIdResponse {
    const API: ApiKey = ApiKey::InitProducerId;
}
