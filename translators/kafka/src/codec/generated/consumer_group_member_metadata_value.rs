//! `ConsumerGroupMemberMetadataValue`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::wire::{Tags, write_nullable, write_tagged_nullable};
use crate::codec::{
    CoordinatorRecord, DecodeError, EncodeError, Format, Message, Reader, Str, TaggedField, Wire,
};

/// Message `ConsumerGroupMemberMetadataValue`, versions 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerGroupMemberMetadataValue {
    /// `InstanceId`: `string`, versions 0, nullable.
    pub instance_id: Option<Str>,
    /// `RackId`: `string`, versions 0, nullable.
    pub rack_id: Option<Str>,
    /// `ClientId`: `string`, versions 0.
    pub client_id: Str,
    /// `ClientHost`: `string`, versions 0.
    pub client_host: Str,
    /// `SubscribedTopicNames`: `[]string`, versions 0.
    pub subscribed_topic_names: Vec<Str>,
    /// `SubscribedTopicRegex`: `string`, versions 0, nullable.
    pub subscribed_topic_regex: Option<Str>,
    /// `RebalanceTimeoutMs`: `int32`, versions 0, default `-1`.
    pub rebalance_timeout_ms: i32,
    /// `ServerAssignor`: `string`, versions 0, nullable.
    pub server_assignor: Option<Str>,
    /// `ClassicMemberMetadata`: `ClassicMemberMetadata`, versions 0, tag 0, nullable.
    pub classic_member_metadata: Option<ClassicMemberMetadata>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ConsumerGroupMemberMetadataValue {
    fn default() -> Self {
        Self {
            instance_id: Some(Str::default()),
            rack_id: Some(Str::default()),
            client_id: Str::default(),
            client_host: Str::default(),
            subscribed_topic_names: Vec::new(),
            subscribed_topic_regex: Some(Str::default()),
            rebalance_timeout_ms: -1,
            server_assignor: Some(Str::default()),
            classic_member_metadata: Some(ClassicMemberMetadata::default()),
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ConsumerGroupMemberMetadataValue {
    const BYTES_MIN: usize = 12;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            instance_id: r.get_nullable(f, true)?,
            rack_id: r.get_nullable(f, true)?,
            client_id: r.get(f)?,
            client_host: r.get(f)?,
            subscribed_topic_names: r.get(f)?,
            subscribed_topic_regex: r.get_nullable(f, true)?,
            rebalance_timeout_ms: r.get(f)?,
            server_assignor: r.get_nullable(f, true)?,
            classic_member_metadata: Some(ClassicMemberMetadata::default()),
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 => it.classic_member_metadata = r.get_tagged_nullable(f, true)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        write_nullable(self.instance_id.as_ref(), true, "InstanceId", out, f)?;
        write_nullable(self.rack_id.as_ref(), true, "RackId", out, f)?;
        self.client_id.write(out, f)?;
        self.client_host.write(out, f)?;
        self.subscribed_topic_names.write(out, f)?;
        write_nullable(self.subscribed_topic_regex.as_ref(), true, "SubscribedTopicRegex", out, f)?;
        self.rebalance_timeout_ms.write(out, f)?;
        write_nullable(self.server_assignor.as_ref(), true, "ServerAssignor", out, f)?;
        let mut tags = Tags::default();
        tags.add(self.classic_member_metadata != Some(ClassicMemberMetadata::default()), 0, |out| {
            write_tagged_nullable(
                self.classic_member_metadata.as_ref(),
                true,
                "ClassicMemberMetadata",
                out,
                f,
            )
        })?;
        tags.write(&self.unknown_tagged, out, f)
    }
}

impl Message for ConsumerGroupMemberMetadataValue {
    const NAME: &'static str = "ConsumerGroupMemberMetadataValue";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl CoordinatorRecord for ConsumerGroupMemberMetadataValue {
    const RECORD_TYPE: i16 = 5;
}

/// Struct `ClassicProtocol`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClassicProtocol {
    /// `Name`: `string`, versions 0.
    pub name: Str,
    /// `Metadata`: `bytes`, versions 0.
    pub metadata: Bytes,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ClassicProtocol {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { name: r.get(f)?, metadata: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.metadata.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `ClassicMemberMetadata`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClassicMemberMetadata {
    /// `SessionTimeoutMs`: `int32`, versions 0.
    pub session_timeout_ms: i32,
    /// `SupportedProtocols`: `[]ClassicProtocol`, versions 0.
    pub supported_protocols: Vec<ClassicProtocol>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ClassicMemberMetadata {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            session_timeout_ms: r.get(f)?,
            supported_protocols: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.session_timeout_ms.write(out, f)?;
        self.supported_protocols.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
