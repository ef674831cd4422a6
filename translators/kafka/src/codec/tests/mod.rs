//! What must hold for every message.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a test says what it expects by failing"
)]

mod differential;
mod epoch_fields;
mod every_message;
mod framing;
mod hostile;
mod kafka_itself;
mod reviewed;
pub(super) mod sample;
mod values;

use std::ops::RangeInclusive;

use bytes::{Bytes, BytesMut};

use super::{DecodeError, Message, Reader};

/// One message type, with its type erased so that all can stand in one table.
pub(super) struct Codec {
    name: &'static str,
    versions: fn() -> RangeInclusive<i16>,
    /// Bytes of a sampled message that were seen to decode to what was encoded.
    sample: fn(i16, u64) -> Bytes,
    /// Decodes all of the bytes and encodes the result.
    recode: fn(Bytes, i16) -> Result<Bytes, DecodeError>,
}

impl Codec {
    pub(super) const fn of<M: Message + PartialEq + std::fmt::Debug>() -> Self {
        Self {
            name: M::NAME,
            versions: || M::VERSIONS,
            sample: |version, seed| {
                let message: M = sample::sample(version, seed);
                let bytes = message.to_bytes(version).unwrap();
                assert_eq!(M::decode_exact(bytes.clone(), version).as_ref(), Ok(&message));
                bytes
            },
            recode: |bytes, version| {
                let mut reader = Reader::new(bytes);
                let message = M::decode(&mut reader, version)?;
                reader.finish()?;
                let mut out = BytesMut::new();
                message.encode(&mut out, version).unwrap();
                Ok(out.freeze())
            },
        }
    }
}
