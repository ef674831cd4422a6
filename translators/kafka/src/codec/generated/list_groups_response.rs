//! `ListGroupsResponse`, versions 0-5. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `ListGroupsResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListGroupsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-5, ignorable.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0-5.
    pub error_code: i16,
    /// `Groups`: `[]ListedGroup`, versions 0-5.
    pub groups: Vec<ListedGroup>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ListGroupsResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: if f.version >= 1 { r.get(f)? } else { 0 },
            error_code: r.get(f)?,
            groups: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 1 {
            self.throttle_time_ms.write(out, f)?;
        }
        self.error_code.write(out, f)?;
        self.groups.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ListGroupsResponse {
    const NAME: &'static str = "ListGroupsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Response for ListGroupsResponse {
    const API: ApiKey = ApiKey::ListGroups;
}

/// Struct `ListedGroup`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListedGroup {
    /// `GroupId`: `string`, versions 0-5.
    pub group_id: Str,
    /// `ProtocolType`: `string`, versions 0-5.
    pub protocol_type: Str,
    /// `GroupState`: `string`, versions 4-5, ignorable.
    pub group_state: Str,
    /// `GroupType`: `string`, versions 5, ignorable.
    pub group_type: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ListedGroup {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            protocol_type: r.get(f)?,
            group_state: if f.version >= 4 { r.get(f)? } else { Str::default() },
            group_type: if f.version >= 5 { r.get(f)? } else { Str::default() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.protocol_type.write(out, f)?;
        if f.version >= 4 {
            self.group_state.write(out, f)?;
        }
        if f.version >= 5 {
            self.group_type.write(out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
