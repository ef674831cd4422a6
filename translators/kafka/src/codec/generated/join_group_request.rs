//! `JoinGroupRequest`, versions 0-9. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::messages::JoinGroupResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `JoinGroupRequest`, versions 0-9.
#[derive(Debug, Clone, PartialEq)]
pub struct JoinGroupRequest {
    /// `GroupId`: `string`, versions 0-9.
    pub group_id: Str,
    /// `SessionTimeoutMs`: `int32`, versions 0-9.
    pub session_timeout_ms: i32,
    /// `RebalanceTimeoutMs`: `int32`, versions 1-9, ignorable, default `-1`.
    pub rebalance_timeout_ms: i32,
    /// `MemberId`: `string`, versions 0-9.
    pub member_id: Str,
    /// `GroupInstanceId`: `string`, versions 5-9, nullable.
    pub group_instance_id: Option<Str>,
    /// `ProtocolType`: `string`, versions 0-9.
    pub protocol_type: Str,
    /// `Protocols`: `[]JoinGroupRequestProtocol`, versions 0-9.
    pub protocols: Vec<JoinGroupRequestProtocol>,
    /// `Reason`: `string`, versions 8-9, nullable, ignorable.
    pub reason: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for JoinGroupRequest {
    fn default() -> Self {
        Self {
            group_id: Str::default(),
            session_timeout_ms: 0,
            rebalance_timeout_ms: -1,
            member_id: Str::default(),
            group_instance_id: None,
            protocol_type: Str::default(),
            protocols: Vec::new(),
            reason: None,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for JoinGroupRequest {
    const BYTES_MIN: usize = 14;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            session_timeout_ms: r.get(f)?,
            rebalance_timeout_ms: if f.version >= 1 { r.get(f)? } else { -1 },
            member_id: r.get(f)?,
            group_instance_id: if f.version >= 5 { r.get_nullable(f, true)? } else { None },
            protocol_type: r.get(f)?,
            protocols: r.get(f)?,
            reason: if f.version >= 8 { r.get_nullable(f, true)? } else { None },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.session_timeout_ms.write(out, f)?;
        if f.version >= 1 {
            self.rebalance_timeout_ms.write(out, f)?;
        }
        self.member_id.write(out, f)?;
        if f.version >= 5 {
            write_nullable(self.group_instance_id.as_ref(), true, "GroupInstanceId", out, f)?;
        } else {
            absent(self.group_instance_id.is_none(), "GroupInstanceId", f)?;
        }
        self.protocol_type.write(out, f)?;
        self.protocols.write(out, f)?;
        if f.version >= 8 {
            write_nullable(self.reason.as_ref(), true, "Reason", out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for JoinGroupRequest {
    const NAME: &'static str = "JoinGroupRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=9;
    const FLEXIBLE_FROM: Option<i16> = Some(6);
}

impl Request for JoinGroupRequest {
    const API: ApiKey = ApiKey::JoinGroup;
    type Response = JoinGroupResponse;
}

/// Struct `JoinGroupRequestProtocol`, versions 0-9.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JoinGroupRequestProtocol {
    /// `Name`: `string`, versions 0-9.
    pub name: Str,
    /// `Metadata`: `bytes`, versions 0-9.
    pub metadata: Bytes,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for JoinGroupRequestProtocol {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { name: r.get(f)?, metadata: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.metadata.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
