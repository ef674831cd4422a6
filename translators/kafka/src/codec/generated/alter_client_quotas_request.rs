//! `AlterClientQuotasRequest`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::AlterClientQuotasResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `AlterClientQuotasRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterClientQuotasRequest {
    /// `Entries`: `[]EntryData`, versions 0-1.
    pub entries: Vec<EntryData>,
    /// `ValidateOnly`: `bool`, versions 0-1.
    pub validate_only: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AlterClientQuotasRequest {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            entries: r.get(f)?,
            validate_only: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.entries.write(out, f)?;
        self.validate_only.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for AlterClientQuotasRequest {
    const NAME: &'static str = "AlterClientQuotasRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl Request for AlterClientQuotasRequest {
    const API: ApiKey = ApiKey::AlterClientQuotas;
    type Response = AlterClientQuotasResponse;
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

/// Struct `OpData`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OpData {
    /// `Key`: `string`, versions 0-1.
    pub key: Str,
    /// `Value`: `float64`, versions 0-1.
    pub value: f64,
    /// `Remove`: `bool`, versions 0-1.
    pub remove: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for OpData {
    const BYTES_MIN: usize = 11;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            key: r.get(f)?,
            value: r.get(f)?,
            remove: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.key.write(out, f)?;
        self.value.write(out, f)?;
        self.remove.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `EntryData`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntryData {
    /// `Entity`: `[]EntityData`, versions 0-1.
    pub entity: Vec<EntityData>,
    /// `Ops`: `[]OpData`, versions 0-1.
    pub ops: Vec<OpData>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for EntryData {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { entity: r.get(f)?, ops: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.entity.write(out, f)?;
        self.ops.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
