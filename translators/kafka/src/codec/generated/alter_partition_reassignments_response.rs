//! `AlterPartitionReassignmentsResponse`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `AlterPartitionReassignmentsResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterPartitionReassignmentsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-1.
    pub throttle_time_ms: i32,
    /// `AllowReplicationFactorChange`: `bool`, versions 1, ignorable, default `true`.
    pub allow_replication_factor_change: bool,
    /// `ErrorCode`: `int16`, versions 0-1.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-1, nullable.
    pub error_message: Option<Str>,
    /// `Responses`: `[]ReassignableTopicResponse`, versions 0-1.
    pub responses: Vec<ReassignableTopicResponse>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for AlterPartitionReassignmentsResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            allow_replication_factor_change: true,
            error_code: 0,
            error_message: Some(Str::default()),
            responses: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for AlterPartitionReassignmentsResponse {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            allow_replication_factor_change: if f.version >= 1 { r.get(f)? } else { true },
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            responses: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        if f.version >= 1 {
            self.allow_replication_factor_change.write(out, f)?;
        }
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.responses.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for AlterPartitionReassignmentsResponse {
    const NAME: &'static str = "AlterPartitionReassignmentsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for AlterPartitionReassignmentsResponse {
    const API: ApiKey = ApiKey::AlterPartitionReassignments;
}

/// Struct `ReassignablePartitionResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct ReassignablePartitionResponse {
    /// `PartitionIndex`: `int32`, versions 0-1.
    pub partition_index: i32,
    /// `ErrorCode`: `int16`, versions 0-1.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-1, nullable.
    pub error_message: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ReassignablePartitionResponse {
    fn default() -> Self {
        Self {
            partition_index: 0,
            error_code: 0,
            error_message: Some(Str::default()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ReassignablePartitionResponse {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            partition_index: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.partition_index.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `ReassignableTopicResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReassignableTopicResponse {
    /// `Name`: `string`, versions 0-1.
    pub name: Str,
    /// `Partitions`: `[]ReassignablePartitionResponse`, versions 0-1.
    pub partitions: Vec<ReassignablePartitionResponse>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ReassignableTopicResponse {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { name: r.get(f)?, partitions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
