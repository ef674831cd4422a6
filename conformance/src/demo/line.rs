//! What client processes say on their standard output, one JSON object a line.
//!
//! Every line is also a line of a history (see [`mod@crate::history::line`]), with a few fields more, so that the
//! log checks judge the same lines that the account counts.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// One line of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Line {
    /// A client begins.
    Start {
        /// `produce` or `consume`.
        role: String,
        /// The producer's name.
        #[serde(default)]
        client: String,
        /// The member's name.
        #[serde(default)]
        member: String,
        /// The member's group.
        #[serde(default)]
        group: Option<String>,
        /// `1` or `all`.
        #[serde(default)]
        acks: String,
        /// Whether the producer promises no duplicates.
        #[serde(default)]
        idempotent: bool,
        /// First sequence number.
        #[serde(default)]
        first: u64,
    },
    /// A record was acknowledged.
    Ack {
        /// The producer.
        client: String,
        /// Its topic.
        topic: String,
        /// Its number.
        seq: u64,
        /// Its value.
        value: String,
        /// Where it was written.
        partition: i32,
        /// Where it was written, -1 when the broker only said that it has it already.
        offset: i64,
        /// The node that answered.
        node: i32,
        /// When it was handed over, in ms since 1970.
        sent_ms: u64,
        /// When the answer came, in ms since 1970.
        t_ms: u64,
    },
    /// A record will not be acknowledged.
    Fail {
        /// The producer.
        client: String,
        /// Its value.
        value: String,
        /// Whether it is certain that it is not in the log.
        definite: bool,
        /// Why.
        error: String,
    },
    /// A record was read.
    Read {
        /// Its topic.
        topic: String,
        /// The reader's group.
        group: String,
        /// The reader.
        member: String,
        /// Where.
        partition: i32,
        /// Where.
        offset: i64,
        /// Its value.
        value: String,
        /// When, in ms since 1970.
        t_ms: u64,
    },
    /// A member's partitions changed.
    Rebalance {
        /// Of this topic.
        topic: String,
        /// Its group.
        group: String,
        /// The member.
        member: String,
        /// Partitions that it lost or has now.
        partitions: Vec<i32>,
        /// The group's generation.
        generation: i32,
        /// How many partitions of all topics it has now.
        owned: usize,
    },
    /// A stock client would have told its application.
    Error {
        /// Who and what.
        error: String,
    },
    /// What a stock client keeps to itself and the demo shows when asked: retries, elections, resets.
    Note {
        /// Who and what.
        note: String,
        /// When, in ms since 1970.
        t_ms: u64,
    },
    /// A client ended of its own will.
    Done {
        /// `produce` or `consume`.
        role: String,
        /// The producer's name.
        #[serde(default)]
        client: String,
        /// The member's name.
        #[serde(default)]
        member: String,
        /// How many records it sent.
        #[serde(default)]
        sent: u64,
    },
}

/// Now, in ms since 1970, as clients write it.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
