//! `DeleteTopicsResponse`, versions 1-6. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `DeleteTopicsResponse`, versions 1-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteTopicsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 1-6, ignorable.
    pub throttle_time_ms: i32,
    /// `Responses`: `[]DeletableTopicResult`, versions 1-6.
    pub responses: Vec<DeletableTopicResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DeleteTopicsResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            responses: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.responses.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DeleteTopicsResponse {
    const NAME: &'static str = "DeleteTopicsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=6;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl Response for DeleteTopicsResponse {
    const API: ApiKey = ApiKey::DeleteTopics;
}

/// Struct `DeletableTopicResult`, versions 1-6.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletableTopicResult {
    /// `Name`: `string`, versions 1-6, nullable in versions 6.
    pub name: Option<Str>,
    /// `TopicId`: `uuid`, versions 6, ignorable.
    pub topic_id: Uuid,
    /// `ErrorCode`: `int16`, versions 1-6.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 5-6, nullable, ignorable.
    pub error_message: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for DeletableTopicResult {
    fn default() -> Self {
        Self {
            name: Some(Str::default()),
            topic_id: Uuid::ZERO,
            error_code: 0,
            error_message: None,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for DeletableTopicResult {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get_nullable(f, f.version >= 6)?,
            topic_id: if f.version >= 6 { r.get(f)? } else { Uuid::ZERO },
            error_code: r.get(f)?,
            error_message: if f.version >= 5 { r.get_nullable(f, true)? } else { None },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.name.as_ref(), f.version >= 6, "Name", out, f)?;
        if f.version >= 6 {
            self.topic_id.write(out, f)?;
        }
        self.error_code.write(out, f)?;
        if f.version >= 5 {
            write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
