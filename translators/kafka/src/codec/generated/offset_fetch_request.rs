//! `OffsetFetchRequest`, versions 1-10. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::OffsetFetchResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `OffsetFetchRequest`, versions 1-10.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchRequest {
    /// `GroupId`: `string`, versions 1-7.
    pub group_id: Str,
    /// `Topics`: `[]OffsetFetchRequestTopic`, versions 1-7, nullable in versions 2-7.
    pub topics: Option<Vec<OffsetFetchRequestTopic>>,
    /// `Groups`: `[]OffsetFetchRequestGroup`, versions 8-10.
    pub groups: Vec<OffsetFetchRequestGroup>,
    /// `RequireStable`: `bool`, versions 7-10.
    pub require_stable: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for OffsetFetchRequest {
    fn default() -> Self {
        Self {
            group_id: Str::default(),
            topics: Some(Vec::new()),
            groups: Vec::new(),
            require_stable: false,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for OffsetFetchRequest {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: if f.version <= 7 { r.get(f)? } else { Str::default() },
            topics: if f.version <= 7 { r.get_nullable(f, f.version >= 2)? } else { Some(Vec::new()) },
            groups: if f.version >= 8 { r.get(f)? } else { Vec::new() },
            require_stable: if f.version >= 7 { r.get(f)? } else { false },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version <= 7 {
            self.group_id.write(out, f)?;
        } else {
            absent(self.group_id.is_empty(), "GroupId", f)?;
        }
        if f.version <= 7 {
            write_nullable(self.topics.as_ref(), f.version >= 2, "Topics", out, f)?;
        } else {
            absent(self.topics.as_ref().is_some_and(|value| value.is_empty()), "Topics", f)?;
        }
        if f.version >= 8 {
            self.groups.write(out, f)?;
        } else {
            absent(self.groups.is_empty(), "Groups", f)?;
        }
        if f.version >= 7 {
            self.require_stable.write(out, f)?;
        } else {
            absent(!self.require_stable, "RequireStable", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for OffsetFetchRequest {
    const NAME: &'static str = "OffsetFetchRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=10;
    const FLEXIBLE_FROM: Option<i16> = Some(6);
}

impl Request for OffsetFetchRequest {
    const API: ApiKey = ApiKey::OffsetFetch;
    type Response = OffsetFetchResponse;
}

/// Struct `OffsetFetchRequestTopic`, versions 1-7.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchRequestTopic {
    /// `Name`: `string`, versions 1-7.
    pub name: Str,
    /// `PartitionIndexes`: `[]int32`, versions 1-7.
    pub partition_indexes: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetFetchRequestTopic {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            partition_indexes: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.partition_indexes.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `OffsetFetchRequestTopics`, versions 8-10.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetchRequestTopics {
    /// `Name`: `string`, versions 8-9, ignorable.
    pub name: Str,
    /// `TopicId`: `uuid`, versions 10, ignorable.
    pub topic_id: Uuid,
    /// `PartitionIndexes`: `[]int32`, versions 8-10.
    pub partition_indexes: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OffsetFetchRequestTopics {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: if f.version <= 9 { r.get(f)? } else { Str::default() },
            topic_id: if f.version >= 10 { r.get(f)? } else { Uuid::ZERO },
            partition_indexes: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version <= 9 {
            self.name.write(out, f)?;
        }
        if f.version >= 10 {
            self.topic_id.write(out, f)?;
        }
        self.partition_indexes.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `OffsetFetchRequestGroup`, versions 8-10.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetFetchRequestGroup {
    /// `GroupId`: `string`, versions 8-10.
    pub group_id: Str,
    /// `MemberId`: `string`, versions 9-10, nullable, ignorable.
    pub member_id: Option<Str>,
    /// `MemberEpoch`: `int32`, versions 9-10, ignorable, default `-1`.
    pub member_epoch: i32,
    /// `Topics`: `[]OffsetFetchRequestTopics`, versions 8-10, nullable.
    pub topics: Option<Vec<OffsetFetchRequestTopics>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for OffsetFetchRequestGroup {
    fn default() -> Self {
        Self {
            group_id: Str::default(),
            member_id: None,
            member_epoch: -1,
            topics: Some(Vec::new()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for OffsetFetchRequestGroup {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            member_id: if f.version >= 9 { r.get_nullable(f, true)? } else { None },
            member_epoch: if f.version >= 9 { r.get(f)? } else { -1 },
            topics: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        if f.version >= 9 {
            write_nullable(self.member_id.as_ref(), true, "MemberId", out, f)?;
        }
        if f.version >= 9 {
            self.member_epoch.write(out, f)?;
        }
        write_nullable(self.topics.as_ref(), true, "Topics", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
