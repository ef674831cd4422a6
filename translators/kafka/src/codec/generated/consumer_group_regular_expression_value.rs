//! `ConsumerGroupRegularExpressionValue`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, TaggedField, Wire,
};

/// Message `ConsumerGroupRegularExpressionValue`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConsumerGroupRegularExpressionValue {
    /// `Topics`: `[]string`, versions 0.
    pub topics: Vec<Str>,
    /// `Version`: `int64`, versions 0.
    pub version: i64,
    /// `Timestamp`: `int64`, versions 0.
    pub timestamp: i64,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ConsumerGroupRegularExpressionValue {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topics: r.get(f)?,
            version: r.get(f)?,
            timestamp: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topics.write(out, f)?;
        self.version.write(out, f)?;
        self.timestamp.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ConsumerGroupRegularExpressionValue {
    const NAME: &'static str = "ConsumerGroupRegularExpressionValue";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl CoordinatorRecord for ConsumerGroupRegularExpressionValue {
    const RECORD_TYPE: i16 = 16;
}
