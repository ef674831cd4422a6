//! `StreamsGroupHeartbeatRequest`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::StreamsGroupHeartbeatResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `StreamsGroupHeartbeatRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamsGroupHeartbeatRequest {
    /// `GroupId`: `string`, versions 0-1.
    pub group_id: Str,
    /// `MemberId`: `string`, versions 0-1.
    pub member_id: Str,
    /// `MemberEpoch`: `int32`, versions 0-1.
    pub member_epoch: i32,
    /// `EndpointInformationEpoch`: `int32`, versions 0-1.
    pub endpoint_information_epoch: i32,
    /// `InstanceId`: `string`, versions 0-1, nullable.
    pub instance_id: Option<Str>,
    /// `RackId`: `string`, versions 0-1, nullable.
    pub rack_id: Option<Str>,
    /// `RebalanceTimeoutMs`: `int32`, versions 0-1, default `-1`.
    pub rebalance_timeout_ms: i32,
    /// `Topology`: `Topology`, versions 0-1, nullable.
    pub topology: Option<Topology>,
    /// `ActiveTasks`: `[]TaskIds`, versions 0-1, nullable.
    pub active_tasks: Option<Vec<TaskIds>>,
    /// `StandbyTasks`: `[]TaskIds`, versions 0-1, nullable.
    pub standby_tasks: Option<Vec<TaskIds>>,
    /// `WarmupTasks`: `[]TaskIds`, versions 0-1, nullable.
    pub warmup_tasks: Option<Vec<TaskIds>>,
    /// `ProcessId`: `string`, versions 0-1, nullable.
    pub process_id: Option<Str>,
    /// `UserEndpoint`: `Endpoint`, versions 0-1, nullable.
    pub user_endpoint: Option<Endpoint>,
    /// `ClientTags`: `[]KeyValue`, versions 0-1, nullable.
    pub client_tags: Option<Vec<KeyValue>>,
    /// `TaskOffsets`: `[]TaskOffset`, versions 0-1, nullable.
    pub task_offsets: Option<Vec<TaskOffset>>,
    /// `TaskEndOffsets`: `[]TaskOffset`, versions 0-1, nullable.
    pub task_end_offsets: Option<Vec<TaskOffset>>,
    /// `ShutdownApplication`: `bool`, versions 0-1.
    pub shutdown_application: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for StreamsGroupHeartbeatRequest {
    fn default() -> Self {
        Self {
            group_id: Str::default(),
            member_id: Str::default(),
            member_epoch: 0,
            endpoint_information_epoch: 0,
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: -1,
            topology: None,
            active_tasks: None,
            standby_tasks: None,
            warmup_tasks: None,
            process_id: None,
            user_endpoint: None,
            client_tags: None,
            task_offsets: None,
            task_end_offsets: None,
            shutdown_application: false,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for StreamsGroupHeartbeatRequest {
    const BYTES_MIN: usize = 27;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            member_id: r.get(f)?,
            member_epoch: r.get(f)?,
            endpoint_information_epoch: r.get(f)?,
            instance_id: r.get_nullable(f, true)?,
            rack_id: r.get_nullable(f, true)?,
            rebalance_timeout_ms: r.get(f)?,
            topology: r.get_nullable(f, true)?,
            active_tasks: r.get_nullable(f, true)?,
            standby_tasks: r.get_nullable(f, true)?,
            warmup_tasks: r.get_nullable(f, true)?,
            process_id: r.get_nullable(f, true)?,
            user_endpoint: r.get_nullable(f, true)?,
            client_tags: r.get_nullable(f, true)?,
            task_offsets: r.get_nullable(f, true)?,
            task_end_offsets: r.get_nullable(f, true)?,
            shutdown_application: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.member_id.write(out, f)?;
        self.member_epoch.write(out, f)?;
        self.endpoint_information_epoch.write(out, f)?;
        write_nullable(self.instance_id.as_ref(), true, "InstanceId", out, f)?;
        write_nullable(self.rack_id.as_ref(), true, "RackId", out, f)?;
        self.rebalance_timeout_ms.write(out, f)?;
        write_nullable(self.topology.as_ref(), true, "Topology", out, f)?;
        write_nullable(self.active_tasks.as_ref(), true, "ActiveTasks", out, f)?;
        write_nullable(self.standby_tasks.as_ref(), true, "StandbyTasks", out, f)?;
        write_nullable(self.warmup_tasks.as_ref(), true, "WarmupTasks", out, f)?;
        write_nullable(self.process_id.as_ref(), true, "ProcessId", out, f)?;
        write_nullable(self.user_endpoint.as_ref(), true, "UserEndpoint", out, f)?;
        write_nullable(self.client_tags.as_ref(), true, "ClientTags", out, f)?;
        write_nullable(self.task_offsets.as_ref(), true, "TaskOffsets", out, f)?;
        write_nullable(self.task_end_offsets.as_ref(), true, "TaskEndOffsets", out, f)?;
        self.shutdown_application.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for StreamsGroupHeartbeatRequest {
    const NAME: &'static str = "StreamsGroupHeartbeatRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for StreamsGroupHeartbeatRequest {
    const API: ApiKey = ApiKey::StreamsGroupHeartbeat;
    type Response = StreamsGroupHeartbeatResponse;
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

/// Struct `CopartitionGroup`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CopartitionGroup {
    /// `SourceTopics`: `[]int16`, versions 0-1.
    pub source_topics: Vec<i16>,
    /// `SourceTopicRegex`: `[]int16`, versions 0-1.
    pub source_topic_regex: Vec<i16>,
    /// `RepartitionSourceTopics`: `[]int16`, versions 0-1.
    pub repartition_source_topics: Vec<i16>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CopartitionGroup {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            source_topics: r.get(f)?,
            source_topic_regex: r.get(f)?,
            repartition_source_topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.source_topics.write(out, f)?;
        self.source_topic_regex.write(out, f)?;
        self.repartition_source_topics.write(out, f)?;
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
    /// `SourceTopicRegex`: `[]string`, versions 0-1.
    pub source_topic_regex: Vec<Str>,
    /// `StateChangelogTopics`: `[]TopicInfo`, versions 0-1.
    pub state_changelog_topics: Vec<TopicInfo>,
    /// `RepartitionSinkTopics`: `[]string`, versions 0-1.
    pub repartition_sink_topics: Vec<Str>,
    /// `RepartitionSourceTopics`: `[]TopicInfo`, versions 0-1.
    pub repartition_source_topics: Vec<TopicInfo>,
    /// `CopartitionGroups`: `[]CopartitionGroup`, versions 0-1.
    pub copartition_groups: Vec<CopartitionGroup>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Subtopology {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopology_id: r.get(f)?,
            source_topics: r.get(f)?,
            source_topic_regex: r.get(f)?,
            state_changelog_topics: r.get(f)?,
            repartition_sink_topics: r.get(f)?,
            repartition_source_topics: r.get(f)?,
            copartition_groups: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.subtopology_id.write(out, f)?;
        self.source_topics.write(out, f)?;
        self.source_topic_regex.write(out, f)?;
        self.state_changelog_topics.write(out, f)?;
        self.repartition_sink_topics.write(out, f)?;
        self.repartition_source_topics.write(out, f)?;
        self.copartition_groups.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `Topology`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Topology {
    /// `Epoch`: `int32`, versions 0-1.
    pub epoch: i32,
    /// `Subtopologies`: `[]Subtopology`, versions 0-1.
    pub subtopologies: Vec<Subtopology>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Topology {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { epoch: r.get(f)?, subtopologies: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.epoch.write(out, f)?;
        self.subtopologies.write(out, f)?;
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
