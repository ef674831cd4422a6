//! `DeleteTopicsRequest`, versions 1-6. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::DeleteTopicsResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `DeleteTopicsRequest`, versions 1-6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteTopicsRequest {
    /// `Topics`: `[]DeleteTopicState`, versions 6.
    pub topics: Vec<DeleteTopicState>,
    /// `TopicNames`: `[]string`, versions 1-5, ignorable.
    pub topic_names: Vec<Str>,
    /// `TimeoutMs`: `int32`, versions 1-6.
    pub timeout_ms: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DeleteTopicsRequest {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topics: if f.version >= 6 { r.get(f)? } else { Vec::new() },
            topic_names: if f.version <= 5 { r.get(f)? } else { Vec::new() },
            timeout_ms: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 6 {
            self.topics.write(out, f)?;
        } else {
            absent(self.topics.is_empty(), "Topics", f)?;
        }
        if f.version <= 5 {
            self.topic_names.write(out, f)?;
        }
        self.timeout_ms.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DeleteTopicsRequest {
    const NAME: &'static str = "DeleteTopicsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=6;
    const FLEXIBLE_FROM: Option<i16> = Some(4);
}

impl Request for DeleteTopicsRequest {
    const API: ApiKey = ApiKey::DeleteTopics;
    type Response = DeleteTopicsResponse;
}

/// Struct `DeleteTopicState`, versions 6.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeleteTopicState {
    /// `Name`: `string`, versions 6, nullable.
    pub name: Option<Str>,
    /// `TopicId`: `uuid`, versions 6.
    pub topic_id: Uuid,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DeleteTopicState {
    const BYTES_MIN: usize = 18;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get_nullable(f, true)?,
            topic_id: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.name.as_ref(), true, "Name", out, f)?;
        self.topic_id.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
