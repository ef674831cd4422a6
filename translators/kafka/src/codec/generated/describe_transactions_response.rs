//! `DescribeTransactionsResponse`, versions 0. Written by `generator/generate.py`; do not edit.

use bytes::BytesMut;

use crate::codec::wire::Tags;
use crate::codec::{
    ApiKey, DecodeError, EncodeError, Format, Message, Reader, Response, Str, TaggedField, Wire,
};

/// Message `DescribeTransactionsResponse`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeTransactionsResponse {
    /// `ThrottleTimeMs`: `int32`, versions 0.
    pub throttle_time_ms: i32,
    /// `TransactionStates`: `[]TransactionState`, versions 0.
    pub transaction_states: Vec<TransactionState>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for DescribeTransactionsResponse {
    const BYTES_MIN: usize = 6;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            throttle_time_ms: r.get(f)?,
            transaction_states: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.throttle_time_ms.write(out, f)?;
        self.transaction_states.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

impl Message for DescribeTransactionsResponse {
    const NAME: &'static str = "DescribeTransactionsResponse";
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    const FLEXIBLE_FROM: Option<i16> = Some(0);
}

impl Response for DescribeTransactionsResponse {
    const API: ApiKey = ApiKey::DescribeTransactions;
}

/// Struct `TopicData`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TopicData {
    /// `Topic`: `string`, versions 0.
    pub topic: Str,
    /// `Partitions`: `[]int32`, versions 0.
    pub partitions: Vec<i32>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TopicData {
    const BYTES_MIN: usize = 3;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self { topic: r.get(f)?, partitions: r.get(f)?, unknown_tagged: r.tags(f, |_, _| Ok(false))? })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.topic.write(out, f)?;
        self.partitions.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}

/// Struct `TransactionState`, versions 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactionState {
    /// `ErrorCode`: `int16`, versions 0.
    pub error_code: i16,
    /// `TransactionalId`: `string`, versions 0.
    pub transactional_id: Str,
    /// `TransactionState`: `string`, versions 0.
    pub transaction_state: Str,
    /// `TransactionTimeoutMs`: `int32`, versions 0.
    pub transaction_timeout_ms: i32,
    /// `TransactionStartTimeMs`: `int64`, versions 0.
    pub transaction_start_time_ms: i64,
    /// `ProducerId`: `int64`, versions 0.
    pub producer_id: i64,
    /// `ProducerEpoch`: `int16`, versions 0.
    pub producer_epoch: i16,
    /// `Topics`: `[]TopicData`, versions 0.
    pub topics: Vec<TopicData>,
    /// Tagged fields the descriptor does not name.
    pub unknown_tagged: Vec<TaggedField>,
}

impl Wire for TransactionState {
    const BYTES_MIN: usize = 28;

    fn read(r: &mut Reader, f: Format) -> Result<Self, DecodeError> {
        Ok(Self {
            error_code: r.get(f)?,
            transactional_id: r.get(f)?,
            transaction_state: r.get(f)?,
            transaction_timeout_ms: r.get(f)?,
            transaction_start_time_ms: r.get(f)?,
            producer_id: r.get(f)?,
            producer_epoch: r.get(f)?,
            topics: r.get(f)?,
            unknown_tagged: r.tags(f, |_, _| Ok(false))?,
        })
    }

    fn write(&self, out: &mut BytesMut, f: Format) -> Result<(), EncodeError> {
        self.error_code.write(out, f)?;
        self.transactional_id.write(out, f)?;
        self.transaction_state.write(out, f)?;
        self.transaction_timeout_ms.write(out, f)?;
        self.transaction_start_time_ms.write(out, f)?;
        self.producer_id.write(out, f)?;
        self.producer_epoch.write(out, f)?;
        self.topics.write(out, f)?;
        Tags::default().write(&self.unknown_tagged, out, f)
    }
}
