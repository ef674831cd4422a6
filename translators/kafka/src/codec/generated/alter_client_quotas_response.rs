//! `AlterClientQuotasResponse`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `AlterClientQuotasResponse`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterClientQuotasResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-1.
    pub throttle_time_ms: i32,
    /// `Entries`: `[]EntryData`, versions 0-1.
    pub entries: Vec<EntryData>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AlterClientQuotasResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            entries: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.entries.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for AlterClientQuotasResponse {
    const NAME: &'static str = "AlterClientQuotasResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl Response for AlterClientQuotasResponse {
    const API: ApiKey = ApiKey::AlterClientQuotas;
}

/// Struct `EntityData`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityData {
    /// `EntityType`: `string`, versions 0-1.
    pub entity_type: Str,
    /// `EntityName`: `string`, versions 0-1, nullable.
    pub entity_name: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for EntityData {
    fn default() -> Self {
        Self { entity_type: Str::default(), entity_name: Some(Str::default()), unknown_tagged: Vec::new() }
    }
}

impl Wire for EntityData {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            entity_type: r.get(f)?,
            entity_name: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.entity_type.write(out, f)?;
        write_nullable(self.entity_name.as_ref(), true, "EntityName", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `EntryData`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryData {
    /// `ErrorCode`: `int16`, versions 0-1.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 0-1, nullable.
    pub error_message: Option<Str>,
    /// `Entity`: `[]EntityData`, versions 0-1.
    pub entity: Vec<EntityData>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for EntryData {
    fn default() -> Self {
        Self {
            error_code: 0,
            error_message: Some(Str::default()),
            entity: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for EntryData {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            entity: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        self.entity.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
