//! `PushTelemetryRequest`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::{Bytes, BytesMut};

use crate::codec::messages::PushTelemetryResponse;
use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, TaggedField, Uuid, Wire,
};

/// Message `PushTelemetryRequest`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PushTelemetryRequest {
    /// `ClientInstanceId`: `uuid`, versions 0.
    pub client_instance_id: Uuid,
    /// `SubscriptionId`: `int32`, versions 0.
    pub subscription_id: i32,
    /// `Terminating`: `bool`, versions 0.
    pub terminating: bool,
    /// `CompressionType`: `int8`, versions 0.
    pub compression_type: i8,
    /// `Metrics`: `bytes`, versions 0.
    pub metrics: Bytes,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for PushTelemetryRequest {
    const BYTES_MIN: usize = 24;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            client_instance_id: r.get(f)?,
            subscription_id: r.get(f)?,
            terminating: r.get(f)?,
            compression_type: r.get(f)?,
            metrics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.client_instance_id.write(out, f)?;
        self.subscription_id.write(out, f)?;
        self.terminating.write(out, f)?;
        self.compression_type.write(out, f)?;
        self.metrics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for PushTelemetryRequest {
    const NAME: &'static str = "PushTelemetryRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for PushTelemetryRequest {
    const API: ApiKey = ApiKey::PushTelemetry;
    type Response = PushTelemetryResponse;
}
