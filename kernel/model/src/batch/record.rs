//! The records inside a batch, read without copying.
//!
//! ```text
//! record   varint length | i8 attributes | varlong timestamp delta | varint offset delta
//!          | varint key length (−1: null) key | varint value length (−1: null) value
//!          | varint header count | headers
//! header   varint key length key | varint value length (−1: null) value
//! ```
//!
//! Variable-length numbers are zigzag encoded, seven bits a byte, least significant first.

/// Why bytes are not records. The sender's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A record or field reaches past the end of what holds it.
    #[error("record is cut short")]
    Truncated,
    /// A variable-length number of too many bytes.
    #[error("variable-length number is too long")]
    Varint,
    /// A negative length or count that does not mean null, or one beyond what the record can hold.
    #[error("impossible length {0}")]
    Length(i64),
    /// A record's fields end before its declared length, or bytes follow the last record.
    #[error("bytes are left over")]
    Trailing,
}

/// One record, borrowed from its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Milliseconds after the batch's base timestamp.
    pub timestamp_delta: i64,
    /// Offset after the batch's base offset.
    pub offset_delta: i32,
    /// Key, if any.
    pub key: Option<&'a [u8]>,
    /// Value, if any.
    pub value: Option<&'a [u8]>,
    /// Its headers as they lie there, already checked.
    headers: &'a [u8],
    header_count: usize,
}

impl<'a> Record<'a> {
    /// Its headers in order, duplicates included; keys are not necessarily text.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut input = Input(self.headers);
        // Checked as the record was read: what cannot be read again ends the list.
        (0..self.header_count).map_while(move |_| input.header().ok())
    }

    /// Its headers as they are stored, without their count.
    pub(super) fn stored_headers(&self) -> &'a [u8] {
        self.headers
    }

    /// How many headers it has.
    #[must_use]
    pub fn header_count(&self) -> usize {
        self.header_count
    }
}

/// Reads the records of a batch, inflated, in order. After the last one anything left over is an error.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    input: Input<'a>,
    left: u32,
    failed: bool,
}

impl<'a> Records<'a> {
    /// The `count` records that `inflated` should hold.
    #[must_use]
    pub fn new(inflated: &'a [u8], count: u32) -> Self {
        Self { input: Input(inflated), left: count, failed: false }
    }

    fn read(&mut self) -> Result<Record<'a>, RecordError> {
        let length = self.input.varint()?;
        let size = usize::try_from(length).map_err(|_| RecordError::Length(length.into()))?;
        let mut body = Input(self.input.take(size)?);
        let record = body.record()?;
        if body.0.is_empty() { Ok(record) } else { Err(RecordError::Trailing) }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.left == 0 {
            self.failed = true;
            return (!self.input.0.is_empty()).then_some(Err(RecordError::Trailing));
        }
        self.left -= 1;
        let record = self.read();
        self.failed = record.is_err();
        Some(record)
    }
}

/// What is left to read.
#[derive(Debug, Clone, Copy)]
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn record(&mut self) -> Result<Record<'a>, RecordError> {
        let _attributes = self.take(1)?;
        let timestamp_delta = self.varlong()?;
        let offset_delta = self.varint()?;
        let key = self.nullable()?;
        let value = self.nullable()?;
        let count = self.varint()?;
        // A header takes two bytes at least, so the count is bounded by what is there.
        let header_count = usize::try_from(count)
            .ok()
            .filter(|count| *count <= self.0.len() / 2)
            .ok_or(RecordError::Length(count.into()))?;
        let headers = self.0;
        for _ in 0..header_count {
            self.header()?;
        }
        Ok(Record { timestamp_delta, offset_delta, key, value, headers, header_count })
    }

    fn header(&mut self) -> Result<(&'a [u8], Option<&'a [u8]>), RecordError> {
        let key = self.nullable()?.ok_or(RecordError::Length(-1))?;
        Ok((key, self.nullable()?))
    }

    fn nullable(&mut self) -> Result<Option<&'a [u8]>, RecordError> {
        let length = self.varint()?;
        if length == -1 {
            return Ok(None);
        }
        let size = usize::try_from(length).map_err(|_| RecordError::Length(length.into()))?;
        self.take(size).map(Some)
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], RecordError> {
        let (front, rest) = self.0.split_at_checked(size).ok_or(RecordError::Truncated)?;
        self.0 = rest;
        Ok(front)
    }

    fn varint(&mut self) -> Result<i32, RecordError> {
        let raw = self.unsigned(5)?;
        let raw = u32::try_from(raw).map_err(|_| RecordError::Varint)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    fn varlong(&mut self) -> Result<i64, RecordError> {
        let raw = self.unsigned(10)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    fn unsigned(&mut self, bytes_max: u32) -> Result<u64, RecordError> {
        let mut value = 0_u64;
        for place in 0..bytes_max {
            let (byte, rest) = self.0.split_first().ok_or(RecordError::Truncated)?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if place == 9 && bits > 1 {
                return Err(RecordError::Varint);
            }
            value |= bits << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RecordError::Varint)
    }
}
