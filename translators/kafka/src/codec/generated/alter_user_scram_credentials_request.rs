//! `AlterUserScramCredentialsRequest`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::messages::AlterUserScramCredentialsResponse;
use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `AlterUserScramCredentialsRequest`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlterUserScramCredentialsRequest {
    /// `Deletions`: `[]ScramCredentialDeletion`, versions 0.
    pub deletions: Vec<ScramCredentialDeletion>,
    /// `Upsertions`: `[]ScramCredentialUpsertion`, versions 0.
    pub upsertions: Vec<ScramCredentialUpsertion>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for AlterUserScramCredentialsRequest {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { deletions: r.get(f)?, upsertions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.deletions.write(out, f)?;
        self.upsertions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for AlterUserScramCredentialsRequest {
    const NAME: &'static str = "AlterUserScramCredentialsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for AlterUserScramCredentialsRequest {
    const API: ApiKey = ApiKey::AlterUserScramCredentials;
    type Response = AlterUserScramCredentialsResponse;
}

/// Struct `ScramCredentialDeletion`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScramCredentialDeletion {
    /// `Name`: `string`, versions 0.
    pub name: Str,
    /// `Mechanism`: `int8`, versions 0.
    pub mechanism: i8,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ScramCredentialDeletion {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { name: r.get(f)?, mechanism: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.mechanism.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `ScramCredentialUpsertion`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScramCredentialUpsertion {
    /// `Name`: `string`, versions 0.
    pub name: Str,
    /// `Mechanism`: `int8`, versions 0.
    pub mechanism: i8,
    /// `Iterations`: `int32`, versions 0.
    pub iterations: i32,
    /// `Salt`: `bytes`, versions 0.
    pub salt: Bytes,
    /// `SaltedPassword`: `bytes`, versions 0.
    pub salted_password: Bytes,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ScramCredentialUpsertion {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            mechanism: r.get(f)?,
            iterations: r.get(f)?,
            salt: r.get(f)?,
            salted_password: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.mechanism.write(out, f)?;
        self.iterations.write(out, f)?;
        self.salt.write(out, f)?;
        self.salted_password.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
