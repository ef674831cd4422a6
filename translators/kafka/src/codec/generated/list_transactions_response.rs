//! `ListTransactionsResponse`, versions 0-2. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `ListTransactionsResponse`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListTransactionsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0-2.
    pub throttle_time_ms: i32,
    /// `ErrorCode`: `int16`, versions 0-2.
    pub error_code: i16,
    /// `UnknownStateFilters`: `[]string`, versions 0-2.
    pub unknown_state_filters: Vec<Str>,
    /// `TransactionStates`: `[]TransactionState`, versions 0-2.
    pub transaction_states: Vec<TransactionState>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for ListTransactionsResponse {
    const BYTES_MIN: usize = 9;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            error_code: r.get(f)?,
            unknown_state_filters: r.get(f)?,
            transaction_states: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.error_code.write(out, f)?;
        self.unknown_state_filters.write(out, f)?;
        self.transaction_states.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for ListTransactionsResponse {
    const NAME: &'static str = "ListTransactionsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for ListTransactionsResponse {
    const API: ApiKey = ApiKey::ListTransactions;
}

/// Struct `TransactionState`, versions 0-2.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactionState {
    /// `TransactionalId`: `string`, versions 0-2.
    pub transactional_id: Str,
    /// `ProducerId`: `int64`, versions 0-2.
    pub producer_id: i64,
    /// `TransactionState`: `string`, versions 0-2.
    pub transaction_state: Str,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TransactionState {
    const BYTES_MIN: usize = 11;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            transactional_id: r.get(f)?,
            producer_id: r.get(f)?,
            transaction_state: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.transactional_id.write(out, f)?;
        self.producer_id.write(out, f)?;
        self.transaction_state.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
