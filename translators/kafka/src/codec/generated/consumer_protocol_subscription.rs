//! `ConsumerProtocolSubscription`, versions 0-3. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::wire::write_nullable;
use crate::codec::{DecodeError, EncodeError, Format, Message, Reader, Str, Wire};

/// Message `ConsumerProtocolSubscription`, versions 0-3.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerProtocolSubscription {
    /// `Topics`: `[]string`, versions 0-3.
    pub topics: Vec<Str>,
    /// `UserData`: `bytes`, versions 0-3, nullable.
    pub user_data: Option<Bytes>,
    /// `OwnedPartitions`: `[]TopicPartition`, versions 1-3, ignorable.
    pub owned_partitions: Vec<TopicPartition>,
    /// `GenerationId`: `int32`, versions 2-3, ignorable, default `-1`.
    pub generation_id: i32,
    /// `RackId`: `string`, versions 3, nullable, ignorable.
    pub rack_id: Option<Str>,
}

impl Default for ConsumerProtocolSubscription {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            user_data: None,
            owned_partitions: Vec::new(),
            generation_id: -1,
            rack_id: None,
        }
    }
}

impl Wire for ConsumerProtocolSubscription {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topics: r.get(f)?,
            user_data: r.get_nullable(f, true)?,
            owned_partitions: if f.version >= 1 { r.get(f)? } else { Vec::new() },
            generation_id: if f.version >= 2 { r.get(f)? } else { -1 },
            rack_id: if f.version >= 3 { r.get_nullable(f, true)? } else { None },
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topics.write(out, f)?;
        write_nullable(self.user_data.as_ref(), true, "UserData", out, f)?;
        if f.version >= 1 {
            self.owned_partitions.write(out, f)?;
        }
        if f.version >= 2 {
            self.generation_id.write(out, f)?;
        }
        if f.version >= 3 {
            write_nullable(self.rack_id.as_ref(), true, "RackId", out, f)?;
        }
        Ok(())
    }
}

impl Message for ConsumerProtocolSubscription {
    const NAME: &'static str = "ConsumerProtocolSubscription";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=3;
    const FLEXIBLE_FROM: Option<i16> = None;
}

/// Struct `TopicPartition`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartition {
    /// `Topic`: `string`, versions 1-3.
    pub topic: Str,
    /// `Partitions`: `[]int32`, versions 1-3.
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
