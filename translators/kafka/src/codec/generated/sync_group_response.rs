//! `SyncGroupResponse`, versions 0-5. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `SyncGroupResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SyncGroupResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-5, ignorable.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0-5.
    pub error_code: i16,
    /// `ProtocolType`: `string`, versions 5, nullable, ignorable.
    pub protocol_type: Option<Str>,
    /// `ProtocolName`: `string`, versions 5, nullable, ignorable.
    pub protocol_name: Option<Str>,
    /// `Assignment`: `bytes`, versions 0-5.
    pub assignment: Bytes,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for SyncGroupResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: if f.version >= 1 { r.get(f)? } else { 0 },
            error_code: r.get(f)?,
            protocol_type: if f.version >= 5 { r.get_nullable(f, true)? } else { None },
            protocol_name: if f.version >= 5 { r.get_nullable(f, true)? } else { None },
            assignment: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 1 {
            self.throttle_time_ms.write(out, f)?;
        }
        self.error_code.write(out, f)?;
        if f.version >= 5 {
            write_nullable(self.protocol_type.as_ref(), true, "ProtocolType", out, f)?;
        }
        if f.version >= 5 {
            write_nullable(self.protocol_name.as_ref(), true, "ProtocolName", out, f)?;
        }
        self.assignment.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for SyncGroupResponse {
    const NAME: &'static str = "SyncGroupResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl Response for SyncGroupResponse {
    const API: ApiKey = ApiKey::SyncGroup;
}
