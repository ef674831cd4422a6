//! `DescribeGroupsRequest`, versions 0-6. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DescribeGroupsResponse;
use crate::codec::wire::{Tags, absent};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `DescribeGroupsRequest`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeGroupsRequest {
    /// `Groups`: `[]string`, versions 0-6.
    pub groups: Vec<Str>,
    /// `IncludeAuthorizedOperations`: `bool`, versions 3-6.
    pub include_authorized_operations: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeGroupsRequest {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            groups: r.get(f)?,
            include_authorized_operations: if f.version >= 3 { r.get(f)? } else { false },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.groups.write(out, f)?;
        if f.version >= 3 {
            self.include_authorized_operations.write(out, f)?;
        } else {
            absent(!self.include_authorized_operations, "IncludeAuthorizedOperations", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeGroupsRequest {
    const NAME: &'static str = "DescribeGroupsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;
    const FLEXIBLE_FROM: Option<i16> = Some(5);
}

impl Request for DescribeGroupsRequest {
    const API: ApiKey = ApiKey::DescribeGroups;
    type Response = DescribeGroupsResponse;
}
