//! `ListGroupsRequest`, versions 0-5. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::ListGroupsResponse;
use crate::codec::wire::{Tags, absent};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `ListGroupsRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListGroupsRequest {
    /// `StatesFilter`: `[]string`, versions 4-5.
    pub states_filter: Vec<Str>,
    /// `TypesFilter`: `[]string`, versions 5.
    pub types_filter: Vec<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ListGroupsRequest {
    const BYTES_MIN: usize = 1;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            states_filter: if f.version >= 4 { r.get(f)? } else { Vec::new() },
            types_filter: if f.version >= 5 { r.get(f)? } else { Vec::new() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 4 {
            self.states_filter.write(out, f)?;
        } else {
            absent(self.states_filter.is_empty(), "StatesFilter", f)?;
        }
        if f.version >= 5 {
            self.types_filter.write(out, f)?;
        } else {
            absent(self.types_filter.is_empty(), "TypesFilter", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ListGroupsRequest {
    const NAME: &'static str = "ListGroupsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Request for ListGroupsRequest {
    const API: ApiKey = ApiKey::ListGroups;
    type Response = ListGroupsResponse;
}
