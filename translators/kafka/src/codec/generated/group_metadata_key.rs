//! `GroupMetadataKey`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::{CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, Wire};

/// Message `GroupMetadataKey`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroupMetadataKey {
    /// `group`: `string`, versions 0.
    pub group: Str,
}

impl Wire for GroupMetadataKey {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { group: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group.write(out, f)?;
        Ok(())
    }
}

impl Message for GroupMetadataKey {
    const NAME: &'static str = "GroupMetadataKey";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = None;
}

impl CoordinatorRecord for GroupMetadataKey {
    const RECORD_TYPE: i16 = 2;
}
