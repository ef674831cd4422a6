//! The mirror feed of one legacy cluster: discovers what there is, creates its copies, and follows it.
//!
//! Performs no IO: a driver owns one connection per [`LinkId`], hands in what it received, and carries out what
//! `poll_link` and `poll_request` want.
//!
//! ```text
//!  metadata ──► topic found ──► starts, configuration ──► MirrorTopic ──► Describe ──► fetch ⟲ Mirror
//! ```

mod access;
mod ends;
mod epochs;
mod fetch;
mod groups;
mod interface;
mod keeping;
mod topics;
mod transactions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use kernel_model::{KernelError, LogId, Now, Reply, ShardId};
use session::{Answer as KernelAnswer, Request, RequestId};
use translator_kafka::catalog::CatalogHandle;
use translator_kafka::codec::messages::{ListOffsetsResponse, MetadataRequest, MetadataResponse};
use translator_kafka::codec::{ApiKey, Uuid};
use translator_kafka::coordinator::group::transfer::{Transfer, TransferReply};
use translator_kafka::coordinator::message::CatalogReply;
use translator_kafka::placement::{CATALOG_SHARD, GROUPS};

use self::ends::Asking;
pub(crate) use self::epochs::Epochs;
pub use self::groups::{GroupOffset, GroupOffsets};
pub use self::interface::{
    AccessFact, Address, Fact, FeedConfig, FeedStatus, GroupEnd, LinkAction, LinkEvent, LinkId, Mode, Order,
    PartitionEnd, Token,
};
pub use self::keeping::{GivenProducer, NotGiven};
use self::keeping::{Giving, Told};
use self::topics::TopicSetup;
pub use self::transactions::LegacyTransaction;
use self::transactions::{AskingTransactions, ShuttingOut};
use crate::follower::Follower;
use crate::link::{Answer, Link, LinkError};
use crate::offsets::{OFFSETS_TOPIC, OffsetsFollower, partition_of};
use crate::view::ClusterView;

/// How often the cluster's metadata is read.
const METADATA_INTERVAL: Duration = Duration::from_secs(1);
/// Shortest time between two reads of it.
const METADATA_INTERVAL_MIN: Duration = Duration::from_millis(100);
/// How long a broken connection rests.
const RECONNECT: Duration = Duration::from_millis(250);
/// How long it rests after legacy has refused its credentials: asking again soon helps nobody, and legacy may lock
/// a user out who is refused too often.
const RECONNECT_REFUSED: Duration = Duration::from_secs(10);

/// What a request to legacy was for.
#[derive(Debug)]
pub(crate) enum Tag {
    Metadata,
    Configs,
    /// Earliest offsets of a new topic's partitions.
    Starts(String),
    /// Earliest and latest offsets after a fetch out of range.
    Ends(String, i32, Option<i64>),
    /// Log ends (`true`) or high watermarks.
    LogEnds(Token, bool),
    Groups(Token),
    /// Offsets that a group has before others are written.
    OldOffsets(Token),
    DeleteOffsets(Token),
    WriteOffsets(Token),
    ReadOffsets(Token),
    ListTransactions(Token, i32),
    DescribeTransactions(Token, i32),
    ShutOut(Token, String),
    FindCoordinator(Token),
    Init(Token),
    Verification(i32),
    Acls,
    Quotas,
    Fetch(Vec<Fetched>),
}

/// A partition that a fetch asked for.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    topic: String,
    topic_id: Uuid,
    partition: i32,
    from: u64,
    /// Leader epoch under which it was asked.
    epoch: i32,
}

/// What a request to the kernel was for.
enum Pending {
    CreateTopic(String),
    Describe((String, i32), LogId),
    Mirror((String, i32), LogId, usize),
    Progress(u16),
    Follow(i32),
}

struct Connection {
    link: Link<Tag>,
    fetching: bool,
    /// No fetch before this, on the clock of [`Now`]: news gather at the leader.
    fetch_at: Duration,
}

/// The feed of one cluster.
pub struct Feed {
    config: FeedConfig,
    catalog: CatalogHandle,
    mirroring: bool,
    lingers: bool,
    stopped: bool,
    connections: BTreeMap<LinkId, Connection>,
    resting: BTreeMap<LinkId, Duration>,
    bootstrap_turn: usize,
    view: Option<ClusterView>,
    /// Everything that was due by then was looked at; what could not be done waits for its connection, not for time.
    looked_until: Option<Duration>,
    metadata_due: Duration,
    metadata_asked: bool,
    /// Topics that legacy does not name at present, and since when.
    missing: BTreeMap<String, Duration>,
    setups: BTreeMap<String, TopicSetup>,
    configs: BTreeMap<String, BTreeMap<String, String>>,
    configs_due: Duration,
    followers: BTreeMap<(String, i32), Follower>,
    modes: BTreeMap<(String, i32), Mode>,
    epochs: Epochs,
    /// Partitions that are not fetched until then: their leader refused, and would again at once.
    refused: BTreeMap<(String, i32), Duration>,
    reported_stops: BTreeSet<(String, i32)>,
    /// Topics that nothing is done for until they are resumed.
    held: BTreeSet<String>,
    offsets: OffsetsFollower,
    progress: BTreeMap<u16, Vec<(i32, i64)>>,
    progress_asked: bool,
    asking: BTreeMap<Token, Asking>,
    access_due: Duration,
    /// Orders about groups' offsets whose answers are outstanding.
    asking_offsets: BTreeSet<Token>,
    rewriting: BTreeMap<Token, groups::Rewrite>,
    asking_transactions: BTreeMap<Token, AskingTransactions>,
    shutting_out: BTreeMap<Token, ShuttingOut>,
    giving: BTreeMap<Token, Giving>,
    /// What each broker says of its verification of transactions, and when they are asked again.
    verification: BTreeMap<i32, Told>,
    verification_due: Duration,
    requests: VecDeque<(RequestId, Request)>,
    pending: BTreeMap<RequestId, Pending>,
    next_request: u64,
    actions: VecDeque<(LinkId, LinkAction)>,
    facts: VecDeque<Fact>,
}

impl Feed {
    /// A feed that begins to look at once, and mirrors when it is ordered to.
    #[must_use]
    pub fn new(config: FeedConfig, catalog: CatalogHandle, now: Now) -> Self {
        Self {
            config,
            catalog,
            mirroring: false,
            lingers: false,
            stopped: false,
            connections: BTreeMap::new(),
            resting: BTreeMap::new(),
            bootstrap_turn: 0,
            view: None,
            looked_until: None,
            metadata_due: now.elapsed,
            metadata_asked: false,
            missing: BTreeMap::new(),
            setups: BTreeMap::new(),
            configs: BTreeMap::new(),
            configs_due: now.elapsed,
            followers: BTreeMap::new(),
            modes: BTreeMap::new(),
            epochs: Epochs::default(),
            refused: BTreeMap::new(),
            reported_stops: BTreeSet::new(),
            held: BTreeSet::new(),
            offsets: OffsetsFollower::default(),
            progress: BTreeMap::new(),
            progress_asked: false,
            asking: BTreeMap::new(),
            access_due: Duration::ZERO,
            asking_offsets: BTreeSet::new(),
            rewriting: BTreeMap::new(),
            asking_transactions: BTreeMap::new(),
            shutting_out: BTreeMap::new(),
            giving: BTreeMap::new(),
            verification: BTreeMap::new(),
            verification_due: Duration::ZERO,
            requests: VecDeque::new(),
            pending: BTreeMap::new(),
            next_request: 0,
            actions: VecDeque::new(),
            facts: VecDeque::new(),
        }
    }

    /// Takes an order.
    pub fn order(&mut self, now: Now, order: Order) {
        match order {
            Order::Mirror(on) => self.mirroring = on,
            Order::Linger(on) => self.lingers = on,
            Order::Reconsider => self.reconsider(),
            Order::Stop => self.stop(now),
            Order::SetMode { topic, partition, mode } => {
                let key = (topic, partition);
                if let Some(follower) = self.followers.get_mut(&key) {
                    match mode {
                        Mode::Follow => follower.relocate(now),
                        Mode::Watch(cut) => follower.watch(cut),
                        Mode::Rest => follower.rest(),
                    }
                }
                self.modes.insert(key, mode);
            }
            Order::SetEpochs { topic, partition, epochs } => {
                self.epochs.set(&topic, partition, Arc::clone(&epochs));
                if let Some(follower) = self.followers.get_mut(&(topic, partition)) {
                    follower.count_by(epochs);
                }
            }
            Order::ReadEnds { token, partitions, groups } => {
                self.read_ends(now, token, &partitions, &groups);
            }
            Order::WriteOffsets { token, group, offsets } => self.write_offsets(now, token, &group, offsets),
            Order::ReadOffsets { token, group } => self.read_offsets(now, token, &group),
            Order::ReadTransactions { token } => self.read_transactions(now, token),
            Order::ShutOut { token, ids } => self.shut_out(now, token, ids),
            Order::InitProducer { token, id, timeout_ms, coordinator } => {
                self.init_producer(now, token, id, timeout_ms, coordinator);
            }
            Order::Hold { topic } => {
                self.followers.retain(|(of, _), _| *of != topic);
                self.setups.remove(&topic);
                self.held.insert(topic);
            }
            Order::Resume { topic, partitions } => self.resume(&topic, &partitions),
        }
        self.advance(now);
    }

    /// What is not followed any more is set up again with the next view, as a new topic is.
    fn resume(&mut self, topic: &str, partitions: &[i32]) {
        for partition in partitions {
            let key = (topic.to_owned(), *partition);
            self.followers.remove(&key);
            self.reported_stops.remove(&key);
            self.refused.remove(&key);
        }
        self.held.remove(topic);
        self.setups.remove(topic);
        self.missing.remove(topic);
        self.metadata_due = Duration::ZERO;
    }

    /// Something happened on a connection.
    pub fn handle_link(&mut self, now: Now, id: LinkId, event: LinkEvent<'_>) {
        let result = match event {
            LinkEvent::Connected => {
                self.connections.get_mut(&id).map_or(Ok(()), |connection| connection.link.connected(now))
            }
            LinkEvent::Bytes(input) => self.take_answers(now, id, input),
            LinkEvent::Closed => {
                self.drop_link(now, id);
                Ok(())
            }
        };
        if let Err(error) = result {
            self.fail_link(now, id, error);
        }
        self.advance(now);
    }

    fn take_answers(&mut self, now: Now, id: LinkId, input: &mut BytesMut) -> Result<(), LinkError> {
        while let Some(connection) = self.connections.get_mut(&id) {
            let was_ready = connection.link.is_ready();
            let answer = connection.link.take(now, input)?;
            if let (false, true, LinkId::Bootstrap) = (was_ready, connection.link.is_ready(), id) {
                self.facts.push_back(Fact::Versions(connection.link.versions().clone()));
            }
            match answer {
                Some(answer) => self.take_answer(now, id, answer)?,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn take_answer(&mut self, now: Now, id: LinkId, answer: Answer<Tag>) -> Result<(), LinkError> {
        match &answer.tag {
            Tag::Metadata => self.see_metadata(now, &answer.decode::<MetadataResponse>()?),
            Tag::Configs => self.see_configs(now, &answer.decode()?),
            Tag::Starts(topic) => self.see_starts(now, topic, &answer.decode::<ListOffsetsResponse>()?),
            Tag::Ends(topic, partition, earliest) => {
                self.see_ends(now, id, topic, *partition, *earliest, &answer.decode()?);
            }
            Tag::LogEnds(token, log_ends) => self.see_log_ends(*token, *log_ends, &answer.decode()?),
            Tag::OldOffsets(token) => self.see_old(now, *token, answer.version, &answer.decode()?),
            Tag::DeleteOffsets(token) => self.see_deleted(now, *token, &answer.decode()?),
            Tag::WriteOffsets(token) => self.see_written(*token, &answer.decode()?),
            Tag::ReadOffsets(token) => self.see_read(*token, answer.version, &answer.decode()?),
            Tag::Groups(token) => self.see_groups(*token, &answer.decode()?),
            Tag::ListTransactions(token, node) => self.see_listed(now, *token, *node, &answer.decode()?),
            Tag::DescribeTransactions(token, node) => self.see_described(*token, *node, &answer.decode()?),
            Tag::ShutOut(token, id) => self.see_shut(now, *token, id, &answer.decode()?),
            Tag::FindCoordinator(token) => self.see_coordinator(now, *token, &answer.decode()?),
            Tag::Init(token) => self.see_given(*token, &answer.decode()?),
            Tag::Verification(node) => self.see_verification(*node, &answer.decode()?),
            Tag::Acls => self.facts.push_back(Fact::Access(access::of_acls(&answer.decode()?))),
            Tag::Quotas => self.facts.push_back(Fact::Access(access::of_quotas(&answer.decode()?))),
            Tag::Fetch(fetched) => {
                let answer = answer.decode()?;
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.fetching = false;
                    connection.fetch_at =
                        if self.lingers { fetch::next_at(now, &answer) } else { now.elapsed };
                }
                self.see_fetch(now, id, fetched, &answer);
            }
        }
        Ok(())
    }

    fn fail_link(&mut self, now: Now, id: LinkId, error: LinkError) {
        self.actions.push_back((id, LinkAction::Close));
        let refused = matches!(error, LinkError::Refused(_));
        self.facts.push_back(Fact::LinkFailed { link: id, error });
        self.drop_link(now, id);
        if refused {
            self.resting.insert(id, now.deadline(RECONNECT_REFUSED));
        }
    }

    fn drop_link(&mut self, now: Now, id: LinkId) {
        self.connections.remove(&id);
        self.resting.insert(id, now.deadline(RECONNECT));
        if id == LinkId::Bootstrap {
            self.metadata_asked = false;
            self.bootstrap_turn = self.bootstrap_turn.wrapping_add(1);
        }
        self.refresh(now);
        self.fail_asking("the connection to legacy broke");
        self.fail_asking_offsets("the connection to legacy broke");
        self.fail_asking_transactions("the connection to legacy broke");
        self.fail_giving("the connection to legacy broke");
        for setup in self.setups.values_mut() {
            setup.ask_again();
        }
    }

    /// The metadata is to be read again soon.
    fn refresh(&mut self, now: Now) {
        self.metadata_due = self.metadata_due.min(now.deadline(METADATA_INTERVAL_MIN));
    }

    fn see_metadata(&mut self, now: Now, answer: &MetadataResponse) {
        self.metadata_asked = false;
        self.metadata_due = now.deadline(METADATA_INTERVAL);
        let wanted = |name: &str| name == OFFSETS_TOPIC || (self.config.topics)(name);
        let Some(view) = ClusterView::of(answer, wanted) else { return };
        if self.mirroring {
            if let Some(offsets) = view.topics.get(OFFSETS_TOPIC)
                && self.offsets.see_leaders(&offsets.partitions)
            {
                self.ask_progress();
            }
            self.see_topics(now, &view);
        }
        self.connections.retain(|id, _| match id {
            LinkId::Bootstrap => true,
            LinkId::Node(node) | LinkId::Questions(node) => view.nodes.contains_key(node),
        });
        if self.view.as_ref() != Some(&view) {
            self.facts.push_back(Fact::View(view.clone()));
        }
        self.view = Some(view);
    }

    fn ask_progress(&mut self) {
        if std::mem::replace(&mut self.progress_asked, true) {
            return;
        }
        self.progress.clear();
        for shard in 0..self.config.shards.max(1) {
            self.coordinate(shard, Transfer::Progress, Pending::Progress(shard));
        }
    }

    fn coordinate(&mut self, shard: u16, transfer: Transfer, pending: Pending) {
        let request = kernel_model::Request::Coordinate { kind: GROUPS, message: transfer.encode() };
        self.ask_kernel(ShardId(shard), request, pending);
    }

    fn ask_kernel(&mut self, shard: ShardId, request: kernel_model::Request, pending: Pending) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.insert(id, pending);
        self.requests.push_back((id, Request::Kernel { shard, request }));
    }

    /// The kernel answered.
    pub fn handle_reply(&mut self, now: Now, id: RequestId, answer: Result<KernelAnswer, KernelError>) {
        let reply = answer.map(|answer| match answer {
            KernelAnswer::Kernel(reply) => reply,
            KernelAnswer::Released => Reply::Done,
        });
        match self.pending.remove(&id) {
            Some(Pending::CreateTopic(topic)) => self.topic_created(now, &topic, reply),
            Some(Pending::Describe(key, log)) => self.described(now, &key, log, reply),
            Some(Pending::Mirror(key, log, bytes)) => self.mirrored(now, key, log, bytes, reply),
            Some(Pending::Progress(shard)) => self.progress_known(shard, reply),
            Some(Pending::Follow(partition)) => self.followed(partition, reply),
            None => {}
        }
        self.advance(now);
    }

    /// The follower that asked. An answer about a copy that was discarded since tells nothing about the new one.
    fn asker(&mut self, key: &(String, i32), log: LogId) -> Option<&mut Follower> {
        self.followers.get_mut(key).filter(|follower| follower.log() == Some(log))
    }

    fn described(&mut self, now: Now, key: &(String, i32), log: LogId, reply: Result<Reply, KernelError>) {
        let mode = self.modes.get(key).copied();
        let Some(follower) = self.asker(key, log) else { return };
        match (reply, mode) {
            (Ok(Reply::Described(_)), Some(Mode::Watch(cut))) => follower.watch(cut),
            (Ok(Reply::Described(_)), Some(Mode::Rest)) => follower.rest(),
            (Ok(Reply::Described(info)), _) => follower.located(&info),
            _ => follower.relocate(now),
        }
    }

    fn mirrored(
        &mut self,
        now: Now,
        key: (String, i32),
        log: LogId,
        bytes: usize,
        reply: Result<Reply, KernelError>,
    ) {
        let Some(follower) = self.asker(&key, log) else { return };
        match reply {
            Ok(Reply::Mirrored { confirmed, replaced_bytes, .. }) => {
                follower.mirrored(now, bytes, confirmed);
                if replaced_bytes > 0 {
                    let (topic, partition) = key;
                    self.facts.push_back(Fact::Replaced { topic, partition, bytes: replaced_bytes });
                }
            }
            Ok(_) => follower.relocate(now),
            Err(error) => follower.refused(now, bytes, error),
        }
    }

    fn progress_known(&mut self, shard: u16, reply: Result<Reply, KernelError>) {
        let progress = match reply {
            Ok(Reply::Coordinated(bytes)) => TransferReply::decode(bytes).ok(),
            _ => None,
        };
        let Some(TransferReply::Progress(progress)) = progress else {
            self.progress_asked = false;
            return;
        };
        self.progress.insert(shard, progress);
        if self.progress.len() == usize::from(self.config.shards.max(1)) {
            let all: Vec<_> = std::mem::take(&mut self.progress).into_values().collect();
            self.offsets.locate(&all);
            self.progress_asked = false;
        }
    }

    fn followed(&mut self, partition: i32, reply: Result<Reply, KernelError>) {
        let reply = match reply {
            Ok(Reply::Coordinated(bytes)) => TransferReply::decode(bytes).ok(),
            _ => None,
        };
        let accepted = if let Some(TransferReply::Followed { ignored }) = reply {
            let facts =
                ignored.into_iter().map(|group| Fact::GroupBypassed { group: group.as_str().to_owned() });
            self.facts.extend(facts);
            true
        } else {
            false
        };
        self.offsets.applied(partition, accepted);
    }

    /// Does what was due by `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        let overdue: Vec<_> = self
            .connections
            .iter()
            .filter_map(|(id, connection)| Some((*id, connection.link.check_deadline(now).err()?)))
            .collect();
        for (id, error) in overdue {
            self.fail_link(now, id, error);
        }
        self.advance(now);
    }

    /// Starts whatever can be started.
    fn advance(&mut self, now: Now) {
        if self.stopped {
            return;
        }
        self.looked_until = self.looked_until.max(Some(now.elapsed));
        self.open_links(now);
        self.ask_metadata(now);
        if self.mirroring {
            self.set_up_topics(now);
            self.locate_followers(now);
            self.ask_verification(now);
            self.fetch(now);
        }
        self.report_stops();
        for (id, connection) in &mut self.connections {
            while let Some(bytes) = connection.link.poll_transmit() {
                self.actions.push_back((*id, LinkAction::Transmit(bytes)));
            }
        }
    }

    fn open_links(&mut self, now: Now) {
        self.resting.retain(|_, until| *until > now.elapsed);
        let turn = self.bootstrap_turn.checked_rem(self.config.bootstrap.len()).unwrap_or(0);
        let bootstrap = self.config.bootstrap.get(turn).cloned().map(|address| (LinkId::Bootstrap, address));
        let nodes = self.view.iter().flat_map(|view| &view.nodes).filter(|_| self.mirroring);
        let nodes = nodes.flat_map(|(id, address)| {
            [(LinkId::Node(*id), address.clone()), (LinkId::Questions(*id), address.clone())]
        });
        let wanted: Vec<_> = bootstrap.into_iter().chain(nodes).collect();
        for (id, address) in wanted {
            if self.connections.contains_key(&id) || self.resting.contains_key(&id) {
                continue;
            }
            let link = Link::new(self.config.credentials.clone());
            self.connections.insert(id, Connection { link, fetching: false, fetch_at: Duration::ZERO });
            self.actions.push_back((id, LinkAction::Connect(address)));
        }
    }

    fn stop(&mut self, now: Now) {
        self.stopped = true;
        self.mirroring = false;
        self.followers.clear();
        self.setups.clear();
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.actions.push_back((id, LinkAction::Close));
            self.drop_link(now, id);
        }
    }

    /// Drops what is no longer to be mirrored; what is new comes with the next view.
    fn reconsider(&mut self) {
        let mirrored = &self.config.mirrored;
        self.followers.retain(|(topic, _), _| mirrored(topic));
        self.setups.retain(|topic, _| mirrored(topic));
        self.offsets.rewind();
        self.metadata_due = Duration::ZERO;
    }

    fn ask_metadata(&mut self, now: Now) {
        if self.metadata_asked || self.metadata_due > now.elapsed {
            return;
        }
        let Some(connection) = self.connections.get_mut(&LinkId::Bootstrap) else { return };
        if !connection.link.is_ready() {
            return;
        }
        let all = MetadataRequest { topics: None, allow_auto_topic_creation: false, ..Default::default() };
        let sent = connection
            .link
            .version_of(ApiKey::Metadata)
            .and_then(|version| connection.link.call(now, version, &all, Tag::Metadata, Duration::ZERO));
        match sent {
            Ok(()) => self.metadata_asked = true,
            Err(error) => return self.fail_link(now, LinkId::Bootstrap, error),
        }
        self.ask_access(now);
    }

    fn report_stops(&mut self) {
        for (key, follower) in &self.followers {
            if let crate::FollowerState::Stopped(reason) = &follower.state
                && self.reported_stops.insert(key.clone())
            {
                let (topic, partition) = key.clone();
                self.facts.push_back(Fact::Stopped { topic, partition, reason: reason.clone() });
            }
        }
    }

    /// Next thing to do on a connection.
    pub fn poll_link(&mut self) -> Option<(LinkId, LinkAction)> {
        self.actions.pop_front()
    }

    /// Next request for the kernel.
    pub fn poll_request(&mut self) -> Option<(RequestId, Request)> {
        self.requests.pop_front()
    }

    /// Next fact.
    pub fn poll_fact(&mut self) -> Option<Fact> {
        self.facts.pop_front()
    }

    /// When `handle_timeout` is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.stopped {
            return None;
        }
        let links = self.connections.values().filter_map(|connection| connection.link.deadline());
        let fetches = self.connections.values().filter(|connection| !connection.fetching);
        let links = links.chain(fetches.map(|connection| connection.fetch_at));
        let located = self.followers.values().filter_map(Follower::retry_at);
        let metadata = (!self.metadata_asked).then_some(self.metadata_due);
        let asks = self.mirroring && self.config.moves_transactions;
        let metadata = metadata.into_iter().chain(asks.then_some(self.verification_due));
        let resting = self.resting.values().chain(self.refused.values()).copied();
        let dues = links.chain(located).chain(metadata).chain(resting);
        dues.filter(|due| self.looked_until.is_none_or(|looked| *due > looked)).min()
    }

    /// Where everything stands.
    #[must_use]
    pub fn status(&self, now: Now) -> FeedStatus {
        FeedStatus {
            partitions: self
                .followers
                .iter()
                .map(|(key, follower)| (key.clone(), follower.status(now)))
                .collect(),
            offsets: self.offsets.status(now, &|topic| {
                let first = self.followers.range((topic.to_owned(), 0)..).next();
                first.is_some_and(|((name, _), _)| name == topic)
            }),
            connected: self.is_connected(),
        }
    }

    /// Whether legacy can be reached.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connections.get(&LinkId::Bootstrap).is_some_and(|each| each.link.is_ready())
    }

    /// How far legacy's log of a group's offsets has been followed and stored.
    #[must_use]
    pub fn group_position(&self, group: &str) -> u64 {
        self.offsets.position(partition_of(group, self.offsets.partition_count()))
    }

    /// Configuration of the topics, as far as it was set.
    #[must_use]
    pub fn configs(&self) -> &BTreeMap<String, BTreeMap<String, String>> {
        &self.configs
    }
}

/// Reads the catalog's answer.
fn catalog_reply(reply: Result<Reply, KernelError>) -> CatalogReply {
    match reply {
        Ok(Reply::Coordinated(bytes)) => CatalogReply::from_bytes(&bytes)
            .unwrap_or_else(|| CatalogReply::Failed("the catalog's answer cannot be read".to_owned())),
        Ok(_) => CatalogReply::Failed("the catalog did not answer".to_owned()),
        Err(error) => CatalogReply::Failed(error.to_string()),
    }
}

/// Where the catalog lives.
const CATALOG_AT: ShardId = CATALOG_SHARD;
