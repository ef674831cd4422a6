//! `FindCoordinatorResponse`, versions 0-6. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `FindCoordinatorResponse`, versions 0-6.
#[derive(Debug, Clone, PartialEq)]
pub struct FindCoordinatorResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-6, ignorable.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0-3.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 1-3, nullable, ignorable.
    pub error_message: Option<Str>,
    /// `NodeId`: `int32`, versions 0-3.
    pub node_id: i32,
    /// `Host`: `string`, versions 0-3.
    pub host: Str,
    /// `Port`: `int32`, versions 0-3.
    pub port: i32,
    /// `Coordinators`: `[]Coordinator`, versions 4-6.
    pub coordinators: Vec<Coordinator>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for FindCoordinatorResponse {
    fn default() -> Self {
        Self {
            throttle_time_ms: 0,
            error_code: 0,
            error_message: Some(Str::default()),
            node_id: 0,
            host: Str::default(),
            port: 0,
            coordinators: Vec::new(),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for FindCoordinatorResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: if f.version >= 1 { r.get(f)? } else { 0 },
            error_code: if f.version <= 3 { r.get(f)? } else { 0 },
            error_message: if (1..=3).contains(&f.version) {
                r.get_nullable(f, true)?
            } else {
                Some(Str::default())
            },
            node_id: if f.version <= 3 { r.get(f)? } else { 0 },
            host: if f.version <= 3 { r.get(f)? } else { Str::default() },
            port: if f.version <= 3 { r.get(f)? } else { 0 },
            coordinators: if f.version >= 4 { r.get(f)? } else { Vec::new() },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 1 {
            self.throttle_time_ms.write(out, f)?;
        }
        if f.version <= 3 {
            self.error_code.write(out, f)?;
        } else {
            absent(self.error_code == 0, "ErrorCode", f)?;
        }
        if (1..=3).contains(&f.version) {
            write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        }
        if f.version <= 3 {
            self.node_id.write(out, f)?;
        } else {
            absent(self.node_id == 0, "NodeId", f)?;
        }
        if f.version <= 3 {
            self.host.write(out, f)?;
        } else {
            absent(self.host.is_empty(), "Host", f)?;
        }
        if f.version <= 3 {
            self.port.write(out, f)?;
        } else {
            absent(self.port == 0, "Port", f)?;
        }
        if f.version >= 4 {
            self.coordinators.write(out, f)?;
        } else {
            absent(self.coordinators.is_empty(), "Coordinators", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for FindCoordinatorResponse {
    const NAME: &'static str = "FindCoordinatorResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Response for FindCoordinatorResponse {
    const API: ApiKey = ApiKey::FindCoordinator;
}

/// Struct `Coordinator`, versions 4-6.
#[derive(Debug, Clone, PartialEq)]
pub struct Coordinator {
    /// `Key`: `string`, versions 4-6.
    pub key: Str,
    /// `NodeId`: `int32`, versions 4-6.
    pub node_id: i32,
    /// `Host`: `string`, versions 4-6.
    pub host: Str,
    /// `Port`: `int32`, versions 4-6.
    pub port: i32,
    /// `ErrorCode`: `int16`, versions 4-6.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 4-6, nullable, ignorable.
    pub error_message: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for Coordinator {
    fn default() -> Self {
        Self {
            key: Str::default(),
            node_id: 0,
            host: Str::default(),
            port: 0,
            error_code: 0,
            error_message: Some(Str::default()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for Coordinator {
    const BYTES_MIN: usize = 14;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            key: r.get(f)?,
            node_id: r.get(f)?,
            host: r.get(f)?,
            port: r.get(f)?,
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.key.write(out, f)?;
        self.node_id.write(out, f)?;
        self.host.write(out, f)?;
        self.port.write(out, f)?;
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
