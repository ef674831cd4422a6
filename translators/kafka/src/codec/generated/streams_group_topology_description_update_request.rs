//! `StreamsGroupTopologyDescriptionUpdateRequest`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::StreamsGroupTopologyDescriptionUpdateResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `StreamsGroupTopologyDescriptionUpdateRequest`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamsGroupTopologyDescriptionUpdateRequest {
    /// `GroupId`: `string`, versions 0.
    pub group_id: Str,
    /// `MemberId`: `string`, versions 0.
    pub member_id: Str,
    /// `TopologyEpoch`: `int32`, versions 0.
    pub topology_epoch: i32,
    /// `TopologyDescription`: `TopologyDescription`, versions 0.
    pub topology_description: TopologyDescription,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for StreamsGroupTopologyDescriptionUpdateRequest {
    const BYTES_MIN: usize = 10;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            group_id: r.get(f)?,
            member_id: r.get(f)?,
            topology_epoch: r.get(f)?,
            topology_description: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.group_id.write(out, f)?;
        self.member_id.write(out, f)?;
        self.topology_epoch.write(out, f)?;
        self.topology_description.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for StreamsGroupTopologyDescriptionUpdateRequest {
    const NAME: &'static str = "StreamsGroupTopologyDescriptionUpdateRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for StreamsGroupTopologyDescriptionUpdateRequest {
    const API: ApiKey = ApiKey::StreamsGroupTopologyDescriptionUpdate;
    type Response = StreamsGroupTopologyDescriptionUpdateResponse;
}

/// Struct `TopologyDescriptionNode`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopologyDescriptionNode {
    /// `Name`: `string`, versions 0.
    pub name: Str,
    /// `NodeType`: `int8`, versions 0.
    pub node_type: i8,
    /// `SourceTopics`: `[]string`, versions 0.
    pub source_topics: Vec<Str>,
    /// `SinkTopic`: `string`, versions 0, nullable.
    pub sink_topic: Option<Str>,
    /// `Stores`: `[]string`, versions 0.
    pub stores: Vec<Str>,
    /// `Successors`: `[]string`, versions 0.
    pub successors: Vec<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopologyDescriptionNode {
    const BYTES_MIN: usize = 7;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            node_type: r.get(f)?,
            source_topics: r.get(f)?,
            sink_topic: r.get_nullable(f, true)?,
            stores: r.get(f)?,
            successors: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.node_type.write(out, f)?;
        self.source_topics.write(out, f)?;
        write_nullable(self.sink_topic.as_ref(), true, "SinkTopic", out, f)?;
        self.stores.write(out, f)?;
        self.successors.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopologyDescriptionSubtopology`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopologyDescriptionSubtopology {
    /// `SubtopologyId`: `string`, versions 0.
    pub subtopology_id: Str,
    /// `Nodes`: `[]TopologyDescriptionNode`, versions 0.
    pub nodes: Vec<TopologyDescriptionNode>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopologyDescriptionSubtopology {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { subtopology_id: r.get(f)?, nodes: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.subtopology_id.write(out, f)?;
        self.nodes.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopologyDescriptionGlobalStore`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopologyDescriptionGlobalStore {
    /// `Source`: `TopologyDescriptionNode`, versions 0.
    pub source: TopologyDescriptionNode,
    /// `Processor`: `TopologyDescriptionNode`, versions 0.
    pub processor: TopologyDescriptionNode,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopologyDescriptionGlobalStore {
    const BYTES_MIN: usize = 15;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { source: r.get(f)?, processor: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.source.write(out, f)?;
        self.processor.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TopologyDescription`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopologyDescription {
    /// `Subtopologies`: `[]TopologyDescriptionSubtopology`, versions 0.
    pub subtopologies: Vec<TopologyDescriptionSubtopology>,
    /// `GlobalStores`: `[]TopologyDescriptionGlobalStore`, versions 0.
    pub global_stores: Vec<TopologyDescriptionGlobalStore>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopologyDescription {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            subtopologies: r.get(f)?,
            global_stores: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.subtopologies.write(out, f)?;
        self.global_stores.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
