//! `DescribeAclsResponse`, versions 1-3. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `DescribeAclsResponse`, versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeAclsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-3.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 1-3.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 1-3, nullable.
    pub error_message: Option<Str>,
    /// `Resources`: `[]DescribeAclsResource`, versions 1-3.
    pub resources: Vec<DescribeAclsResource>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeAclsResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(Str::default()),
            resources: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeAclsResponse {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            resources: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.resources.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeAclsResponse {
    const NAME: &'static str = "DescribeAclsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=3;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for DescribeAclsResponse {
    const API: ApiKey = ApiKey::DescribeAcls;
}

/// Struct `AclDescription`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AclDescription {
    /// `Principal`: `string`, versions 1-3.
    pub principal: Str,
    /// `Host`: `string`, versions 1-3.
    pub host: Str,
    /// `Operation`: `int8`, versions 1-3.
    pub operation: i8,
    /// `PermissionType`: `int8`, versions 1-3.
    pub permission_type: i8,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AclDescription {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            principal: r.get(f)?,
            host: r.get(f)?,
            operation: r.get(f)?,
            permission_type: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.principal.write(out, f)?;
        self.host.write(out, f)?;
        self.operation.write(out, f)?;
        self.permission_type.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribeAclsResource`, versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeAclsResource {
    /// `ResourceType`: `int8`, versions 1-3.
    pub resource_type: i8,
    /// `ResourceName`: `string`, versions 1-3.
    pub resource_name: Str,
    /// `PatternType`: `int8`, versions 1-3, default `3`.
    pub pattern_type: i8,
    /// `Acls`: `[]AclDescription`, versions 1-3.
    pub acls: Vec<AclDescription>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeAclsResource {
    fn default() -> Self {
        Self {
            resource_type: 0,
            resource_name: Str::default(),
            pattern_type: 3,
            acls: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeAclsResource {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            resource_type: r.get(f)?,
            resource_name: r.get(f)?,
            pattern_type: r.get(f)?,
            acls: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.resource_type.write(out, f)?;
        self.resource_name.write(out, f)?;
        self.pattern_type.write(out, f)?;
        self.acls.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
