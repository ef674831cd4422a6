//! What servers ask of the transaction coordinator, and what coordinators tell each other.
//!
//! Requests and replies are JSON: the server reads the client's frame and writes the answer. Coordinators of
//! different shards talk through commits: a timer that is due at once, set in the other shard through the
//! outbox, is a message that arrives at least once and survives both sides' crashes.

use bytes::Bytes;
use kernel_model::commit::{Commit, Op};
use kernel_model::{LogId, ShardId};
use serde::{Deserialize, Serialize};

use crate::errors::ErrorCode;

/// A producer's id with its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// Producer id.
    pub id: i64,
    /// Producer epoch.
    pub epoch: i16,
}

/// A partition in a transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartitionLog {
    /// Topic name.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Its log, which names the shard.
    pub log: u64,
}

impl PartitionLog {
    pub(super) fn log(&self) -> LogId {
        LogId(self.log)
    }
}

/// A group whose offsets are in a transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupShard {
    /// Group id.
    pub group: String,
    /// The shard of its coordinator.
    pub shard: u16,
}

/// A request to the coordinator of a transactional id. Every one gets one [`TransactionReply`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionMessage {
    /// Gives the id's producer a new epoch and fences the one before. Answer: `Producer`.
    Init {
        /// Transactional id.
        id: String,
        /// Transaction time-out.
        timeout_ms: i32,
        /// What the producer had before, where it goes on after an error.
        current: Option<Producer>,
        /// A producer id that nobody has, if the asker has got one.
        spare: Option<i64>,
    },
    /// Takes partitions and groups into the producer's transaction, and begins it. Answer: `Joined`.
    Join {
        /// Transactional id.
        id: String,
        /// Its producer.
        producer: Producer,
        /// Partitions.
        partitions: Vec<PartitionLog>,
        /// Groups.
        groups: Vec<GroupShard>,
        /// Only ask whether they are in it.
        verify_only: bool,
    },
    /// Ends the transaction. Answer: `Producer`, as it is from now on, once everybody has been told.
    End {
        /// Transactional id.
        id: String,
        /// Its producer.
        producer: Producer,
        /// Commit or abort.
        commit: bool,
        /// Every end takes a new epoch (`transaction.version` 2).
        bumps: bool,
        /// A producer id that nobody has, if the asker has got one.
        spare: Option<i64>,
    },
    /// Takes an id over from legacy, where no transaction of it is open. Takes the place of what was taken over before,
    /// if no transaction has begun here. Answer: `Producer`.
    Adopt {
        /// Transactional id.
        id: String,
        /// Its producer.
        producer: Producer,
        /// Transaction time-out.
        timeout_ms: i32,
        /// How its last transaction ended: `Some(true)`, committed; `None`: there was none.
        committed: Option<bool>,
        /// The unit that the id moves with.
        unit: String,
    },
    /// Stores a producer that legacy has given to an id, since its epochs are used up or legacy has forgotten it: its next
    /// epoch is this one. Answer: `Producer`, as it is now.
    Provide {
        /// Transactional id.
        id: String,
        /// What replaces its producer.
        producer: Producer,
    },
    /// Lets open transactions of a unit's ids come to their end, and refuses to begin any (they are about to go back to
    /// legacy). Not stored. Answer: `Tallied`.
    Leave {
        /// The unit.
        unit: String,
    },
    /// Undoes `Leave`. Answer: `Tallied`.
    Return {
        /// The unit.
        unit: String,
    },
    /// Counts a unit's ids. Answer: `Tallied`.
    Tally {
        /// The unit.
        unit: String,
    },
    /// Asks for what a unit's ids have. Answer: `Surveyed`.
    Survey {
        /// The unit.
        unit: String,
        /// Only ids behind this one.
        after: Option<String>,
    },
    /// Asks what is known of ids. Answer: `Described`.
    Describe {
        /// Transactional ids.
        ids: Vec<String>,
    },
    /// Asks for the ids of this shard. Answer: `Listed`.
    List {
        /// Only these states; empty: all.
        states: Vec<String>,
        /// Only these producer ids; empty: all.
        producers: Vec<i64>,
        /// Only transactions that run for longer, if not negative.
        duration_ms: i64,
    },
}

/// What the coordinator answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionReply {
    /// Nothing was done: Kafka's error code.
    Refused(i16),
    /// Nothing was done: the same again with a spare producer id.
    NeedsProducerId,
    /// The producer's id and epoch.
    Producer(Producer),
    /// They are in the transaction, except those named (to `verify_only` alone).
    Joined {
        /// Partitions that are not.
        missing: Vec<PartitionLog>,
        /// Not all groups are.
        groups_missing: bool,
    },
    /// In the order asked; `None`: not known.
    Described(Vec<Option<DescribedTransaction>>),
    /// Ascending by id.
    Listed(Vec<ListedTransaction>),
    /// A unit's ids in this shard, counted.
    Tallied(Tally),
    /// Ascending by id; where there are more, the survey goes on behind the last.
    Surveyed {
        /// What they have.
        ids: Vec<SurveyedTransaction>,
        /// Whether there are more.
        more: bool,
    },
}

/// Transactional ids of a unit, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// How many there are.
    pub ids: u64,
    /// How many of them have a transaction that is not complete.
    pub open: u64,
    /// When the oldest of those began, wall clock; −1 without one.
    pub open_since_ms: i64,
    /// Sum over [`row_print`] of each, wrapping.
    pub print: u64,
}

impl Tally {
    /// Adds those of another shard.
    pub fn add(&mut self, other: Self) {
        self.ids += other.ids;
        self.open += other.open;
        self.print = self.print.wrapping_add(other.print);
        self.open_since_ms = match (self.open_since_ms, other.open_since_ms) {
            (mine, -1) => mine,
            (-1, theirs) => theirs,
            (mine, theirs) => mine.min(theirs),
        };
    }

    /// None at all.
    #[must_use]
    pub fn none() -> Self {
        Self { open_since_ms: -1, ..Self::default() }
    }
}

/// A transactional id in a survey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyedTransaction {
    /// Transactional id.
    pub id: String,
    /// Its producer.
    pub producer: Producer,
    /// Transaction time-out.
    pub timeout_ms: i32,
    /// What legacy has given it for its next epoch.
    pub provided: Option<Producer>,
}

/// A hash over what both sides must have alike of an id, to be added up.
#[must_use]
pub fn row_print(id: &str, producer: Producer, timeout_ms: i32) -> u64 {
    let mut bytes = id.as_bytes().to_vec();
    bytes.extend_from_slice(&producer.id.to_be_bytes());
    bytes.extend_from_slice(&producer.epoch.to_be_bytes());
    bytes.extend_from_slice(&timeout_ms.to_be_bytes());
    let low = u64::from(crc32c::crc32c(&bytes));
    bytes.reverse();
    (u64::from(crc32c::crc32c(&bytes)) << 32) | low
}

/// A transactional id as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribedTransaction {
    /// Kafka's name of the state.
    pub state: String,
    /// Transaction time-out.
    pub timeout_ms: i32,
    /// When the open transaction began, wall clock; −1 without one.
    pub started_ms: i64,
    /// Its producer.
    pub producer: Producer,
    /// Partitions in the transaction.
    pub partitions: Vec<(String, i32)>,
    /// Groups in the transaction.
    pub groups: Vec<String>,
}

/// A transactional id in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedTransaction {
    /// Transactional id.
    pub id: String,
    /// Producer id.
    pub producer_id: i64,
    /// Kafka's name of the state.
    pub state: String,
}

impl TransactionMessage {
    /// As the coordinator takes it.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        // Structs of strings and numbers always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    pub(super) fn from_bytes(message: &[u8]) -> Option<Self> {
        serde_json::from_slice(message).ok()
    }
}

impl TransactionReply {
    pub(super) fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Reads an answer; `None` when it is none.
    #[must_use]
    pub fn from_bytes(answer: &[u8]) -> Option<Self> {
        serde_json::from_slice(answer).ok()
    }
}

impl From<ErrorCode> for TransactionReply {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code.code())
    }
}

/// Who has to be told of a transaction's end, beside the coordinator's own shard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Owed {
    /// Markers in another shard's logs.
    Shard(u16),
    /// Offsets of a group.
    Group(GroupShard),
}

/// One of those has been told: a message to the coordinator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The coordinator's shard.
    pub(crate) home: u16,
    /// Transactional id.
    pub(crate) id: String,
    /// Which of the id's transactions.
    pub(crate) number: u64,
    /// Who.
    pub(crate) who: Owed,
}

/// A transaction's end, told to a group's coordinator, which answers with `told`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupEnd {
    /// Where it is told.
    pub(crate) at: GroupShard,
    /// Producer of the offsets.
    pub(crate) producer_id: i64,
    /// They count, or they do not.
    pub(crate) commit: bool,
    /// The answer.
    pub(crate) told: Told,
}

/// First byte of a message's key behind the kind of its receiver.
pub(super) const TOLD: u8 = b'a';
pub(super) const RELAY: u8 = b'r';
pub(crate) const GROUP_END: u8 = b'e';

/// A message that arrives at once, and again until it is taken.
fn message<M: Serialize>(kind: u8, which: u8, told: &Told, content: &M) -> Op {
    let mut key = vec![kind, which];
    key.extend(serde_json::to_vec(told).unwrap_or_default());
    let action = serde_json::to_vec(content).unwrap_or_default();
    Op::TimerSet { key: key.into(), deadline_ms: 0, action: action.into() }
}

impl Told {
    /// Tells the coordinator, from shard `here`.
    pub(crate) fn send(&self, here: u16) -> Op {
        let op = message(super::KIND.0, TOLD, self, self);
        post(ShardId(here), ShardId(self.home), vec![op]).unwrap_or_else(|mut ops| ops.remove(0))
    }

    /// Lets the transaction coordinator of the shard where this is applied tell the coordinator.
    pub(super) fn relayed(&self) -> Op {
        message(super::KIND.0, RELAY, self, self)
    }

    pub(super) fn read(action: &[u8]) -> Option<Self> {
        serde_json::from_slice(action).ok()
    }
}

impl GroupEnd {
    /// The message, applied in the group's shard.
    pub(super) fn op(&self) -> Op {
        message(crate::placement::GROUPS.0, GROUP_END, &self.told, self)
    }

    /// Reads a message.
    pub(crate) fn read(action: &[u8]) -> Option<Self> {
        serde_json::from_slice(action).ok()
    }
}

/// Operations for shard `to` as one operation of shard `here`; they come back where both are the same.
pub(super) fn post(here: ShardId, to: ShardId, ops: Vec<Op>) -> Result<Op, Vec<Op>> {
    if here == to { Err(ops) } else { Ok(Op::OutboxPush { to, commit: Box::new(Commit::of(ops)) }) }
}
