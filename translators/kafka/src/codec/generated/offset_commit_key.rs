//! `OffsetCommitKey`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::{CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, Wire};

/// Message `OffsetCommitKey`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetCommitKey {
    /// `group`: `string`, versions 0.
    pub group: Str,
    /// `topic`: `string`, versions 0.
    pub topic: Str,
    /// `partition`: `int32`, versions 0.
    pub partition: i32,
}

impl Wire for OffsetCommitKey {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { group: r.get(f)?, topic: r.get(f)?, partition: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group.write(out, f)?;
        self.topic.write(out, f)?;
        self.partition.write(out, f)?;
        Ok(())
    }
}

impl Message for OffsetCommitKey {
    const NAME: &'static str = "OffsetCommitKey";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = None;
}

impl CoordinatorRecord for OffsetCommitKey {
    const RECORD_TYPE: i16 = 1;
}
