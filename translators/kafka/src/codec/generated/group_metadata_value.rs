//! `GroupMetadataValue`, versions 0-4. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, TaggedField, Wire,
};

/// Message `GroupMetadataValue`, versions 0-4.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupMetadataValue {
    /// `protocolType`: `string`, versions 0-4.
    pub protocol_type: Str,
    /// `generation`: `int32`, versions 0-4.
    pub generation: i32,
    /// `protocol`: `string`, versions 0-4, nullable.
    pub protocol: Option<Str>,
    /// `leader`: `string`, versions 0-4, nullable.
    pub leader: Option<Str>,
    /// `currentStateTimestamp`: `int64`, versions 2-4, ignorable, default `-1`.
    pub current_state_timestamp: i64,
    /// `members`: `[]MemberMetadata`, versions 0-4.
    pub members: Vec<MemberMetadata>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for GroupMetadataValue {
    fn default() -> Self {
        Self {
            protocol_type: Str::default(),
            generation: 0,
            protocol: Some(Str::default()),
            leader: Some(Str::default()),
            current_state_timestamp: -1,
            members: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for GroupMetadataValue {
    const BYTES_MIN: usize = 14;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol_type: r.get(f)?,
            generation: r.get(f)?,
            protocol: r.get_nullable(f, true)?,
            leader: r.get_nullable(f, true)?,
            current_state_timestamp: if f.version >= 2 { r.get(f)? } else { -1 },
            members: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.protocol_type.write(out, f)?;
        self.generation.write(out, f)?;
        write_nullable(self.protocol.as_ref(), true, "protocol", out, f)?;
        write_nullable(self.leader.as_ref(), true, "leader", out, f)?;
        if f.version >= 2 {
            self.current_state_timestamp.write(out, f)?;
        }
        self.members.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for GroupMetadataValue {
    const NAME: &'static str = "GroupMetadataValue";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl CoordinatorRecord for GroupMetadataValue {
    const RECORD_TYPE: i16 = 2;
}

/// Struct `MemberMetadata`, versions 0-4.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberMetadata {
    /// `memberId`: `string`, versions 0-4.
    pub member_id: Str,
    /// `groupInstanceId`: `string`, versions 3-4, nullable, ignorable.
    pub group_instance_id: Option<Str>,
    /// `clientId`: `string`, versions 0-4.
    pub client_id: Str,
    /// `clientHost`: `string`, versions 0-4.
    pub client_host: Str,
    /// `rebalanceTimeout`: `int32`, versions 1-4, ignorable, default `-1`.
    pub rebalance_timeout: i32,
    /// `sessionTimeout`: `int32`, versions 0-4.
    pub session_timeout: i32,
    /// `subscription`: `bytes`, versions 0-4.
    pub subscription: Bytes,
    /// `assignment`: `bytes`, versions 0-4.
    pub assignment: Bytes,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for MemberMetadata {
    fn default() -> Self {
        Self {
            member_id: Str::default(),
            group_instance_id: None,
            client_id: Str::default(),
            client_host: Str::default(),
            rebalance_timeout: -1,
            session_timeout: 0,
            subscription: Bytes::new(),
            assignment: Bytes::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for MemberMetadata {
    const BYTES_MIN: usize = 15;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            member_id: r.get(f)?,
            group_instance_id: if f.version >= 3 { r.get_nullable(f, true)? } else { None },
            client_id: r.get(f)?,
            client_host: r.get(f)?,
            rebalance_timeout: if f.version >= 1 { r.get(f)? } else { -1 },
            session_timeout: r.get(f)?,
            subscription: r.get(f)?,
            assignment: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.member_id.write(out, f)?;
        if f.version >= 3 {
            write_nullable(self.group_instance_id.as_ref(), true, "groupInstanceId", out, f)?;
        }
        self.client_id.write(out, f)?;
        self.client_host.write(out, f)?;
        if f.version >= 1 {
            self.rebalance_timeout.write(out, f)?;
        }
        self.session_timeout.write(out, f)?;
        self.subscription.write(out, f)?;
        self.assignment.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
