//! `RemoveRaftVoterRequest`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::RemoveRaftVoterResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `RemoveRaftVoterRequest`, versions 0.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoveRaftVoterRequest {
    /// `ClusterId`: `string`, versions 0, nullable.
    pub cluster_id: Option<Str>,
    /// `VoterId`: `int32`, versions 0.
    pub voter_id: i32,
    /// `VoterDirectoryId`: `uuid`, versions 0.
    pub voter_directory_id: Uuid,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for RemoveRaftVoterRequest {
    fn default() -> Self {
        Self {
            cluster_id: Some(Str::default()),
            voter_id: 0,
            voter_directory_id: Uuid::ZERO,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for RemoveRaftVoterRequest {
    const BYTES_MIN: usize = 22;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            cluster_id: r.get_nullable(f, true)?,
            voter_id: r.get(f)?,
            voter_directory_id: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.cluster_id.as_ref(), true, "ClusterId", out, f)?;
        self.voter_id.write(out, f)?;
        self.voter_directory_id.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for RemoveRaftVoterRequest {
    const NAME: &'static str = "RemoveRaftVoterRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for RemoveRaftVoterRequest {
    const API: ApiKey = ApiKey::RemoveRaftVoter;
    type Response = RemoveRaftVoterResponse;
}
