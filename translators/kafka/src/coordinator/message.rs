//! What the mirror, the handover and the command line ask of the catalog, beside Kafka's own requests.
//!
//! A message to the catalog's coordinator is either a Kafka request frame without its size prefix (its first
//! byte is 0: no API key reaches 256) and is answered with the body of the response, or the byte 255 and one
//! of these, answered with a [`CatalogReply`]. An empty answer means that the message could not be read.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// First byte of a message that is not a Kafka frame.
const INTERNAL: u8 = 0xff;

/// A change that no Kafka client can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CatalogMessage {
    /// Creates a mirrored topic under its source's id. A topic of this name and id that exists already gets
    /// the partitions it lacks and the configuration given; another topic of this name is an error.
    MirrorTopic {
        /// Name.
        name: String,
        /// Its source's topic id.
        id: [u8; 16],
        /// Its partitions, by number, from 0 and without a gap.
        partitions: Vec<MirrorPartition>,
        /// Its source's configuration, as far as it was set.
        configs: BTreeMap<String, String>,
    },
    /// Makes the kernel the leader of mirrored partitions: the kernel's side of a handover's commit.
    /// Partitions that it leads already get the epoch, if it is higher.
    Lead {
        /// Name of the topic.
        topic: String,
        /// Partitions with their new leader epochs.
        partitions: Vec<PartitionEpoch>,
    },
    /// Gives partitions back to their source: they are mirrored again, under this epoch.
    Mirror {
        /// Name of the topic.
        topic: String,
        /// Partitions with their new leader epochs.
        partitions: Vec<PartitionEpoch>,
    },
    /// The kernel owns the topic from now on; its source no longer does (phase `retired`). Every partition
    /// must be led.
    Adopt {
        /// Name of the topic.
        topic: String,
    },
    /// Deletes a copy with all it holds, so that it can be made anew. A topic that is the kernel's own, or of which
    /// the kernel leads a partition, is refused: what it holds may exist nowhere else. An unknown topic is not an
    /// error.
    Discard {
        /// Name of the topic.
        topic: String,
    },
    /// Every group has forgotten the offsets that it committed for these deleted topics. One that is not waited
    /// for (any more) is not an error.
    OffsetsForgotten {
        /// Names, with the ids that the topics had.
        topics: Vec<(String, [u8; 16])>,
    },
}

/// A partition of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorPartition {
    /// Where its log begins.
    pub start: u64,
    /// Its leader epoch.
    pub epoch: i32,
}

/// A partition and a leader epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionEpoch {
    /// Number of the partition.
    pub partition: i32,
    /// Leader epoch.
    pub epoch: i32,
}

/// What the catalog answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CatalogReply {
    /// Done and durable; the published snapshot shows it. Logs in other shards follow by the outbox.
    Done,
    /// Not done: why. Retrying does not help.
    Refused(String),
    /// Not done: storage could not take it. Retrying may help.
    Failed(String),
}

impl CatalogMessage {
    /// As the coordinator takes it.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut out = vec![INTERNAL];
        // Enums of strings, numbers and string-keyed maps always have a JSON form.
        out.extend(serde_json::to_vec(self).unwrap_or_default());
        out.into()
    }

    /// Reads a message that is not a Kafka frame; `None` when it is one, or is neither.
    pub(crate) fn from_bytes(message: &[u8]) -> Option<Self> {
        let (&first, rest) = message.split_first()?;
        (first == INTERNAL).then(|| serde_json::from_slice(rest).ok()).flatten()
    }
}

impl CatalogReply {
    /// As the coordinator gives it.
    pub(crate) fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Reads an answer; `None` when it is none.
    #[must_use]
    pub fn from_bytes(answer: &[u8]) -> Option<Self> {
        serde_json::from_slice(answer).ok()
    }
}
