//! `DescribeClusterRequest`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DescribeClusterResponse;
use crate::codec::wire::{Tags, absent};
use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, TaggedField, Wire};

/// Message `DescribeClusterRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeClusterRequest {
    /// `IncludeClusterAuthorizedOperations`: `bool`, versions 0-2.
    pub include_cluster_authorized_operations: bool,
    /// `EndpointType`: `int8`, versions 1-2, default `1`.
    pub endpoint_type: i8,
    /// `IncludeFencedBrokers`: `bool`, versions 2.
    pub include_fenced_brokers: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeClusterRequest {
    fn default() -> Self {
        Self {
            include_cluster_authorized_operations: false,
            endpoint_type: 1,
            include_fenced_brokers: false,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeClusterRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            include_cluster_authorized_operations: r.get(f)?,
            endpoint_type: if f.version >= 1 { r.get(f)? } else { 1 },
            include_fenced_brokers: if f.version >= 2 { r.get(f)? } else { false },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.include_cluster_authorized_operations.write(out, f)?;
        if f.version >= 1 {
            self.endpoint_type.write(out, f)?;
        } else {
            absent(self.endpoint_type == 1, "EndpointType", f)?;
        }
        if f.version >= 2 {
            self.include_fenced_brokers.write(out, f)?;
        } else {
            absent(!self.include_fenced_brokers, "IncludeFencedBrokers", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeClusterRequest {
    const NAME: &'static str = "DescribeClusterRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for DescribeClusterRequest {
    const API: ApiKey = ApiKey::DescribeCluster;
    type Response = DescribeClusterResponse;
}
