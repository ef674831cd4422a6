//! The layout of what the coordinator stores and what moves a group between sides: fixed-width
//! numbers, lengths in front, nothing implied.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

use crate::codec::Str;

/// Stored or transferred bytes that cannot be read. The fault is ours: of another version, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PackedError {
    /// They end early, or a length goes beyond their end.
    #[error("packed bytes end early")]
    Truncated,
    /// Bytes are left over.
    #[error("{0} bytes follow what was packed")]
    Trailing(usize),
    /// A text is not UTF-8.
    #[error("packed text is not UTF-8")]
    Utf8,
    /// Written by another version.
    #[error("packed by version {0}")]
    Version(u8),
    /// A byte that says which kind follows has no meaning.
    #[error("packed kind {0} has no meaning")]
    Kind(u8),
}

/// A value with a packed layout.
pub(super) trait Packed: Sized {
    /// Fewest bytes a value takes, at least 1. It bounds counts.
    const BYTES_MIN: usize;

    fn pack(&self, out: &mut BytesMut);

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError>;

    fn to_packed(&self) -> Bytes {
        let mut out = BytesMut::new();
        self.pack(&mut out);
        out.freeze()
    }

    fn from_packed(bytes: Bytes) -> Result<Self, PackedError> {
        let mut from = Unpacker { rest: bytes };
        let value = Self::unpack(&mut from)?;
        match from.rest.len() {
            0 => Ok(value),
            left => Err(PackedError::Trailing(left)),
        }
    }
}

/// Reads packed values from front to back; texts and bytes are slices, not copies.
#[derive(Debug)]
pub(super) struct Unpacker {
    rest: Bytes,
}

impl Unpacker {
    pub(super) fn get<T: Packed>(&mut self) -> Result<T, PackedError> {
        T::unpack(self)
    }

    pub(super) fn version(&mut self, expected: u8) -> Result<(), PackedError> {
        let found = self.get()?;
        if found == expected { Ok(()) } else { Err(PackedError::Version(found)) }
    }

    /// A count of values that take at least `each_bytes_min` bytes each.
    pub(super) fn count(&mut self, each_bytes_min: usize) -> Result<usize, PackedError> {
        let count = usize::try_from(self.get::<u32>()?).map_err(|_over| PackedError::Truncated)?;
        let fits = count <= self.rest.len() / each_bytes_min.max(1);
        if fits { Ok(count) } else { Err(PackedError::Truncated) }
    }
}

macro_rules! packed_number {
    ($($type:ty: $get:ident, $put:ident;)*) => {$(
        impl Packed for $type {
            const BYTES_MIN: usize = size_of::<$type>();

            fn pack(&self, out: &mut BytesMut) {
                out.$put(*self);
            }

            fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
                from.rest.$get().map_err(|_short| PackedError::Truncated)
            }
        }
    )*};
}

packed_number! {
    u8: try_get_u8, put_u8;
    i16: try_get_i16, put_i16;
    u32: try_get_u32, put_u32;
    i32: try_get_i32, put_i32;
    i64: try_get_i64, put_i64;
    u128: try_get_u128, put_u128;
}

impl Packed for Bytes {
    const BYTES_MIN: usize = 4;

    fn pack(&self, out: &mut BytesMut) {
        pack_bytes(out, self);
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        let length = from.count(1)?;
        Ok(from.rest.split_to(length))
    }
}

impl Packed for Str {
    const BYTES_MIN: usize = 4;

    fn pack(&self, out: &mut BytesMut) {
        pack_bytes(out, self.as_bytes());
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        Self::try_from(from.get::<Bytes>()?).map_err(|_invalid| PackedError::Utf8)
    }
}

impl<T: Packed> Packed for Option<T> {
    const BYTES_MIN: usize = 1;

    fn pack(&self, out: &mut BytesMut) {
        pack_option(out, self.as_ref());
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        match from.get::<u8>()? {
            0 => Ok(None),
            1 => from.get().map(Some),
            other => Err(PackedError::Kind(other)),
        }
    }
}

impl<T: Packed> Packed for Vec<T> {
    const BYTES_MIN: usize = 4;

    fn pack(&self, out: &mut BytesMut) {
        pack_count(out, self.len());
        for value in self {
            value.pack(out);
        }
    }

    fn unpack(from: &mut Unpacker) -> Result<Self, PackedError> {
        let count = from.count(T::BYTES_MIN)?;
        (0..count).map(|_| from.get()).collect()
    }
}

pub(super) fn pack_bytes(out: &mut BytesMut, bytes: &[u8]) {
    pack_count(out, bytes.len());
    out.put_slice(bytes);
}

pub(super) fn pack_option<T: Packed>(out: &mut BytesMut, value: Option<&T>) {
    match value {
        None => out.put_u8(0),
        Some(value) => {
            out.put_u8(1);
            value.pack(out);
        }
    }
}

/// What is packed came in frames of less than 2 GiB and is bounded by the limits, so a count always
/// fits; one that did not would be cut short, and refused when it is read.
pub(super) fn pack_count(out: &mut BytesMut, count: usize) {
    out.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
}
