//! `ProduceRequest`, versions 3-13. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::messages::ProduceResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `ProduceRequest`, versions 3-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProduceRequest {
    /// `TransactionalId`: `string`, versions 3-13, nullable.
    pub transactional_id: Option<Str>,
    /// `Acks`: `int16`, versions 3-13.
    pub acks: i16,
    /// `TimeoutMs`: `int32`, versions 3-13.
    pub timeout_ms: i32,
    /// `TopicData`: `[]TopicProduceData`, versions 3-13.
    pub topic_data: Vec<TopicProduceData>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ProduceRequest {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            transactional_id: r.get_nullable(f, true)?,
            acks: r.get(f)?,
            timeout_ms: r.get(f)?,
            topic_data: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.transactional_id.as_ref(), true, "TransactionalId", out, f)?;
        self.acks.write(out, f)?;
        self.timeout_ms.write(out, f)?;
        self.topic_data.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ProduceRequest {
    const NAME: &'static str = "ProduceRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;
    const FLEXIBLE_FROM: Option<i16> = Some(9);
}

impl Request for ProduceRequest {
    const API: ApiKey = ApiKey::Produce;
    type Response = ProduceResponse;
}

/// Struct `PartitionProduceData`, versions 3-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionProduceData {
    /// `Index`: `int32`, versions 3-13.
    pub index: i32,
    /// `Records`: `records`, versions 3-13, nullable.
    pub records: Option<Bytes>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for PartitionProduceData {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            index: r.get(f)?,
            records: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.index.write(out, f)?;
        write_nullable(self.records.as_ref(), true, "Records", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopicProduceData`, versions 3-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicProduceData {
    /// `Name`: `string`, versions 3-12, ignorable.
    pub name: Str,
    /// `TopicId`: `uuid`, versions 13, ignorable.
    pub topic_id: Uuid,
    /// `PartitionData`: `[]PartitionProduceData`, versions 3-13.
    pub partition_data: Vec<PartitionProduceData>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicProduceData {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: if f.version <= 12 { r.get(f)? } else { Str::default() },
            topic_id: if f.version >= 13 { r.get(f)? } else { Uuid::ZERO },
            partition_data: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version <= 12 {
            self.name.write(out, f)?;
        }
        if f.version >= 13 {
            self.topic_id.write(out, f)?;
        }
        self.partition_data.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
