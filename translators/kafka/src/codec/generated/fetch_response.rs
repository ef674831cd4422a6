//! `FetchResponse`, versions 4-18. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `FetchResponse`, versions 4-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchResponse {
    /// `ThrottleTimeMs`: `int32`, versions 4-18, ignorable.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 7-18, ignorable.
    pub error_code: i16,
    /// `SessionId`: `int32`, versions 7-18.
    pub session_id: i32,
    /// `Responses`: `[]FetchableTopicResponse`, versions 4-18.
    pub responses: Vec<FetchableTopicResponse>,
    /// `NodeEndpoints`: `[]NodeEndpoint`, versions 16-18, tag 0.
    pub node_endpoints: Vec<NodeEndpoint>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for FetchResponse {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            throttle_time_ms: r.get(f)?,
            error_code: if f.version >= 7 { r.get(f)? } else { 0 },
            session_id: if f.version >= 7 { r.get(f)? } else { 0 },
            responses: r.get(f)?,
            node_endpoints: Vec::new(),
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 if f.version >= 16 => it.node_endpoints = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        if f.version >= 7 {
            self.error_code.write(out, f)?;
        }
        if f.version >= 7 {
            self.session_id.write(out, f)?;
        } else {
            absent(self.session_id == 0, "SessionId", f)?;
        }
        self.responses.write(out, f)?;
        let mut tags = Tags::default();
        if f.version >= 16 {
            tags.add(!self.node_endpoints.is_empty(), 0, |out| self.node_endpoints.write(out, f))?;
        } else {
            absent(self.node_endpoints.is_empty(), "NodeEndpoints", f)?;
        }
        tags.write(&self.unknown_tagged, out, f)
    }
}

impl Message for FetchResponse {
    const NAME: &'static str = "FetchResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;
    const FLEXIBLE_FROM: Option<i16> = Some(12);
}

impl Response for FetchResponse {
    const API: ApiKey = ApiKey::Fetch;
}

/// Struct `EpochEndOffset`, versions 12-18.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochEndOffset {
    /// `Epoch`: `int32`, versions 12-18, default `-1`.
    pub epoch: i32,
    /// `EndOffset`: `int64`, versions 12-18, default `-1`.
    pub end_offset: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for EpochEndOffset {
    fn default() -> Self {
        Self { epoch: -1, end_offset: -1, unknown_tagged: Vec::new() }
    }
}

impl Wire for EpochEndOffset {
    const BYTES_MIN: usize = 13;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { epoch: r.get(f)?, end_offset: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.epoch.write(out, f)?;
        self.end_offset.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `LeaderIdAndEpoch`, versions 12-18.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaderIdAndEpoch {
    /// `LeaderId`: `int32`, versions 12-18, default `-1`.
    pub leader_id: i32,
    /// `LeaderEpoch`: `int32`, versions 12-18, default `-1`.
    pub leader_epoch: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for LeaderIdAndEpoch {
    fn default() -> Self {
        Self { leader_id: -1, leader_epoch: -1, unknown_tagged: Vec::new() }
    }
}

impl Wire for LeaderIdAndEpoch {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            leader_id: r.get(f)?,
            leader_epoch: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.leader_id.write(out, f)?;
        self.leader_epoch.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `SnapshotId`, versions 12-18.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotId {
    /// `EndOffset`: `int64`, versions 12-18, default `-1`.
    pub end_offset: i64,
    /// `Epoch`: `int32`, versions 12-18, default `-1`.
    pub epoch: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for SnapshotId {
    fn default() -> Self {
        Self { end_offset: -1, epoch: -1, unknown_tagged: Vec::new() }
    }
}

impl Wire for SnapshotId {
    const BYTES_MIN: usize = 13;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { end_offset: r.get(f)?, epoch: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.end_offset.write(out, f)?;
        self.epoch.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `AbortedTransaction`, versions 4-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AbortedTransaction {
    /// `ProducerId`: `int64`, versions 4-18.
    pub producer_id: i64,
    /// `FirstOffset`: `int64`, versions 4-18.
    pub first_offset: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AbortedTransaction {
    const BYTES_MIN: usize = 16;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            producer_id: r.get(f)?,
            first_offset: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.producer_id.write(out, f)?;
        self.first_offset.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `PartitionData`, versions 4-18.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionData {
    /// `PartitionIndex`: `int32`, versions 4-18.
    pub partition_index: i32,
    /// `ErrorCode`: `int16`, versions 4-18.
    pub error_code: i16,
    /// `HighWatermark`: `int64`, versions 4-18.
    pub high_watermark: i64,
    /// `LastStableOffset`: `int64`, versions 4-18, ignorable, default `-1`.
    pub last_stable_offset: i64,
    /// `LogStartOffset`: `int64`, versions 5-18, ignorable, default `-1`.
    pub log_start_offset: i64,
    /// `DivergingEpoch`: `EpochEndOffset`, versions 12-18, tag 0.
    pub diverging_epoch: EpochEndOffset,
    /// `CurrentLeader`: `LeaderIdAndEpoch`, versions 12-18, tag 1.
    pub current_leader: LeaderIdAndEpoch,
    /// `SnapshotId`: `SnapshotId`, versions 12-18, tag 2.
    pub snapshot_id: SnapshotId,
    /// `AbortedTransactions`: `[]AbortedTransaction`, versions 4-18, nullable, ignorable.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// `PreferredReadReplica`: `int32`, versions 11-18, default `-1`.
    pub preferred_read_replica: i32,
    /// `Records`: `records`, versions 4-18, nullable.
    pub records: Option<Bytes>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for PartitionData {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            high_watermark: 0,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            aborted_transactions: Some(Vec::new()),
            preferred_read_replica: -1,
            records: None,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for PartitionData {
    const BYTES_MIN: usize = 30;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            partition_index: r.get(f)?,
            error_code: r.get(f)?,
            high_watermark: r.get(f)?,
            last_stable_offset: r.get(f)?,
            log_start_offset: if f.version >= 5 { r.get(f)? } else { -1 },
            aborted_transactions: r.get_nullable(f, true)?,
            preferred_read_replica: if f.version >= 11 { r.get(f)? } else { -1 },
            records: r.get_nullable(f, true)?,
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 => it.diverging_epoch = r.get(f)?,
                1 => it.current_leader = r.get(f)?,
                2 => it.snapshot_id = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.error_code.write(out, f)?;
        self.high_watermark.write(out, f)?;
        self.last_stable_offset.write(out, f)?;
        if f.version >= 5 {
            self.log_start_offset.write(out, f)?;
        }
        write_nullable(self.aborted_transactions.as_ref(), true, "AbortedTransactions", out, f)?;
        if f.version >= 11 {
            self.preferred_read_replica.write(out, f)?;
        } else {
            absent(self.preferred_read_replica == -1, "PreferredReadReplica", f)?;
        }
        write_nullable(self.records.as_ref(), true, "Records", out, f)?;
        let mut tags = Tags::default();
        if f.version >= 12 {
            tags.add(self.diverging_epoch != EpochEndOffset::default(), 0, |out| {
                self.diverging_epoch.write(out, f)
            })?;
        } else {
            absent(self.diverging_epoch == EpochEndOffset::default(), "DivergingEpoch", f)?;
        }
        if f.version >= 12 {
            tags.add(self.current_leader != LeaderIdAndEpoch::default(), 1, |out| {
                self.current_leader.write(out, f)
            })?;
        } else {
            absent(self.current_leader == LeaderIdAndEpoch::default(), "CurrentLeader", f)?;
        }
        if f.version >= 12 {
            tags.add(self.snapshot_id != SnapshotId::default(), 2, |out| self.snapshot_id.write(out, f))?;
        } else {
            absent(self.snapshot_id == SnapshotId::default(), "SnapshotId", f)?;
        }
        tags.write(&self.unknown_tagged, out, f)
    }
}

/// Struct `FetchableTopicResponse`, versions 4-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchableTopicResponse {
    /// `Topic`: `string`, versions 4-12, ignorable.
    pub topic: Str,
    /// `TopicId`: `uuid`, versions 13-18, ignorable.
    pub topic_id: Uuid,
    /// `Partitions`: `[]PartitionData`, versions 4-18.
    pub partitions: Vec<PartitionData>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for FetchableTopicResponse {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topic: if f.version <= 12 { r.get(f)? } else { Str::default() },
            topic_id: if f.version >= 13 { r.get(f)? } else { Uuid::ZERO },
            partitions: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version <= 12 {
            self.topic.write(out, f)?;
        }
        if f.version >= 13 {
            self.topic_id.write(out, f)?;
        }
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `NodeEndpoint`, versions 16-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeEndpoint {
    /// `NodeId`: `int32`, versions 16-18.
    pub node_id: i32,
    /// `Host`: `string`, versions 16-18.
    pub host: Str,
    /// `Port`: `int32`, versions 16-18.
    pub port: i32,
    /// `Rack`: `string`, versions 16-18, nullable.
    pub rack: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for NodeEndpoint {
    const BYTES_MIN: usize = 11;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            node_id: r.get(f)?,
            host: r.get(f)?,
            port: r.get(f)?,
            rack: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.node_id.write(out, f)?;
        self.host.write(out, f)?;
        self.port.write(out, f)?;
        write_nullable(self.rack.as_ref(), true, "Rack", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
