//! `DeleteAclsRequest`, versions 1-3. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DeleteAclsResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `DeleteAclsRequest`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteAclsRequest {
    /// `Filters`: `[]DeleteAclsFilter`, versions 1-3.
    pub filters: Vec<DeleteAclsFilter>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DeleteAclsRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { filters: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.filters.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DeleteAclsRequest {
    const NAME: &'static str = "DeleteAclsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=3;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Request for DeleteAclsRequest {
    const API: ApiKey = ApiKey::DeleteAcls;
    type Response = DeleteAclsResponse;
}

/// Struct `DeleteAclsFilter`, versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DeleteAclsFilter {
    /// `ResourceTypeFilter`: `int8`, versions 1-3.
    pub resource_type_filter: i8,
    /// `ResourceNameFilter`: `string`, versions 1-3, nullable.
    pub resource_name_filter: Option<Str>,
    /// `PatternTypeFilter`: `int8`, versions 1-3, default `3`.
    pub pattern_type_filter: i8,
    /// `PrincipalFilter`: `string`, versions 1-3, nullable.
    pub principal_filter: Option<Str>,
    /// `HostFilter`: `string`, versions 1-3, nullable.
    pub host_filter: Option<Str>,
    /// `Operation`: `int8`, versions 1-3.
    pub operation: i8,
    /// `PermissionType`: `int8`, versions 1-3.
    pub permission_type: i8,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DeleteAclsFilter {
    fn default() -> Self {
        Self {
            resource_type_filter: 0,
            resource_name_filter: Some(Str::default()),
            pattern_type_filter: 3,
            principal_filter: Some(Str::default()),
            host_filter: Some(Str::default()),
            operation: 0,
            permission_type: 0,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DeleteAclsFilter {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            resource_type_filter: r.get(f)?,
            resource_name_filter: r.get_nullable(f, true)?,
            pattern_type_filter: r.get(f)?,
            principal_filter: r.get_nullable(f, true)?,
            host_filter: r.get_nullable(f, true)?,
            operation: r.get(f)?,
            permission_type: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.resource_type_filter.write(out, f)?;
        write_nullable(self.resource_name_filter.as_ref(), true, "ResourceNameFilter", out, f)?;
        self.pattern_type_filter.write(out, f)?;
        write_nullable(self.principal_filter.as_ref(), true, "PrincipalFilter", out, f)?;
        write_nullable(self.host_filter.as_ref(), true, "HostFilter", out, f)?;
        self.operation.write(out, f)?;
        self.permission_type.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
