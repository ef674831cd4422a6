//! A cursor over one frame. Every read is checked against the bytes that remain.

use bytes::Bytes;

#[cfg(test)]
use super::tests::sample::Sampler;
use super::wire::{Format, TaggedField, Wire};
use super::{DecodeError, Str};

/// Reads a frame from front to back. Strings and bytes are slices of the frame, not copies.
#[derive(Debug, Clone)]
pub struct Reader {
    frame: Bytes,
    at: usize,
    /// Where reading stops: the end of the frame, or of the tagged field being read.
    end: usize,
    /// Memory that arrays and tagged fields may still take.
    budget: usize,
    /// Makes values up instead of reading them.
    #[cfg(test)]
    pub(super) sampler: Option<Sampler>,
}

/// Kafka refuses longer strings even where the length field could say more.
pub(super) const STRING_BYTES_MAX: usize = 0x7fff;

/// Array elements may take this many bytes of memory for each byte of the frame, and a mebibyte more.
/// An element of two empty strings takes 36 times its bytes, so this keeps the memory of a frame
/// nearer to its size; messages of real clients, whose strings are not empty, stay below 10.
const MEMORY_PER_FRAME_BYTE: usize = 16;
const MEMORY_BYTES_FLOOR: usize = 1 << 20;

impl Reader {
    /// Starts at the front of `frame`, which holds a message without its size prefix. The elements
    /// of the message's arrays may take 16 times the memory of the frame, and one mebibyte more.
    #[must_use]
    pub fn new(frame: Bytes) -> Self {
        let budget = Self::memory_of(&frame);
        Self::with_memory(frame, budget)
    }

    /// What the elements of this frame's arrays may take.
    pub(super) fn memory_of(frame: &Bytes) -> usize {
        Self::elements_of(frame).saturating_add(MEMORY_BYTES_FLOOR)
    }

    /// What they take in earnest: a mebibyte less, for that is for short frames with many empty strings.
    pub(super) fn elements_of(frame: &Bytes) -> usize {
        frame.len().saturating_mul(MEMORY_PER_FRAME_BYTE)
    }

    /// As [`Self::new`], with a limit in bytes on the memory of array elements.
    #[must_use]
    pub fn with_memory(frame: Bytes, elements_bytes_max: usize) -> Self {
        let end = frame.len();
        Self {
            frame,
            at: 0,
            end,
            budget: elements_bytes_max,
            #[cfg(test)]
            sampler: None,
        }
    }

    /// Offset of the next byte from the start of the frame.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes left to read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    /// The bytes left to read, as a slice of the frame.
    #[must_use]
    pub fn into_rest(self) -> Bytes {
        self.frame.slice(self.at.min(self.end)..self.end)
    }

    /// Accepts the end of the frame only.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Trailing`] when bytes are left.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            remaining => Err(DecodeError::Trailing { at: self.at, remaining }),
        }
    }

    /// Reads a value of the type asked for.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the bytes do not hold one.
    pub fn get<T: Wire>(&mut self, format: Format) -> Result<T, DecodeError> {
        T::read(self, format)
    }

    /// Reads a value that may be null, if `nullable` says so of this version.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], above all [`DecodeError::Null`] for a null where none is allowed.
    pub fn get_nullable<T: Wire>(
        &mut self,
        format: Format,
        nullable: bool,
    ) -> Result<Option<T>, DecodeError> {
        #[cfg(test)]
        if nullable && self.sampler.as_mut().is_some_and(Sampler::flag) {
            return Ok(None);
        }
        if !nullable {
            // A value that cannot be null has the same layout, but for structs, which then lack
            // the leading byte.
            return T::read(self, format).map(Some);
        }
        T::read_nullable(self, format)
    }

    /// The same for a struct in a tagged field, which says in a varint whether it is there: 0 is null, 1 precedes it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], above all [`DecodeError::Presence`] for another number.
    pub fn get_tagged_nullable<T: Wire>(
        &mut self,
        format: Format,
        nullable: bool,
    ) -> Result<Option<T>, DecodeError> {
        #[cfg(test)]
        if self.sampler.is_some() {
            return self.get_nullable(format, nullable);
        }
        if nullable && !self.is_present_in_tag()? {
            return Ok(None);
        }
        T::read(self, format).map(Some)
    }

    /// Reads the tagged fields that end a struct of a flexible version (nothing in others).
    /// `known` reads the field of a tag it knows and answers whether it knew it; the others are
    /// returned as they came.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]: tags that do not ascend, sizes beyond the frame, fields that do not fill
    /// their size.
    pub fn tags(
        &mut self,
        format: Format,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<Vec<TaggedField>, DecodeError> {
        let mut unknown = Vec::new();
        if !format.flexible {
            return Ok(unknown);
        }
        #[cfg(test)]
        if self.sampler.is_some() {
            return self.sample_tags(known);
        }
        let mut previous = None;
        for _ in 0..self.varint()? {
            let (tag, end) = self.tag_head(previous)?;
            previous = Some(tag);
            let start = self.at;
            let outer = std::mem::replace(&mut self.end, end);
            if known(tag, self)? {
                self.finish()?;
            } else {
                self.charge(1, size_of::<TaggedField>())?;
                unknown.push((tag, self.frame.slice(start..end)));
                self.at = end;
            }
            self.end = outer;
        }
        Ok(unknown)
    }

    /// The next tag and the offset at which its field ends.
    fn tag_head(&mut self, previous: Option<u32>) -> Result<(u32, usize), DecodeError> {
        let tag = self.varint()?;
        if let Some(after) = previous.filter(|after| tag <= *after) {
            return Err(DecodeError::TagOrder { at: self.at, tag, after });
        }
        let size = self.varint()?;
        let fits = usize::try_from(size).ok().filter(|size| *size <= self.remaining());
        let size = fits.ok_or_else(|| self.length_error(size.into()))?;
        Ok((tag, self.at + size))
    }

    /// A number of fixed width.
    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        #[cfg(test)]
        if let Some(sampler) = &mut self.sampler {
            return Ok(sampler.fixed());
        }
        let remaining = self.remaining();
        let rest = self.frame.get(self.at..self.end).unwrap_or_default();
        let bytes = rest.first_chunk::<N>();
        let bytes = *bytes.ok_or(DecodeError::Truncated { at: self.at, needed: N, remaining })?;
        self.at += N;
        Ok(bytes)
    }

    /// The next `length` bytes as a slice of the frame.
    pub(super) fn slice(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        #[cfg(test)]
        if let Some(sampler) = &mut self.sampler {
            return Ok(sampler.bytes(length));
        }
        let remaining = self.remaining();
        if length > remaining {
            return Err(DecodeError::Truncated { at: self.at, needed: length, remaining });
        }
        let slice = self.frame.slice(self.at..self.at + length);
        self.at += length;
        Ok(slice)
    }

    /// The next `length` bytes as text.
    pub(super) fn text(&mut self, length: usize) -> Result<Str, DecodeError> {
        #[cfg(test)]
        if let Some(sampler) = &mut self.sampler {
            return Ok(sampler.text(length));
        }
        let at = self.at;
        Str::try_from(self.slice(length)?).map_err(|_invalid| DecodeError::Utf8 { at })
    }

    /// An unsigned variable-length number: seven bits a byte, least significant first. Takes
    /// padded forms of up to five bytes, as Kafka does.
    pub(super) fn varint(&mut self) -> Result<u32, DecodeError> {
        let at = self.at;
        let mut value = 0_u64;
        for place in 0..5 {
            let [byte] = self.fixed()?;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_too_large| DecodeError::Varint { at });
            }
        }
        Err(DecodeError::Varint { at })
    }

    /// A length: -1 for null, in as many bytes as `Width` says, or a varint one too high in
    /// flexible versions. `each_bytes_min` bytes must remain for each unit of it.
    pub(super) fn length(
        &mut self,
        format: Format,
        width: Width,
        each_bytes_min: usize,
    ) -> Result<Option<usize>, DecodeError> {
        #[cfg(test)]
        if let Some(sampler) = &mut self.sampler {
            return Ok(Some(sampler.length()));
        }
        let claimed = match width {
            _ if format.flexible => i64::from(self.varint()?) - 1,
            Width::Two => i64::from(i16::from_be_bytes(self.fixed()?)),
            Width::Four => i64::from(i32::from_be_bytes(self.fixed()?)),
        };
        if claimed == -1 {
            return Ok(None);
        }
        let most = match width {
            Width::Two => self.remaining().min(STRING_BYTES_MAX),
            Width::Four => self.remaining() / each_bytes_min.max(1),
        };
        let length = usize::try_from(claimed).ok().filter(|length| *length <= most);
        length.map(Some).ok_or_else(|| self.length_error(claimed))
    }

    /// The leading byte of a struct that may be null.
    pub(super) fn is_present(&mut self) -> Result<bool, DecodeError> {
        #[cfg(test)]
        if self.sampler.is_some() {
            return Ok(true);
        }
        match i8::from_be_bytes(self.fixed()?) {
            -1 => Ok(false),
            1 => Ok(true),
            found => Err(DecodeError::Presence { at: self.at, found }),
        }
    }

    /// The leading varint of a struct in a tagged field that may be null.
    fn is_present_in_tag(&mut self) -> Result<bool, DecodeError> {
        match self.varint()? {
            0 => Ok(false),
            1 => Ok(true),
            found => {
                let found = i8::try_from(found).unwrap_or(i8::MAX);
                Err(DecodeError::Presence { at: self.at, found })
            }
        }
    }

    /// Takes the memory of so many elements out of the budget.
    pub(super) fn charge(&mut self, elements: usize, each_bytes: usize) -> Result<(), DecodeError> {
        #[cfg(test)]
        if self.sampler.is_some() {
            return Ok(());
        }
        let left = elements.checked_mul(each_bytes).and_then(|bytes| self.budget.checked_sub(bytes));
        self.budget = left.ok_or(DecodeError::Memory { at: self.at, elements })?;
        Ok(())
    }

    fn length_error(&self, claimed: i64) -> DecodeError {
        DecodeError::Length { at: self.at, claimed, remaining: self.remaining() }
    }
}

/// Bytes of a length field in versions that are not flexible.
#[derive(Debug, Clone, Copy)]
pub(super) enum Width {
    /// Strings.
    Two,
    /// Bytes, records and arrays.
    Four,
}
