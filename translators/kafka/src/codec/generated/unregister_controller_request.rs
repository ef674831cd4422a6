//! `UnregisterControllerRequest`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::UnregisterControllerResponse;
use crate::codec::wire::Tags;
use crate::codec::{ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, TaggedField, Wire};

/// Message `UnregisterControllerRequest`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnregisterControllerRequest {
    /// `ControllerId`: `int32`, versions 0.
    pub controller_id: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for UnregisterControllerRequest {
    const BYTES_MIN: usize = 5;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { controller_id: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.controller_id.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for UnregisterControllerRequest {
    const NAME: &'static str = "UnregisterControllerRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for UnregisterControllerRequest {
    const API: ApiKey = ApiKey::UnregisterController;
    type Response = UnregisterControllerResponse;
}
