//! `TransactionLogKey`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::{CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, Wire};

/// Message `TransactionLogKey`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactionLogKey {
    /// `TransactionalId`: `string`, versions 0.
    pub transactional_id: Str,
}

impl Wire for TransactionLogKey {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { transactional_id: r.get(f)? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.transactional_id.write(out, f)?;
        Ok(())
    }
}

impl Message for TransactionLogKey {
    const NAME: &'static str = "TransactionLogKey";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = None;
}

impl CoordinatorRecord for TransactionLogKey {
    const RECORD_TYPE: i16 = 0;
}
