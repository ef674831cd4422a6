//! `DescribeGroupsResponse`, versions 0-6. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `DescribeGroupsResponse`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeGroupsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-6, ignorable.
    pub throttle_time_ms: i32,
    /// `Groups`: `[]DescribedGroup`, versions 0-6.
    pub groups: Vec<DescribedGroup>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeGroupsResponse {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: if f.version >= 1 { r.get(f)? } else { 0 },
            groups: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 1 {
            self.throttle_time_ms.write(out, f)?;
        }
        self.groups.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeGroupsResponse {
    const NAME: &'static str = "DescribeGroupsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;
    const FLEXIBLE_FROM: Option<i16> = Some(5);
}

impl Response for DescribeGroupsResponse {
    const API: ApiKey = ApiKey::DescribeGroups;
}

/// Struct `DescribedGroupMember`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribedGroupMember {
    /// `MemberId`: `string`, versions 0-6.
    pub member_id: Str,
    /// `GroupInstanceId`: `string`, versions 4-6, nullable, ignorable.
    pub group_instance_id: Option<Str>,
    /// `ClientId`: `string`, versions 0-6.
    pub client_id: Str,
    /// `ClientHost`: `string`, versions 0-6.
    pub client_host: Str,
    /// `MemberMetadata`: `bytes`, versions 0-6.
    pub member_metadata: Bytes,
    /// `MemberAssignment`: `bytes`, versions 0-6.
    pub member_assignment: Bytes,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribedGroupMember {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            member_id: r.get(f)?,
            group_instance_id: if f.version >= 4 { r.get_nullable(f, true)? } else { None },
            client_id: r.get(f)?,
            client_host: r.get(f)?,
            member_metadata: r.get(f)?,
            member_assignment: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.member_id.write(out, f)?;
        if f.version >= 4 {
            write_nullable(self.group_instance_id.as_ref(), true, "GroupInstanceId", out, f)?;
        }
        self.client_id.write(out, f)?;
        self.client_host.write(out, f)?;
        self.member_metadata.write(out, f)?;
        self.member_assignment.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribedGroup`, versions 0-6.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedGroup {
    /// `ErrorCode`: `int16`, versions 0-6.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 6, nullable.
    pub error_message: Option<Str>,
    /// `GroupId`: `string`, versions 0-6.
    pub group_id: Str,
    /// `GroupState`: `string`, versions 0-6.
    pub group_state: Str,
    /// `ProtocolType`: `string`, versions 0-6.
    pub protocol_type: Str,
    /// `ProtocolData`: `string`, versions 0-6.
    pub protocol_data: Str,
    /// `Members`: `[]DescribedGroupMember`, versions 0-6.
    pub members: Vec<DescribedGroupMember>,
    /// `AuthorizedOperations`: `int32`, versions 3-6, default `-2_147_483_648`.
    pub authorized_operations: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribedGroup {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: None,
            group_id: Str::default(),
            group_state: Str::default(),
            protocol_type: Str::default(),
            protocol_data: Str::default(),
            members: Vec::new(),
            authorized_operations: -2_147_483_648,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribedGroup {
    const BYTES_MIN: usize = 12;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            error_message: if f.version >= 6 { r.get_nullable(f, true)? } else { None },
            group_id: r.get(f)?,
            group_state: r.get(f)?,
            protocol_type: r.get(f)?,
            protocol_data: r.get(f)?,
            members: r.get(f)?,
            authorized_operations: if f.version >= 3 { r.get(f)? } else { -2_147_483_648 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        if f.version >= 6 {
            write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        } else {
            absent(self.error_message.is_none(), "ErrorMessage", f)?;
        }
        self.group_id.write(out, f)?;
        self.group_state.write(out, f)?;
        self.protocol_type.write(out, f)?;
        self.protocol_data.write(out, f)?;
        self.members.write(out, f)?;
        if f.version >= 3 {
            self.authorized_operations.write(out, f)?;
        } else {
            absent(self.authorized_operations == -2_147_483_648, "AuthorizedOperations", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
