//! `ListConfigResourcesRequest`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::ListConfigResourcesResponse;
use crate::codec::wire::{Tags, absent};
use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, TaggedField, Wire};

/// Message `ListConfigResourcesRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListConfigResourcesRequest {
    /// `ResourceTypes`: `[]int8`, versions 1.
    pub resource_types: Vec<i8>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ListConfigResourcesRequest {
    const BYTES_MIN: usize = 1;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            resource_types: if f.version >= 1 { r.get(f)? } else { Vec::new() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 1 {
            self.resource_types.write(out, f)?;
        } else {
            absent(self.resource_types.is_empty(), "ResourceTypes", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ListConfigResourcesRequest {
    const NAME: &'static str = "ListConfigResourcesRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for ListConfigResourcesRequest {
    const API: ApiKey = ApiKey::ListConfigResources;
    type Response = ListConfigResourcesResponse;
}
