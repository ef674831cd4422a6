//! `UpdateFeaturesRequest`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::UpdateFeaturesResponse;
use crate::codec::wire::{Tags, absent};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `UpdateFeaturesRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateFeaturesRequest {
    /// `timeoutMs`: `int32`, versions 0-2, default `60000`.
    pub timeout_ms: i32,
    /// `FeatureUpdates`: `[]FeatureUpdateKey`, versions 0-2.
    pub feature_updates: Vec<FeatureUpdateKey>,
    /// `ValidateOnly`: `bool`, versions 1-2.
    pub validate_only: bool,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for UpdateFeaturesRequest {
    fn default() -> Self {
        Self {
            timeout_ms: 60000,
            feature_updates: Vec::new(),
            validate_only: false,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for UpdateFeaturesRequest {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            timeout_ms: r.get(f)?,
            feature_updates: r.get(f)?,
            validate_only: if f.version >= 1 { r.get(f)? } else { false },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.timeout_ms.write(out, f)?;
        self.feature_updates.write(out, f)?;
        if f.version >= 1 {
            self.validate_only.write(out, f)?;
        } else {
            absent(!self.validate_only, "ValidateOnly", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for UpdateFeaturesRequest {
    const NAME: &'static str = "UpdateFeaturesRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for UpdateFeaturesRequest {
    const API: ApiKey = ApiKey::UpdateFeatures;
    type Response = UpdateFeaturesResponse;
}

/// Struct `FeatureUpdateKey`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureUpdateKey {
    /// `Feature`: `string`, versions 0-2.
    pub feature: Str,
    /// `MaxVersionLevel`: `int16`, versions 0-2.
    pub max_version_level: i16,
    /// `AllowDowngrade`: `bool`, versions 0.
    pub allow_downgrade: bool,
    /// `UpgradeType`: `int8`, versions 1-2, default `1`.
    pub upgrade_type: i8,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for FeatureUpdateKey {
    fn default() -> Self {
        Self {
            feature: Str::default(),
            max_version_level: 0,
            allow_downgrade: false,
            upgrade_type: 1,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for FeatureUpdateKey {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            feature: r.get(f)?,
            max_version_level: r.get(f)?,
            allow_downgrade: if f.version <= 0 { r.get(f)? } else { false },
            upgrade_type: if f.version >= 1 { r.get(f)? } else { 1 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.feature.write(out, f)?;
        self.max_version_level.write(out, f)?;
        if f.version <= 0 {
            self.allow_downgrade.write(out, f)?;
        } else {
            absent(!self.allow_downgrade, "AllowDowngrade", f)?;
        }
        if f.version >= 1 {
            self.upgrade_type.write(out, f)?;
        } else {
            absent(self.upgrade_type == 1, "UpgradeType", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
