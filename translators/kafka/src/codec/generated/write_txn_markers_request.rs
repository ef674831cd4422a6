//! `WriteTxnMarkersRequest`, versions 1-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::WriteTxnMarkersResponse;
use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `WriteTxnMarkersRequest`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WriteTxnMarkersRequest {
    /// `Markers`: `[]WritableTxnMarker`, versions 1-2.
    pub markers: Vec<WritableTxnMarker>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for WriteTxnMarkersRequest {
    const BYTES_MIN: usize = 2;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { markers: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.markers.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for WriteTxnMarkersRequest {
    const NAME: &'static str = "WriteTxnMarkersRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 1..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(1);
}

impl Request for WriteTxnMarkersRequest {
    const API: ApiKey = ApiKey::WriteTxnMarkers;
    type Response = WriteTxnMarkersResponse;
}

/// Struct `WritableTxnMarkerTopic`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WritableTxnMarkerTopic {
    /// `Name`: `string`, versions 1-2.
    pub name: Str,
    /// `PartitionIndexes`: `[]int32`, versions 1-2.
    pub partition_indexes: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for WritableTxnMarkerTopic {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            partition_indexes: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.partition_indexes.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `WritableTxnMarker`, versions 1-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WritableTxnMarker {
    /// `ProducerId`: `int64`, versions 1-2.
    pub producer_id: i64,
    /// `ProducerEpoch`: `int16`, versions 1-2.
    pub producer_epoch: i16,
    /// `TransactionResult`: `bool`, versions 1-2.
    pub transaction_result: bool,
    /// `Topics`: `[]WritableTxnMarkerTopic`, versions 1-2.
    pub topics: Vec<WritableTxnMarkerTopic>,
    /// `CoordinatorEpoch`: `int32`, versions 1-2.
    pub coordinator_epoch: i32,
    /// `TransactionVersion`: `int8`, versions 2, ignorable.
    pub transaction_version: i8,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for WritableTxnMarker {
    const BYTES_MIN: usize = 17;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            producer_id: r.get(f)?,
            producer_epoch: r.get(f)?,
            transaction_result: r.get(f)?,
            topics: r.get(f)?,
            coordinator_epoch: r.get(f)?,
            transaction_version: if f.version >= 2 { r.get(f)? } else { 0 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.producer_id.write(out, f)?;
        self.producer_epoch.write(out, f)?;
        self.transaction_result.write(out, f)?;
        self.topics.write(out, f)?;
        self.coordinator_epoch.write(out, f)?;
        if f.version >= 2 {
            self.transaction_version.write(out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
