//! `AddOffsetsToTxnRequest`, versions 0-4. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::AddOffsetsToTxnResponse;
use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `AddOffsetsToTxnRequest`, versions 0-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddOffsetsToTxnRequest {
    /// `TransactionalId`: `string`, versions 0-4.
    pub transactional_id: Str,
    /// `ProducerId`: `int64`, versions 0-4.
    pub producer_id: i64,
    /// `ProducerEpoch`: `int16`, versions 0-4.
    pub producer_epoch: i16,
    /// `GroupId`: `string`, versions 0-4.
    pub group_id: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AddOffsetsToTxnRequest {
    const BYTES_MIN: usize = 13;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            transactional_id: r.get(f)?,
            producer_id: r.get(f)?,
            producer_epoch: r.get(f)?,
            group_id: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.transactional_id.write(out, f)?;
        self.producer_id.write(out, f)?;
        self.producer_epoch.write(out, f)?;
        self.group_id.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for AddOffsetsToTxnRequest {
    const NAME: &'static str = "AddOffsetsToTxnRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Request for AddOffsetsToTxnRequest {
    const API: ApiKey = ApiKey::AddOffsetsToTxn;
    type Response = AddOffsetsToTxnResponse;
}
