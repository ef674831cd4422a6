//! `CreateAclsRequest`, versions 1-3. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::CreateAclsResponse;
use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `CreateAclsRequest`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateAclsRequest {
    /// `Creations`: `[]AclCreation`, versions 1-3.
    pub creations: Vec<AclCreation>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CreateAclsRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { creations: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.creations.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for CreateAclsRequest {
    const NAME: &'static str = "CreateAclsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=3;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Request for CreateAclsRequest {
    const API: ApiKey = ApiKey::CreateAcls;
    type Response = CreateAclsResponse;
}

/// Struct `AclCreation`, versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct AclCreation {
    /// `ResourceType`: `int8`, versions 1-3.
    pub resource_type: i8,
    /// `ResourceName`: `string`, versions 1-3.
    pub resource_name: Str,
    /// `ResourcePatternType`: `int8`, versions 1-3, default `3`.
    pub resource_pattern_type: i8,
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

impl Default for AclCreation {
    fn default() -> Self {
        Self {
            resource_type: 0,
            resource_name: Str::default(),
            resource_pattern_type: 3,
            principal: Str::default(),
            host: Str::default(),
            operation: 0,
            permission_type: 0,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for AclCreation {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            resource_type: r.get(f)?,
            resource_name: r.get(f)?,
            resource_pattern_type: r.get(f)?,
            principal: r.get(f)?,
            host: r.get(f)?,
            operation: r.get(f)?,
            permission_type: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.resource_type.write(out, f)?;
        self.resource_name.write(out, f)?;
        self.resource_pattern_type.write(out, f)?;
        self.principal.write(out, f)?;
        self.host.write(out, f)?;
        self.operation.write(out, f)?;
        self.permission_type.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
