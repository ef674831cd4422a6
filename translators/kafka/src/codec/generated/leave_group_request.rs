//! `LeaveGroupRequest`, versions 0-5. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::LeaveGroupResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `LeaveGroupRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeaveGroupRequest {
    /// `GroupId`: `string`, versions 0-5.
    pub group_id: Str,
    /// `MemberId`: `string`, versions 0-2.
    pub member_id: Str,
    /// `Members`: `[]MemberIdentity`, versions 3-5.
    pub members: Vec<MemberIdentity>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for LeaveGroupRequest {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            member_id: if f.version <= 2 { r.get(f)? } else { Str::default() },
            members: if f.version >= 3 { r.get(f)? } else { Vec::new() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        if f.version <= 2 {
            self.member_id.write(out, f)?;
        } else {
            absent(self.member_id.is_empty(), "MemberId", f)?;
        }
        if f.version >= 3 {
            self.members.write(out, f)?;
        } else {
            absent(self.members.is_empty(), "Members", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for LeaveGroupRequest {
    const NAME: &'static str = "LeaveGroupRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl Request for LeaveGroupRequest {
    const API: ApiKey = ApiKey::LeaveGroup;
    type Response = LeaveGroupResponse;
}

/// Struct `MemberIdentity`, versions 3-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemberIdentity {
    /// `MemberId`: `string`, versions 3-5.
    pub member_id: Str,
    /// `GroupInstanceId`: `string`, versions 3-5, nullable.
    pub group_instance_id: Option<Str>,
    /// `Reason`: `string`, versions 5, nullable, ignorable.
    pub reason: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for MemberIdentity {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            member_id: r.get(f)?,
            group_instance_id: r.get_nullable(f, true)?,
            reason: if f.version >= 5 { r.get_nullable(f, true)? } else { None },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.member_id.write(out, f)?;
        write_nullable(self.group_instance_id.as_ref(), true, "GroupInstanceId", out, f)?;
        if f.version >= 5 {
            write_nullable(self.reason.as_ref(), true, "Reason", out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
