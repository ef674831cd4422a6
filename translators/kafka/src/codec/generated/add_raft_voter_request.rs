//! `AddRaftVoterRequest`, versions 0-1. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::AddRaftVoterResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `AddRaftVoterRequest`, versions 0-1.
#[derive(Debug, Clone, PartialEq)]
pub struct AddRaftVoterRequest {
    /// `ClusterId`: `string`, versions 0-1, nullable.
    pub cluster_id: Option<Str>,
    /// `TimeoutMs`: `int32`, versions 0-1.
    pub timeout_ms: i32,
    /// `VoterId`: `int32`, versions 0-1.
    pub voter_id: i32,
    /// `VoterDirectoryId`: `uuid`, versions 0-1.
    pub voter_directory_id: Uuid,
    /// `Listeners`: `[]Listener`, versions 0-1.
    pub listeners: Vec<Listener>,
    /// `AckWhenCommitted`: `bool`, versions 1, default `true`.
    pub ack_when_committed: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for AddRaftVoterRequest {
    fn default() -> Self {
        Self {
            cluster_id: Some(Str::default()),
            timeout_ms: 0,
            voter_id: 0,
            voter_directory_id: Uuid::ZERO,
            listeners: Vec::new(),
            ack_when_committed: true,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for AddRaftVoterRequest {
    const BYTES_MIN: usize = 27;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            cluster_id: r.get_nullable(f, true)?,
            timeout_ms: r.get(f)?,
            voter_id: r.get(f)?,
            voter_directory_id: r.get(f)?,
            listeners: r.get(f)?,
            ack_when_committed: if f.version >= 1 { r.get(f)? } else { true },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.cluster_id.as_ref(), true, "ClusterId", out, f)?;
        self.timeout_ms.write(out, f)?;
        self.voter_id.write(out, f)?;
        self.voter_directory_id.write(out, f)?;
        self.listeners.write(out, f)?;
        if f.version >= 1 {
            self.ack_when_committed.write(out, f)?;
        } else {
            absent(self.ack_when_committed, "AckWhenCommitted", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for AddRaftVoterRequest {
    const NAME: &'static str = "AddRaftVoterRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for AddRaftVoterRequest {
    const API: ApiKey = ApiKey::AddRaftVoter;
    type Response = AddRaftVoterResponse;
}

/// Struct `Listener`, versions 0-1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Listener {
    /// `Name`: `string`, versions 0-1.
    pub name: Str,
    /// `Host`: `string`, versions 0-1.
    pub host: Str,
    /// `Port`: `uint16`, versions 0-1.
    pub port: u16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for Listener {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            host: r.get(f)?,
            port: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.host.write(out, f)?;
        self.port.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
