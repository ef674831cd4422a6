//! `DescribeDelegationTokenResponse`, versions 1-3. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::wire::{Tags, absent};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `DescribeDelegationTokenResponse`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeDelegationTokenResponse {
    /// `ErrorCode`: `int16`, versions 1-3.
    pub error_code: i16,
    /// `Tokens`: `[]DescribedDelegationToken`, versions 1-3.
    pub tokens: Vec<DescribedDelegationToken>,
    /// `ThrottleTimeMs`: `int32`, versions 1-3.
    pub throttle_time_ms: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeDelegationTokenResponse {
    const BYTES_MIN: usize = 8;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            tokens: r.get(f)?,
            throttle_time_ms: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        self.tokens.write(out, f)?;
        self.throttle_time_ms.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeDelegationTokenResponse {
    const NAME: &'static str = "DescribeDelegationTokenResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=3;
    const FLEXIBLE_FROM: Option<i16> = Some(2);
}

impl Response for DescribeDelegationTokenResponse {
    const API: ApiKey = ApiKey::DescribeDelegationToken;
}

/// Struct `DescribedDelegationTokenRenewer`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribedDelegationTokenRenewer {
    /// `PrincipalType`: `string`, versions 1-3.
    pub principal_type: Str,
    /// `PrincipalName`: `string`, versions 1-3.
    pub principal_name: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribedDelegationTokenRenewer {
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

/// Struct `DescribedDelegationToken`, versions 1-3.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribedDelegationToken {
    /// `PrincipalType`: `string`, versions 1-3.
    pub principal_type: Str,
    /// `PrincipalName`: `string`, versions 1-3.
    pub principal_name: Str,
    /// `TokenRequesterPrincipalType`: `string`, versions 3.
    pub token_requester_principal_type: Str,
    /// `TokenRequesterPrincipalName`: `string`, versions 3.
    pub token_requester_principal_name: Str,
    /// `IssueTimestamp`: `int64`, versions 1-3.
    pub issue_timestamp: i64,
    /// `ExpiryTimestamp`: `int64`, versions 1-3.
    pub expiry_timestamp: i64,
    /// `MaxTimestamp`: `int64`, versions 1-3.
    pub max_timestamp: i64,
    /// `TokenId`: `string`, versions 1-3.
    pub token_id: Str,
    /// `Hmac`: `bytes`, versions 1-3.
    pub hmac: Bytes,
    /// `Renewers`: `[]DescribedDelegationTokenRenewer`, versions 1-3.
    pub renewers: Vec<DescribedDelegationTokenRenewer>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribedDelegationToken {
    const BYTES_MIN: usize = 30;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            principal_type: r.get(f)?,
            principal_name: r.get(f)?,
            token_requester_principal_type: if f.version >= 3 { r.get(f)? } else { Str::default() },
            token_requester_principal_name: if f.version >= 3 { r.get(f)? } else { Str::default() },
            issue_timestamp: r.get(f)?,
            expiry_timestamp: r.get(f)?,
            max_timestamp: r.get(f)?,
            token_id: r.get(f)?,
            hmac: r.get(f)?,
            renewers: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.principal_type.write(out, f)?;
        self.principal_name.write(out, f)?;
        if f.version >= 3 {
            self.token_requester_principal_type.write(out, f)?;
        } else {
            absent(self.token_requester_principal_type.is_empty(), "TokenRequesterPrincipalType", f)?;
        }
        if f.version >= 3 {
            self.token_requester_principal_name.write(out, f)?;
        } else {
            absent(self.token_requester_principal_name.is_empty(), "TokenRequesterPrincipalName", f)?;
        }
        self.issue_timestamp.write(out, f)?;
        self.expiry_timestamp.write(out, f)?;
        self.max_timestamp.write(out, f)?;
        self.token_id.write(out, f)?;
        self.hmac.write(out, f)?;
        self.renewers.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
