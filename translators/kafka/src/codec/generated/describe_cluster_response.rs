//! `DescribeClusterResponse`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `DescribeClusterResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeClusterResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-2.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0-2.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-2, nullable.
    pub error_message: Option<Str>,
    /// `EndpointType`: `int8`, versions 1-2, default `1`.
    pub endpoint_type: i8,
    /// `ClusterId`: `string`, versions 0-2.
    pub cluster_id: Str,
    /// `ControllerId`: `int32`, versions 0-2, default `-1`.
    pub controller_id: i32,
    /// `Brokers`: `[]DescribeClusterBroker`, versions 0-2.
    pub brokers: Vec<DescribeClusterBroker>,
    /// `ClusterAuthorizedOperations`: `int32`, versions 0-2, default `-2_147_483_648`.
    pub cluster_authorized_operations: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeClusterResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: None,
            endpoint_type: 1,
            cluster_id: Str::default(),
            controller_id: -1,
            brokers: Vec::new(),
            cluster_authorized_operations: -2_147_483_648,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeClusterResponse {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            endpoint_type: if f.version >= 1 { r.get(f)? } else { 1 },
            cluster_id: r.get(f)?,
            controller_id: r.get(f)?,
            brokers: r.get(f)?,
            cluster_authorized_operations: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        if f.version >= 1 {
            self.endpoint_type.write(out, f)?;
        } else {
            absent(self.endpoint_type == 1, "EndpointType", f)?;
        }
        self.cluster_id.write(out, f)?;
        self.controller_id.write(out, f)?;
        self.brokers.write(out, f)?;
        self.cluster_authorized_operations.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeClusterResponse {
    const NAME: &'static str = "DescribeClusterResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for DescribeClusterResponse {
    const API: ApiKey = ApiKey::DescribeCluster;
}

/// Struct `DescribeClusterBroker`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeClusterBroker {
    /// `BrokerId`: `int32`, versions 0-2.
    pub broker_id: i32,
    /// `Host`: `string`, versions 0-2.
    pub host: Str,
    /// `Port`: `int32`, versions 0-2.
    pub port: i32,
    /// `Rack`: `string`, versions 0-2, nullable.
    pub rack: Option<Str>,
    /// `IsFenced`: `bool`, versions 2.
    pub is_fenced: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeClusterBroker {
    const BYTES_MIN: usize = 11;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            broker_id: r.get(f)?,
            host: r.get(f)?,
            port: r.get(f)?,
            rack: r.get_nullable(f, true)?,
            is_fenced: if f.version >= 2 { r.get(f)? } else { false },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.broker_id.write(out, f)?;
        self.host.write(out, f)?;
        self.port.write(out, f)?;
        write_nullable(self.rack.as_ref(), true, "Rack", out, f)?;
        if f.version >= 2 {
            self.is_fenced.write(out, f)?;
        } else {
            absent(!self.is_fenced, "IsFenced", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
