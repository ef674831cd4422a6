//! `DescribeConfigsResponse`, versions 1-4. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `DescribeConfigsResponse`, versions 1-4.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeConfigsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-4.
    pub throttle_time_ms: i32,
    /// `Results`: `[]DescribeConfigsResult`, versions 1-4.
    pub results: Vec<DescribeConfigsResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeConfigsResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            results: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.results.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeConfigsResponse {
    const NAME: &'static str = "DescribeConfigsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=4;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl Response for DescribeConfigsResponse {
    const API: ApiKey = ApiKey::DescribeConfigs;
}

/// Struct `DescribeConfigsSynonym`, versions 1-4.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeConfigsSynonym {
    /// `Name`: `string`, versions 1-4.
    pub name: Str,
    /// `Value`: `string`, versions 1-4, nullable.
    pub value: Option<Str>,
    /// `Source`: `int8`, versions 1-4.
    pub source: i8,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeConfigsSynonym {
    fn default() -> Self {
        Self { name: Str::default(), value: Some(Str::default()), source: 0, unknown_tagged: Vec::new() }
    }
}

impl Wire for DescribeConfigsSynonym {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            value: r.get_nullable(f, true)?,
            source: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        write_nullable(self.value.as_ref(), true, "Value", out, f)?;
        self.source.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribeConfigsResourceResult`, versions 1-4.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeConfigsResourceResult {
    /// `Name`: `string`, versions 1-4.
    pub name: Str,
    /// `Value`: `string`, versions 1-4, nullable.
    pub value: Option<Str>,
    /// `ReadOnly`: `bool`, versions 1-4.
    pub read_only: bool,
    /// `ConfigSource`: `int8`, versions 1-4, ignorable, default `-1`.
    pub config_source: i8,
    /// `IsSensitive`: `bool`, versions 1-4.
    pub is_sensitive: bool,
    /// `Synonyms`: `[]DescribeConfigsSynonym`, versions 1-4, ignorable.
    pub synonyms: Vec<DescribeConfigsSynonym>,
    /// `ConfigType`: `int8`, versions 3-4, ignorable.
    pub config_type: i8,
    /// `Documentation`: `string`, versions 3-4, nullable, ignorable.
    pub documentation: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeConfigsResourceResult {
    fn default() -> Self {
        Self {
            name: Str::default(),
            value: Some(Str::default()),
            read_only: false,
            config_source: -1,
            is_sensitive: false,
            synonyms: Vec::new(),
            config_type: 0,
            documentation: Some(Str::default()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeConfigsResourceResult {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            value: r.get_nullable(f, true)?,
            read_only: r.get(f)?,
            config_source: r.get(f)?,
            is_sensitive: r.get(f)?,
            synonyms: r.get(f)?,
            config_type: if f.version >= 3 { r.get(f)? } else { 0 },
            documentation: if f.version >= 3 { r.get_nullable(f, true)? } else { Some(Str::default()) },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        write_nullable(self.value.as_ref(), true, "Value", out, f)?;
        self.read_only.write(out, f)?;
        self.config_source.write(out, f)?;
        self.is_sensitive.write(out, f)?;
        self.synonyms.write(out, f)?;
        if f.version >= 3 {
            self.config_type.write(out, f)?;
        }
        if f.version >= 3 {
            write_nullable(self.documentation.as_ref(), true, "Documentation", out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `DescribeConfigsResult`, versions 1-4.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeConfigsResult {
    /// `ErrorCode`: `int16`, versions 1-4.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 1-4, nullable.
    pub error_message: Option<Str>,
    /// `ResourceType`: `int8`, versions 1-4.
    pub resource_type: i8,
    /// `ResourceName`: `string`, versions 1-4.
    pub resource_name: Str,
    /// `Configs`: `[]DescribeConfigsResourceResult`, versions 1-4.
    pub configs: Vec<DescribeConfigsResourceResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeConfigsResult {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(Str::default()),
            resource_type: 0,
            resource_name: Str::default(),
            configs: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DescribeConfigsResult {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            resource_type: r.get(f)?,
            resource_name: r.get(f)?,
            configs: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.resource_type.write(out, f)?;
        self.resource_name.write(out, f)?;
        self.configs.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
