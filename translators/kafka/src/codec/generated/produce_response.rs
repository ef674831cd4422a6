//! `ProduceResponse`, versions 3-13. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `ProduceResponse`, versions 3-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProduceResponse {
    /// `Responses`: `[]TopicProduceResponse`, versions 3-13.
    pub responses: Vec<TopicProduceResponse>,
    /// `ThrottleTimeMs`: `int32`, versions 3-13, ignorable.
    pub throttle_time_ms: i32,
    /// `NodeEndpoints`: `[]NodeEndpoint`, versions 10-13, tag 0.
    pub node_endpoints: Vec<NodeEndpoint>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ProduceResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            responses: r.get(f)?,
            throttle_time_ms: r.get(f)?,
            node_endpoints: Vec::new(),
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 if f.version >= 10 => it.node_endpoints = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.responses.write(out, f)?;
        self.throttle_time_ms.write(out, f)?;
        let mut tags = Tags::default();
        if f.version >= 10 {
            tags.add(!self.node_endpoints.is_empty(), 0, |out| self.node_endpoints.write(out, f))?;
        } else {
            absent(self.node_endpoints.is_empty(), "NodeEndpoints", f)?;
        }
        tags.write(&self.unknown_tagged, out, f)
    }
}

impl Message for ProduceResponse {
    const NAME: &'static str = "ProduceResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;
    const FLEXIBLE_FROM: Option<i16> = Some(9);
}

impl Response for ProduceResponse {
    const API: ApiKey = ApiKey::Produce;
}

/// Struct `BatchIndexAndErrorMessage`, versions 8-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchIndexAndErrorMessage {
    /// `BatchIndex`: `int32`, versions 8-13.
    pub batch_index: i32,
    /// `BatchIndexErrorMessage`: `string`, versions 8-13, nullable.
    pub batch_index_error_message: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for BatchIndexAndErrorMessage {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            batch_index: r.get(f)?,
            batch_index_error_message: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.batch_index.write(out, f)?;
        write_nullable(self.batch_index_error_message.as_ref(), true, "BatchIndexErrorMessage", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `LeaderIdAndEpoch`, versions 10-13.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaderIdAndEpoch {
    /// `LeaderId`: `int32`, versions 10-13, default `-1`.
    pub leader_id: i32,
    /// `LeaderEpoch`: `int32`, versions 10-13, default `-1`.
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

/// Struct `PartitionProduceResponse`, versions 3-13.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionProduceResponse {
    /// `Index`: `int32`, versions 3-13.
    pub index: i32,
    /// `ErrorCode`: `int16`, versions 3-13.
    pub error_code: i16,
    /// `BaseOffset`: `int64`, versions 3-13.
    pub base_offset: i64,
    /// `LogAppendTimeMs`: `int64`, versions 3-13, ignorable, default `-1`.
    pub log_append_time_ms: i64,
    /// `LogStartOffset`: `int64`, versions 5-13, ignorable, default `-1`.
    pub log_start_offset: i64,
    /// `RecordErrors`: `[]BatchIndexAndErrorMessage`, versions 8-13, ignorable.
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    /// `ErrorMessage`: `string`, versions 8-13, nullable, ignorable.
    pub error_message: Option<Str>,
    /// `CurrentLeader`: `LeaderIdAndEpoch`, versions 10-13, tag 0.
    pub current_leader: LeaderIdAndEpoch,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for PartitionProduceResponse {
    fn default() -> Self {
        Self {
            index: 0,
            error_code: 0,
            base_offset: 0,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: LeaderIdAndEpoch::default(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for PartitionProduceResponse {
    const BYTES_MIN: usize = 22;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            index: r.get(f)?,
            error_code: r.get(f)?,
            base_offset: r.get(f)?,
            log_append_time_ms: r.get(f)?,
            log_start_offset: if f.version >= 5 { r.get(f)? } else { -1 },
            record_errors: if f.version >= 8 { r.get(f)? } else { Vec::new() },
            error_message: if f.version >= 8 { r.get_nullable(f, true)? } else { None },
            current_leader: LeaderIdAndEpoch::default(),
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 if f.version >= 10 => it.current_leader = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.index.write(out, f)?;
        self.error_code.write(out, f)?;
        self.base_offset.write(out, f)?;
        self.log_append_time_ms.write(out, f)?;
        if f.version >= 5 {
            self.log_start_offset.write(out, f)?;
        }
        if f.version >= 8 {
            self.record_errors.write(out, f)?;
        }
        if f.version >= 8 {
            write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        }
        let mut tags = Tags::default();
        if f.version >= 10 {
            tags.add(self.current_leader != LeaderIdAndEpoch::default(), 0, |out| {
                self.current_leader.write(out, f)
            })?;
        } else {
            absent(self.current_leader == LeaderIdAndEpoch::default(), "CurrentLeader", f)?;
        }
        tags.write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopicProduceResponse`, versions 3-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicProduceResponse {
    /// `Name`: `string`, versions 3-12, ignorable.
    pub name: Str,
    /// `TopicId`: `uuid`, versions 13, ignorable.
    pub topic_id: Uuid,
    /// `PartitionResponses`: `[]PartitionProduceResponse`, versions 3-13.
    pub partition_responses: Vec<PartitionProduceResponse>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicProduceResponse {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: if f.version <= 12 { r.get(f)? } else { Str::default() },
            topic_id: if f.version >= 13 { r.get(f)? } else { Uuid::ZERO },
            partition_responses: r.get(f)?,
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
        self.partition_responses.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `NodeEndpoint`, versions 10-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodeEndpoint {
    /// `NodeId`: `int32`, versions 10-13.
    pub node_id: i32,
    /// `Host`: `string`, versions 10-13.
    pub host: Str,
    /// `Port`: `int32`, versions 10-13.
    pub port: i32,
    /// `Rack`: `string`, versions 10-13, nullable.
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
