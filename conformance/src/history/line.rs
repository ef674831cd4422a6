//! The lines of a history, as the test programs in `conformance/peers/clients` write them.
//!
//! ```text
//! {"op":"start","role":"produce","client":"p1","topic":"t","idempotent":true,"acks":"all","first":0,...}
//! {"op":"ack","client":"p1","topic":"t","seq":0,"value":"p1:000000","partition":2,"offset":0,"sent_ms":1,"t_ms":2}
//! {"op":"fail","client":"p1","topic":"t","seq":1,"value":"p1:000001","definite":false,"error":"..."}
//! {"op":"txn","client":"p1","topic":"t","txn":3,"outcome":"abort"}
//! {"op":"read","topic":"t","group":"g","member":"m1","partition":2,"offset":0,"value":"p1:000000"}
//! {"op":"rebalance","topic":"t","group":"g","member":"m1","event":"assigned","partitions":[0,1]}
//! {"op":"error","error":"..."}
//! {"op":"result","command":"delete-records","topic":"t","partition":2,"low_watermark":10}
//! {"op":"done","role":"produce","client":"p1","topic":"t","first":0,"sent":2}
//! ```
//!
//! Fields that are not named here are left alone.

use serde::Deserialize;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Line {
    /// A client begins.
    Start(Start),
    /// A record was acknowledged, or sent with acks=0.
    Ack(Ack),
    /// A record was not acknowledged, and will not be.
    Fail(Fail),
    /// A transaction ended.
    Txn(Txn),
    /// A record was read.
    Read(Read),
    /// A reader's partitions changed.
    Rebalance(Rebalance),
    /// A client complained.
    Error(Complaint),
    /// Answer of an administration command.
    Result(Answer),
    /// A client ended of its own will.
    Done(Done),
    /// A line that this check does not need.
    #[serde(other)]
    Other,
}

/// Whether a client writes or reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It writes.
    Produce,
    /// It reads.
    Consume,
}

/// A client begins.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Start {
    /// Whether it writes or reads.
    pub role: Role,
    /// The producer's name.
    #[serde(default)]
    pub client: String,
    /// The reader's name.
    #[serde(default)]
    pub member: String,
    /// The reader's group.
    #[serde(default)]
    pub group: Option<String>,
    /// `0`, `1` or `all`.
    #[serde(default)]
    pub acks: String,
    /// Whether the producer promises no duplicates and no reordering.
    #[serde(default)]
    pub idempotent: bool,
    /// The producer's first sequence number.
    #[serde(default)]
    pub first: u64,
    /// The reader's isolation level.
    #[serde(default)]
    pub isolation: String,
}

/// A record was acknowledged, or sent with acks=0.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Ack {
    /// The producer.
    pub client: String,
    /// Its topic.
    pub topic: String,
    /// The record's number.
    pub seq: u64,
    /// The record's value without padding.
    pub value: String,
    /// Where it was written.
    pub partition: i32,
    /// Where it was written, -1 when the client was not told.
    pub offset: i64,
    /// The transaction it belongs to.
    #[serde(default)]
    pub txn: Option<u64>,
    /// When it was handed to the client library, in ms.
    #[serde(default)]
    pub sent_ms: u64,
    /// When this line was written, in ms.
    #[serde(default)]
    pub t_ms: u64,
}

/// A record was not acknowledged, and will not be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Fail {
    /// The producer.
    pub client: String,
    /// The record's value without padding.
    pub value: String,
    /// Whether it is certain that the record is not in the log.
    #[serde(default)]
    pub definite: bool,
}

/// A transaction ended.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Txn {
    /// The producer.
    pub client: String,
    /// The transaction's number within this run of the producer.
    pub txn: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its records count.
    Commit,
    /// Its records do not.
    Abort,
    /// Nobody knows.
    Unknown,
}

/// A record was read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Read {
    /// Its topic.
    pub topic: String,
    /// The reader's group, none for a reader that chose its partitions itself.
    #[serde(default)]
    pub group: Option<String>,
    /// The reader.
    pub member: String,
    /// Where it was read.
    pub partition: i32,
    /// Where it was read.
    pub offset: i64,
    /// The value without padding; none for a record without a value.
    #[serde(default)]
    pub value: Option<String>,
}

/// A reader's partitions changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rebalance {
    /// The topic.
    pub topic: String,
    /// The reader's group.
    #[serde(default)]
    pub group: Option<String>,
    /// The reader.
    pub member: String,
    /// The partitions that came or went.
    #[serde(default)]
    pub partitions: Vec<i32>,
}

/// A client complained.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Complaint {
    /// In the client library's words.
    #[serde(default)]
    pub error: String,
}

/// Answer of an administration command; only record deletion matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// The command.
    pub command: String,
    /// The topic.
    #[serde(default)]
    pub topic: String,
    /// The partition.
    #[serde(default)]
    pub partition: Option<i32>,
    /// The new log start: offsets below it need no reader.
    #[serde(default)]
    pub low_watermark: Option<i64>,
}

/// A client ended of its own will.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Done {
    /// Whether it wrote or read.
    pub role: Role,
    /// The producer's name.
    #[serde(default)]
    pub client: String,
    /// How many records it sent, from its first sequence number on.
    #[serde(default)]
    pub sent: u64,
}
