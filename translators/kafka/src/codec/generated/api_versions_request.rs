//! `ApiVersionsRequest`, versions 0-5. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::ApiVersionsResponse;
use crate::codec::wire::{Tags, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `ApiVersionsRequest`, versions 0-5.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiVersionsRequest {
    /// `ClientSoftwareName`: `string`, versions 3-5, ignorable.
    pub client_software_name: Str,
    /// `ClientSoftwareVersion`: `string`, versions 3-5, ignorable.
    pub client_software_version: Str,
    /// `ClusterId`: `string`, versions 5, nullable, ignorable.
    pub cluster_id: Option<Str>,
    /// `NodeId`: `int32`, versions 5, ignorable, default `-1`.
    pub node_id: i32,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ApiVersionsRequest {
    fn default() -> Self {
        Self {
            client_software_name: Str::default(),
            client_software_version: Str::default(),
            cluster_id: None,
            node_id: -1,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ApiVersionsRequest {
    const BYTES_MIN: usize = 1;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            client_software_name: if f.version >= 3 { r.get(f)? } else { Str::default() },
            client_software_version: if f.version >= 3 { r.get(f)? } else { Str::default() },
            cluster_id: if f.version >= 5 { r.get_nullable(f, true)? } else { None },
            node_id: if f.version >= 5 { r.get(f)? } else { -1 },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        if f.version >= 3 {
            self.client_software_name.write(out, f)?;
        }
        if f.version >= 3 {
            self.client_software_version.write(out, f)?;
        }
        if f.version >= 5 {
            write_nullable(self.cluster_id.as_ref(), true, "ClusterId", out, f)?;
        }
        if f.version >= 5 {
            self.node_id.write(out, f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ApiVersionsRequest {
    const NAME: &'static str = "ApiVersionsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    const FLEXIBLE_FROM: Option<i16> = Some(3);
}

impl Request for ApiVersionsRequest {
    const API: ApiKey = ApiKey::ApiVersions;
    type Response = ApiVersionsResponse;
}
