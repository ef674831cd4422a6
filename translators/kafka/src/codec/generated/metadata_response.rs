//! `MetadataResponse`, versions 0-13. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `MetadataResponse`, versions 0-13.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponse {
    /// `ThrottleTimeMs`: `int32`, versions 3-13, ignorable.
    pub throttle_time_ms: i32,
    /// `Brokers`: `[]MetadataResponseBroker`, versions 0-13.
    pub brokers: Vec<MetadataResponseBroker>,
    /// `ClusterId`: `string`, versions 2-13, nullable, ignorable.
    pub cluster_id: Option<Str>,
    /// `ControllerId`: `int32`, versions 1-13, ignorable, default `-1`.
    pub controller_id: i32,
    /// `Topics`: `[]MetadataResponseTopic`, versions 0-13.
    pub topics: Vec<MetadataResponseTopic>,
    /// `ClusterAuthorizedOperations`: `int32`, versions 8-10, default `-2_147_483_648`.
    pub cluster_authorized_operations: i32,
    /// `ErrorCode`: `int16`, versions 13, ignorable.
    pub error_code: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for MetadataResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            brokers: Vec::new(),
            cluster_id: None,
            controller_id: -1,
            topics: Vec::new(),
            cluster_authorized_operations: -2_147_483_648,
            error_code: 0,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for MetadataResponse {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: if f.version >= 3 { r.get(f)? } else { 0 },
            brokers: r.get(f)?,
            cluster_id: if f.version >= 2 { r.get_nullable(f, true)? } else { None },
            controller_id: if f.version >= 1 { r.get(f)? } else { -1 },
            topics: r.get(f)?,
            cluster_authorized_operations: if (8..=10).contains(&f.version) {
                r.get(f)?
            } else {
                -2_147_483_648
            },
            error_code: if f.version >= 13 { r.get(f)? } else { 0 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 3 {
            self.throttle_time_ms.write(out, f)?;
        }
        self.brokers.write(out, f)?;
        if f.version >= 2 {
            write_nullable(self.cluster_id.as_ref(), true, "ClusterId", out, f)?;
        }
        if f.version >= 1 {
            self.controller_id.write(out, f)?;
        }
        self.topics.write(out, f)?;
        if (8..=10).contains(&f.version) {
            self.cluster_authorized_operations.write(out, f)?;
        } else {
            absent(self.cluster_authorized_operations == -2_147_483_648, "ClusterAuthorizedOperations", f)?;
        }
        if f.version >= 13 {
            self.error_code.write(out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for MetadataResponse {
    const NAME: &'static str = "MetadataResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=13;
    const FLEXIBLE_FROM: Option<i16> = Some(9);
}

impl Response for MetadataResponse {
    const API: ApiKey = ApiKey::Metadata;
}

/// Struct `MetadataResponseBroker`, versions 0-13.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetadataResponseBroker {
    /// `NodeId`: `int32`, versions 0-13.
    pub node_id: i32,
    /// `Host`: `string`, versions 0-13.
    pub host: Str,
    /// `Port`: `int32`, versions 0-13.
    pub port: i32,
    /// `Rack`: `string`, versions 1-13, nullable, ignorable.
    pub rack: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for MetadataResponseBroker {
    const BYTES_MIN: usize = 10;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            node_id: r.get(f)?,
            host: r.get(f)?,
            port: r.get(f)?,
            rack: if f.version >= 1 { r.get_nullable(f, true)? } else { None },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.node_id.write(out, f)?;
        self.host.write(out, f)?;
        self.port.write(out, f)?;
        if f.version >= 1 {
            write_nullable(self.rack.as_ref(), true, "Rack", out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `MetadataResponsePartition`, versions 0-13.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponsePartition {
    /// `ErrorCode`: `int16`, versions 0-13.
    pub error_code: i16,
    /// `PartitionIndex`: `int32`, versions 0-13.
    pub partition_index: i32,
    /// `LeaderId`: `int32`, versions 0-13.
    pub leader_id: i32,
    /// `LeaderEpoch`: `int32`, versions 7-13, ignorable, default `-1`.
    pub leader_epoch: i32,
    /// `ReplicaNodes`: `[]int32`, versions 0-13.
    pub replica_nodes: Vec<i32>,
    /// `IsrNodes`: `[]int32`, versions 0-13.
    pub isr_nodes: Vec<i32>,
    /// `OfflineReplicas`: `[]int32`, versions 5-13, ignorable.
    pub offline_replicas: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for MetadataResponsePartition {
    fn default() -> Self {
        Self {
            error_code: 0,
            partition_index: 0,
            leader_id: 0,
            leader_epoch: -1,
            replica_nodes: Vec::new(),
            isr_nodes: Vec::new(),
            offline_replicas: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for MetadataResponsePartition {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            partition_index: r.get(f)?,
            leader_id: r.get(f)?,
            leader_epoch: if f.version >= 7 { r.get(f)? } else { -1 },
            replica_nodes: r.get(f)?,
            isr_nodes: r.get(f)?,
            offline_replicas: if f.version >= 5 { r.get(f)? } else { Vec::new() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        self.partition_index.write(out, f)?;
        self.leader_id.write(out, f)?;
        if f.version >= 7 {
            self.leader_epoch.write(out, f)?;
        }
        self.replica_nodes.write(out, f)?;
        self.isr_nodes.write(out, f)?;
        if f.version >= 5 {
            self.offline_replicas.write(out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `MetadataResponseTopic`, versions 0-13.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataResponseTopic {
    /// `ErrorCode`: `int16`, versions 0-13.
    pub error_code: i16,
    /// `Name`: `string`, versions 0-13, nullable in versions 12-13.
    pub name: Option<Str>,
    /// `TopicId`: `uuid`, versions 10-13, ignorable.
    pub topic_id: Uuid,
    /// `IsInternal`: `bool`, versions 1-13, ignorable.
    pub is_internal: bool,
    /// `Partitions`: `[]MetadataResponsePartition`, versions 0-13.
    pub partitions: Vec<MetadataResponsePartition>,
    /// `TopicAuthorizedOperations`: `int32`, versions 8-13, default `-2_147_483_648`.
    pub topic_authorized_operations: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for MetadataResponseTopic {
    fn default() -> Self {
        Self {
            error_code: 0,
            name: Some(Str::default()),
            topic_id: Uuid::ZERO,
            is_internal: false,
            partitions: Vec::new(),
            topic_authorized_operations: -2_147_483_648,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for MetadataResponseTopic {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            name: r.get_nullable(f, f.version >= 12)?,
            topic_id: if f.version >= 10 { r.get(f)? } else { Uuid::ZERO },
            is_internal: if f.version >= 1 { r.get(f)? } else { false },
            partitions: r.get(f)?,
            topic_authorized_operations: if f.version >= 8 { r.get(f)? } else { -2_147_483_648 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        write_nullable(self.name.as_ref(), f.version >= 12, "Name", out, f)?;
        if f.version >= 10 {
            self.topic_id.write(out, f)?;
        }
        if f.version >= 1 {
            self.is_internal.write(out, f)?;
        }
        self.partitions.write(out, f)?;
        if f.version >= 8 {
            self.topic_authorized_operations.write(out, f)?;
        } else {
            absent(self.topic_authorized_operations == -2_147_483_648, "TopicAuthorizedOperations", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
