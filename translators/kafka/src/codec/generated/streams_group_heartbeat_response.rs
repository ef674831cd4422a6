//! `StreamsGroupHeartbeatResponse`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `StreamsGroupHeartbeatResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamsGroupHeartbeatResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-1.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0-1.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-1, nullable.
    pub error_message: Option<Str>,
    /// `MemberId`: `string`, versions 0-1.
    pub member_id: Str,
    /// `MemberEpoch`: `int32`, versions 0-1.
    pub member_epoch: i32,
    /// `HeartbeatIntervalMs`: `int32`, versions 0-1.
    pub heartbeat_interval_ms: i32,
    /// `AcceptableRecoveryLagLegacy`: `int32`, versions 0.
    pub acceptable_recovery_lag_legacy: i32,
    /// `TaskOffsetIntervalMs`: `int32`, versions 0-1.
    pub task_offset_interval_ms: i32,
    /// `AcceptableRecoveryLag`: `int64`, versions 1, ignorable, default `-1`.
    pub acceptable_recovery_lag: i64,
    /// `Status`: `[]Status`, versions 0-1, nullable.
    pub status: Option<Vec<Status>>,
    /// `ActiveTasks`: `[]TaskIds`, versions 0-1, nullable.
    pub active_tasks: Option<Vec<TaskIds>>,
    /// `StandbyTasks`: `[]TaskIds`, versions 0-1, nullable.
    pub standby_tasks: Option<Vec<TaskIds>>,
    /// `WarmupTasks`: `[]TaskIds`, versions 0-1, nullable.
    pub warmup_tasks: Option<Vec<TaskIds>>,
    /// `TopologyDescriptionRequired`: `bool`, versions 1.
    pub topology_description_required: bool,
    /// `EndpointInformationEpoch`: `int32`, versions 0-1.
    pub endpoint_information_epoch: i32,
    /// `PartitionsByUserEndpoint`: `[]EndpointToPartitions`, versions 0-1, nullable.
    pub partitions_by_user_endpoint: Option<Vec<EndpointToPartitions>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for StreamsGroupHeartbeatResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: None,
            member_id: Str::default(),
            member_epoch: 0,
            heartbeat_interval_ms: 0,
            acceptable_recovery_lag_legacy: 0,
            task_offset_interval_ms: 0,
            acceptable_recovery_lag: -1,
            status: Some(Vec::new()),
            active_tasks: None,
            standby_tasks: None,
            warmup_tasks: None,
            topology_description_required: false,
            endpoint_information_epoch: 0,
            partitions_by_user_endpoint: None,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for StreamsGroupHeartbeatResponse {
    const BYTES_MIN: usize = 34;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            member_id: r.get(f)?,
            member_epoch: r.get(f)?,
            heartbeat_interval_ms: r.get(f)?,
            acceptable_recovery_lag_legacy: if f.version <= 0 { r.get(f)? } else { 0 },
            task_offset_interval_ms: r.get(f)?,
            acceptable_recovery_lag: if f.version >= 1 { r.get(f)? } else { -1 },
            status: r.get_nullable(f, true)?,
            active_tasks: r.get_nullable(f, true)?,
            standby_tasks: r.get_nullable(f, true)?,
            warmup_tasks: r.get_nullable(f, true)?,
            topology_description_required: if f.version >= 1 { r.get(f)? } else { false },
            endpoint_information_epoch: r.get(f)?,
            partitions_by_user_endpoint: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.member_id.write(out, f)?;
        self.member_epoch.write(out, f)?;
        self.heartbeat_interval_ms.write(out, f)?;
        if f.version <= 0 {
            self.acceptable_recovery_lag_legacy.write(out, f)?;
        } else {
            absent(self.acceptable_recovery_lag_legacy == 0, "AcceptableRecoveryLagLegacy", f)?;
        }
        self.task_offset_interval_ms.write(out, f)?;
        if f.version >= 1 {
            self.acceptable_recovery_lag.write(out, f)?;
        }
        write_nullable(self.status.as_ref(), true, "Status", out, f)?;
        write_nullable(self.active_tasks.as_ref(), true, "ActiveTasks", out, f)?;
        write_nullable(self.standby_tasks.as_ref(), true, "StandbyTasks", out, f)?;
        write_nullable(self.warmup_tasks.as_ref(), true, "WarmupTasks", out, f)?;
        if f.version >= 1 {
            self.topology_description_required.write(out, f)?;
        } else {
            absent(!self.topology_description_required, "TopologyDescriptionRequired", f)?;
        }
        self.endpoint_information_epoch.write(out, f)?;
        write_nullable(self.partitions_by_user_endpoint.as_ref(), true, "PartitionsByUserEndpoint", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for StreamsGroupHeartbeatResponse {
    const NAME: &'static str = "StreamsGroupHeartbeatResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for StreamsGroupHeartbeatResponse {
    const API: ApiKey = ApiKey::StreamsGroupHeartbeat;
}

/// Struct `Status`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// `StatusCode`: `int8`, versions 0-1.
    pub status_code: i8,
    /// `StatusDetail`: `string`, versions 0-1.
    pub status_detail: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Status {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            status_code: r.get(f)?,
            status_detail: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.status_code.write(out, f)?;
        self.status_detail.write(out, f)?;
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

/// Struct `TopicPartition`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicPartition {
    /// `Topic`: `string`, versions 0-1.
    pub topic: Str,
    /// `Partitions`: `[]int32`, versions 0-1.
    pub partitions: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicPartition {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { topic: r.get(f)?, partitions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `EndpointToPartitions`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EndpointToPartitions {
    /// `UserEndpoint`: `Endpoint`, versions 0-1.
    pub user_endpoint: Endpoint,
    /// `ActivePartitions`: `[]TopicPartition`, versions 0-1.
    pub active_partitions: Vec<TopicPartition>,
    /// `StandbyPartitions`: `[]TopicPartition`, versions 0-1.
    pub standby_partitions: Vec<TopicPartition>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for EndpointToPartitions {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            user_endpoint: r.get(f)?,
            active_partitions: r.get(f)?,
            standby_partitions: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.user_endpoint.write(out, f)?;
        self.active_partitions.write(out, f)?;
        self.standby_partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
