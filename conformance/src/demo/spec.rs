//! What a client process is told to do, as one JSON argument.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One client process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum ClientSpec {
    /// It writes.
    Produce(ProduceSpec),
    /// It is a member of a consumer group.
    Consume(ConsumeSpec),
    /// No client: it writes the past of the stand-in for legacy, before that serves.
    Past(PastSpec),
}

/// A producer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProduceSpec {
    /// Its name, the first part of its values.
    pub client: String,
    /// Addresses to begin with.
    pub bootstrap: Vec<String>,
    /// Topics that it spreads its values over.
    pub topics: Vec<String>,
    /// Records per second.
    pub rate: u32,
    /// Whether it waits for all replicas; otherwise for the leader alone.
    pub acks_all: bool,
    /// Whether it asks the broker to drop its repeats.
    pub idempotent: bool,
    /// Requests on their way to one broker, and batches of one partition, at most.
    pub in_flight_max: usize,
    /// How it packs its batches.
    pub codec: Codec,
    /// It ends after as many records (0: when told).
    pub records: u64,
}

/// A member of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumeSpec {
    /// Its name.
    pub member: String,
    /// Its group.
    pub group: String,
    /// Addresses to begin with.
    pub bootstrap: Vec<String>,
    /// Topics that it subscribes to.
    pub topics: Vec<String>,
}

/// The past of the stand-in for legacy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastSpec {
    /// Who wrote it, the first part of its values.
    pub client: String,
    /// The stand-in's configuration.
    pub config: PathBuf,
    /// Topics that it has.
    pub topics: Vec<String>,
    /// Partitions of each.
    pub partitions: i32,
}

/// How batches are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// Not at all.
    None,
    /// gzip
    Gzip,
    /// lz4
    Lz4,
}
