//! `CreateTopicsResponse`, versions 2-7. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `CreateTopicsResponse`, versions 2-7.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateTopicsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 2-7, ignorable.
    pub throttle_time_ms: i32,
    /// `Topics`: `[]CreatableTopicResult`, versions 2-7.
    pub topics: Vec<CreatableTopicResult>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for CreateTopicsResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for CreateTopicsResponse {
    const NAME: &'static str = "CreateTopicsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 2..=7;
    const FLEXIBLE_FROM: Option<i16> = Some(5);
}

impl Response for CreateTopicsResponse {
    const API: ApiKey = ApiKey::CreateTopics;
}

/// Struct `CreatableTopicConfigs`, versions 5-7.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatableTopicConfigs {
    /// `Name`: `string`, versions 5-7.
    pub name: Str,
    /// `Value`: `string`, versions 5-7, nullable.
    pub value: Option<Str>,
    /// `ReadOnly`: `bool`, versions 5-7.
    pub read_only: bool,
    /// `ConfigSource`: `int8`, versions 5-7, ignorable, default `-1`.
    pub config_source: i8,
    /// `IsSensitive`: `bool`, versions 5-7.
    pub is_sensitive: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for CreatableTopicConfigs {
    fn default() -> Self {
        Self {
            name: Str::default(),
            value: Some(Str::default()),
            read_only: false,
            config_source: -1,
            is_sensitive: false,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for CreatableTopicConfigs {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            value: r.get_nullable(f, true)?,
            read_only: r.get(f)?,
            config_source: r.get(f)?,
            is_sensitive: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        write_nullable(self.value.as_ref(), true, "Value", out, f)?;
        self.read_only.write(out, f)?;
        self.config_source.write(out, f)?;
        self.is_sensitive.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `CreatableTopicResult`, versions 2-7.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatableTopicResult {
    /// `Name`: `string`, versions 2-7.
    pub name: Str,
    /// `TopicId`: `uuid`, versions 7, ignorable.
    pub topic_id: Uuid,
    /// `ErrorCode`: `int16`, versions 2-7.
    pub error_code: i16,
    /// `ErrorMessage`: `string`, versions 2-7, nullable, ignorable.
    pub error_message: Option<Str>,
    /// `TopicConfigErrorCode`: `int16`, versions 5-7, tag 0, ignorable.
    pub topic_config_error_code: i16,
    /// `NumPartitions`: `int32`, versions 5-7, ignorable, default `-1`.
    pub num_partitions: i32,
    /// `ReplicationFactor`: `int16`, versions 5-7, ignorable, default `-1`.
    pub replication_factor: i16,
    /// `Configs`: `[]CreatableTopicConfigs`, versions 5-7, nullable, ignorable.
    pub configs: Option<Vec<CreatableTopicConfigs>>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for CreatableTopicResult {
    fn default() -> Self {
        Self {
            name: Str::default(),
            topic_id: Uuid::ZERO,
            error_code: 0,
            error_message: Some(Str::default()),
            topic_config_error_code: 0,
            num_partitions: -1,
            replication_factor: -1,
            configs: Some(Vec::new()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for CreatableTopicResult {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            name: r.get(f)?,
            topic_id: if f.version >= 7 { r.get(f)? } else { Uuid::ZERO },
            error_code: r.get(f)?,
            error_message: r.get_nullable(f, true)?,
            num_partitions: if f.version >= 5 { r.get(f)? } else { -1 },
            replication_factor: if f.version >= 5 { r.get(f)? } else { -1 },
            configs: if f.version >= 5 { r.get_nullable(f, true)? } else { Some(Vec::new()) },
            topic_config_error_code: 0,
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 => it.topic_config_error_code = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        if f.version >= 7 {
            self.topic_id.write(out, f)?;
        }
        self.error_code.write(out, f)?;
        write_nullable(self.error_message.as_ref(), true, "ErrorMessage", out, f)?;
        if f.version >= 5 {
            self.num_partitions.write(out, f)?;
        }
        if f.version >= 5 {
            self.replication_factor.write(out, f)?;
        }
        if f.version >= 5 {
            write_nullable(self.configs.as_ref(), true, "Configs", out, f)?;
        }
        let mut tags = Tags::default();
        if f.version >= 5 {
            tags.add(self.topic_config_error_code != 0, 0, |out| self.topic_config_error_code.write(out, f))?;
        }
        tags.write(&self.unknown_tagged, out, f)
    }
}
