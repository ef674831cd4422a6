//! `ConsumerGroupHeartbeatRequest`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::ConsumerGroupHeartbeatResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `ConsumerGroupHeartbeatRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerGroupHeartbeatRequest {
    /// `GroupId`: `string`, versions 0-1.
    pub group_id: Str,
    /// `MemberId`: `string`, versions 0-1.
    pub member_id: Str,
    /// `MemberEpoch`: `int32`, versions 0-1.
    pub member_epoch: i32,
    /// `InstanceId`: `string`, versions 0-1, nullable.
    pub instance_id: Option<Str>,
    /// `RackId`: `string`, versions 0-1, nullable.
    pub rack_id: Option<Str>,
    /// `RebalanceTimeoutMs`: `int32`, versions 0-1, default `-1`.
    pub rebalance_timeout_ms: i32,
    /// `SubscribedTopicNames`: `[]string`, versions 0-1, nullable.
    pub subscribed_topic_names: Option<Vec<Str>>,
    /// `SubscribedTopicRegex`: `string`, versions 1, nullable.
    pub subscribed_topic_regex: Option<Str>,
    /// `ServerAssignor`: `string`, versions 0-1, nullable.
    pub server_assignor: Option<Str>,
    /// `TopicPartitions`: `[]TopicPartitions`, versions 0-1, nullable.
    pub topic_partitions: Option<Vec<TopicPartitions>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ConsumerGroupHeartbeatRequest {
    fn default() -> Self {
        Self {
            group_id: Str::default(),
            member_id: Str::default(),
            member_epoch: 0,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            subscribed_topic_names: None,
            subscribed_topic_regex: None,
            server_assignor: None,
            topic_partitions: None,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ConsumerGroupHeartbeatRequest {
    const BYTES_MIN: usize = 16;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            member_id: r.get(f)?,
            member_epoch: r.get(f)?,
            instance_id: r.get_nullable(f, true)?,
            rack_id: r.get_nullable(f, true)?,
            rebalance_timeout_ms: r.get(f)?,
            subscribed_topic_names: r.get_nullable(f, true)?,
            subscribed_topic_regex: if f.version >= 1 { r.get_nullable(f, true)? } else { None },
            server_assignor: r.get_nullable(f, true)?,
            topic_partitions: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.member_id.write(out, f)?;
        self.member_epoch.write(out, f)?;
        write_nullable(self.instance_id.as_ref(), true, "InstanceId", out, f)?;
        write_nullable(self.rack_id.as_ref(), true, "RackId", out, f)?;
        self.rebalance_timeout_ms.write(out, f)?;
        write_nullable(self.subscribed_topic_names.as_ref(), true, "SubscribedTopicNames", out, f)?;
        if f.version >= 1 {
            write_nullable(self.subscribed_topic_regex.as_ref(), true, "SubscribedTopicRegex", out, f)?;
        } else {
            absent(self.subscribed_topic_regex.is_none(), "SubscribedTopicRegex", f)?;
        }
        write_nullable(self.server_assignor.as_ref(), true, "ServerAssignor", out, f)?;
        write_nullable(self.topic_partitions.as_ref(), true, "TopicPartitions", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ConsumerGroupHeartbeatRequest {
    const NAME: &'static str = "ConsumerGroupHeartbeatRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for ConsumerGroupHeartbeatRequest {
    const API: ApiKey = ApiKey::ConsumerGroupHeartbeat;
    type Response = ConsumerGroupHeartbeatResponse;
}

/// Struct `TopicPartitions`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartitions {
    /// `TopicId`: `uuid`, versions 0-1.
    pub topic_id: Uuid,
    /// `Partitions`: `[]int32`, versions 0-1.
    pub partitions: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicPartitions {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { topic_id: r.get(f)?, partitions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_id.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
