//! `FetchRequest`, versions 4-18. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::FetchResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `FetchRequest`, versions 4-18.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchRequest {
    /// `ClusterId`: `string`, versions 12-18, tag 0, nullable, ignorable.
    pub cluster_id: Option<Str>,
    /// `ReplicaId`: `int32`, versions 4-14, default `-1`.
    pub replica_id: i32,
    /// `ReplicaState`: `ReplicaState`, versions 15-18, tag 1.
    pub replica_state: ReplicaState,
    /// `MaxWaitMs`: `int32`, versions 4-18.
    pub max_wait_ms: i32,
    /// `MinBytes`: `int32`, versions 4-18.
    pub min_bytes: i32,
    /// `MaxBytes`: `int32`, versions 4-18, ignorable, default `2_147_483_647`.
    pub max_bytes: i32,
    /// `IsolationLevel`: `int8`, versions 4-18, ignorable.
    pub isolation_level: i8,
    /// `SessionId`: `int32`, versions 7-18, ignorable.
    pub session_id: i32,
    /// `SessionEpoch`: `int32`, versions 7-18, ignorable, default `-1`.
    pub session_epoch: i32,
    /// `Topics`: `[]FetchTopic`, versions 4-18.
    pub topics: Vec<FetchTopic>,
    /// `ForgottenTopicsData`: `[]ForgottenTopic`, versions 7-18.
    pub forgotten_topics_data: Vec<ForgottenTopic>,
    /// `RackId`: `string`, versions 11-18, ignorable.
    pub rack_id: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for FetchRequest {
    fn default() -> Self {
        Self {
            cluster_id: None,
            replica_id: -1,
            replica_state: ReplicaState::default(),
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: 2_147_483_647,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            topics: Vec::new(),
            forgotten_topics_data: Vec::new(),
            rack_id: Str::default(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for FetchRequest {
    const BYTES_MIN: usize = 21;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            replica_id: if f.version <= 14 { r.get(f)? } else { -1 },
            max_wait_ms: r.get(f)?,
            min_bytes: r.get(f)?,
            max_bytes: r.get(f)?,
            isolation_level: r.get(f)?,
            session_id: if f.version >= 7 { r.get(f)? } else { 0 },
            session_epoch: if f.version >= 7 { r.get(f)? } else { -1 },
            topics: r.get(f)?,
            forgotten_topics_data: if f.version >= 7 { r.get(f)? } else { Vec::new() },
            rack_id: if f.version >= 11 { r.get(f)? } else { Str::default() },
            cluster_id: None,
            replica_state: ReplicaState::default(),
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 => it.cluster_id = r.get_nullable(f, true)?,
                1 if f.version >= 15 => it.replica_state = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version <= 14 {
            self.replica_id.write(out, f)?;
        } else {
            absent(self.replica_id == -1, "ReplicaId", f)?;
        }
        self.max_wait_ms.write(out, f)?;
        self.min_bytes.write(out, f)?;
        self.max_bytes.write(out, f)?;
        self.isolation_level.write(out, f)?;
        if f.version >= 7 {
            self.session_id.write(out, f)?;
        }
        if f.version >= 7 {
            self.session_epoch.write(out, f)?;
        }
        self.topics.write(out, f)?;
        if f.version >= 7 {
            self.forgotten_topics_data.write(out, f)?;
        } else {
            absent(self.forgotten_topics_data.is_empty(), "ForgottenTopicsData", f)?;
        }
        if f.version >= 11 {
            self.rack_id.write(out, f)?;
        }
        let mut tags = Tags::default();
        if f.version >= 12 {
            tags.add(self.cluster_id.is_some(), 0, |out| {
                write_nullable(self.cluster_id.as_ref(), true, "ClusterId", out, f)
            })?;
        }
        if f.version >= 15 {
            tags.add(self.replica_state != ReplicaState::default(), 1, |out| {
                self.replica_state.write(out, f)
            })?;
        } else {
            absent(self.replica_state == ReplicaState::default(), "ReplicaState", f)?;
        }
        tags.write(&self.unknown_tagged, out, f)
    }
}

impl Message for FetchRequest {
    const NAME: &'static str = "FetchRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;
    const FLEXIBLE_FROM: Option<i16> = Some(12);
}

impl Request for FetchRequest {
    const API: ApiKey = ApiKey::Fetch;
    type Response = FetchResponse;
}

/// Struct `ReplicaState`, versions 15-18.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaState {
    /// `ReplicaId`: `int32`, versions 15-18, default `-1`.
    pub replica_id: i32,
    /// `ReplicaEpoch`: `int64`, versions 15-18, default `-1`.
    pub replica_epoch: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ReplicaState {
    fn default() -> Self {
        Self { replica_id: -1, replica_epoch: -1, unknown_tagged: Vec::new() }
    }
}

impl Wire for ReplicaState {
    const BYTES_MIN: usize = 13;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            replica_id: r.get(f)?,
            replica_epoch: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.replica_id.write(out, f)?;
        self.replica_epoch.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `FetchPartition`, versions 4-18.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchPartition {
    /// `Partition`: `int32`, versions 4-18.
    pub partition: i32,
    /// `CurrentLeaderEpoch`: `int32`, versions 9-18, ignorable, default `-1`.
    pub current_leader_epoch: i32,
    /// `FetchOffset`: `int64`, versions 4-18.
    pub fetch_offset: i64,
    /// `LastFetchedEpoch`: `int32`, versions 12-18, default `-1`.
    pub last_fetched_epoch: i32,
    /// `LogStartOffset`: `int64`, versions 5-18, ignorable, default `-1`.
    pub log_start_offset: i64,
    /// `PartitionMaxBytes`: `int32`, versions 4-18.
    pub partition_max_bytes: i32,
    /// `ReplicaDirectoryId`: `uuid`, versions 17-18, tag 0, ignorable.
    pub replica_directory_id: Uuid,
    /// `HighWatermark`: `int64`, versions 18, tag 1, ignorable, default `9_223_372_036_854_775_807`.
    pub high_watermark: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for FetchPartition {
    fn default() -> Self {
        Self {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 0,
            replica_directory_id: Uuid::ZERO,
            high_watermark: 9_223_372_036_854_775_807,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for FetchPartition {
    const BYTES_MIN: usize = 16;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            partition: r.get(f)?,
            current_leader_epoch: if f.version >= 9 { r.get(f)? } else { -1 },
            fetch_offset: r.get(f)?,
            last_fetched_epoch: if f.version >= 12 { r.get(f)? } else { -1 },
            log_start_offset: if f.version >= 5 { r.get(f)? } else { -1 },
            partition_max_bytes: r.get(f)?,
            replica_directory_id: Uuid::ZERO,
            high_watermark: 9_223_372_036_854_775_807,
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 if f.version >= 17 => it.replica_directory_id = r.get(f)?,
                1 if f.version >= 18 => it.high_watermark = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition.write(out, f)?;
        if f.version >= 9 {
            self.current_leader_epoch.write(out, f)?;
        }
        self.fetch_offset.write(out, f)?;
        if f.version >= 12 {
            self.last_fetched_epoch.write(out, f)?;
        } else {
            absent(self.last_fetched_epoch == -1, "LastFetchedEpoch", f)?;
        }
        if f.version >= 5 {
            self.log_start_offset.write(out, f)?;
        }
        self.partition_max_bytes.write(out, f)?;
        let mut tags = Tags::default();
        if f.version >= 17 {
            tags.add(!self.replica_directory_id.is_zero(), 0, |out| self.replica_directory_id.write(out, f))?;
        }
        if f.version >= 18 {
            tags.add(self.high_watermark != 9_223_372_036_854_775_807, 1, |out| {
                self.high_watermark.write(out, f)
            })?;
        }
        tags.write(&self.unknown_tagged, out, f)
    }
}

/// Struct `FetchTopic`, versions 4-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FetchTopic {
    /// `Topic`: `string`, versions 4-12, ignorable.
    pub topic: Str,
    /// `TopicId`: `uuid`, versions 13-18, ignorable.
    pub topic_id: Uuid,
    /// `Partitions`: `[]FetchPartition`, versions 4-18.
    pub partitions: Vec<FetchPartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for FetchTopic {
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

/// Struct `ForgottenTopic`, versions 7-18.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForgottenTopic {
    /// `Topic`: `string`, versions 7-12, ignorable.
    pub topic: Str,
    /// `TopicId`: `uuid`, versions 13-18, ignorable.
    pub topic_id: Uuid,
    /// `Partitions`: `[]int32`, versions 7-18.
    pub partitions: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ForgottenTopic {
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
