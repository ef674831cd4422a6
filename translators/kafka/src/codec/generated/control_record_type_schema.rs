//! `ControlRecordTypeSchema`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::{DecodeError, EncodeError, Format, Message, Reader, Wire};

/// Message `ControlRecordTypeSchema`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ControlRecordTypeSchema {
    /// `Type`: `int16`, versions 0.
    pub type_: i16,
}

impl Wire for ControlRecordTypeSchema {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { type_: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.type_.write(out, f)?;
        Ok(())
    }
}

impl Message for ControlRecordTypeSchema {
    const NAME: &'static str = "ControlRecordTypeSchema";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = None;
}
