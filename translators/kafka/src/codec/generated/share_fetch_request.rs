//! `ShareFetchRequest`, versions 1-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::ShareFetchResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `ShareFetchRequest`, versions 1-2.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareFetchRequest {
    /// `GroupId`: `string`, versions 1-2, nullable.
    pub group_id: Option<Str>,
    /// `MemberId`: `string`, versions 1-2, nullable.
    pub member_id: Option<Str>,
    /// `ShareSessionEpoch`: `int32`, versions 1-2.
    pub share_session_epoch: i32,
    /// `MaxWaitMs`: `int32`, versions 1-2.
    pub max_wait_ms: i32,
    /// `MinBytes`: `int32`, versions 1-2.
    pub min_bytes: i32,
    /// `MaxBytes`: `int32`, versions 1-2, default `2_147_483_647`.
    pub max_bytes: i32,
    /// `MaxRecords`: `int32`, versions 1-2.
    pub max_records: i32,
    /// `BatchSize`: `int32`, versions 1-2.
    pub batch_size: i32,
    /// `ShareAcquireMode`: `int8`, versions 2, ignorable.
    pub share_acquire_mode: i8,
    /// `IsRenewAck`: `bool`, versions 2.
    pub is_renew_ack: bool,
    /// `Topics`: `[]FetchTopic`, versions 1-2.
    pub topics: Vec<FetchTopic>,
    /// `ForgottenTopicsData`: `[]ForgottenTopic`, versions 1-2.
    pub forgotten_topics_data: Vec<ForgottenTopic>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ShareFetchRequest {
    fn default() -> Self {
        Self {
            group_id: None,
            member_id: Some(Str::default()),
            share_session_epoch: 0,
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: 2_147_483_647,
            max_records: 0,
            batch_size: 0,
            share_acquire_mode: 0,
            is_renew_ack: false,
            topics: Vec::new(),
            forgotten_topics_data: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ShareFetchRequest {
    const BYTES_MIN: usize = 29;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get_nullable(f, true)?,
            member_id: r.get_nullable(f, true)?,
            share_session_epoch: r.get(f)?,
            max_wait_ms: r.get(f)?,
            min_bytes: r.get(f)?,
            max_bytes: r.get(f)?,
            max_records: r.get(f)?,
            batch_size: r.get(f)?,
            share_acquire_mode: if f.version >= 2 { r.get(f)? } else { 0 },
            is_renew_ack: if f.version >= 2 { r.get(f)? } else { false },
            topics: r.get(f)?,
            forgotten_topics_data: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.group_id.as_ref(), true, "GroupId", out, f)?;
        write_nullable(self.member_id.as_ref(), true, "MemberId", out, f)?;
        self.share_session_epoch.write(out, f)?;
        self.max_wait_ms.write(out, f)?;
        self.min_bytes.write(out, f)?;
        self.max_bytes.write(out, f)?;
        self.max_records.write(out, f)?;
        self.batch_size.write(out, f)?;
        if f.version >= 2 {
            self.share_acquire_mode.write(out, f)?;
        }
        if f.version >= 2 {
            self.is_renew_ack.write(out, f)?;
        } else {
            absent(!self.is_renew_ack, "IsRenewAck", f)?;
        }
        self.topics.write(out, f)?;
        self.forgotten_topics_data.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ShareFetchRequest {
    const NAME: &'static str = "ShareFetchRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl Request for ShareFetchRequest {
    const API: ApiKey = ApiKey::ShareFetch;
    type Response = ShareFetchResponse;
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

/// Struct `FetchPartition`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchPartition {
    /// `PartitionIndex`: `int32`, versions 1-2.
    pub partition_index: i32,
    /// `AcknowledgementBatches`: `[]AcknowledgementBatch`, versions 1-2.
    pub acknowledgement_batches: Vec<AcknowledgementBatch>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for FetchPartition {
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

/// Struct `FetchTopic`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchTopic {
    /// `TopicId`: `uuid`, versions 1-2.
    pub topic_id: Uuid,
    /// `Partitions`: `[]FetchPartition`, versions 1-2.
    pub partitions: Vec<FetchPartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for FetchTopic {
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

/// Struct `ForgottenTopic`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForgottenTopic {
    /// `TopicId`: `uuid`, versions 1-2.
    pub topic_id: Uuid,
    /// `Partitions`: `[]int32`, versions 1-2.
    pub partitions: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ForgottenTopic {
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
