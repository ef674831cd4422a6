//! `IncrementalAlterConfigsRequest`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::IncrementalAlterConfigsResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `IncrementalAlterConfigsRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IncrementalAlterConfigsRequest {
    /// `Resources`: `[]AlterConfigsResource`, versions 0-1.
    pub resources: Vec<AlterConfigsResource>,
    /// `ValidateOnly`: `bool`, versions 0-1.
    pub validate_only: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for IncrementalAlterConfigsRequest {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            resources: r.get(f)?,
            validate_only: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.resources.write(out, f)?;
        self.validate_only.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for IncrementalAlterConfigsRequest {
    const NAME: &'static str = "IncrementalAlterConfigsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl Request for IncrementalAlterConfigsRequest {
    const API: ApiKey = ApiKey::IncrementalAlterConfigs;
    type Response = IncrementalAlterConfigsResponse;
}

/// Struct `AlterableConfig`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterableConfig {
    /// `Name`: `string`, versions 0-1.
    pub name: Str,
    /// `ConfigOperation`: `int8`, versions 0-1.
    pub config_operation: i8,
    /// `Value`: `string`, versions 0-1, nullable.
    pub value: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for AlterableConfig {
    fn default() -> Self {
        Self {
            name: Str::default(),
            config_operation: 0,
            value: Some(Str::default()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for AlterableConfig {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            config_operation: r.get(f)?,
            value: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.config_operation.write(out, f)?;
        write_nullable(self.value.as_ref(), true, "Value", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `AlterConfigsResource`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterConfigsResource {
    /// `ResourceType`: `int8`, versions 0-1.
    pub resource_type: i8,
    /// `ResourceName`: `string`, versions 0-1.
    pub resource_name: Str,
    /// `Configs`: `[]AlterableConfig`, versions 0-1.
    pub configs: Vec<AlterableConfig>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AlterConfigsResource {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            resource_type: r.get(f)?,
            resource_name: r.get(f)?,
            configs: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.resource_type.write(out, f)?;
        self.resource_name.write(out, f)?;
        self.configs.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
