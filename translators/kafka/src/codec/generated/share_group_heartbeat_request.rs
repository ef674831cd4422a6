//! `ShareGroupHeartbeatRequest`, versions 1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::ShareGroupHeartbeatResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `ShareGroupHeartbeatRequest`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShareGroupHeartbeatRequest {
    /// `GroupId`: `string`, versions 1.
    pub group_id: Str,
    /// `MemberId`: `string`, versions 1.
    pub member_id: Str,
    /// `MemberEpoch`: `int32`, versions 1.
    pub member_epoch: i32,
    /// `RackId`: `string`, versions 1, nullable.
    pub rack_id: Option<Str>,
    /// `SubscribedTopicNames`: `[]string`, versions 1, nullable.
    pub subscribed_topic_names: Option<Vec<Str>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ShareGroupHeartbeatRequest {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            member_id: r.get(f)?,
            member_epoch: r.get(f)?,
            rack_id: r.get_nullable(f, true)?,
            subscribed_topic_names: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.member_id.write(out, f)?;
        self.member_epoch.write(out, f)?;
        write_nullable(self.rack_id.as_ref(), true, "RackId", out, f)?;
        write_nullable(self.subscribed_topic_names.as_ref(), true, "SubscribedTopicNames", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ShareGroupHeartbeatRequest {
    const NAME: &'static str = "ShareGroupHeartbeatRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl Request for ShareGroupHeartbeatRequest {
    const API: ApiKey = ApiKey::ShareGroupHeartbeat;
    type Response = ShareGroupHeartbeatResponse;
}
