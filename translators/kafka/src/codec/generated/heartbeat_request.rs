//! `HeartbeatRequest`, versions 0-4. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::HeartbeatResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `HeartbeatRequest`, versions 0-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeartbeatRequest {
    /// `GroupId`: `string`, versions 0-4.
    pub group_id: Str,
    /// `GenerationId`: `int32`, versions 0-4.
    pub generation_id: i32,
    /// `MemberId`: `string`, versions 0-4.
    pub member_id: Str,
    /// `GroupInstanceId`: `string`, versions 3-4, nullable.
    pub group_instance_id: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for HeartbeatRequest {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            generation_id: r.get(f)?,
            member_id: r.get(f)?,
            group_instance_id: if f.version >= 3 { r.get_nullable(f, true)? } else { None },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.generation_id.write(out, f)?;
        self.member_id.write(out, f)?;
        if f.version >= 3 {
            write_nullable(self.group_instance_id.as_ref(), true, "GroupInstanceId", out, f)?;
        } else {
            absent(self.group_instance_id.is_none(), "GroupInstanceId", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for HeartbeatRequest {
    const NAME: &'static str = "HeartbeatRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl Request for HeartbeatRequest {
    const API: ApiKey = ApiKey::Heartbeat;
    type Response = HeartbeatResponse;
}
