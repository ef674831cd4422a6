//! `StreamsGroupDescribeResponse`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `StreamsGroupDescribeResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamsGroupDescribeResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-1.
    pub throttle_time_ms: i32,
    /// `Groups`: `[]DescribedGroup`, versions 0-1.
    pub groups: Vec<DescribedGroup>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for StreamsGroupDescribeResponse {
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

impl Message for StreamsGroupDescribeResponse {
    const NAME: &'static str = "StreamsGroupDescribeResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for StreamsGroupDescribeResponse {
    const API: ApiKey = ApiKey::StreamsGroupDescribe;
}

/// Struct `KeyValue`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyValue {
    /// `Key`: `string`, versions 0-1.
    pub key: Str,
    /// `Value`: `string`, versions 0-1.
    pub value: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for KeyValue {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { key: r.get(f)?, value: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.key.write(out, f)?;
        self.value.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopicInfo`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicInfo {
    /// `Name`: `string`, versions 0-1.
    pub name: Str,
    /// `Partitions`: `int32`, versions 0-1.
    pub partitions: i32,
    /// `ReplicationFactor`: `int16`, versions 0-1.
    pub replication_factor: i16,
    /// `TopicConfigs`: `[]KeyValue`, versions 0-1.
    pub topic_configs: Vec<KeyValue>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicInfo {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            partitions: r.get(f)?,
            replication_factor: r.get(f)?,
            topic_configs: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.partitions.write(out, f)?;
        self.replication_factor.write(out, f)?;
        self.topic_configs.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Subtopology`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Subtopology {
    /// `SubtopologyId`: `string`, versions 0-1.
    pub subtopology_id: Str,
    /// `SourceTopics`: `[]string`, versions 0-1.
    pub source_topics: Vec<Str>,
    /// `RepartitionSinkTopics`: `[]string`, versions 0-1.
    pub repartition_sink_topics: Vec<Str>,
    /// `StateChangelogTopics`: `[]TopicInfo`, versions 0-1.
    pub state_changelog_topics: Vec<TopicInfo>,
    /// `RepartitionSourceTopics`: `[]TopicInfo`, versions 0-1.
    pub repartition_source_topics: Vec<TopicInfo>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Subtopology {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopology_id: r.get(f)?,
            source_topics: r.get(f)?,
            repartition_sink_topics: r.get(f)?,
            state_changelog_topics: r.get(f)?,
            repartition_source_topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.subtopology_id.write(out, f)?;
        self.source_topics.write(out, f)?;
        self.repartition_sink_topics.write(out, f)?;
        self.state_changelog_topics.write(out, f)?;
        self.repartition_source_topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Topology`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Topology {
    /// `Epoch`: `int32`, versions 0-1.
    pub epoch: i32,
    /// `Subtopologies`: `[]Subtopology`, versions 0-1, nullable.
    pub subtopologies: Option<Vec<Subtopology>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Topology {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            epoch: r.get(f)?,
            subtopologies: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.epoch.write(out, f)?;
        write_nullable(self.subtopologies.as_ref(), true, "Subtopologies", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Endpoint`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Endpoint {
    /// `Host`: `string`, versions 0-1.
    pub host: Str,
    /// `Port`: `uint16`, versions 0-1.
    pub port: u16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Endpoint {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { host: r.get(f)?, port: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.host.write(out, f)?;
        self.port.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TaskOffset`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskOffset {
    /// `SubtopologyId`: `string`, versions 0-1.
    pub subtopology_id: Str,
    /// `Partition`: `int32`, versions 0-1.
    pub partition: i32,
    /// `Offset`: `int64`, versions 0-1.
    pub offset: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TaskOffset {
    const BYTES_MIN: usize = 14;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopology_id: r.get(f)?,
            partition: r.get(f)?,
            offset: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.subtopology_id.write(out, f)?;
        self.partition.write(out, f)?;
        self.offset.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TaskIds`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskIds {
    /// `SubtopologyId`: `string`, versions 0-1.
    pub subtopology_id: Str,
    /// `Partitions`: `[]int32`, versions 0-1.
    pub partitions: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TaskIds {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopology_id: r.get(f)?,
            partitions: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.subtopology_id.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Assignment`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Assignment {
    /// `ActiveTasks`: `[]TaskIds`, versions 0-1.
    pub active_tasks: Vec<TaskIds>,
    /// `StandbyTasks`: `[]TaskIds`, versions 0-1.
    pub standby_tasks: Vec<TaskIds>,
    /// `WarmupTasks`: `[]TaskIds`, versions 0-1.
    pub warmup_tasks: Vec<TaskIds>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Assignment {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            active_tasks: r.get(f)?,
            standby_tasks: r.get(f)?,
            warmup_tasks: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.active_tasks.write(out, f)?;
        self.standby_tasks.write(out, f)?;
        self.warmup_tasks.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Member`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Member {
    /// `MemberId`: `string`, versions 0-1.
    pub member_id: Str,
    /// `MemberEpoch`: `int32`, versions 0-1.
    pub member_epoch: i32,
    /// `InstanceId`: `string`, versions 0-1, nullable.
    pub instance_id: Option<Str>,
    /// `RackId`: `string`, versions 0-1, nullable.
    pub rack_id: Option<Str>,
    /// `ClientId`: `string`, versions 0-1.
    pub client_id: Str,
    /// `ClientHost`: `string`, versions 0-1.
    pub client_host: Str,
    /// `TopologyEpoch`: `int32`, versions 0-1.
    pub topology_epoch: i32,
    /// `ProcessId`: `string`, versions 0-1.
    pub process_id: Str,
    /// `UserEndpoint`: `Endpoint`, versions 0-1, nullable.
    pub user_endpoint: Option<Endpoint>,
    /// `ClientTags`: `[]KeyValue`, versions 0-1.
    pub client_tags: Vec<KeyValue>,
    /// `TaskOffsets`: `[]TaskOffset`, versions 0-1.
    pub task_offsets: Vec<TaskOffset>,
    /// `TaskEndOffsets`: `[]TaskOffset`, versions 0-1.
    pub task_end_offsets: Vec<TaskOffset>,
    /// `Assignment`: `Assignment`, versions 0-1.
    pub assignment: Assignment,
    /// `TargetAssignment`: `Assignment`, versions 0-1.
    pub target_assignment: Assignment,
    /// `IsClassic`: `bool`, versions 0-1.
    pub is_classic: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Member {
    const BYTES_MIN: usize = 28;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            member_id: r.get(f)?,
            member_epoch: r.get(f)?,
            instance_id: r.get_nullable(f, true)?,
            rack_id: r.get_nullable(f, true)?,
            client_id: r.get(f)?,
            client_host: r.get(f)?,
            topology_epoch: r.get(f)?,
            process_id: r.get(f)?,
            user_endpoint: r.get_nullable(f, true)?,
            client_tags: r.get(f)?,
            task_offsets: r.get(f)?,
            task_end_offsets: r.get(f)?,
            assignment: r.get(f)?,
            target_assignment: r.get(f)?,
            is_classic: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.member_id.write(out, f)?;
        self.member_epoch.write(out, f)?;
        write_nullable(self.instance_id.as_ref(), true, "InstanceId", out, f)?;
        write_nullable(self.rack_id.as_ref(), true, "RackId", out, f)?;
        self.client_id.write(out, f)?;
        self.client_host.write(out, f)?;
        self.topology_epoch.write(out, f)?;
        self.process_id.write(out, f)?;
        write_nullable(self.user_endpoint.as_ref(), true, "UserEndpoint", out, f)?;
        self.client_tags.write(out, f)?;
        self.task_offsets.write(out, f)?;
        self.task_end_offsets.write(out, f)?;
        self.assignment.write(out, f)?;
        self.target_assignment.write(out, f)?;
        self.is_classic.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopologyDescriptionNode`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopologyDescriptionNode {
    /// `Name`: `string`, versions 1.
    pub name: Str,
    /// `NodeType`: `int8`, versions 1.
    pub node_type: i8,
    /// `SourceTopics`: `[]string`, versions 1.
    pub source_topics: Vec<Str>,
    /// `SinkTopic`: `string`, versions 1, nullable.
    pub sink_topic: Option<Str>,
    /// `Stores`: `[]string`, versions 1.
    pub stores: Vec<Str>,
    /// `Successors`: `[]string`, versions 1.
    pub successors: Vec<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopologyDescriptionNode {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            node_type: r.get(f)?,
            source_topics: r.get(f)?,
            sink_topic: r.get_nullable(f, true)?,
            stores: r.get(f)?,
            successors: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.node_type.write(out, f)?;
        self.source_topics.write(out, f)?;
        write_nullable(self.sink_topic.as_ref(), true, "SinkTopic", out, f)?;
        self.stores.write(out, f)?;
        self.successors.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopologyDescriptionSubtopology`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopologyDescriptionSubtopology {
    /// `SubtopologyId`: `string`, versions 1.
    pub subtopology_id: Str,
    /// `Nodes`: `[]TopologyDescriptionNode`, versions 1.
    pub nodes: Vec<TopologyDescriptionNode>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopologyDescriptionSubtopology {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { subtopology_id: r.get(f)?, nodes: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.subtopology_id.write(out, f)?;
        self.nodes.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopologyDescriptionGlobalStore`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopologyDescriptionGlobalStore {
    /// `Source`: `TopologyDescriptionNode`, versions 1.
    pub source: TopologyDescriptionNode,
    /// `Processor`: `TopologyDescriptionNode`, versions 1.
    pub processor: TopologyDescriptionNode,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopologyDescriptionGlobalStore {
    const BYTES_MIN: usize = 15;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { source: r.get(f)?, processor: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.source.write(out, f)?;
        self.processor.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopologyDescription`, versions 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopologyDescription {
    /// `Subtopologies`: `[]TopologyDescriptionSubtopology`, versions 1.
    pub subtopologies: Vec<TopologyDescriptionSubtopology>,
    /// `GlobalStores`: `[]TopologyDescriptionGlobalStore`, versions 1.
    pub global_stores: Vec<TopologyDescriptionGlobalStore>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopologyDescription {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopologies: r.get(f)?,
            global_stores: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.subtopologies.write(out, f)?;
        self.global_stores.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribedGroup`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedGroup {
    /// `ErrorCode`: `int16`, versions 0-1.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-1, nullable.
    pub error_message: Option<Str>,
    /// `GroupId`: `string`, versions 0-1.
    pub group_id: Str,
    /// `GroupState`: `string`, versions 0-1.
    pub group_state: Str,
    /// `GroupEpoch`: `int32`, versions 0-1.
    pub group_epoch: i32,
    /// `AssignmentEpoch`: `int32`, versions 0-1.
    pub assignment_epoch: i32,
    /// `Topology`: `Topology`, versions 0-1, nullable.
    pub topology: Option<Topology>,
    /// `Members`: `[]Member`, versions 0-1.
    pub members: Vec<Member>,
    /// `AuthorizedOperations`: `int32`, versions 0-1, default `-2_147_483_648`.
    pub authorized_operations: i32,
    /// `TopologyDescription`: `TopologyDescription`, versions 1, nullable.
    pub topology_description: Option<TopologyDescription>,
    /// `TopologyDescriptionStatus`: `int8`, versions 1.
    pub topology_description_status: i8,
    /// `AssignorName`: `string`, versions 1, nullable, ignorable.
    pub assignor_name: Option<Str>,
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
            topology: None,
            members: Vec::new(),
            authorized_operations: -2_147_483_648,
            topology_description: None,
            topology_description_status: 0,
            assignor_name: None,
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
            topology: r.get_nullable(f, true)?,
            members: r.get(f)?,
            authorized_operations: r.get(f)?,
            topology_description: if f.version >= 1 { r.get_nullable(f, true)? } else { None },
            topology_description_status: if f.version >= 1 { r.get(f)? } else { 0 },
            assignor_name: if f.version >= 1 { r.get_nullable(f, true)? } else { None },
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
        write_nullable(self.topology.as_ref(), true, "Topology", out, f)?;
        self.members.write(out, f)?;
        self.authorized_operations.write(out, f)?;
        if f.version >= 1 {
            write_nullable(self.topology_description.as_ref(), true, "TopologyDescription", out, f)?;
        } else {
            absent(self.topology_description.is_none(), "TopologyDescription", f)?;
        }
        if f.version >= 1 {
            self.topology_description_status.write(out, f)?;
        } else {
            absent(self.topology_description_status == 0, "TopologyDescriptionStatus", f)?;
        }
        if f.version >= 1 {
            write_nullable(self.assignor_name.as_ref(), true, "AssignorName", out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
