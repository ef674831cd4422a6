//! `DeleteAclsResponse`, versions 1-3. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `DeleteAclsResponse`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteAclsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-3.
    pub throttle_time_ms: i32,
    /// `FilterResults`: `[]DeleteAclsFilterResult`, versions 1-3.
    pub filter_results: Vec<DeleteAclsFilterResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DeleteAclsResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            filter_results: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.filter_results.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DeleteAclsResponse {
    const NAME: &'static str = "DeleteAclsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=3;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for DeleteAclsResponse {
    const API: ApiKey = ApiKey::DeleteAcls;
}

/// Struct `DeleteAclsMatchingAcl`, versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteAclsMatchingAcl {
    /// `ErrorCode`: `int16`, versions 1-3.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 1-3, nullable.
    pub error_message: Option<Str>,
    /// `ResourceType`: `int8`, versions 1-3.
    pub resource_type: i8,
    /// `ResourceName`: `string`, versions 1-3.
    pub resource_name: Str,
    /// `PatternType`: `int8`, versions 1-3, default `3`.
    pub pattern_type: i8,
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

impl Default for DeleteAclsMatchingAcl {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(Str::default()),
            resource_type: 0,
            resource_name: Str::default(),
            pattern_type: 3,
            principal: Str::default(),
            host: Str::default(),
            operation: 0,
            permission_type: 0,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DeleteAclsMatchingAcl {
    const BYTES_MIN: usize = 11;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            resource_type: r.get(f)?,
            resource_name: r.get(f)?,
            pattern_type: r.get(f)?,
            principal: r.get(f)?,
            host: r.get(f)?,
            operation: r.get(f)?,
            permission_type: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.resource_type.write(out, f)?;
        self.resource_name.write(out, f)?;
        self.pattern_type.write(out, f)?;
        self.principal.write(out, f)?;
        self.host.write(out, f)?;
        self.operation.write(out, f)?;
        self.permission_type.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DeleteAclsFilterResult`, versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteAclsFilterResult {
    /// `ErrorCode`: `int16`, versions 1-3.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 1-3, nullable.
    pub error_message: Option<Str>,
    /// `MatchingAcls`: `[]DeleteAclsMatchingAcl`, versions 1-3.
    pub matching_acls: Vec<DeleteAclsMatchingAcl>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DeleteAclsFilterResult {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(Str::default()),
            matching_acls: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DeleteAclsFilterResult {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            matching_acls: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.matching_acls.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
