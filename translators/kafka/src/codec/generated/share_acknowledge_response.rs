//! `ShareAcknowledgeResponse`, versions 1-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `ShareAcknowledgeResponse`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShareAcknowledgeResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-2.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 1-2.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 1-2, nullable.
    pub error_message: Option<Str>,
    /// `AcquisitionLockTimeoutMs`: `int32`, versions 2, ignorable.
    pub acquisition_lock_timeout_ms: i32,
    /// `Responses`: `[]ShareAcknowledgeTopicResponse`, versions 1-2.
    pub responses: Vec<ShareAcknowledgeTopicResponse>,
    /// `NodeEndpoints`: `[]NodeEndpoint`, versions 1-2.
    pub node_endpoints: Vec<NodeEndpoint>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ShareAcknowledgeResponse {
    const BYTES_MIN: usize = 10;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            acquisition_lock_timeout_ms: if f.version >= 2 { r.get(f)? } else { 0 },
            responses: r.get(f)?,
            node_endpoints: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        if f.version >= 2 {
            self.acquisition_lock_timeout_ms.write(out, f)?;
        }
        self.responses.write(out, f)?;
        self.node_endpoints.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ShareAcknowledgeResponse {
    const NAME: &'static str = "ShareAcknowledgeResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl Response for ShareAcknowledgeResponse {
    const API: ApiKey = ApiKey::ShareAcknowledge;
}

/// Struct `LeaderIdAndEpoch`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeaderIdAndEpoch {
    /// `LeaderId`: `int32`, versions 1-2.
    pub leader_id: i32,
    /// `LeaderEpoch`: `int32`, versions 1-2.
    pub leader_epoch: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
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

/// Struct `PartitionData`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartitionData {
    /// `PartitionIndex`: `int32`, versions 1-2.
    pub partition_index: i32,
    /// `ErrorCode`: `int16`, versions 1-2.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 1-2, nullable.
    pub error_message: Option<Str>,
    /// `CurrentLeader`: `LeaderIdAndEpoch`, versions 1-2.
    pub current_leader: LeaderIdAndEpoch,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for PartitionData {
    const BYTES_MIN: usize = 17;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            current_leader: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.current_leader.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `ShareAcknowledgeTopicResponse`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShareAcknowledgeTopicResponse {
    /// `TopicId`: `uuid`, versions 1-2.
    pub topic_id: Uuid,
    /// `Partitions`: `[]PartitionData`, versions 1-2.
    pub partitions: Vec<PartitionData>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ShareAcknowledgeTopicResponse {
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

/// Struct `NodeEndpoint`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeEndpoint {
    /// `NodeId`: `int32`, versions 1-2.
    pub node_id: i32,
    /// `Host`: `string`, versions 1-2.
    pub host: Str,
    /// `Port`: `int32`, versions 1-2.
    pub port: i32,
    /// `Rack`: `string`, versions 1-2, nullable.
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
