//! `LeaveGroupResponse`, versions 0-5. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `LeaveGroupResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LeaveGroupResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-5, ignorable.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0-5.
    pub error_code: i16,
    /// `Members`: `[]MemberResponse`, versions 3-5.
    pub members: Vec<MemberResponse>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for LeaveGroupResponse {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: if f.version >= 1 { r.get(f)? } else { 0 },
            error_code: r.get(f)?,
            members: if f.version >= 3 { r.get(f)? } else { Vec::new() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 1 {
            self.throttle_time_ms.write(out, f)?;
        }
        self.error_code.write(out, f)?;
        if f.version >= 3 {
            self.members.write(out, f)?;
        } else {
            absent(self.members.is_empty(), "Members", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for LeaveGroupResponse {
    const NAME: &'static str = "LeaveGroupResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl Response for LeaveGroupResponse {
    const API: ApiKey = ApiKey::LeaveGroup;
}

/// Struct `MemberResponse`, versions 3-5.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberResponse {
    /// `MemberId`: `string`, versions 3-5.
    pub member_id: Str,
    /// `GroupInstanceId`: `string`, versions 3-5, nullable.
    pub group_instance_id: Option<Str>,
    /// `ErrorCode`: `int16`, versions 3-5.
    pub error_code: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for MemberResponse {
    fn default() -> Self {
        Self {
            member_id: Str::default(),
            group_instance_id: Some(Str::default()),
            error_code: 0,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for MemberResponse {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            member_id: r.get(f)?,
            group_instance_id: r.get_nullable(f, true)?,
            error_code: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.member_id.write(out, f)?;
        write_nullable(self.group_instance_id.as_ref(), true, "GroupInstanceId", out, f)?;
        self.error_code.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
