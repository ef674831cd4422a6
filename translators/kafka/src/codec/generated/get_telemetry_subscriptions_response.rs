//! `GetTelemetrySubscriptionsResponse`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Uuid, Wire,
};

/// Message `GetTelemetrySubscriptionsResponse`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GetTelemetrySubscriptionsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
    /// `ClientInstanceId`: `uuid`, versions 0.
    pub client_instance_id: Uuid,
    /// `SubscriptionId`: `int32`, versions 0.
    pub subscription_id: i32,
    /// `AcceptedCompressionTypes`: `[]int8`, versions 0.
    pub accepted_compression_types: Vec<i8>,
    /// `PushIntervalMs`: `int32`, versions 0.
    pub push_interval_ms: i32,
    /// `TelemetryMaxBytes`: `int32`, versions 0.
    pub telemetry_max_bytes: i32,
    /// `DeltaTemporality`: `bool`, versions 0.
    pub delta_temporality: bool,
    /// `RequestedMetrics`: `[]string`, versions 0.
    pub requested_metrics: Vec<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for GetTelemetrySubscriptionsResponse {
    const BYTES_MIN: usize = 38;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            client_instance_id: r.get(f)?,
            subscription_id: r.get(f)?,
            accepted_compression_types: r.get(f)?,
            push_interval_ms: r.get(f)?,
            telemetry_max_bytes: r.get(f)?,
            delta_temporality: r.get(f)?,
            requested_metrics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        self.client_instance_id.write(out, f)?;
        self.subscription_id.write(out, f)?;
        self.accepted_compression_types.write(out, f)?;
        self.push_interval_ms.write(out, f)?;
        self.telemetry_max_bytes.write(out, f)?;
        self.delta_temporality.write(out, f)?;
        self.requested_metrics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for GetTelemetrySubscriptionsResponse {
    const NAME: &'static str = "GetTelemetrySubscriptionsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for GetTelemetrySubscriptionsResponse {
    const API: ApiKey = ApiKey::GetTelemetrySubscriptions;
}
