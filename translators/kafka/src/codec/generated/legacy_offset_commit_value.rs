//! `LegacyOffsetCommitValue`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::{CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, Wire};

/// Message `LegacyOffsetCommitValue`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LegacyOffsetCommitValue {
    /// `offset`: `int64`, versions 0.
    pub offset: i64,
    /// `metadata`: `string`, versions 0.
    pub metadata: Str,
    /// `commitTimestamp`: `int64`, versions 0.
    pub commit_timestamp: i64,
}

impl Wire for LegacyOffsetCommitValue {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { offset: r.get(f)?, metadata: r.get(f)?, commit_timestamp: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.offset.write(out, f)?;
        self.metadata.write(out, f)?;
        self.commit_timestamp.write(out, f)?;
        Ok(())
    }
}

impl Message for LegacyOffsetCommitValue {
    const NAME: &'static str = "LegacyOffsetCommitValue";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = None;
}

impl CoordinatorRecord for LegacyOffsetCommitValue {
    const RECORD_TYPE: i16 = 0;
}
