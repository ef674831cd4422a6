//! `ShareAcknowledgeRequest`, versions 1-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::ShareAcknowledgeResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `ShareAcknowledgeRequest`, versions 1-2.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareAcknowledgeRequest {
    /// `GroupId`: `string`, versions 1-2, nullable.
    pub group_id: Option<Str>,
    /// `MemberId`: `string`, versions 1-2, nullable.
    pub member_id: Option<Str>,
    /// `ShareSessionEpoch`: `int32`, versions 1-2.
    pub share_session_epoch: i32,
    /// `IsRenewAck`: `bool`, versions 2.
    pub is_renew_ack: bool,
    /// `Topics`: `[]AcknowledgeTopic`, versions 1-2.
    pub topics: Vec<AcknowledgeTopic>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ShareAcknowledgeRequest {
    fn default() -> Self {
        Self {
            group_id: None,
            member_id: Some(Str::default()),
            share_session_epoch: 0,
            is_renew_ack: false,
            topics: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ShareAcknowledgeRequest {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get_nullable(f, true)?,
            member_id: r.get_nullable(f, true)?,
            share_session_epoch: r.get(f)?,
            is_renew_ack: if f.version >= 2 { r.get(f)? } else { false },
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.group_id.as_ref(), true, "GroupId", out, f)?;
        write_nullable(self.member_id.as_ref(), true, "MemberId", out, f)?;
        self.share_session_epoch.write(out, f)?;
        if f.version >= 2 {
            self.is_renew_ack.write(out, f)?;
        } else {
            absent(!self.is_renew_ack, "IsRenewAck", f)?;
        }
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ShareAcknowledgeRequest {
    const NAME: &'static str = "ShareAcknowledgeRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl Request for ShareAcknowledgeRequest {
    const API: ApiKey = ApiKey::ShareAcknowledge;
    type Response = ShareAcknowledgeResponse;
}

/// Struct `AcknowledgementBatch`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AcknowledgementBatch {
    /// `FirstOffset`: `int64`, versions 1-2.
    pub first_offset: i64,
    /// `LastOffset`: `int64`, versions 1-2.
    pub last_offset: i64,
    /// `AcknowledgeTypes`: `[]int8`, versions 1-2.
    pub acknowledge_types: Vec<i8>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AcknowledgementBatch {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            first_offset: r.get(f)?,
            last_offset: r.get(f)?,
            acknowledge_types: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.first_offset.write(out, f)?;
        self.last_offset.write(out, f)?;
        self.acknowledge_types.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `AcknowledgePartition`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AcknowledgePartition {
    /// `PartitionIndex`: `int32`, versions 1-2.
    pub partition_index: i32,
    /// `AcknowledgementBatches`: `[]AcknowledgementBatch`, versions 1-2.
    pub acknowledgement_batches: Vec<AcknowledgementBatch>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AcknowledgePartition {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            acknowledgement_batches: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.acknowledgement_batches.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `AcknowledgeTopic`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AcknowledgeTopic {
    /// `TopicId`: `uuid`, versions 1-2.
    pub topic_id: Uuid,
    /// `Partitions`: `[]AcknowledgePartition`, versions 1-2.
    pub partitions: Vec<AcknowledgePartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AcknowledgeTopic {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { topic_id: r.get(f)?, partitions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_id.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
