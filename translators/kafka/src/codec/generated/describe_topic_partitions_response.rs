//! `DescribeTopicPartitionsResponse`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `DescribeTopicPartitionsResponse`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeTopicPartitionsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0, ignorable.
    pub throttle_time_ms: i32,
    /// `Topics`: `[]DescribeTopicPartitionsResponseTopic`, versions 0.
    pub topics: Vec<DescribeTopicPartitionsResponseTopic>,
    /// `NextCursor`: `Cursor`, versions 0, nullable.
    pub next_cursor: Option<Cursor>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeTopicPartitionsResponse {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            topics: r.get(f)?,
            next_cursor: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.topics.write(out, f)?;
        write_nullable(self.next_cursor.as_ref(), true, "NextCursor", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeTopicPartitionsResponse {
    const NAME: &'static str = "DescribeTopicPartitionsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for DescribeTopicPartitionsResponse {
    const API: ApiKey = ApiKey::DescribeTopicPartitions;
}

/// Struct `DescribeTopicPartitionsResponsePartition`, versions 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeTopicPartitionsResponsePartition {
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
    /// `PartitionIndex`: `int32`, versions 0.
    pub partition_index: i32,
    /// `LeaderId`: `int32`, versions 0.
    pub leader_id: i32,
    /// `LeaderEpoch`: `int32`, versions 0, ignorable, default `-1`.
    pub leader_epoch: i32,
    /// `ReplicaNodes`: `[]int32`, versions 0.
    pub replica_nodes: Vec<i32>,
    /// `IsrNodes`: `[]int32`, versions 0.
    pub isr_nodes: Vec<i32>,
    /// `EligibleLeaderReplicas`: `[]int32`, versions 0, nullable.
    pub eligible_leader_replicas: Option<Vec<i32>>,
    /// `LastKnownElr`: `[]int32`, versions 0, nullable.
    pub last_known_elr: Option<Vec<i32>>,
    /// `OfflineReplicas`: `[]int32`, versions 0, ignorable.
    pub offline_replicas: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeTopicPartitionsResponsePartition {
    fn default() -> Self {
        Self {
            error_code: 0,
            partition_index: 0,
            leader_id: 0,
            leader_epoch: -1,
            replica_nodes: Vec::new(),
            isr_nodes: Vec::new(),
            eligible_leader_replicas: None,
            last_known_elr: None,
            offline_replicas: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeTopicPartitionsResponsePartition {
    const BYTES_MIN: usize = 20;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            partition_index: r.get(f)?,
            leader_id: r.get(f)?,
            leader_epoch: r.get(f)?,
            replica_nodes: r.get(f)?,
            isr_nodes: r.get(f)?,
            eligible_leader_replicas: r.get_nullable(f, true)?,
            last_known_elr: r.get_nullable(f, true)?,
            offline_replicas: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        self.partition_index.write(out, f)?;
        self.leader_id.write(out, f)?;
        self.leader_epoch.write(out, f)?;
        self.replica_nodes.write(out, f)?;
        self.isr_nodes.write(out, f)?;
        write_nullable(self.eligible_leader_replicas.as_ref(), true, "EligibleLeaderReplicas", out, f)?;
        write_nullable(self.last_known_elr.as_ref(), true, "LastKnownElr", out, f)?;
        self.offline_replicas.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribeTopicPartitionsResponseTopic`, versions 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeTopicPartitionsResponseTopic {
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
    /// `Name`: `string`, versions 0, nullable.
    pub name: Option<Str>,
    /// `TopicId`: `uuid`, versions 0, ignorable.
    pub topic_id: Uuid,
    /// `IsInternal`: `bool`, versions 0, ignorable.
    pub is_internal: bool,
    /// `Partitions`: `[]DescribeTopicPartitionsResponsePartition`, versions 0.
    pub partitions: Vec<DescribeTopicPartitionsResponsePartition>,
    /// `TopicAuthorizedOperations`: `int32`, versions 0, default `-2_147_483_648`.
    pub topic_authorized_operations: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeTopicPartitionsResponseTopic {
    fn default() -> Self {
        Self {
            error_code: 0,
            name: Some(Str::default()),
            topic_id: Uuid::ZERO,
            is_internal: false,
            partitions: Vec::new(),
            topic_authorized_operations: -2_147_483_648,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeTopicPartitionsResponseTopic {
    const BYTES_MIN: usize = 26;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            name: r.get_nullable(f, true)?,
            topic_id: r.get(f)?,
            is_internal: r.get(f)?,
            partitions: r.get(f)?,
            topic_authorized_operations: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        write_nullable(self.name.as_ref(), true, "Name", out, f)?;
        self.topic_id.write(out, f)?;
        self.is_internal.write(out, f)?;
        self.partitions.write(out, f)?;
        self.topic_authorized_operations.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Cursor`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cursor {
    /// `TopicName`: `string`, versions 0.
    pub topic_name: Str,
    /// `PartitionIndex`: `int32`, versions 0.
    pub partition_index: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Cursor {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topic_name: r.get(f)?,
            partition_index: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_name.write(out, f)?;
        self.partition_index.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
