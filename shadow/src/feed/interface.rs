//! What a feed is told and what it tells: its configuration, the events of its connections, orders, facts and status.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use translator_kafka::access::{Entity, Rule};
use translator_kafka::codec::Uuid;
use translator_kafka::epochs::EpochTable;

use super::groups::GroupOffsets;
use super::keeping::{GivenProducer, NotGiven};
use super::transactions::LegacyTransaction;
use crate::follower::{FollowerStatus, StopReason};
use crate::link::{Credentials, LinkError};
use crate::offsets::OffsetsStatus;
use crate::view::ClusterView;

/// Where a node listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Which connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkId {
    /// To whichever bootstrap address answers: discovery.
    Bootstrap,
    /// To a node, for fetches: legacy answers a connection in order, and a fetch may wait for news.
    Node(i32),
    /// To a node, for questions that must not wait behind a fetch.
    Questions(i32),
}

/// What happened on a connection.
#[derive(Debug)]
pub enum LinkEvent<'a> {
    /// It is established.
    Connected,
    /// Bytes came; whole frames are taken from the front.
    Bytes(&'a mut BytesMut),
    /// It is gone, or could not be made.
    Closed,
}

/// What is wanted of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkAction {
    /// Connect to this address.
    Connect(Address),
    /// Send.
    Transmit(Bytes),
    /// Close; no `Closed` is expected for it.
    Close,
}

/// What a feed is to follow, and how.
pub struct FeedConfig {
    /// Bootstrap addresses.
    pub bootstrap: Vec<Address>,
    /// Whether a topic belongs to a migration.
    pub topics: Box<dyn Fn(&str) -> bool + Send>,
    /// Whether it is to be mirrored now; may change, see [`Order::Reconsider`].
    pub mirrored: Box<dyn Fn(&str) -> bool + Send>,
    /// Whether a group is to be followed.
    pub groups: Box<dyn Fn(&str) -> bool + Send>,
    /// Whether any transactional id is to move: then brokers are asked whether they verify transactions.
    pub moves_transactions: bool,
    /// Whether a transactional id is to move.
    pub transactions: Box<dyn Fn(&str) -> bool + Send>,
    /// The link's own user, where legacy wants one.
    pub credentials: Option<Credentials>,
    /// Number of shards of the kernel.
    pub shards: u16,
    /// Most bytes asked of one partition at once: what the kernel takes in one commit. A single larger batch
    /// still comes whole.
    pub partition_bytes_max: i32,
}

/// What a partition is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Legacy is primary: copy it.
    Follow,
    /// The kernel is primary from this offset on: what legacy still gets is a divergence.
    Watch(u64),
    /// The kernel is primary, and the reverse feed writes to legacy: it sees by itself what others write there. The
    /// partition is not read.
    Rest,
}

/// Names an order in the facts that answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// What a feed is told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Begin or stop to mirror topics and groups (phase `observe` reads metadata only).
    Mirror(bool),
    /// Leave a leader alone for 5 ms after an answer of less than 1 MiB, so that news gather there, or stop to. Not where
    /// somebody waits for them. What lingers when it is told to stop still waits to the end of its 5 ms.
    Linger(bool),
    /// Contact legacy no more (phase `retired`). Nothing undoes it but a new feed.
    Stop,
    /// What `FeedConfig::mirrored` answers has changed.
    Reconsider,
    /// Change what a partition is read for.
    SetMode {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// What for.
        mode: Mode,
    },
    /// Count a partition's leader epochs by this table: the copy is stored, and everything reported, in virtual
    /// epochs. Before the partition is followed again behind a change of its side.
    SetEpochs {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Its table.
        epochs: Arc<EpochTable>,
    },
    /// Ask legacy where these end now: `Ends` or `EndsFailed`.
    ReadEnds {
        /// Its name.
        token: Token,
        /// Partitions.
        partitions: Vec<(String, i32)>,
        /// Groups.
        groups: Vec<String>,
    },
    /// Make these the offsets on legacy of a group that has no members there, and delete all others that it has:
    /// `OffsetsWritten` or `OffsetsFailed`.
    WriteOffsets {
        /// Its name.
        token: Token,
        /// Group.
        group: String,
        /// What it shall have.
        offsets: GroupOffsets,
    },
    /// Ask legacy for everything that a group has committed: `OffsetsRead` or `OffsetsFailed`.
    ReadOffsets {
        /// Its name.
        token: Token,
        /// Group.
        group: String,
    },
    /// Ask legacy for the transactional ids that are to move: `Transactions` or `EndsFailed`.
    ReadTransactions {
        /// Its name.
        token: Token,
    },
    /// Let legacy fence the producers that these ids have there: `Shut` or `EndsFailed`. They have moved, and whoever
    /// still uses one past the proxy is to hear of it.
    ShutOut {
        /// Its name.
        token: Token,
        /// By id, its coordinator and its time-out in milliseconds.
        ids: BTreeMap<String, (i32, i32)>,
    },
    /// Let legacy give an id's producer its next epoch (or its first): `Given`. So the kernel and legacy keep the same.
    InitProducer {
        /// Its name.
        token: Token,
        /// Transactional id.
        id: String,
        /// Its time-out in milliseconds.
        timeout_ms: i32,
        /// Its coordinator, where it is known.
        coordinator: Option<i32>,
    },
    /// Follow no partition of a topic until it is resumed: its copy is about to be discarded.
    Hold {
        /// Topic.
        topic: String,
    },
    /// Forget why partitions were stopped, and begin again where the kernel stands.
    Resume {
        /// Topic.
        topic: String,
        /// Partitions.
        partitions: Vec<i32>,
    },
}

/// What a feed reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The cluster looks like this now.
    View(ClusterView),
    /// Versions that legacy offers, by API.
    Versions(BTreeMap<i16, (i16, i16)>),
    /// A topic's configuration as far as it was set, when it is first seen and whenever it changes.
    Configured {
        /// Topic.
        topic: String,
        /// Configuration.
        configs: BTreeMap<String, String>,
    },
    /// The topic's copy exists; its partitions are being followed.
    Mirrored {
        /// Topic.
        topic: String,
    },
    /// A partition is no longer mirrored.
    Stopped {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Why.
        reason: StopReason,
    },
    /// Dual-write had brought other bytes than legacy shows; the feed replaced them.
    Replaced {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// How many bytes.
        bytes: u64,
    },
    /// Legacy took writes after the kernel had become primary.
    Bypassed {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// From this offset of legacy's log.
        from: u64,
        /// How many records.
        records: u64,
    },
    /// Legacy's coordinator took changes of a group that the kernel serves.
    GroupBypassed {
        /// Group.
        group: String,
    },
    /// Where legacy ended when it was asked.
    Ends {
        /// The order.
        token: Token,
        /// Partitions.
        partitions: BTreeMap<(String, i32), PartitionEnd>,
        /// Groups.
        groups: BTreeMap<String, GroupEnd>,
    },
    /// The transactional ids that are to move, as legacy has them.
    Transactions {
        /// The order.
        token: Token,
        /// By id.
        found: BTreeMap<String, LegacyTransaction>,
    },
    /// Legacy has given an id a producer, or has not.
    Given {
        /// The order.
        token: Token,
        /// What it gave.
        outcome: Result<GivenProducer, NotGiven>,
    },
    /// Legacy has fenced the producers of ids.
    Shut {
        /// The order.
        token: Token,
        /// Ids whose producers it has not fenced, each with its error code.
        refused: BTreeMap<String, i16>,
    },
    /// Legacy could not be asked: why. Asking again may help.
    EndsFailed {
        /// The order.
        token: Token,
        /// Why.
        reason: String,
    },
    /// Who may do what on legacy, as it said just now.
    Access(AccessFact),
    /// Legacy has taken a group's offsets.
    OffsetsWritten {
        /// The order.
        token: Token,
    },
    /// What legacy holds of a group.
    OffsetsRead {
        /// The order.
        token: Token,
        /// By topic and partition.
        offsets: GroupOffsets,
    },
    /// Legacy could not be asked about a group's offsets, or refused: why. Asking again may help.
    OffsetsFailed {
        /// The order.
        token: Token,
        /// Why.
        reason: String,
    },
    /// A connection ended: why. It is made again.
    LinkFailed {
        /// Which.
        link: LinkId,
        /// Why.
        error: LinkError,
    },
}

/// Who may do what on legacy.
#[derive(Debug, Clone, PartialEq)]
pub enum AccessFact {
    /// Everybody everything: it has no authorizer.
    Open,
    /// What these rules say.
    Rules(Vec<Rule>),
    /// It has rules, but does not tell them, or not in a form that is known here: why.
    RulesRefused(String),
    /// Its quotas.
    Quotas(Vec<(Entity, BTreeMap<String, f64>)>),
    /// It does not tell its quotas: why.
    QuotasRefused(String),
}

/// Where one partition of legacy ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionEnd {
    /// End of the leader's log, replicated or not.
    pub end: u64,
    /// High watermark.
    pub high_watermark: u64,
    /// Leader epoch, as clients see it.
    pub epoch: i32,
    /// The same as legacy counts it.
    pub legacy_epoch: i32,
    /// Topic id.
    pub topic_id: Uuid,
}

/// Where one group of legacy stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupEnd {
    /// End of the log that holds it.
    pub end: u64,
    /// State by legacy's name (`Stable`, `Empty`, `PreparingRebalance`, ...).
    pub state: String,
    /// Member ids.
    pub members: BTreeSet<String>,
    /// Ids of members of the consumer protocol, as legacy's log says. Its state is no classic group's then.
    pub consumers: BTreeSet<String>,
}

/// What the outside is told of a feed.
#[derive(Debug, Clone, Default)]
pub struct FeedStatus {
    /// Partitions by topic and number.
    pub partitions: BTreeMap<(String, i32), FollowerStatus>,
    /// Groups.
    pub offsets: OffsetsStatus,
    /// Whether legacy can be reached.
    pub connected: bool,
}
