//! `CreateTopicsRequest`, versions 2-7. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::CreateTopicsResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `CreateTopicsRequest`, versions 2-7.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateTopicsRequest {
    /// `Topics`: `[]CreatableTopic`, versions 2-7.
    pub topics: Vec<CreatableTopic>,
    /// `timeoutMs`: `int32`, versions 2-7, default `60000`.
    pub timeout_ms: i32,
    /// `validateOnly`: `bool`, versions 2-7.
    pub validate_only: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for CreateTopicsRequest {
    fn default() -> Self {
        Self { topics: Vec::new(), timeout_ms: 60000, validate_only: false, unknown_tagged: Vec::new() }
    }
}

impl Wire for CreateTopicsRequest {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topics: r.get(f)?,
            timeout_ms: r.get(f)?,
            validate_only: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topics.write(out, f)?;
        self.timeout_ms.write(out, f)?;
        self.validate_only.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for CreateTopicsRequest {
    const NAME: &'static str = "CreateTopicsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=7;
    const FLEXIBLE_FROM: Option<i16> = Some(5);
}

impl Request for CreateTopicsRequest {
    const API: ApiKey = ApiKey::CreateTopics;
    type Response = CreateTopicsResponse;
}

/// Struct `CreatableReplicaAssignment`, versions 2-7.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatableReplicaAssignment {
    /// `PartitionIndex`: `int32`, versions 2-7.
    pub partition_index: i32,
    /// `BrokerIds`: `[]int32`, versions 2-7.
    pub broker_ids: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CreatableReplicaAssignment {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            broker_ids: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.broker_ids.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `CreatableTopicConfig`, versions 2-7.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatableTopicConfig {
    /// `Name`: `string`, versions 2-7.
    pub name: Str,
    /// `Value`: `string`, versions 2-7, nullable.
    pub value: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for CreatableTopicConfig {
    fn default() -> Self {
        Self { name: Str::default(), value: Some(Str::default()), unknown_tagged: Vec::new() }
    }
}

impl Wire for CreatableTopicConfig {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            value: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        write_nullable(self.value.as_ref(), true, "Value", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `CreatableTopic`, versions 2-7.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatableTopic {
    /// `Name`: `string`, versions 2-7.
    pub name: Str,
    /// `NumPartitions`: `int32`, versions 2-7.
    pub num_partitions: i32,
    /// `ReplicationFactor`: `int16`, versions 2-7.
    pub replication_factor: i16,
    /// `Assignments`: `[]CreatableReplicaAssignment`, versions 2-7.
    pub assignments: Vec<CreatableReplicaAssignment>,
    /// `Configs`: `[]CreatableTopicConfig`, versions 2-7.
    pub configs: Vec<CreatableTopicConfig>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CreatableTopic {
    const BYTES_MIN: usize = 10;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            num_partitions: r.get(f)?,
            replication_factor: r.get(f)?,
            assignments: r.get(f)?,
            configs: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.num_partitions.write(out, f)?;
        self.replication_factor.write(out, f)?;
        self.assignments.write(out, f)?;
        self.configs.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
