//! `ConsumerGroupTargetAssignmentMetadataKey`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::{CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, Wire};

/// Message `ConsumerGroupTargetAssignmentMetadataKey`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsumerGroupTargetAssignmentMetadataKey {
    /// `GroupId`: `string`, versions 0.
    pub group_id: Str,
}

impl Wire for ConsumerGroupTargetAssignmentMetadataKey {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { group_id: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        Ok(())
    }
}

impl Message for ConsumerGroupTargetAssignmentMetadataKey {
    const NAME: &'static str = "ConsumerGroupTargetAssignmentMetadataKey";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = None;
}

impl CoordinatorRecord for ConsumerGroupTargetAssignmentMetadataKey {
    const RECORD_TYPE: i16 = 6;
}
