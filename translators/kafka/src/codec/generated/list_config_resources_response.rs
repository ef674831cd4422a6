//! `ListConfigResourcesResponse`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `ListConfigResourcesResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListConfigResourcesResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-1.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0-1.
    pub error_code: i16,
    /// `ConfigResources`: `[]ConfigResource`, versions 0-1.
    pub config_resources: Vec<ConfigResource>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ListConfigResourcesResponse {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            config_resources: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        self.config_resources.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ListConfigResourcesResponse {
    const NAME: &'static str = "ListConfigResourcesResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for ListConfigResourcesResponse {
    const API: ApiKey = ApiKey::ListConfigResources;
}

/// Struct `ConfigResource`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigResource {
    /// `ResourceName`: `string`, versions 0-1.
    pub resource_name: Str,
    /// `ResourceType`: `int8`, versions 1, ignorable, default `16`.
    pub resource_type: i8,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ConfigResource {
    fn default() -> Self {
        Self { resource_name: Str::default(), resource_type: 16, unknown_tagged: Vec::new() }
    }
}

impl Wire for ConfigResource {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            resource_name: r.get(f)?,
            resource_type: if f.version >= 1 { r.get(f)? } else { 16 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.resource_name.write(out, f)?;
        if f.version >= 1 {
            self.resource_type.write(out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
