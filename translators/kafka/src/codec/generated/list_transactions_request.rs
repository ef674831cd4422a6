//! `ListTransactionsRequest`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::messages::ListTransactionsResponse;
use crate::codec::wire::{Tags, absent, write_nullable};
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Request, Str, TaggedField, Wire,
};

/// Message `ListTransactionsRequest`, versions 0-2.
#[derive(Debug, Clone, PartialEq)]
pub struct ListTransactionsRequest {
    /// `StateFilters`: `[]string`, versions 0-2.
    pub state_filters: Vec<Str>,
    /// `ProducerIdFilters`: `[]int64`, versions 0-2.
    pub producer_id_filters: Vec<i64>,
    /// `DurationFilter`: `int64`, versions 1-2, default `-1`.
    pub duration_filter: i64,
    /// `TransactionalIdPattern`: `string`, versions 2, nullable.
    pub transactional_id_pattern: Option<Str>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Default for ListTransactionsRequest {
    fn default() -> Self {
        Self {
            state_filters: Vec::new(),
            producer_id_filters: Vec::new(),
            duration_filter: -1,
            transactional_id_pattern: None,
            unknown_tagged: Vec::new(),
        }
    }
}

impl Wire for ListTransactionsRequest {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            state_filters: r.get(f)?,
            producer_id_filters: r.get(f)?,
            duration_filter: if f.version >= 1 { r.get(f)? } else { -1 },
            transactional_id_pattern: if f.version >= 2 { r.get_nullable(f, true)? } else { None },
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.state_filters.write(out, f)?;
        self.producer_id_filters.write(out, f)?;
        if f.version >= 1 {
            self.duration_filter.write(out, f)?;
        } else {
            absent(self.duration_filter == -1, "DurationFilter", f)?;
        }
        if f.version >= 2 {
            write_nullable(self.transactional_id_pattern.as_ref(), true, "TransactionalIdPattern", out, f)?;
        } else {
            absent(self.transactional_id_pattern.is_none(), "TransactionalIdPattern", f)?;
        }
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ListTransactionsRequest {
    const NAME: &'static str = "ListTransactionsRequest";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Request for ListTransactionsRequest {
    const API: ApiKey = ApiKey::ListTransactions;
    type Response = ListTransactionsResponse;
}
