//! `DescribeConfigsRequest`, versions 1-4. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DescribeConfigsResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `DescribeConfigsRequest`, versions 1-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeConfigsRequest {
    /// `Resources`: `[]DescribeConfigsResource`, versions 1-4.
    pub resources: Vec<DescribeConfigsResource>,
    /// `IncludeSynonyms`: `bool`, versions 1-4.
    pub include_synonyms: bool,
    /// `IncludeDocumentation`: `bool`, versions 3-4.
    pub include_documentation: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeConfigsRequest {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            resources: r.get(f)?,
            include_synonyms: r.get(f)?,
            include_documentation: if f.version >= 3 { r.get(f)? } else { false },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.resources.write(out, f)?;
        self.include_synonyms.write(out, f)?;
        if f.version >= 3 {
            self.include_documentation.write(out, f)?;
        } else {
            absent(!self.include_documentation, "IncludeDocumentation", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeConfigsRequest {
    const NAME: &'static str = "DescribeConfigsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=4;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl Request for DescribeConfigsRequest {
    const API: ApiKey = ApiKey::DescribeConfigs;
    type Response = DescribeConfigsResponse;
}

/// Struct `DescribeConfigsResource`, versions 1-4.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeConfigsResource {
    /// `ResourceType`: `int8`, versions 1-4.
    pub resource_type: i8,
    /// `ResourceName`: `string`, versions 1-4.
    pub resource_name: Str,
    /// `ConfigurationKeys`: `[]string`, versions 1-4, nullable.
    pub configuration_keys: Option<Vec<Str>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeConfigsResource {
    fn default() -> Self {
        Self {
            resource_type: 0,
            resource_name: Str::default(),
            configuration_keys: Some(Vec::new()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeConfigsResource {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            resource_type: r.get(f)?,
            resource_name: r.get(f)?,
            configuration_keys: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.resource_type.write(out, f)?;
        self.resource_name.write(out, f)?;
        write_nullable(self.configuration_keys.as_ref(), true, "ConfigurationKeys", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
