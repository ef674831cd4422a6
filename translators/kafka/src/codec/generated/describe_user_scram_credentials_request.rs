//! `DescribeUserScramCredentialsRequest`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DescribeUserScramCredentialsResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `DescribeUserScramCredentialsRequest`, versions 0.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribeUserScramCredentialsRequest {
    /// `Users`: `[]UserName`, versions 0, nullable.
    pub users: Option<Vec<UserName>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DescribeUserScramCredentialsRequest {
    fn default() -> Self {
        Self { users: Some(Vec::new()), unknown_tagged: Vec::new() }
    }
}

impl Wire for DescribeUserScramCredentialsRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { users: r.get_nullable(f, true)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.users.as_ref(), true, "Users", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeUserScramCredentialsRequest {
    const NAME: &'static str = "DescribeUserScramCredentialsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for DescribeUserScramCredentialsRequest {
    const API: ApiKey = ApiKey::DescribeUserScramCredentials;
    type Response = DescribeUserScramCredentialsResponse;
}

/// Struct `UserName`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UserName {
    /// `Name`: `string`, versions 0.
    pub name: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for UserName {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { name: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
