//! `ConsumerGroupMemberMetadataKey`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::{CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, Wire};

/// Message `ConsumerGroupMemberMetadataKey`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsumerGroupMemberMetadataKey {
    /// `GroupId`: `string`, versions 0.
    pub group_id: Str,
    /// `MemberId`: `string`, versions 0.
    pub member_id: Str,
}

impl Wire for ConsumerGroupMemberMetadataKey {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { group_id: r.get(f)?, member_id: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.member_id.write(out, f)?;
        Ok(())
    }
}

impl Message for ConsumerGroupMemberMetadataKey {
    const NAME: &'static str = "ConsumerGroupMemberMetadataKey";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = None;
}

impl CoordinatorRecord for ConsumerGroupMemberMetadataKey {
    const RECORD_TYPE: i16 = 5;
}
