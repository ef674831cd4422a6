//! `ConsumerProtocolAssignment`, versions 0-3. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::wire::write_nullable;
use crate::codec::{DecodeError, EncodeError, Format, Message, Reader, Str, Wire};

/// Message `ConsumerProtocolAssignment`, versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsumerProtocolAssignment {
    /// `AssignedPartitions`: `[]TopicPartition`, versions 0-3.
    pub assigned_partitions: Vec<TopicPartition>,
    /// `UserData`: `bytes`, versions 0-3, nullable.
    pub user_data: Option<Bytes>,
}

impl Wire for ConsumerProtocolAssignment {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { assigned_partitions: r.get(f)?, user_data: r.get_nullable(f, true)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.assigned_partitions.write(out, f)?;
        write_nullable(self.user_data.as_ref(), true, "UserData", out, f)?;
        Ok(())
    }
}

impl Message for ConsumerProtocolAssignment {
    const NAME: &'static str = "ConsumerProtocolAssignment";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;
    const FLEXIBLE_FROM: Option<i16> = None;
}

/// Struct `TopicPartition`, versions 0-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartition {
    /// `Topic`: `string`, versions 0-3.
    pub topic: Str,
    /// `Partitions`: `[]int32`, versions 0-3.
    pub partitions: Vec<i32>,
}

impl Wire for TopicPartition {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { topic: r.get(f)?, partitions: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic.write(out, f)?;
        self.partitions.write(out, f)?;
        Ok(())
    }
}
