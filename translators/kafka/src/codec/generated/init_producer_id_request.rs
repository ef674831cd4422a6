//! `InitProducerIdRequest`, versions 0-6. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::InitProducerIdResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `InitProducerIdRequest`, versions 0-6.
#[derive(Debug, Clone, PartialEq)]
pub struct InitProducerIdRequest {
    /// `TransactionalId`: `string`, versions 0-6, nullable.
    pub transactional_id: Option<Str>,
    /// `TransactionTimeoutMs`: `int32`, versions 0-6.
    pub transaction_timeout_ms: i32,
    /// `ProducerId`: `int64`, versions 3-6, default `-1`.
    pub producer_id: i64,
    /// `ProducerEpoch`: `int16`, versions 3-6, default `-1`.
    pub producer_epoch: i16,
    /// `Enable2Pc`: `bool`, versions 6.
    pub enable2_pc: bool,
    /// `KeepPreparedTxn`: `bool`, versions 6.
    pub keep_prepared_txn: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for InitProducerIdRequest {
    fn default() -> Self {
        Self {
            transactional_id: Some(Str::default()),
            transaction_timeout_ms: 0,
            producer_id: -1,
            producer_epoch: -1,
            enable2_pc: false,
            keep_prepared_txn: false,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for InitProducerIdRequest {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            transactional_id: r.get_nullable(f, true)?,
            transaction_timeout_ms: r.get(f)?,
            producer_id: if f.version >= 3 { r.get(f)? } else { -1 },
            producer_epoch: if f.version >= 3 { r.get(f)? } else { -1 },
            enable2_pc: if f.version >= 6 { r.get(f)? } else { false },
            keep_prepared_txn: if f.version >= 6 { r.get(f)? } else { false },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.transactional_id.as_ref(), true, "TransactionalId", out, f)?;
        self.transaction_timeout_ms.write(out, f)?;
        if f.version >= 3 {
            self.producer_id.write(out, f)?;
        } else {
            absent(self.producer_id == -1, "ProducerId", f)?;
        }
        if f.version >= 3 {
            self.producer_epoch.write(out, f)?;
        } else {
            absent(self.producer_epoch == -1, "ProducerEpoch", f)?;
        }
        if f.version >= 6 {
            self.enable2_pc.write(out, f)?;
        } else {
            absent(!self.enable2_pc, "Enable2Pc", f)?;
        }
        if f.version >= 6 {
            self.keep_prepared_txn.write(out, f)?;
        } else {
            absent(!self.keep_prepared_txn, "KeepPreparedTxn", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for InitProducerIdRequest {
    const NAME: &'static str = "InitProducerIdRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Request for InitProducerIdRequest {
    const API: ApiKey = ApiKey::InitProducerId;
    type Response = InitProducerIdResponse;
}
