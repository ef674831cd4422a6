//! `ShareGroupDescribeResponse`, versions 1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `ShareGroupDescribeResponse`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShareGroupDescribeResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1.
    pub throttle_time_ms: i32,
    /// `Groups`: `[]DescribedGroup`, versions 1.
    pub groups: Vec<DescribedGroup>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ShareGroupDescribeResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            groups: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.groups.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ShareGroupDescribeResponse {
    const NAME: &'static str = "ShareGroupDescribeResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl Response for ShareGroupDescribeResponse {
    const API: ApiKey = ApiKey::ShareGroupDescribe;
}

/// Struct `TopicPartitions`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartitions {
    /// `TopicId`: `uuid`, versions 1.
    pub topic_id: Uuid,
    /// `TopicName`: `string`, versions 1.
    pub topic_name: Str,
    /// `Partitions`: `[]int32`, versions 1.
    pub partitions: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicPartitions {
    const BYTES_MIN: usize = 19;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topic_id: r.get(f)?,
            topic_name: r.get(f)?,
            partitions: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_id.write(out, f)?;
        self.topic_name.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Assignment`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Assignment {
    /// `TopicPartitions`: `[]TopicPartitions`, versions 1.
    pub topic_partitions: Vec<TopicPartitions>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Assignment {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { topic_partitions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Member`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Member {
    /// `MemberId`: `string`, versions 1.
    pub member_id: Str,
    /// `RackId`: `string`, versions 1, nullable.
    pub rack_id: Option<Str>,
    /// `MemberEpoch`: `int32`, versions 1.
    pub member_epoch: i32,
    /// `ClientId`: `string`, versions 1.
    pub client_id: Str,
    /// `ClientHost`: `string`, versions 1.
    pub client_host: Str,
    /// `SubscribedTopicNames`: `[]string`, versions 1.
    pub subscribed_topic_names: Vec<Str>,
    /// `Assignment`: `Assignment`, versions 1.
    pub assignment: Assignment,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Member {
    const BYTES_MIN: usize = 12;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            member_id: r.get(f)?,
            rack_id: r.get_nullable(f, true)?,
            member_epoch: r.get(f)?,
            client_id: r.get(f)?,
            client_host: r.get(f)?,
            subscribed_topic_names: r.get(f)?,
            assignment: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.member_id.write(out, f)?;
        write_nullable(self.rack_id.as_ref(), true, "RackId", out, f)?;
        self.member_epoch.write(out, f)?;
        self.client_id.write(out, f)?;
        self.client_host.write(out, f)?;
        self.subscribed_topic_names.write(out, f)?;
        self.assignment.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribedGroup`, versions 1.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedGroup {
    /// `ErrorCode`: `int16`, versions 1.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 1, nullable.
    pub error_message: Option<Str>,
    /// `GroupId`: `string`, versions 1.
    pub group_id: Str,
    /// `GroupState`: `string`, versions 1.
    pub group_state: Str,
    /// `GroupEpoch`: `int32`, versions 1.
    pub group_epoch: i32,
    /// `AssignmentEpoch`: `int32`, versions 1.
    pub assignment_epoch: i32,
    /// `AssignorName`: `string`, versions 1.
    pub assignor_name: Str,
    /// `Members`: `[]Member`, versions 1.
    pub members: Vec<Member>,
    /// `AuthorizedOperations`: `int32`, versions 1, default `-2_147_483_648`.
    pub authorized_operations: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribedGroup {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: None,
            group_id: Str::default(),
            group_state: Str::default(),
            group_epoch: 0,
            assignment_epoch: 0,
            assignor_name: Str::default(),
            members: Vec::new(),
            authorized_operations: -2_147_483_648,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribedGroup {
    const BYTES_MIN: usize = 20;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            group_id: r.get(f)?,
            group_state: r.get(f)?,
            group_epoch: r.get(f)?,
            assignment_epoch: r.get(f)?,
            assignor_name: r.get(f)?,
            members: r.get(f)?,
            authorized_operations: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.group_id.write(out, f)?;
        self.group_state.write(out, f)?;
        self.group_epoch.write(out, f)?;
        self.assignment_epoch.write(out, f)?;
        self.assignor_name.write(out, f)?;
        self.members.write(out, f)?;
        self.authorized_operations.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
