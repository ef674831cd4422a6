//! `CreateDelegationTokenRequest`, versions 1-3. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::CreateDelegationTokenResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `CreateDelegationTokenRequest`, versions 1-3.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateDelegationTokenRequest {
    /// `OwnerPrincipalType`: `string`, versions 3, nullable.
    pub owner_principal_type: Option<Str>,
    /// `OwnerPrincipalName`: `string`, versions 3, nullable.
    pub owner_principal_name: Option<Str>,
    /// `Renewers`: `[]CreatableRenewers`, versions 1-3.
    pub renewers: Vec<CreatableRenewers>,
    /// `MaxLifetimeMs`: `int64`, versions 1-3.
    pub max_lifetime_ms: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for CreateDelegationTokenRequest {
    fn default() -> Self {
        Self {
            owner_principal_type: Some(Str::default()),
            owner_principal_name: Some(Str::default()),
            renewers: Vec::new(),
            max_lifetime_ms: 0,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for CreateDelegationTokenRequest {
    const BYTES_MIN: usize = 10;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            owner_principal_type: if f.version >= 3 {
                r.get_nullable(f, true)?
            } else {
                Some(Str::default())
            },
            owner_principal_name: if f.version >= 3 {
                r.get_nullable(f, true)?
            } else {
                Some(Str::default())
            },
            renewers: r.get(f)?,
            max_lifetime_ms: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 3 {
            write_nullable(self.owner_principal_type.as_ref(), true, "OwnerPrincipalType", out, f)?;
        } else {
            absent(
                self.owner_principal_type.as_ref().is_some_and(|value| value.is_empty()),
                "OwnerPrincipalType",
                f,
            )?;
        }
        if f.version >= 3 {
            write_nullable(self.owner_principal_name.as_ref(), true, "OwnerPrincipalName", out, f)?;
        } else {
            absent(
                self.owner_principal_name.as_ref().is_some_and(|value| value.is_empty()),
                "OwnerPrincipalName",
                f,
            )?;
        }
        self.renewers.write(out, f)?;
        self.max_lifetime_ms.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for CreateDelegationTokenRequest {
    const NAME: &'static str = "CreateDelegationTokenRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=3;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Request for CreateDelegationTokenRequest {
    const API: ApiKey = ApiKey::CreateDelegationToken;
    type Response = CreateDelegationTokenResponse;
}

/// Struct `CreatableRenewers`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreatableRenewers {
    /// `PrincipalType`: `string`, versions 1-3.
    pub principal_type: Str,
    /// `PrincipalName`: `string`, versions 1-3.
    pub principal_name: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CreatableRenewers {
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
