//! What can be wrong with bytes, and with a message that is to become bytes.

use thiserror::Error;

/// Bytes that are not the message they should be: the fault of whoever sent them, and final.
///
/// Offsets count from the start of the frame, or of whatever the [`Reader`](super::Reader) was given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// A field reaches past the end of the frame, or of the tagged field that holds it.
    #[error("field of {needed} bytes at offset {at} with {remaining} bytes left")]
    Truncated {
        /// Where the field starts.
        at: usize,
        /// Bytes the field occupies.
        needed: usize,
        /// Bytes that were left.
        remaining: usize,
    },
    /// A length or element count that is negative without meaning null, or more than the
    /// remaining bytes can hold.
    #[error("length {claimed} before offset {at} with {remaining} bytes left")]
    Length {
        /// Where the content would start.
        at: usize,
        /// The length as sent.
        claimed: i64,
        /// Bytes that were left.
        remaining: usize,
    },
    /// Array elements that would take more memory than the frame is worth.
    #[error("{elements} elements before offset {at} exceed the memory for this frame")]
    Memory {
        /// Where the elements start.
        at: usize,
        /// How many there are.
        elements: usize,
    },
    /// A null where the version allows none.
    #[error("null before offset {at} in a field that cannot be null")]
    Null {
        /// Where the next field would start.
        at: usize,
    },
    /// A nullable struct opens with a byte other than -1 (null) and 1.
    #[error("presence byte {found} before offset {at}")]
    Presence {
        /// Where the struct would start.
        at: usize,
        /// The byte as sent.
        found: i8,
    },
    /// A variable-length number of more than five bytes or 32 bits.
    #[error("variable-length number over 32 bits at offset {at}")]
    Varint {
        /// Where the number starts.
        at: usize,
    },
    /// A string that is not UTF-8.
    #[error("string at offset {at} is not UTF-8")]
    Utf8 {
        /// Where the string starts.
        at: usize,
    },
    /// Tags repeat or go down; they must ascend.
    #[error("tag {tag} before offset {at} does not follow tag {after}")]
    TagOrder {
        /// Where the field's content would start.
        at: usize,
        /// The tag as sent.
        tag: u32,
        /// The tag before it.
        after: u32,
    },
    /// Bytes are left over after the last field of a message or of a tagged field.
    #[error("{remaining} bytes left over at offset {at}")]
    Trailing {
        /// Where the rest starts.
        at: usize,
        /// How many bytes are left.
        remaining: usize,
    },
    /// No message has this API key.
    #[error("unknown API key {0}")]
    UnknownApi(i16),
    /// The message has no such version.
    #[error("{message} has no version {version}")]
    Version {
        /// The descriptor's name.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
}

/// A message that its version cannot express: a fault of this process.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The message has no such version.
    #[error("{message} has no version {version}")]
    Version {
        /// The descriptor's name.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field holds something, the version lacks it, and leaving it out would change the meaning.
    #[error("version {version} has no field {field}")]
    Field {
        /// The field's name in the descriptor.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A field is null where the version allows no null.
    #[error("version {version} allows no null in field {field}")]
    Null {
        /// The field's name in the descriptor.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A string, array, tagged field or frame is longer than its length field can say.
    #[error("{length} bytes or elements where {max} are allowed")]
    TooLong {
        /// The length at hand.
        length: usize,
        /// The greatest length the format allows.
        max: usize,
    },
    /// Unknown tags repeat, go down, or take the number of a field that the version knows.
    #[error("tag {tag} does not follow tag {after}")]
    TagOrder {
        /// The tag at hand.
        tag: u32,
        /// The tag before it.
        after: u32,
    },
}
