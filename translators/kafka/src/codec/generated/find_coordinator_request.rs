//! `FindCoordinatorRequest`, versions 0-6. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::FindCoordinatorResponse;
use crate::codec::wire::{Tags, absent};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `FindCoordinatorRequest`, versions 0-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FindCoordinatorRequest {
    /// `Key`: `string`, versions 0-3.
    pub key: Str,
    /// `KeyType`: `int8`, versions 1-6.
    pub key_type: i8,
    /// `CoordinatorKeys`: `[]string`, versions 4-6.
    pub coordinator_keys: Vec<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for FindCoordinatorRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            key: if f.version <= 3 { r.get(f)? } else { Str::default() },
            key_type: if f.version >= 1 { r.get(f)? } else { 0 },
            coordinator_keys: if f.version >= 4 { r.get(f)? } else { Vec::new() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version <= 3 {
            self.key.write(out, f)?;
        } else {
            absent(self.key.is_empty(), "Key", f)?;
        }
        if f.version >= 1 {
            self.key_type.write(out, f)?;
        } else {
            absent(self.key_type == 0, "KeyType", f)?;
        }
        if f.version >= 4 {
            self.coordinator_keys.write(out, f)?;
        } else {
            absent(self.coordinator_keys.is_empty(), "CoordinatorKeys", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for FindCoordinatorRequest {
    const NAME: &'static str = "FindCoordinatorRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Request for FindCoordinatorRequest {
    const API: ApiKey = ApiKey::FindCoordinator;
    type Response = FindCoordinatorResponse;
}
