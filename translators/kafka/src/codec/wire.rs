//! How each type of the descriptors lies on the wire, and what every message can do.

use std::ops::RangeInclusive;

use bytes::{BufMut, Bytes, BytesMut};

use super::reader::{STRING_BYTES_MAX, Width};
use super::{ApiKey, DecodeError, EncodeError, Reader, Str, Uuid};

/// A tag with its field's bytes, without the size that precedes them on the wire.
pub type TaggedField = (u32, Bytes);

/// What decides the layout of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// The message's version.
    pub version: i16,
    /// Whether lengths are varints and structs end with tagged fields.
    pub flexible: bool,
}

impl Format {
    /// The same version with fixed-width lengths, for a field its descriptor exempts.
    #[must_use]
    pub fn rigid(self) -> Self {
        Self { flexible: false, ..self }
    }
}

/// A value inside a message: a number, a string, an array, or a struct of a descriptor.
pub trait Wire: Sized {
    /// Fewest bytes a value takes in any version, at least 1. It bounds array lengths.
    const BYTES_MIN: usize;

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes do not hold one.
    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError>;

    /// Appends the value to `out`.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when the format cannot express the value. `out` then holds a part of it.
    fn write(&self, out: &mut BytesMut, format: Format) -> Result<(), EncodeError>;

    /// Reads a value or null. A struct says which in a byte of its own, other types by length -1.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes hold neither.
    fn read_nullable(reader: &mut Reader, format: Format) -> Result<Option<Self>, DecodeError> {
        if reader.is_present()? { Self::read(reader, format).map(Some) } else { Ok(None) }
    }

    /// Appends a value or null.
    ///
    /// # Errors
    ///
    /// As [`Self::write`].
    fn write_nullable(value: Option<&Self>, out: &mut BytesMut, format: Format) -> Result<(), EncodeError> {
        match value {
            None => out.put_i8(-1),
            Some(value) => {
                out.put_i8(1);
                value.write(out, format)?;
            }
        }
        Ok(())
    }
}

/// A whole message: the body of a request or response, a header, or a record of Kafka's own topics.
pub trait Message: Wire {
    /// The descriptor's name.
    const NAME: &'static str;
    /// The versions the descriptor knows.
    const VERSIONS: RangeInclusive<i16>;
    /// The first version with varint lengths and tagged fields, if any.
    const FLEXIBLE_FROM: Option<i16>;

    /// The layout of `version`, or `None` if there is no such version.
    #[must_use]
    fn format(version: i16) -> Option<Format> {
        let flexible = Self::FLEXIBLE_FROM.is_some_and(|from| version >= from);
        Self::VERSIONS.contains(&version).then_some(Format { version, flexible })
    }

    /// Reads a message and leaves what follows it to the caller.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Version`] for a version the descriptor lacks, others for wrong bytes.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        let format = Self::format(version).ok_or(DecodeError::Version { message: Self::NAME, version })?;
        Self::read(reader, format)
    }

    /// Reads a message that takes the rest of the frame.
    ///
    /// # Errors
    ///
    /// As [`Self::decode`], and [`DecodeError::Trailing`] when bytes are left over.
    fn decode_rest(mut reader: Reader, version: i16) -> Result<Self, DecodeError> {
        let message = Self::decode(&mut reader, version)?;
        reader.finish()?;
        Ok(message)
    }

    /// Reads a client's request. What follows it in the frame is left unread, as Kafka's broker does:
    /// librdkafka 2.16 leaves three bytes behind its Metadata request for all topics (versions 9 and up).
    ///
    /// # Errors
    ///
    /// As [`Self::decode`].
    fn decode_request(mut reader: Reader, version: i16) -> Result<Self, DecodeError> {
        Self::decode(&mut reader, version)
    }

    /// Reads a message that takes all of `bytes`.
    ///
    /// # Errors
    ///
    /// As [`Self::decode_rest`].
    fn decode_exact(bytes: Bytes, version: i16) -> Result<Self, DecodeError> {
        Self::decode_rest(Reader::new(bytes), version)
    }

    /// Reads a version of two bytes and the message in it, as consumers' subscriptions and the
    /// values of `__consumer_offsets` and `__transaction_state` are stored. A version above the
    /// newest known one is read as that one, and what follows the message is ignored: both only
    /// ever grow at the end.
    ///
    /// # Errors
    ///
    /// As [`Self::decode`].
    fn decode_versioned(bytes: Bytes) -> Result<(i16, Self), DecodeError> {
        let mut reader = Reader::new(bytes);
        let version = i16::from_be_bytes(reader.fixed()?);
        let message = Self::decode(&mut reader, version.min(*Self::VERSIONS.end()))?;
        Ok((version, message))
    }

    /// Appends the message to `out`.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when `version` cannot express it. `out` then holds a part of it.
    fn encode(&self, out: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        let format = Self::format(version).ok_or(EncodeError::Version { message: Self::NAME, version })?;
        self.write(out, format)
    }

    /// The message as bytes of its own.
    ///
    /// # Errors
    ///
    /// As [`Self::encode`].
    fn to_bytes(&self, version: i16) -> Result<Bytes, EncodeError> {
        let mut out = BytesMut::new();
        self.encode(&mut out, version)?;
        Ok(out.freeze())
    }

    /// The version in two bytes, and the message. The counterpart of [`Self::decode_versioned`].
    ///
    /// # Errors
    ///
    /// As [`Self::encode`].
    fn to_versioned_bytes(&self, version: i16) -> Result<Bytes, EncodeError> {
        let mut out = BytesMut::new();
        out.put_i16(version);
        self.encode(&mut out, version)?;
        Ok(out.freeze())
    }
}

/// The body of a request.
pub trait Request: Message {
    /// Which request.
    const API: ApiKey;
    /// The body that answers it, in the same version.
    type Response: Response;
}

/// The body of a response.
pub trait Response: Message {
    /// Which request it answers.
    const API: ApiKey;
}

/// A key or value in `__consumer_offsets` or `__transaction_state`.
pub trait CoordinatorRecord: Message {
    /// What the key's two leading bytes hold instead of a version.
    const RECORD_TYPE: i16;
}

/// Refuses to drop the content of a field that the version lacks.
pub(super) fn absent(is_default: bool, field: &'static str, format: Format) -> Result<(), EncodeError> {
    if is_default { Ok(()) } else { Err(EncodeError::Field { field, version: format.version }) }
}

/// Appends a field that may be null in some version; `nullable` tells about this one.
pub(super) fn write_nullable<T: Wire>(
    value: Option<&T>,
    nullable: bool,
    field: &'static str,
    out: &mut BytesMut,
    format: Format,
) -> Result<(), EncodeError> {
    if nullable {
        return T::write_nullable(value, out, format);
    }
    value.ok_or(EncodeError::Null { field, version: format.version })?.write(out, format)
}

/// The same for a struct in a tagged field, which says in a varint whether it is there.
pub(super) fn write_tagged_nullable<T: Wire>(
    value: Option<&T>,
    nullable: bool,
    field: &'static str,
    out: &mut BytesMut,
    format: Format,
) -> Result<(), EncodeError> {
    if nullable {
        out.put_u8(u8::from(value.is_some()));
        return value.map_or(Ok(()), |value| value.write(out, format));
    }
    write_nullable(value, false, field, out, format)
}

/// The known tagged fields of one struct, gathered in ascending order.
#[derive(Default)]
pub(super) struct Tags(Vec<(u32, BytesMut)>);

impl Tags {
    /// Adds a field if it is `set`, that is, not its default.
    pub(super) fn add(
        &mut self,
        set: bool,
        tag: u32,
        write: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        if set {
            let mut content = BytesMut::new();
            write(&mut content)?;
            self.0.push((tag, content));
        }
        Ok(())
    }

    /// Appends the fields together with the unknown ones, in the order of their tags.
    pub(super) fn write(
        &self,
        unknown: &[TaggedField],
        out: &mut BytesMut,
        format: Format,
    ) -> Result<(), EncodeError> {
        if !format.flexible {
            return absent(unknown.is_empty(), "tagged fields", format);
        }
        put_length(self.0.len() + unknown.len(), out)?;
        let mut known = self.0.iter().map(|(tag, content)| (*tag, content.as_ref())).peekable();
        let mut unknown = unknown.iter().map(|(tag, content)| (*tag, content.as_ref())).peekable();
        let mut previous = None;
        loop {
            let next = match (known.peek(), unknown.peek()) {
                (Some((first, _)), Some((second, _))) if second < first => unknown.next(),
                (Some(_), _) => known.next(),
                (None, _) => unknown.next(),
            };
            let Some((tag, content)) = next else { return Ok(()) };
            if let Some(after) = previous.replace(tag).filter(|after| tag <= *after) {
                return Err(EncodeError::TagOrder { tag, after });
            }
            put_varint(tag, out);
            put_length(content.len(), out)?;
            out.put_slice(content);
        }
    }
}

fn put_varint(mut value: u32, out: &mut BytesMut) {
    while value > 0x7f {
        // The mask keeps seven bits, so the cast loses none.
        #[allow(clippy::cast_possible_truncation, reason = "masked to seven bits")]
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value.to_le_bytes()[0]);
}

/// A varint as it is, for counts and sizes of tagged fields.
fn put_length(length: usize, out: &mut BytesMut) -> Result<(), EncodeError> {
    let value = i32::try_from(length).map_err(|_over| too_long(length, i32::MAX as usize))?;
    put_varint(value.unsigned_abs(), out);
    Ok(())
}

/// The length field of a string, bytes or array; `None` is null.
fn write_length(
    length: Option<usize>,
    width: Width,
    out: &mut BytesMut,
    format: Format,
) -> Result<(), EncodeError> {
    // One below `i32::MAX`, since flexible versions send the length plus one.
    let max = match width {
        Width::Two => STRING_BYTES_MAX,
        Width::Four => i32::MAX as usize - 1,
    };
    if let Some(length) = length.filter(|length| *length > max) {
        return Err(too_long(length, max));
    }
    if format.flexible {
        return put_length(length.map_or(0, |length| length + 1), out);
    }
    let number = length.map_or(Ok(-1), i32::try_from).map_err(|_over| too_long(max + 1, max))?;
    match width {
        Width::Two => out.put_i16(i16::try_from(number).map_err(|_over| too_long(max + 1, max))?),
        Width::Four => out.put_i32(number),
    }
    Ok(())
}

fn too_long(length: usize, max: usize) -> EncodeError {
    EncodeError::TooLong { length, max }
}

/// Numbers: big-endian, the same in every version.
macro_rules! number {
    ($($type:ty),*) => {$(
        impl Wire for $type {
            const BYTES_MIN: usize = size_of::<$type>();

            fn read(reader: &mut Reader, _format: Format) -> Result<Self, DecodeError> {
                reader.fixed().map(Self::from_be_bytes)
            }

            fn write(&self, out: &mut BytesMut, _format: Format) -> Result<(), EncodeError> {
                out.put_slice(&self.to_be_bytes());
                Ok(())
            }
        }
    )*};
}

number!(i8, i16, u16, i32, i64, f64);

impl Wire for bool {
    const BYTES_MIN: usize = 1;

    fn read(reader: &mut Reader, _format: Format) -> Result<Self, DecodeError> {
        // Any byte but zero is true, as in Kafka.
        reader.fixed().map(|[byte]: [u8; 1]| byte != 0)
    }

    fn write(&self, out: &mut BytesMut, _format: Format) -> Result<(), EncodeError> {
        out.put_u8(u8::from(*self));
        Ok(())
    }
}

impl Wire for Uuid {
    const BYTES_MIN: usize = 16;

    fn read(reader: &mut Reader, _format: Format) -> Result<Self, DecodeError> {
        reader.fixed().map(Self)
    }

    fn write(&self, out: &mut BytesMut, _format: Format) -> Result<(), EncodeError> {
        out.put_slice(&self.0);
        Ok(())
    }
}

impl Wire for Str {
    const BYTES_MIN: usize = 1;

    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError> {
        Self::read_nullable(reader, format)?.ok_or_else(|| DecodeError::Null { at: reader.position() })
    }

    fn write(&self, out: &mut BytesMut, format: Format) -> Result<(), EncodeError> {
        Self::write_nullable(Some(self), out, format)
    }

    fn read_nullable(reader: &mut Reader, format: Format) -> Result<Option<Self>, DecodeError> {
        let length = reader.length(format, Width::Two, 1)?;
        length.map(|length| reader.text(length)).transpose()
    }

    fn write_nullable(value: Option<&Self>, out: &mut BytesMut, format: Format) -> Result<(), EncodeError> {
        write_length(value.map(|text| text.as_bytes().len()), Width::Two, out, format)?;
        out.put_slice(value.map_or(&[], |text| text.as_bytes()));
        Ok(())
    }
}

impl Wire for Bytes {
    const BYTES_MIN: usize = 1;

    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError> {
        Self::read_nullable(reader, format)?.ok_or_else(|| DecodeError::Null { at: reader.position() })
    }

    fn write(&self, out: &mut BytesMut, format: Format) -> Result<(), EncodeError> {
        Self::write_nullable(Some(self), out, format)
    }

    fn read_nullable(reader: &mut Reader, format: Format) -> Result<Option<Self>, DecodeError> {
        let length = reader.length(format, Width::Four, 1)?;
        length.map(|length| reader.slice(length)).transpose()
    }

    fn write_nullable(value: Option<&Self>, out: &mut BytesMut, format: Format) -> Result<(), EncodeError> {
        write_length(value.map(Self::len), Width::Four, out, format)?;
        out.put_slice(value.map_or(&[], |bytes| bytes));
        Ok(())
    }
}

impl<T: Wire> Wire for Vec<T> {
    const BYTES_MIN: usize = 1;

    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError> {
        Self::read_nullable(reader, format)?.ok_or_else(|| DecodeError::Null { at: reader.position() })
    }

    fn write(&self, out: &mut BytesMut, format: Format) -> Result<(), EncodeError> {
        Self::write_nullable(Some(self), out, format)
    }

    fn read_nullable(reader: &mut Reader, format: Format) -> Result<Option<Self>, DecodeError> {
        let Some(length) = reader.length(format, Width::Four, T::BYTES_MIN)? else { return Ok(None) };
        reader.charge(length, size_of::<T>())?;
        // At first no more memory than the frame has bytes left; elements that do arrive may need
        // more, and then the vector grows with them.
        let mut elements = Self::with_capacity(length.min(reader.remaining() / size_of::<T>().max(1)));
        for _ in 0..length {
            elements.push(T::read(reader, format)?);
        }
        Ok(Some(elements))
    }

    fn write_nullable(value: Option<&Self>, out: &mut BytesMut, format: Format) -> Result<(), EncodeError> {
        write_length(value.map(Self::len), Width::Four, out, format)?;
        value.into_iter().flatten().try_for_each(|element| element.write(out, format))
    }
}
