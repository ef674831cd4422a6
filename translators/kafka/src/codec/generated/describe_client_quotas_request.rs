//! `DescribeClientQuotasRequest`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DescribeClientQuotasResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `DescribeClientQuotasRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeClientQuotasRequest {
    /// `Components`: `[]ComponentData`, versions 0-1.
    pub components: Vec<ComponentData>,
    /// `Strict`: `bool`, versions 0-1.
    pub strict: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeClientQuotasRequest {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { components: r.get(f)?, strict: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.components.write(out, f)?;
        self.strict.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeClientQuotasRequest {
    const NAME: &'static str = "DescribeClientQuotasRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl Request for DescribeClientQuotasRequest {
    const API: ApiKey = ApiKey::DescribeClientQuotas;
    type Response = DescribeClientQuotasResponse;
}

/// Struct `ComponentData`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentData {
    /// `EntityType`: `string`, versions 0-1.
    pub entity_type: Str,
    /// `MatchType`: `int8`, versions 0-1.
    pub match_type: i8,
    /// `Match`: `string`, versions 0-1, nullable.
    pub match_: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ComponentData {
    fn default() -> Self {
        Self {
            entity_type: Str::default(),
            match_type: 0,
            match_: Some(Str::default()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ComponentData {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            entity_type: r.get(f)?,
            match_type: r.get(f)?,
            match_: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.entity_type.write(out, f)?;
        self.match_type.write(out, f)?;
        write_nullable(self.match_.as_ref(), true, "Match", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
