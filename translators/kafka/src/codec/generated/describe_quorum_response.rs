//! `DescribeQuorumResponse`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `DescribeQuorumResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeQuorumResponse {
    /// `ErrorCode`: `int16`, versions 0-2.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 2, nullable, ignorable.
    pub error_message: Option<Str>,
    /// `Topics`: `[]TopicData`, versions 0-2.
    pub topics: Vec<TopicData>,
    /// `Nodes`: `[]Node`, versions 2.
    pub nodes: Vec<Node>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeQuorumResponse {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(Str::default()),
            topics: Vec::new(),
            nodes: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeQuorumResponse {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            error_message: if f.version >= 2 { r.get_nullable(f, true)? } else { Some(Str::default()) },
            topics: r.get(f)?,
            nodes: if f.version >= 2 { r.get(f)? } else { Vec::new() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        if f.version >= 2 {
            write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        }
        self.topics.write(out, f)?;
        if f.version >= 2 {
            self.nodes.write(out, f)?;
        } else {
            absent(self.nodes.is_empty(), "Nodes", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeQuorumResponse {
    const NAME: &'static str = "DescribeQuorumResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for DescribeQuorumResponse {
    const API: ApiKey = ApiKey::DescribeQuorum;
}

/// Struct `ReplicaState`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaState {
    /// `ReplicaId`: `int32`, versions 0-2.
    pub replica_id: i32,
    /// `ReplicaDirectoryId`: `uuid`, versions 2.
    pub replica_directory_id: Uuid,
    /// `LogEndOffset`: `int64`, versions 0-2.
    pub log_end_offset: i64,
    /// `LastFetchTimestamp`: `int64`, versions 1-2, ignorable, default `-1`.
    pub last_fetch_timestamp: i64,
    /// `LastCaughtUpTimestamp`: `int64`, versions 1-2, ignorable, default `-1`.
    pub last_caught_up_timestamp: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ReplicaState {
    fn default() -> Self {
        Self {
            replica_id: 0,
            replica_directory_id: Uuid::ZERO,
            log_end_offset: 0,
            last_fetch_timestamp: -1,
            last_caught_up_timestamp: -1,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ReplicaState {
    const BYTES_MIN: usize = 13;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            replica_id: r.get(f)?,
            replica_directory_id: if f.version >= 2 { r.get(f)? } else { Uuid::ZERO },
            log_end_offset: r.get(f)?,
            last_fetch_timestamp: if f.version >= 1 { r.get(f)? } else { -1 },
            last_caught_up_timestamp: if f.version >= 1 { r.get(f)? } else { -1 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.replica_id.write(out, f)?;
        if f.version >= 2 {
            self.replica_directory_id.write(out, f)?;
        } else {
            absent(self.replica_directory_id.is_zero(), "ReplicaDirectoryId", f)?;
        }
        self.log_end_offset.write(out, f)?;
        if f.version >= 1 {
            self.last_fetch_timestamp.write(out, f)?;
        }
        if f.version >= 1 {
            self.last_caught_up_timestamp.write(out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `PartitionData`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionData {
    /// `PartitionIndex`: `int32`, versions 0-2.
    pub partition_index: i32,
    /// `ErrorCode`: `int16`, versions 0-2.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 2, nullable, ignorable.
    pub error_message: Option<Str>,
    /// `LeaderId`: `int32`, versions 0-2.
    pub leader_id: i32,
    /// `LeaderEpoch`: `int32`, versions 0-2.
    pub leader_epoch: i32,
    /// `HighWatermark`: `int64`, versions 0-2.
    pub high_watermark: i64,
    /// `CurrentVoters`: `[]ReplicaState`, versions 0-2.
    pub current_voters: Vec<ReplicaState>,
    /// `Observers`: `[]ReplicaState`, versions 0-2.
    pub observers: Vec<ReplicaState>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for PartitionData {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            error_message: Some(Str::default()),
            leader_id: 0,
            leader_epoch: 0,
            high_watermark: 0,
            current_voters: Vec::new(),
            observers: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for PartitionData {
    const BYTES_MIN: usize = 25;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            error_code: r.get(f)?,
            error_message: if f.version >= 2 { r.get_nullable(f, true)? } else { Some(Str::default()) },
            leader_id: r.get(f)?,
            leader_epoch: r.get(f)?,
            high_watermark: r.get(f)?,
            current_voters: r.get(f)?,
            observers: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.error_code.write(out, f)?;
        if f.version >= 2 {
            write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        }
        self.leader_id.write(out, f)?;
        self.leader_epoch.write(out, f)?;
        self.high_watermark.write(out, f)?;
        self.current_voters.write(out, f)?;
        self.observers.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopicData`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicData {
    /// `TopicName`: `string`, versions 0-2.
    pub topic_name: Str,
    /// `Partitions`: `[]PartitionData`, versions 0-2.
    pub partitions: Vec<PartitionData>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicData {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topic_name: r.get(f)?,
            partitions: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_name.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Listener`, versions 2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listener {
    /// `Name`: `string`, versions 2.
    pub name: Str,
    /// `Host`: `string`, versions 2.
    pub host: Str,
    /// `Port`: `uint16`, versions 2.
    pub port: u16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Listener {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            host: r.get(f)?,
            port: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.host.write(out, f)?;
        self.port.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Node`, versions 2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node {
    /// `NodeId`: `int32`, versions 2.
    pub node_id: i32,
    /// `Listeners`: `[]Listener`, versions 2.
    pub listeners: Vec<Listener>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Node {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { node_id: r.get(f)?, listeners: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.node_id.write(out, f)?;
        self.listeners.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
