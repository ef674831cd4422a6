//! `OffsetCommitValue`, versions 0-4. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, TaggedField, Uuid, Wire,
};

/// Message `OffsetCommitValue`, versions 0-4.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetCommitValue {
    /// `offset`: `int64`, versions 0-4.
    pub offset: i64,
    /// `leaderEpoch`: `int32`, versions 3-4, ignorable, default `-1`.
    pub leader_epoch: i32,
    /// `metadata`: `string`, versions 0-4.
    pub metadata: Str,
    /// `commitTimestamp`: `int64`, versions 0-4.
    pub commit_timestamp: i64,
    /// `expireTimestamp`: `int64`, versions 1, ignorable, default `-1`.
    pub expire_timestamp: i64,
    /// `topicId`: `uuid`, versions 4, tag 0, ignorable.
    pub topic_id: Uuid,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for OffsetCommitValue {
    fn default() -> Self {
        Self {
            offset: 0,
            leader_epoch: -1,
            metadata: Str::default(),
            commit_timestamp: 0,
            expire_timestamp: -1,
            topic_id: Uuid::ZERO,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for OffsetCommitValue {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            offset: r.get(f)?,
            leader_epoch: if f.version >= 3 { r.get(f)? } else { -1 },
            metadata: r.get(f)?,
            commit_timestamp: r.get(f)?,
            expire_timestamp: if f.version == 1 { r.get(f)? } else { -1 },
            topic_id: Uuid::ZERO,
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 => it.topic_id = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.offset.write(out, f)?;
        if f.version >= 3 {
            self.leader_epoch.write(out, f)?;
        }
        self.metadata.write(out, f)?;
        self.commit_timestamp.write(out, f)?;
        if f.version == 1 {
            self.expire_timestamp.write(out, f)?;
        }
        let mut tags = Tags::default();
        if f.version >= 4 {
            tags.add(!self.topic_id.is_zero(), 0, |out| self.topic_id.write(out, f))?;
        }
        tags.write(&self.unknown_tagged, out, f)
    }
}

impl Message for OffsetCommitValue {
    const NAME: &'static str = "OffsetCommitValue";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl CoordinatorRecord for OffsetCommitValue {
    const RECORD_TYPE: i16 = 1;
}
