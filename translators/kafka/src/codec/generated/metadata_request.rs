//! `MetadataRequest`, versions 0-13. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::MetadataResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Uuid, Wire,
};

/// Message `MetadataRequest`, versions 0-13.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataRequest {
    /// `Topics`: `[]MetadataRequestTopic`, versions 0-13, nullable in versions 1-13.
    pub topics: Option<Vec<MetadataRequestTopic>>,
    /// `AllowAutoTopicCreation`: `bool`, versions 4-13, default `true`.
    pub allow_auto_topic_creation: bool,
    /// `IncludeClusterAuthorizedOperations`: `bool`, versions 8-10.
    pub include_cluster_authorized_operations: bool,
    /// `IncludeTopicAuthorizedOperations`: `bool`, versions 8-13.
    pub include_topic_authorized_operations: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for MetadataRequest {
    fn default() -> Self {
        Self {
            topics: Some(Vec::new()),
            allow_auto_topic_creation: true,
            include_cluster_authorized_operations: false,
            include_topic_authorized_operations: false,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for MetadataRequest {
    const BYTES_MIN: usize = 4;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topics: r.get_nullable(f, f.version >= 1)?,
            allow_auto_topic_creation: if f.version >= 4 { r.get(f)? } else { true },
            include_cluster_authorized_operations: if (8..=10).contains(&f.version) {
                r.get(f)?
            } else {
                false
            },
            include_topic_authorized_operations: if f.version >= 8 { r.get(f)? } else { false },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.topics.as_ref(), f.version >= 1, "Topics", out, f)?;
        if f.version >= 4 {
            self.allow_auto_topic_creation.write(out, f)?;
        } else {
            absent(self.allow_auto_topic_creation, "AllowAutoTopicCreation", f)?;
        }
        if (8..=10).contains(&f.version) {
            self.include_cluster_authorized_operations.write(out, f)?;
        } else {
            absent(!self.include_cluster_authorized_operations, "IncludeClusterAuthorizedOperations", f)?;
        }
        if f.version >= 8 {
            self.include_topic_authorized_operations.write(out, f)?;
        } else {
            absent(!self.include_topic_authorized_operations, "IncludeTopicAuthorizedOperations", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for MetadataRequest {
    const NAME: &'static str = "MetadataRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=13;
    const FLEXIBLE_FROM: Option<i16> = Some(9);
}

impl Request for MetadataRequest {
    const API: ApiKey = ApiKey::Metadata;
    type Response = MetadataResponse;
}

/// Struct `MetadataRequestTopic`, versions 0-13.
#[derive(Debug, Clone, PartialEq)]
pub struct MetadataRequestTopic {
    /// `TopicId`: `uuid`, versions 10-13, ignorable.
    pub topic_id: Uuid,
    /// `Name`: `string`, versions 0-13, nullable in versions 10-13.
    pub name: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for MetadataRequestTopic {
    fn default() -> Self {
        Self { topic_id: Uuid::ZERO, name: Some(Str::default()), unknown_tagged: Vec::new() }
    }
}

impl Wire for MetadataRequestTopic {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            topic_id: if f.version >= 10 { r.get(f)? } else { Uuid::ZERO },
            name: r.get_nullable(f, f.version >= 10)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 10 {
            self.topic_id.write(out, f)?;
        }
        write_nullable(self.name.as_ref(), f.version >= 10, "Name", out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
