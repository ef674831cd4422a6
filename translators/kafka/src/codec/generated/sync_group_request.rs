//! `SyncGroupRequest`, versions 0-5. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::messages::SyncGroupResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `SyncGroupRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SyncGroupRequest {
    /// `GroupId`: `string`, versions 0-5.
    pub group_id: Str,
    /// `GenerationId`: `int32`, versions 0-5.
    pub generation_id: i32,
    /// `MemberId`: `string`, versions 0-5.
    pub member_id: Str,
    /// `GroupInstanceId`: `string`, versions 3-5, nullable.
    pub group_instance_id: Option<Str>,
    /// `ProtocolType`: `string`, versions 5, nullable, ignorable.
    pub protocol_type: Option<Str>,
    /// `ProtocolName`: `string`, versions 5, nullable, ignorable.
    pub protocol_name: Option<Str>,
    /// `Assignments`: `[]SyncGroupRequestAssignment`, versions 0-5.
    pub assignments: Vec<SyncGroupRequestAssignment>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for SyncGroupRequest {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            generation_id: r.get(f)?,
            member_id: r.get(f)?,
            group_instance_id: if f.version >= 3 { r.get_nullable(f, true)? } else { None },
            protocol_type: if f.version >= 5 { r.get_nullable(f, true)? } else { None },
            protocol_name: if f.version >= 5 { r.get_nullable(f, true)? } else { None },
            assignments: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.generation_id.write(out, f)?;
        self.member_id.write(out, f)?;
        if f.version >= 3 {
            write_nullable(self.group_instance_id.as_ref(), true, "GroupInstanceId", out, f)?;
        } else {
            absent(self.group_instance_id.is_none(), "GroupInstanceId", f)?;
        }
        if f.version >= 5 {
            write_nullable(self.protocol_type.as_ref(), true, "ProtocolType", out, f)?;
        }
        if f.version >= 5 {
            write_nullable(self.protocol_name.as_ref(), true, "ProtocolName", out, f)?;
        }
        self.assignments.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for SyncGroupRequest {
    const NAME: &'static str = "SyncGroupRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl Request for SyncGroupRequest {
    const API: ApiKey = ApiKey::SyncGroup;
    type Response = SyncGroupResponse;
}

/// Struct `SyncGroupRequestAssignment`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SyncGroupRequestAssignment {
    /// `MemberId`: `string`, versions 0-5.
    pub member_id: Str,
    /// `Assignment`: `bytes`, versions 0-5.
    pub assignment: Bytes,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for SyncGroupRequestAssignment {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { member_id: r.get(f)?, assignment: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.member_id.write(out, f)?;
        self.assignment.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
