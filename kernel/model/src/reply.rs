//! What a shard answers.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::commit::{LogConfig, RouteTarget, ViewEntry};
use crate::position::{LogEpoch, LogId, Offset};

/// The answer to one [`crate::Request`]; refusals are [`crate::KernelError`]s.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Done, and durable where it changed anything.
    Done,
    /// To `Append`.
    Appended(Appended),
    /// To `Mirror`: the log's ends after it.
    Mirrored {
        /// End of what is stored.
        end: Offset,
        /// Confirmed position.
        confirmed: Offset,
        /// Bytes of a provisional tail that the feed replaced because they differed (a divergence).
        replaced_bytes: u64,
    },
    /// To `Read`.
    Records(Records),
    /// To `Watch`: the logs whose end has passed its mark (empty: the wait is over).
    Changed(Vec<LogId>),
    /// To `Describe`.
    Described(LogInfo),
    /// To `FindByTime`.
    Found(Option<Found>),
    /// To `FindEpochEnd`: that epoch and its end; `None` when nothing is known at or below.
    EpochEnd(Option<(LogEpoch, Offset)>),
    /// To `Producers`.
    Producers(Vec<ProducerInfo>),
    /// To `Lease`, ascending by entry number.
    Leased(Vec<Leased>),
    /// To `Route`: the targets, ascending and each one once, and the router's version.
    Routed {
        /// Grows with every change of the router.
        version: u64,
        /// Where the key leads.
        targets: Vec<RouteTarget>,
    },
    /// To `Get`.
    Value(Option<Bytes>),
    /// To `Scan`: keys and values, ascending.
    Pairs(Vec<(Bytes, Bytes)>),
    /// To `Coordinate`.
    Coordinated(Bytes),
}

/// Outcome of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record. For a repeated idempotent batch: the offset of the original.
    pub base_offset: Offset,
    /// First offset of the log.
    pub start: Offset,
    /// The kernel's timestamp, where the log is stamped at append.
    pub append_time_ms: Option<i64>,
    /// Nothing was written: the batch was there already.
    pub duplicate: bool,
}

/// Outcome of a read.
#[derive(Debug, Clone)]
pub struct Records {
    /// Whole batches in order. The first may begin before the wanted offset.
    pub chunks: Vec<Chunk>,
    /// First offset of the log.
    pub start: Offset,
    /// High watermark.
    pub durable_end: Offset,
    /// Last stable offset.
    pub stable_end: Offset,
    /// Aborted transactions that overlap the returned range (`ReadLimit::Stable` only).
    pub aborted: Vec<Aborted>,
}

/// A run of whole batches.
#[derive(Clone)]
pub enum Chunk {
    /// In memory.
    Hot(Bytes),
    /// To be read by the driver, beside the shard.
    Cold(ColdRead),
}

impl Chunk {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Hot(bytes) => bytes.len(),
            Self::Cold(cold) => cold.len,
        }
    }

    /// Whether the chunk holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hot(bytes) => write!(f, "Hot({} bytes)", bytes.len()),
            Self::Cold(cold) => write!(f, "Cold({} bytes)", cold.len),
        }
    }
}

/// Stored bytes that are not in memory. Holding it keeps them from being deleted.
#[derive(Clone)]
pub struct ColdRead {
    /// Where they are.
    pub source: Arc<dyn ColdSource>,
    /// Position, opaque outside the store.
    pub position: u64,
    /// Length in bytes.
    pub len: usize,
}

/// Reads stored bytes; may block, so drivers call it where blocking is allowed.
pub trait ColdSource: Send + Sync {
    /// Reads and checks `len` bytes at `position`.
    ///
    /// # Errors
    ///
    /// [`crate::KernelError::Damaged`] when the bytes fail their checksum or cannot be read.
    fn read(&self, position: u64, len: usize) -> Result<Bytes, crate::KernelError>;
}

/// One leased entry of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// Number in the view.
    pub entry: u64,
    /// What it refers to.
    pub reference: ViewEntry,
    /// How often it was delivered, this time included.
    pub deliveries: u32,
    /// Retention has removed the record, or its log is gone: there is nothing to read.
    pub expired: bool,
}

/// An aborted transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted {
    /// Producer id.
    pub producer_id: i64,
    /// First offset of the transaction.
    pub first_offset: Offset,
    /// Offset of its abort marker.
    pub last_offset: Offset,
}

/// State of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogInfo {
    /// Settings.
    pub config: LogConfig,
    /// First offset.
    pub start: Offset,
    /// Leadership epoch under which the record at [`Self::start`] was, or will be, written.
    pub start_epoch: LogEpoch,
    /// End of what is stored (in a mirrored log: the provisional tail included).
    pub end: Offset,
    /// High watermark: durable, and in a mirrored log confirmed.
    pub durable_end: Offset,
    /// Last stable offset.
    pub stable_end: Offset,
    /// Leadership epoch.
    pub epoch: LogEpoch,
    /// Live bytes.
    pub bytes: u64,
    /// Greatest timestamp of a stored batch.
    pub max_timestamp_ms: Option<i64>,
    /// Chained hash over the confirmed batches' checksums, from the log's creation on.
    pub chain: u64,
    /// Number of records stored below the confirmed position since creation.
    pub records: u64,
}

/// A record found by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp.
    pub timestamp_ms: i64,
    /// Epoch under which it was written.
    pub epoch: LogEpoch,
}

/// What a log remembers of an idempotent producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerInfo {
    /// Producer id.
    pub producer_id: i64,
    /// Newest epoch.
    pub epoch: i16,
    /// Last sequence number.
    pub last_sequence: i32,
    /// Timestamp of its last batch.
    pub last_timestamp_ms: i64,
    /// First offset of its open transaction.
    pub open_from: Option<Offset>,
}
