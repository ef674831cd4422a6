//! `ConsumerGroupTargetAssignmentMetadataValue`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, TaggedField, Wire};

/// Message `ConsumerGroupTargetAssignmentMetadataValue`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsumerGroupTargetAssignmentMetadataValue {
    /// `AssignmentEpoch`: `int32`, versions 0.
    pub assignment_epoch: i32,
    /// `AssignmentTimestamp`: `int64`, versions 0, tag 0, ignorable.
    pub assignment_timestamp: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ConsumerGroupTargetAssignmentMetadataValue {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it =
            Self { assignment_epoch: r.get(f)?, assignment_timestamp: 0, unknown_tagged: Vec::new() };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 => it.assignment_timestamp = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.assignment_epoch.write(out, f)?;
        let mut tags = Tags::default();
        tags.add(self.assignment_timestamp != 0, 0, |out| self.assignment_timestamp.write(out, f))?;
        tags.write(&self.unknown_tagged, out, f)
    }
}

impl Message for ConsumerGroupTargetAssignmentMetadataValue {
    const NAME: &'static str = "ConsumerGroupTargetAssignmentMetadataValue";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl CoordinatorRecord for ConsumerGroupTargetAssignmentMetadataValue {
    const RECORD_TYPE: i16 = 6;
}
