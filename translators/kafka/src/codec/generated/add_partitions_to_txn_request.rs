//! `AddPartitionsToTxnRequest`, versions 0-5. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::AddPartitionsToTxnResponse;
use crate::codec::wire::{Tags, absent};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `AddPartitionsToTxnRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnRequest {
    /// `Transactions`: `[]AddPartitionsToTxnTransaction`, versions 4-5.
    pub transactions: Vec<AddPartitionsToTxnTransaction>,
    /// `V3AndBelowTransactionalId`: `string`, versions 0-3.
    pub v3_and_below_transactional_id: Str,
    /// `V3AndBelowProducerId`: `int64`, versions 0-3.
    pub v3_and_below_producer_id: i64,
    /// `V3AndBelowProducerEpoch`: `int16`, versions 0-3.
    pub v3_and_below_producer_epoch: i16,
    /// `V3AndBelowTopics`: `[]AddPartitionsToTxnTopic`, versions 0-3.
    pub v3_and_below_topics: Vec<AddPartitionsToTxnTopic>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AddPartitionsToTxnRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            transactions: if f.version >= 4 { r.get(f)? } else { Vec::new() },
            v3_and_below_transactional_id: if f.version <= 3 { r.get(f)? } else { Str::default() },
            v3_and_below_producer_id: if f.version <= 3 { r.get(f)? } else { 0 },
            v3_and_below_producer_epoch: if f.version <= 3 { r.get(f)? } else { 0 },
            v3_and_below_topics: if f.version <= 3 { r.get(f)? } else { Vec::new() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 4 {
            self.transactions.write(out, f)?;
        } else {
            absent(self.transactions.is_empty(), "Transactions", f)?;
        }
        if f.version <= 3 {
            self.v3_and_below_transactional_id.write(out, f)?;
        } else {
            absent(self.v3_and_below_transactional_id.is_empty(), "V3AndBelowTransactionalId", f)?;
        }
        if f.version <= 3 {
            self.v3_and_below_producer_id.write(out, f)?;
        } else {
            absent(self.v3_and_below_producer_id == 0, "V3AndBelowProducerId", f)?;
        }
        if f.version <= 3 {
            self.v3_and_below_producer_epoch.write(out, f)?;
        } else {
            absent(self.v3_and_below_producer_epoch == 0, "V3AndBelowProducerEpoch", f)?;
        }
        if f.version <= 3 {
            self.v3_and_below_topics.write(out, f)?;
        } else {
            absent(self.v3_and_below_topics.is_empty(), "V3AndBelowTopics", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for AddPartitionsToTxnRequest {
    const NAME: &'static str = "AddPartitionsToTxnRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Request for AddPartitionsToTxnRequest {
    const API: ApiKey = ApiKey::AddPartitionsToTxn;
    type Response = AddPartitionsToTxnResponse;
}

/// Struct `AddPartitionsToTxnTopic`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnTopic {
    /// `Name`: `string`, versions 0-5.
    pub name: Str,
    /// `Partitions`: `[]int32`, versions 0-5.
    pub partitions: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AddPartitionsToTxnTopic {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { name: r.get(f)?, partitions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `AddPartitionsToTxnTransaction`, versions 4-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AddPartitionsToTxnTransaction {
    /// `TransactionalId`: `string`, versions 4-5.
    pub transactional_id: Str,
    /// `ProducerId`: `int64`, versions 4-5.
    pub producer_id: i64,
    /// `ProducerEpoch`: `int16`, versions 4-5.
    pub producer_epoch: i16,
    /// `VerifyOnly`: `bool`, versions 4-5.
    pub verify_only: bool,
    /// `Topics`: `[]AddPartitionsToTxnTopic`, versions 4-5.
    pub topics: Vec<AddPartitionsToTxnTopic>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AddPartitionsToTxnTransaction {
    const BYTES_MIN: usize = 14;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            transactional_id: r.get(f)?,
            producer_id: r.get(f)?,
            producer_epoch: r.get(f)?,
            verify_only: r.get(f)?,
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.transactional_id.write(out, f)?;
        self.producer_id.write(out, f)?;
        self.producer_epoch.write(out, f)?;
        self.verify_only.write(out, f)?;
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
