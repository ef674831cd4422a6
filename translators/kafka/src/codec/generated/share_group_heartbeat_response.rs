//! `ShareGroupHeartbeatResponse`, versions 1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `ShareGroupHeartbeatResponse`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShareGroupHeartbeatResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 1.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 1, nullable.
    pub error_message: Option<Str>,
    /// `MemberId`: `string`, versions 1, nullable.
    pub member_id: Option<Str>,
    /// `MemberEpoch`: `int32`, versions 1.
    pub member_epoch: i32,
    /// `HeartbeatIntervalMs`: `int32`, versions 1.
    pub heartbeat_interval_ms: i32,
    /// `Assignment`: `Assignment`, versions 1, nullable.
    pub assignment: Option<Assignment>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ShareGroupHeartbeatResponse {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            member_id: r.get_nullable(f, true)?,
            member_epoch: r.get(f)?,
            heartbeat_interval_ms: r.get(f)?,
            assignment: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        write_nullable(self.member_id.as_ref(), true, "MemberId", out, f)?;
        self.member_epoch.write(out, f)?;
        self.heartbeat_interval_ms.write(out, f)?;
        write_nullable(self.assignment.as_ref(), true, "Assignment", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ShareGroupHeartbeatResponse {
    const NAME: &'static str = "ShareGroupHeartbeatResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl Response for ShareGroupHeartbeatResponse {
    const API: ApiKey = ApiKey::ShareGroupHeartbeat;
}

/// Struct `TopicPartitions`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartitions {
    /// `TopicId`: `uuid`, versions 1.
    pub topic_id: Uuid,
    /// `Partitions`: `[]int32`, versions 1.
    pub partitions: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicPartitions {
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

/// Struct `Assignment`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Assignment {
    /// `TopicPartitions`: `[]TopicPartitions`, versions 1.
    pub topic_partitions: Vec<TopicPartitions>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Assignment {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { topic_partitions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
