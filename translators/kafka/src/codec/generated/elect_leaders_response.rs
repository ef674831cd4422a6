//! `ElectLeadersResponse`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `ElectLeadersResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ElectLeadersResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-2.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 1-2.
    pub error_code: i16,
    /// `ReplicaElectionResults`: `[]ReplicaElectionResult`, versions 0-2.
    pub replica_election_results: Vec<ReplicaElectionResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ElectLeadersResponse {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: if f.version >= 1 { r.get(f)? } else { 0 },
            replica_election_results: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        if f.version >= 1 {
            self.error_code.write(out, f)?;
        } else {
            absent(self.error_code == 0, "ErrorCode", f)?;
        }
        self.replica_election_results.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ElectLeadersResponse {
    const NAME: &'static str = "ElectLeadersResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for ElectLeadersResponse {
    const API: ApiKey = ApiKey::ElectLeaders;
}

/// Struct `PartitionResult`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionResult {
    /// `PartitionId`: `int32`, versions 0-2.
    pub partition_id: i32,
    /// `ErrorCode`: `int16`, versions 0-2.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-2, nullable.
    pub error_message: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for PartitionResult {
    fn default() -> Self {
        Self {
            partition_id: 0,
            error_code: 0,
            error_message: Some(Str::default()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for PartitionResult {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_id: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_id.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `ReplicaElectionResult`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReplicaElectionResult {
    /// `Topic`: `string`, versions 0-2.
    pub topic: Str,
    /// `PartitionResult`: `[]PartitionResult`, versions 0-2.
    pub partition_result: Vec<PartitionResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ReplicaElectionResult {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topic: r.get(f)?,
            partition_result: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic.write(out, f)?;
        self.partition_result.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
