//! The reverse feed of one legacy cluster: brings legacy what the kernel writes after a cutover, byte for byte and at
//! the same offsets, so that going back loses nothing.
//!
//! Performs no IO: a driver owns one connection per [`LinkId`], hands in what it received, and carries out what
//! `poll_link` and `poll_request` want. It reads [`kernel_model::reply::Chunk::Cold`] chunks before it hands an answer
//! in.
//!
//! ```text
//!  Begin ──► settle: legacy's end, its tail beside the kernel's ──► read kernel ⟲ produce to legacy's leader
//!              ▲                                                                      │
//!              └───────── an answer lost, another leader, another offset ─────────────┘
//! ```
//!
//! Nothing is written down: where legacy stands is asked of legacy. One batch of a partition is under way at a time,
//! so that an answer names the offset of that batch or shows that somebody else has written.
//!
//! A write whose answer was lost may arrive late, so legacy's end is asked for only after [`partition::LATE_WRITE`]. A
//! broker that stalls for longer and then takes it all the same makes a second copy of a batch without a producer id:
//! that is found, and closes the way back.

mod interface;
mod kernel;
mod markers;
mod metadata;
mod partition;
mod produce;
mod questions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::BytesMut;
use kernel_model::{KernelError, Now, Reply};
use session::{Answer as KernelAnswer, Request, RequestId};
use translator_kafka::codec::{ApiKey, Request as LegacyRequest, Uuid};

pub use self::interface::{
    ClosedReason, ReverseConfig, ReverseFact, ReverseLimits, ReverseOrder, ReverseStatus, WayBack,
};
use self::kernel::Pending;
use self::partition::{LATE_WRITE, Partition, Stage, TAIL_RECORDS};
use crate::feed::{LinkAction, LinkEvent, LinkId, Token};
use crate::link::{Answer, Link, LinkError};
use crate::view::ClusterView;

/// How long a broken connection rests.
const RECONNECT: Duration = Duration::from_millis(250);
/// How long it rests after legacy has refused its credentials.
const RECONNECT_REFUSED: Duration = Duration::from_secs(10);

/// Topic and partition.
type Key = (String, i32);

/// A partition that a request names, and what it was asked for in.
#[derive(Debug, Clone)]
struct Asked {
    key: Key,
    generation: u64,
}

/// What a request to legacy was for.
#[derive(Debug)]
enum Tag {
    Metadata,
    /// Ends of logs.
    Ends(Vec<Asked>),
    /// Starts of logs, after a read below one.
    Starts(Vec<Asked>),
    /// Batches before the end, to compare.
    Tail(Vec<Asked>),
    Delete(Vec<Asked>),
    Produce(Vec<Asked>),
    Markers(Vec<Asked>),
    /// Under which coordinators producers have been, where a marker was refused for that.
    Coordinators(Vec<Asked>),
}

struct Connection {
    link: Link<Tag>,
    /// A request is under way whose answer the next one waits for.
    busy: bool,
}

/// Ends that somebody waits for.
struct Wait {
    ends: BTreeMap<Key, u64>,
    /// Partitions that have not been asked since.
    open: BTreeSet<Key>,
}

/// The reverse feed of one cluster.
pub struct ReverseFeed {
    config: ReverseConfig,
    stopped: bool,
    /// When everything that was due then was done.
    done_until: Duration,
    partitions: BTreeMap<Key, Partition>,
    waits: BTreeMap<Token, Wait>,
    connections: BTreeMap<LinkId, Connection>,
    resting: BTreeMap<LinkId, Duration>,
    bootstrap_turn: usize,
    view: Option<ClusterView>,
    metadata_due: Duration,
    metadata_asked: bool,
    /// Topics that legacy does not name at present, and since when.
    missing: BTreeMap<String, Duration>,
    pending: BTreeMap<RequestId, Pending>,
    next_request: u64,
    /// Where the kernel was read last, so that every partition has its turn.
    read_turn: Option<Key>,
    /// Where each leader was written to last: the same.
    send_turns: BTreeMap<i32, Key>,
    requests: VecDeque<(RequestId, Request)>,
    actions: VecDeque<(LinkId, LinkAction)>,
    facts: VecDeque<ReverseFact>,
}

impl ReverseFeed {
    /// A reverse feed that contacts nobody until its first [`ReverseOrder::Begin`].
    #[must_use]
    pub fn new(config: ReverseConfig) -> Self {
        Self {
            config,
            stopped: false,
            done_until: Duration::ZERO,
            partitions: BTreeMap::new(),
            waits: BTreeMap::new(),
            connections: BTreeMap::new(),
            resting: BTreeMap::new(),
            bootstrap_turn: 0,
            view: None,
            metadata_due: Duration::ZERO,
            metadata_asked: false,
            missing: BTreeMap::new(),
            pending: BTreeMap::new(),
            next_request: 0,
            read_turn: None,
            send_turns: BTreeMap::new(),
            requests: VecDeque::new(),
            actions: VecDeque::new(),
            facts: VecDeque::new(),
        }
    }

    /// Takes an order.
    pub fn order(&mut self, now: Now, order: ReverseOrder) {
        match order {
            ReverseOrder::Begin { topic, partition, topic_id, log, cut, compacted, closed } => {
                let tail = if compacted { 1 } else { TAIL_RECORDS };
                self.begin(now, (topic, partition), Partition::new(now, topic_id, log, cut, tail, closed));
            }
            ReverseOrder::Stop { topic, partition } => {
                let ended = self.partitions.remove(&(topic, partition));
                ended.iter().for_each(|ended| self.release(ended));
            }
            ReverseOrder::SettleUntil { token, ends } => self.wait_for(now, token, ends),
            ReverseOrder::Forget { token } => {
                self.waits.remove(&token);
            }
            ReverseOrder::StopAll => {
                self.stopped = true;
                let ended = std::mem::take(&mut self.partitions);
                ended.values().for_each(|ended| self.release(ended));
            }
        }
        self.advance(now);
    }

    fn begin(&mut self, now: Now, key: Key, mut partition: Partition) {
        let legacy = self.view.as_ref().and_then(|view| view.topics.get(&key.0));
        if let Some((leader, epoch)) = legacy.and_then(|legacy| legacy.partitions.get(&key.1)) {
            (partition.leader, partition.leader_epoch) = (*leader, *epoch);
        }
        partition.held = self
            .partitions
            .get(&key)
            .filter(|before| before.log == partition.log)
            .and_then(|before| before.held);
        // An answer to what was asked for the partition before it tells nothing about this one.
        partition.generation = self.partitions.get(&key).map_or(0, |before| before.generation + 1);
        self.partitions.insert(key, partition);
        self.refresh(now);
    }

    fn wait_for(&mut self, now: Now, token: Token, ends: BTreeMap<Key, u64>) {
        for key in ends.keys() {
            if let Some(partition) = self.partitions.get_mut(key) {
                partition.checked = None;
                partition.check_due = now.elapsed;
                partition.describe_due = now.elapsed;
            }
        }
        let open = ends.keys().cloned().collect();
        self.waits.insert(token, Wait { ends, open });
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
            let Some(answer) = connection.link.take(now, input)? else { return Ok(()) };
            connection.busy = false;
            self.take_answer(now, answer)?;
        }
        Ok(())
    }

    fn take_answer(&mut self, now: Now, answer: Answer<Tag>) -> Result<(), LinkError> {
        match &answer.tag {
            Tag::Metadata => self.see_metadata(now, &answer.decode()?),
            Tag::Ends(asked) => self.see_ends(now, asked, &answer.decode()?),
            Tag::Starts(asked) => self.see_starts(now, asked, &answer.decode()?),
            Tag::Tail(asked) => self.see_tail(now, asked, &answer.decode()?),
            Tag::Delete(asked) => self.see_deleted(now, asked, &answer.decode()?),
            Tag::Produce(asked) => self.see_produced(now, asked, &answer.decode()?),
            Tag::Markers(asked) => self.see_marked(now, asked, &answer.decode()?),
            Tag::Coordinators(asked) => self.see_coordinators(now, asked, &answer.decode()?),
        }
        Ok(())
    }

    fn fail_link(&mut self, now: Now, id: LinkId, error: LinkError) {
        self.actions.push_back((id, LinkAction::Close));
        let refused = matches!(error, LinkError::Refused(_));
        self.facts.push_back(ReverseFact::LinkFailed { link: id, error });
        self.drop_link(now, id);
        if refused {
            self.resting.insert(id, now.deadline(RECONNECT_REFUSED));
        }
    }

    /// A connection is gone, and with it every answer that it owed.
    fn drop_link(&mut self, now: Now, id: LinkId) {
        self.connections.remove(&id);
        self.resting.insert(id, now.deadline(RECONNECT));
        match id {
            LinkId::Bootstrap => {
                self.metadata_asked = false;
                self.bootstrap_turn = self.bootstrap_turn.wrapping_add(1);
            }
            LinkId::Node(node) => {
                for partition in self.partitions.values_mut() {
                    if partition.in_flight.is_some_and(|sent| sent.node == node) {
                        partition.trouble = Some("the connection to legacy broke".to_owned());
                        partition.settle(now, LATE_WRITE);
                    }
                }
            }
            LinkId::Questions(node) => {
                for partition in self.partitions.values_mut() {
                    if partition.asked == Some(node) {
                        partition.asked = None;
                    }
                    if partition.deleting == Some(node) {
                        partition.deleting = None;
                    }
                }
            }
        }
        self.refresh(now);
    }

    /// Sends a request in the best version, at most `api.1`. Says whether it could be sent; a connection that cannot
    /// express it is closed.
    fn call<R: LegacyRequest>(
        &mut self,
        now: Now,
        id: LinkId,
        (api, newest): (ApiKey, i16),
        tag: Tag,
        patience: Duration,
        request: impl FnOnce(i16) -> R,
    ) -> bool {
        let Some(connection) = self.connections.get_mut(&id).filter(|each| each.link.is_ready()) else {
            return false;
        };
        let sent = connection
            .link
            .version_of(api)
            .map(|version| version.min(newest))
            .and_then(|version| connection.link.call(now, version, &request(version), tag, patience));
        match sent {
            Ok(()) => {
                connection.busy = true;
                true
            }
            Err(error) => {
                self.fail_link(now, id, error);
                false
            }
        }
    }

    /// Nodes whose connection of this kind waits for something to do.
    fn free_nodes(&self, of: impl Fn(LinkId) -> Option<i32>) -> Vec<i32> {
        let free = self.connections.iter().filter(|(_, each)| each.link.is_ready() && !each.busy);
        free.filter_map(|(id, _)| of(*id)).collect()
    }

    /// The partition that was asked for, unless it has moved on since.
    fn asker(&mut self, asked: &Asked) -> Option<&mut Partition> {
        self.partitions.get_mut(&asked.key).filter(|partition| partition.generation == asked.generation)
    }

    fn topic_id(&self, topic: &str) -> Uuid {
        let known = self.view.as_ref().and_then(|view| view.topics.get(topic));
        known.map(|topic| topic.id).unwrap_or_default()
    }

    /// The kernel answered.
    pub fn handle_reply(&mut self, now: Now, id: RequestId, answer: Result<KernelAnswer, KernelError>) {
        let reply = answer.map(|answer| match answer {
            KernelAnswer::Kernel(reply) => reply,
            KernelAnswer::Released => Reply::Done,
        });
        self.take_reply(now, id, reply);
        self.advance(now);
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
        self.done_until = self.done_until.max(now.elapsed);
        self.open_links(now);
        self.ask_metadata(now);
        self.ask_kernel(now);
        self.hurry(now);
        self.ask_questions(now);
        self.produce(now);
        for (id, connection) in &mut self.connections {
            while let Some(bytes) = connection.link.poll_transmit() {
                self.actions.push_back((*id, LinkAction::Transmit(bytes)));
            }
        }
        self.tell_changes(now);
        self.end_waits();
    }

    fn tell_changes(&mut self, now: Now) {
        for ((topic, number), partition) in &mut self.partitions {
            let way_back = partition.judge(now, &self.config.limits);
            if partition.told.as_ref() != Some(&way_back) {
                partition.told = Some(way_back.clone());
                let (topic, partition) = (topic.clone(), *number);
                self.facts.push_back(ReverseFact::Changed { topic, partition, way_back });
            }
        }
    }

    /// Legacy is asked at once where somebody waits for its end.
    fn hurry(&mut self, now: Now) {
        for key in self.waits.values().flat_map(|wait| &wait.open) {
            if let Some(partition) = self.partitions.get_mut(key)
                && partition.checked != Some(partition.generation)
            {
                partition.check_due = partition.check_due.min(now.elapsed);
            }
        }
    }

    fn end_waits(&mut self) {
        let tokens: Vec<Token> = self.waits.keys().copied().collect();
        for token in tokens {
            let Some(wait) = self.waits.get_mut(&token) else { continue };
            let partitions = &self.partitions;
            let mut failed = None;
            wait.open.retain(|key| match wait.ends.get(key).map(|end| arrived(partitions.get(key), *end)) {
                Some(Ok(done)) => !done,
                Some(Err(reason)) => {
                    failed.get_or_insert_with(|| format!("{}/{}: {reason}", key.0, key.1));
                    false
                }
                None => false,
            });
            let fact = match failed {
                Some(reason) => ReverseFact::SettleFailed { token, reason },
                None if wait.open.is_empty() => ReverseFact::Settled { token },
                None => continue,
            };
            self.waits.remove(&token);
            self.facts.push_back(fact);
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
    pub fn poll_fact(&mut self) -> Option<ReverseFact> {
        self.facts.pop_front()
    }

    /// When `handle_timeout` is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let open = self.partitions.values().filter(|partition| !partition.is_closed());
        let partitions = open.flat_map(Partition::dues);
        let links = self.connections.values().filter_map(|connection| connection.link.deadline());
        let metadata = (!self.metadata_asked).then_some(self.metadata_due);
        let dues = partitions.chain(links).chain(metadata).chain(self.resting.values().copied());
        dues.filter(|due| *due > self.done_until).min()
    }

    /// Where everything stands, by topic and partition.
    #[must_use]
    pub fn status(&self, now: Now) -> BTreeMap<(String, i32), ReverseStatus> {
        self.partitions.iter().map(|(key, partition)| (key.clone(), self.told_of(now, partition))).collect()
    }

    /// Where one partition stands, if it was begun.
    #[must_use]
    pub fn status_of(&self, now: Now, topic: &str, partition: i32) -> Option<ReverseStatus> {
        self.partitions.get(&(topic.to_owned(), partition)).map(|each| self.told_of(now, each))
    }

    fn told_of(&self, now: Now, partition: &Partition) -> ReverseStatus {
        let mut status = partition.status(now);
        let link = self.connections.get(&LinkId::Node(partition.leader));
        let reached = partition.is_closed() || link.is_some_and(|each| each.link.is_ready());
        if !reached && status.trouble.is_none() {
            status.trouble = Some("its leader on legacy is not reached".to_owned());
        }
        status
    }

    /// Bounds.
    #[must_use]
    pub fn limits(&self) -> &ReverseLimits {
        &self.config.limits
    }
}

/// Whether legacy ends where it must.
///
/// # Errors
///
/// Why it never will.
fn arrived(partition: Option<&Partition>, end: u64) -> Result<bool, String> {
    let Some(partition) = partition else { return Err("it is not brought to legacy".to_owned()) };
    match (&partition.stage, partition.position) {
        (Stage::Closed(reason), _) => Err(reason.to_string()),
        (_, Some(position)) if position > end => Err(format!("legacy ends at {position} already")),
        (Stage::Sending, Some(position)) => Ok(position == end
            && partition.in_flight.is_none()
            && partition.checked == Some(partition.generation)),
        _ => Ok(false),
    }
}
