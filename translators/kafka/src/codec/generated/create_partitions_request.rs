//! `CreatePartitionsRequest`, versions 0-3. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::CreatePartitionsResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `CreatePartitionsRequest`, versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatePartitionsRequest {
    /// `Topics`: `[]CreatePartitionsTopic`, versions 0-3.
    pub topics: Vec<CreatePartitionsTopic>,
    /// `TimeoutMs`: `int32`, versions 0-3.
    pub timeout_ms: i32,
    /// `ValidateOnly`: `bool`, versions 0-3.
    pub validate_only: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CreatePartitionsRequest {
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

impl Message for CreatePartitionsRequest {
    const NAME: &'static str = "CreatePartitionsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Request for CreatePartitionsRequest {
    const API: ApiKey = ApiKey::CreatePartitions;
    type Response = CreatePartitionsResponse;
}

/// Struct `CreatePartitionsAssignment`, versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatePartitionsAssignment {
    /// `BrokerIds`: `[]int32`, versions 0-3.
    pub broker_ids: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CreatePartitionsAssignment {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { broker_ids: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.broker_ids.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `CreatePartitionsTopic`, versions 0-3.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatePartitionsTopic {
    /// `Name`: `string`, versions 0-3.
    pub name: Str,
    /// `Count`: `int32`, versions 0-3.
    pub count: i32,
    /// `Assignments`: `[]CreatePartitionsAssignment`, versions 0-3, nullable.
    pub assignments: Option<Vec<CreatePartitionsAssignment>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for CreatePartitionsTopic {
    fn default() -> Self {
        Self { name: Str::default(), count: 0, assignments: Some(Vec::new()), unknown_tagged: Vec::new() }
    }
}

impl Wire for CreatePartitionsTopic {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            count: r.get(f)?,
            assignments: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.count.write(out, f)?;
        write_nullable(self.assignments.as_ref(), true, "Assignments", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
