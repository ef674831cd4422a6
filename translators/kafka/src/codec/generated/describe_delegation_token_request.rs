//! `DescribeDelegationTokenRequest`, versions 1-3. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DescribeDelegationTokenResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `DescribeDelegationTokenRequest`, versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeDelegationTokenRequest {
    /// `Owners`: `[]DescribeDelegationTokenOwner`, versions 1-3, nullable.
    pub owners: Option<Vec<DescribeDelegationTokenOwner>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeDelegationTokenRequest {
    fn default() -> Self {
        Self { owners: Some(Vec::new()), unknown_tagged: Vec::new() }
    }
}

impl Wire for DescribeDelegationTokenRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { owners: r.get_nullable(f, true)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.owners.as_ref(), true, "Owners", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeDelegationTokenRequest {
    const NAME: &'static str = "DescribeDelegationTokenRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=3;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Request for DescribeDelegationTokenRequest {
    const API: ApiKey = ApiKey::DescribeDelegationToken;
    type Response = DescribeDelegationTokenResponse;
}

/// Struct `DescribeDelegationTokenOwner`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeDelegationTokenOwner {
    /// `PrincipalType`: `string`, versions 1-3.
    pub principal_type: Str,
    /// `PrincipalName`: `string`, versions 1-3.
    pub principal_name: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeDelegationTokenOwner {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            principal_type: r.get(f)?,
            principal_name: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.principal_type.write(out, f)?;
        self.principal_name.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
