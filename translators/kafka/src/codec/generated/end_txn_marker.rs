//! `EndTxnMarker`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::{DecodeError, EncodeError, Format, Message, Reader, Wire};

/// Message `EndTxnMarker`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EndTxnMarker {
    /// `CoordinatorEpoch`: `int32`, versions 0.
    pub coordinator_epoch: i32,
}

impl Wire for EndTxnMarker {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { coordinator_epoch: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.coordinator_epoch.write(out, f)?;
        Ok(())
    }
}

impl Message for EndTxnMarker {
    const NAME: &'static str = "EndTxnMarker";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = None;
}
