//! `ConsumerGroupMetadataValue`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, TaggedField, Wire};

/// Message `ConsumerGroupMetadataValue`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsumerGroupMetadataValue {
    /// `Epoch`: `int32`, versions 0.
    pub epoch: i32,
    /// `MetadataHash`: `int64`, versions 0, tag 0.
    pub metadata_hash: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ConsumerGroupMetadataValue {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self { epoch: r.get(f)?, metadata_hash: 0, unknown_tagged: Vec::new() };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 => it.metadata_hash = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.epoch.write(out, f)?;
        let mut tags = Tags::default();
        tags.add(self.metadata_hash != 0, 0, |out| self.metadata_hash.write(out, f))?;
        tags.write(&self.unknown_tagged, out, f)
    }
}

impl Message for ConsumerGroupMetadataValue {
    const NAME: &'static str = "ConsumerGroupMetadataValue";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl CoordinatorRecord for ConsumerGroupMetadataValue {
    const RECORD_TYPE: i16 = 3;
}
