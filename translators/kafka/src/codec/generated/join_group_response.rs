//! `JoinGroupResponse`, versions 0-9. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `JoinGroupResponse`, versions 0-9.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinGroupResponse {
    /// `ThrottleTimeMs`: `int32`, versions 2-9, ignorable.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0-9.
    pub error_code: i16,
    /// `GenerationId`: `int32`, versions 0-9, default `-1`.
    pub generation_id: i32,
    /// `ProtocolType`: `string`, versions 7-9, nullable, ignorable.
    pub protocol_type: Option<Str>,
    /// `ProtocolName`: `string`, versions 0-9, nullable in versions 7-9.
    pub protocol_name: Option<Str>,
    /// `Leader`: `string`, versions 0-9.
    pub leader: Str,
    /// `SkipAssignment`: `bool`, versions 9.
    pub skip_assignment: bool,
    /// `MemberId`: `string`, versions 0-9.
    pub member_id: Str,
    /// `Members`: `[]JoinGroupResponseMember`, versions 0-9.
    pub members: Vec<JoinGroupResponseMember>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for JoinGroupResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            generation_id: -1,
            protocol_type: None,
            protocol_name: Some(Str::default()),
            leader: Str::default(),
            skip_assignment: false,
            member_id: Str::default(),
            members: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for JoinGroupResponse {
    const BYTES_MIN: usize = 15;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: if f.version >= 2 { r.get(f)? } else { 0 },
            error_code: r.get(f)?,
            generation_id: r.get(f)?,
            protocol_type: if f.version >= 7 { r.get_nullable(f, true)? } else { None },
            protocol_name: r.get_nullable(f, f.version >= 7)?,
            leader: r.get(f)?,
            skip_assignment: if f.version >= 9 { r.get(f)? } else { false },
            member_id: r.get(f)?,
            members: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 2 {
            self.throttle_time_ms.write(out, f)?;
        }
        self.error_code.write(out, f)?;
        self.generation_id.write(out, f)?;
        if f.version >= 7 {
            write_nullable(self.protocol_type.as_ref(), true, "ProtocolType", out, f)?;
        }
        write_nullable(self.protocol_name.as_ref(), f.version >= 7, "ProtocolName", out, f)?;
        self.leader.write(out, f)?;
        if f.version >= 9 {
            self.skip_assignment.write(out, f)?;
        } else {
            absent(!self.skip_assignment, "SkipAssignment", f)?;
        }
        self.member_id.write(out, f)?;
        self.members.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for JoinGroupResponse {
    const NAME: &'static str = "JoinGroupResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=9;
    const FLEXIBLE_FROM: Option<i16> = Some(6);
}

impl Response for JoinGroupResponse {
    const API: ApiKey = ApiKey::JoinGroup;
}

/// Struct `JoinGroupResponseMember`, versions 0-9.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JoinGroupResponseMember {
    /// `MemberId`: `string`, versions 0-9.
    pub member_id: Str,
    /// `GroupInstanceId`: `string`, versions 5-9, nullable, ignorable.
    pub group_instance_id: Option<Str>,
    /// `Metadata`: `bytes`, versions 0-9.
    pub metadata: Bytes,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for JoinGroupResponseMember {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            member_id: r.get(f)?,
            group_instance_id: if f.version >= 5 { r.get_nullable(f, true)? } else { None },
            metadata: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.member_id.write(out, f)?;
        if f.version >= 5 {
            write_nullable(self.group_instance_id.as_ref(), true, "GroupInstanceId", out, f)?;
        }
        self.metadata.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
