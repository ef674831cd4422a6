//! `ApiVersionsResponse`, versions 0-5. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `ApiVersionsResponse`, versions 0-5.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiVersionsResponse {
    /// `ErrorCode`: `int16`, versions 0-5.
    pub error_code: i16,
    /// `ApiKeys`: `[]ApiVersion`, versions 0-5.
    pub api_keys: Vec<ApiVersion>,
    /// `ThrottleTimeMs`: `int32`, versions 1-5, ignorable.
    pub throttle_time_ms: i32,
    /// `SupportedFeatures`: `[]SupportedFeatureKey`, versions 3-5, tag 0, ignorable.
    pub supported_features: Vec<SupportedFeatureKey>,
    /// `FinalizedFeaturesEpoch`: `int64`, versions 3-5, tag 1, ignorable, default `-1`.
    pub finalized_features_epoch: i64,
    /// `FinalizedFeatures`: `[]FinalizedFeatureKey`, versions 3-5, tag 2, ignorable.
    pub finalized_features: Vec<FinalizedFeatureKey>,
    /// `ZkMigrationReady`: `bool`, versions 3-5, tag 3, ignorable.
    pub zk_migration_ready: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ApiVersionsResponse {
    fn default() -> Self {
        Self {
            error_code: 0,
            api_keys: Vec::new(),
            throttle_time_ms: 0,
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ApiVersionsResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        let mut it = Self {
            error_code: r.get(f)?,
            api_keys: r.get(f)?,
            throttle_time_ms: if f.version >= 1 { r.get(f)? } else { 0 },
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
            unknown_tagged: Vec::new(),
        };
        it.unknown_tagged = r.tags(f, |tag, r| {
            match tag {
                0 => it.supported_features = r.get(f)?,
                1 => it.finalized_features_epoch = r.get(f)?,
                2 => it.finalized_features = r.get(f)?,
                3 => it.zk_migration_ready = r.get(f)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(it)
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        self.api_keys.write(out, f)?;
        if f.version >= 1 {
            self.throttle_time_ms.write(out, f)?;
        }
        let mut tags = Tags::default();
        if f.version >= 3 {
            tags.add(!self.supported_features.is_empty(), 0, |out| self.supported_features.write(out, f))?;
        }
        if f.version >= 3 {
            tags.add(self.finalized_features_epoch != -1, 1, |out| {
                self.finalized_features_epoch.write(out, f)
            })?;
        }
        if f.version >= 3 {
            tags.add(!self.finalized_features.is_empty(), 2, |out| self.finalized_features.write(out, f))?;
        }
        if f.version >= 3 {
            tags.add(self.zk_migration_ready, 3, |out| self.zk_migration_ready.write(out, f))?;
        }
        tags.write(&self.unknown_tagged, out, f)
    }
}

impl Message for ApiVersionsResponse {
    const NAME: &'static str = "ApiVersionsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Response for ApiVersionsResponse {
    const API: ApiKey = ApiKey::ApiVersions;
}

/// Struct `ApiVersion`, versions 0-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ApiVersion {
    /// `ApiKey`: `int16`, versions 0-5.
    pub api_key: i16,
    /// `MinVersion`: `int16`, versions 0-5.
    pub min_version: i16,
    /// `MaxVersion`: `int16`, versions 0-5.
    pub max_version: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ApiVersion {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            api_key: r.get(f)?,
            min_version: r.get(f)?,
            max_version: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.api_key.write(out, f)?;
        self.min_version.write(out, f)?;
        self.max_version.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `SupportedFeatureKey`, versions 3-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SupportedFeatureKey {
    /// `Name`: `string`, versions 3-5.
    pub name: Str,
    /// `MinVersion`: `int16`, versions 3-5.
    pub min_version: i16,
    /// `MaxVersion`: `int16`, versions 3-5.
    pub max_version: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for SupportedFeatureKey {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            min_version: r.get(f)?,
            max_version: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.min_version.write(out, f)?;
        self.max_version.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `FinalizedFeatureKey`, versions 3-5.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FinalizedFeatureKey {
    /// `Name`: `string`, versions 3-5.
    pub name: Str,
    /// `MaxVersionLevel`: `int16`, versions 3-5.
    pub max_version_level: i16,
    /// `MinVersionLevel`: `int16`, versions 3-5.
    pub min_version_level: i16,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for FinalizedFeatureKey {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            name: r.get(f)?,
            max_version_level: r.get(f)?,
            min_version_level: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.name.write(out, f)?;
        self.max_version_level.write(out, f)?;
        self.min_version_level.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
