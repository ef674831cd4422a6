//! `ConsumerGroupCurrentMemberAssignmentValue`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, TaggedField, Uuid, Wire,
};

/// Message `ConsumerGroupCurrentMemberAssignmentValue`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsumerGroupCurrentMemberAssignmentValue {
    /// `MemberEpoch`: `int32`, versions 0.
    pub member_epoch: i32,
    /// `PreviousMemberEpoch`: `int32`, versions 0.
    pub previous_member_epoch: i32,
    /// `State`: `int8`, versions 0.
    pub state: i8,
    /// `AssignedPartitions`: `[]TopicPartitions`, versions 0.
    pub assigned_partitions: Vec<TopicPartitions>,
    /// `PartitionsPendingRevocation`: `[]TopicPartitions`, versions 0.
    pub partitions_pending_revocation: Vec<TopicPartitions>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ConsumerGroupCurrentMemberAssignmentValue {
    const BYTES_MIN: usize = 12;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            member_epoch: r.get(f)?,
            previous_member_epoch: r.get(f)?,
            state: r.get(f)?,
            assigned_partitions: r.get(f)?,
            partitions_pending_revocation: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.member_epoch.write(out, f)?;
        self.previous_member_epoch.write(out, f)?;
        self.state.write(out, f)?;
        self.assigned_partitions.write(out, f)?;
        self.partitions_pending_revocation.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ConsumerGroupCurrentMemberAssignmentValue {
    const NAME: &'static str = "ConsumerGroupCurrentMemberAssignmentValue";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl CoordinatorRecord for ConsumerGroupCurrentMemberAssignmentValue {
    const RECORD_TYPE: i16 = 8;
}

/// Struct `TopicPartitions`, versions 0.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicPartitions {
    /// `TopicId`: `uuid`, versions 0.
    pub topic_id: Uuid,
    /// `Partitions`: `[]int32`, versions 0.
    pub partitions: Vec<i32>,
    /// `AssignmentEpochs`: `[]int32`, versions 0, tag 0, nullable.
    pub assignment_epochs: Option<Vec<i32>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for TopicPartitions {
    fn default() -> Self {
        Self {
            topic_id: Uuid::ZERO,
            partitions: Vec::new(),
            assignment_epochs: Some(Vec::new()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for TopicPartitions {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            topic_id: r.get(f)?,
            partitions: r.get(f)?,
            assignment_epochs: Some(Vec::new()),
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 => it.assignment_epochs = r.get_nullable(f, true)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic_id.write(out, f)?;
        self.partitions.write(out, f)?;
        let mut tags = Tags::default();
        tags.add(!self.assignment_epochs.as_ref().is_some_and(|value| value.is_empty()), 0, |out| {
            write_nullable(self.assignment_epochs.as_ref(), true, "AssignmentEpochs", out, f)
        })?;
        tags.write(&self.unknown_tagged, out, f)
    }
}
