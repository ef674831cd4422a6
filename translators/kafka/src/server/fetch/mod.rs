//! Fetch: reads partitions in waves, waits without polling until there is enough, and answers.
//!
//! ```text
//!            ┌────────────── a wave of reads ◄─────────────┐
//!            ▼                                             │ some log has grown
//!  partitions left and room left? ── no ──► enough, an     │
//!            │ yes                          error, or late? ── no ──► watch every shard
//!            └──► next wave                     │ yes
//!                                               ▼
//!                                            answer
//! ```

mod copies;
mod encode;
mod partition;
mod sessions;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use kernel_model::request::ReadLimit;
use kernel_model::{KernelError, LogId, Offset, Reply, Request, ShardId};

use self::copies::COPY_WAIT_MAX;
use self::encode::Answer;
use self::partition::{Part, PartKey, TopicKey, Wanted};
pub(super) use self::sessions::FetchSessions;
use self::sessions::SessionUse;
use super::operation::{Begin, Cx, Finished, Head, Operation, Step};
use crate::access::{self, QuotaKind};
use crate::codec::messages::fetch_request::FetchPartition;
use crate::codec::messages::{FetchRequest, FetchResponse};
use crate::errors::ErrorCode;

/// Logs in one request to watch.
const WATCH_LOGS_MAX: usize = 1000;

/// A Fetch under way.
struct Fetch {
    head: Head,
    session: SessionUse,
    limit: ReadLimit,
    bytes_min: usize,
    bytes_max: usize,
    deadline: Duration,
    parts: Vec<Part>,
    /// Partitions to be read, in order.
    queue: VecDeque<usize>,
    /// Reads under way, and how many bytes they may bring.
    reading: usize,
    planned: usize,
    /// Bytes that were read.
    total: usize,
    /// Watches under way, by slot, with the logs that they are about. One that was refused stays, so that
    /// it is not asked for again and again: the deadline answers then.
    watches: BTreeMap<usize, Vec<LogId>>,
    next_watch: usize,
}

/// Begins a Fetch.
pub(super) fn start(cx: &mut Cx<'_>, head: Head, request: FetchRequest) -> Begin {
    if is_replica(&request) {
        return Begin::Done(refuse_replica(&head, &request));
    }
    let wanted = wanted_of(&request, head.version);
    let forgotten = forgotten_of(&request, head.version);
    let by_id = head.version >= 13;
    let opened = cx.sessions.open(request.session_id, request.session_epoch, by_id, wanted, &forgotten);
    let (session, wanted) = match opened {
        Ok(opened) => opened,
        Err(code) => {
            let refused = FetchResponse { error_code: code.code(), ..Default::default() };
            return Begin::Done(head.respond(&refused));
        }
    };
    let client_id = head.client_id.as_deref().unwrap_or_default();
    let bytes_max = usize::try_from(request.max_bytes)
        .unwrap_or(0)
        .min(cx.settings.limits.fetch_bytes_max)
        .min(cx.readable_bytes(client_id));
    let mut parts = parts_of(cx, &head, wanted);
    if request.max_bytes < 0 {
        parts.iter_mut().filter(|part| part.log.is_some()).for_each(Part::refuse_size);
    }
    let any_copy = parts.iter().any(Part::is_copy);
    let wait = wait_of(cx, &request);
    let mut fetch = Fetch {
        session,
        limit: if request.isolation_level == 1 { ReadLimit::Stable } else { ReadLimit::Durable },
        // More than may be answered is never waited for.
        bytes_min: usize::try_from(request.min_bytes).unwrap_or(0).min(bytes_max),
        bytes_max,
        deadline: cx.now.deadline(if any_copy { wait.min(COPY_WAIT_MAX) } else { wait }),
        parts,
        queue: VecDeque::new(),
        reading: 0,
        planned: 0,
        total: 0,
        watches: BTreeMap::new(),
        next_watch: 0,
        head,
    };
    fetch.queue = (0..fetch.parts.len()).filter(|at| fetch.is_readable(*at)).collect();
    if any_copy {
        fetch.watch_over_copies(cx);
    }
    match fetch.advance(cx) {
        Step::Done(finished) => Begin::Done(finished),
        Step::Wait => Begin::Run(Box::new(fetch)),
    }
}

fn wait_of(cx: &Cx<'_>, request: &FetchRequest) -> Duration {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    wait.min(cx.settings.limits.fetch_wait_max)
}

/// Only brokers name a replica; a client that does would read what is not confirmed (CVE-2018-1288).
fn is_replica(request: &FetchRequest) -> bool {
    request.replica_id >= 0 || request.replica_state.replica_id >= 0
}

fn refuse_replica(head: &Head, request: &FetchRequest) -> Finished {
    let answers = wanted_of(request, head.version).into_iter().map(|wanted| {
        let code = ErrorCode::TopicAuthorizationFailed;
        (wanted.key, Answer { unread: true, ..Answer::of_error(code) })
    });
    encode::respond(head, 0, 0, answers.collect())
}

fn wanted_of(request: &FetchRequest, version: i16) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for topic in &request.topics {
        let key =
            if version >= 13 { TopicKey::Id(topic.topic_id) } else { TopicKey::Name(topic.topic.detached()) };
        wanted.extend(topic.partitions.iter().map(|part| wanted_part(key.clone(), part)));
    }
    wanted
}

fn wanted_part(topic: TopicKey, part: &FetchPartition) -> Wanted {
    Wanted {
        key: PartKey { topic, partition: part.partition },
        offset: part.fetch_offset,
        bytes_max: usize::try_from(part.partition_max_bytes).ok(),
        current_epoch: part.current_leader_epoch,
        last_fetched_epoch: part.last_fetched_epoch,
    }
}

fn forgotten_of(request: &FetchRequest, version: i16) -> Vec<PartKey> {
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        let key =
            if version >= 13 { TopicKey::Id(topic.topic_id) } else { TopicKey::Name(topic.topic.detached()) };
        forgotten.extend(
            topic.partitions.iter().map(|partition| PartKey { topic: key.clone(), partition: *partition }),
        );
    }
    forgotten
}

fn parts_of(cx: &Cx<'_>, head: &Head, wanted: Vec<Wanted>) -> Vec<Part> {
    let (catalog, guarded) = (cx.catalog(), cx.guard.realm.is_guarded());
    let client_id = head.client_id.as_deref().unwrap_or_default();
    let find = |wanted| {
        let mut part = Part::find(&catalog, cx.copies, client_id, wanted);
        let name = match &part.wanted.key.topic {
            TopicKey::Name(name) => Some(name.to_string()),
            TopicKey::Id(id) => catalog.topic_by_id(*id).map(|topic| topic.name.to_string()),
        };
        if guarded && name.is_some_and(|name| !cx.guard.may_topic(access::Operation::Read, &name)) {
            part.deny();
        }
        part
    };
    wanted.into_iter().map(find).collect()
}

impl Fetch {
    fn is_readable(&self, at: usize) -> bool {
        self.parts.get(at).is_some_and(|part| part.log.is_some())
    }

    /// Sends the next wave, or waits for growth, or answers.
    fn advance(&mut self, cx: &mut Cx<'_>) -> Step {
        if self.reading > 0 {
            return Step::Wait;
        }
        self.planned = 0;
        self.send_wave(cx);
        if self.reading > 0 {
            return Step::Wait;
        }
        self.queue.clear();
        let failed = self.parts.iter().any(Part::is_urgent);
        let late = cx.now.elapsed >= self.deadline;
        let ahead = self.parts.iter().any(Part::is_ahead);
        if (self.total >= self.bytes_min && !ahead) || failed || late || !self.watch(cx) {
            return Step::Done(self.finish(cx));
        }
        Step::Wait
    }

    fn send_wave(&mut self, cx: &mut Cx<'_>) {
        while self.reading < cx.settings.limits.fetch_reads_max {
            let room = self.bytes_max.saturating_sub(self.total.saturating_add(self.planned));
            // What this wave plans it may not bring: the rest waits for the next one. Once the room is really
            // used up, partitions are read for their positions alone.
            if room == 0 && self.planned > 0 {
                break;
            }
            let Some(at) = self.queue.pop_front() else { break };
            let first = self.total == 0;
            let Some(part) = self.parts.get_mut(at) else { continue };
            let Some(log) = part.log else { continue };
            part.asked = true;
            part.planned = part.wanted.bytes_max.unwrap_or(0).min(room);
            self.planned = self.planned.saturating_add(part.planned);
            let request = part.question(log, first, self.limit);
            cx.ask(at, log.shard(), request);
            self.reading += 1;
        }
    }

    /// Asks shards to tell when a log has grown that nobody watches yet. False when there is no log.
    fn watch(&mut self, cx: &mut Cx<'_>) -> bool {
        let watched: BTreeSet<LogId> = self.watches.values().flatten().copied().collect();
        let mut shards: BTreeMap<ShardId, Vec<(LogId, Offset)>> = BTreeMap::new();
        for part in &self.parts {
            if let (Some(log), Some(seen)) = (part.log, part.seen_end)
                && !watched.contains(&log)
            {
                shards.entry(log.shard()).or_default().push((log, seen));
            }
        }
        let wait = self.deadline.saturating_sub(cx.now.elapsed);
        for (shard, logs) in shards {
            for logs in logs.chunks(WATCH_LOGS_MAX) {
                let slot = self.parts.len() + self.next_watch;
                self.next_watch += 1;
                self.watches.insert(slot, logs.iter().map(|(log, _)| *log).collect());
                let request = Request::Watch { logs: logs.to_vec(), limit: self.limit, wait };
                cx.ask(slot, shard, request);
            }
        }
        // The shards' own waits end at the same time; this one holds even if a shard is late.
        cx.wake_at(self.deadline);
        !self.watches.is_empty()
    }

    /// A shard says which logs have grown: those are read again.
    fn changed(&mut self, slot: usize, answer: Result<Reply, KernelError>) {
        let Ok(Reply::Changed(logs)) = answer else { return };
        self.watches.remove(&slot);
        let grown: BTreeSet<LogId> = logs.into_iter().collect();
        for (at, part) in self.parts.iter_mut().enumerate() {
            if part.log.is_some_and(|log| grown.contains(&log)) && !self.queue.contains(&at) {
                self.total = self.total.saturating_sub(part.bytes());
                part.forget();
                self.queue.push_back(at);
            }
        }
    }

    fn finish(&mut self, cx: &mut Cx<'_>) -> Finished {
        self.keep_within_limit();
        let own = cx.cluster.own;
        let limit = self.limit;
        self.settle_copies(cx);
        let bytes = self.parts.iter().map(Part::bytes).sum();
        let client_id = self.head.client_id.as_deref().unwrap_or_default();
        let (throttle_time_ms, left_out) = cx.meter(QuotaKind::Consume, client_id, bytes);
        if left_out {
            return self.hold_back(cx, throttle_time_ms);
        }
        let parts = std::mem::take(&mut self.parts);
        let answers: Vec<(PartKey, Answer)> =
            parts.into_iter().map(|part| part.into_answer(own, limit)).collect();
        let (session_id, answers) = cx.sessions.close(&self.session, answers);
        encode::respond(&self.head, throttle_time_ms, session_id, answers)
    }

    /// Brings nothing, and says when to ask again. A session that is there goes on; none begins.
    fn hold_back(&self, cx: &mut Cx<'_>, throttle_time_ms: i32) -> Finished {
        let session_id = cx.sessions.hold_back(&self.session);
        self.head.respond(&FetchResponse { throttle_time_ms, session_id, ..Default::default() })
    }

    /// Several reads of one wave may each have brought a batch larger than allowed; only the first of the
    /// answer may be (KIP-74).
    fn keep_within_limit(&mut self) {
        let mut total = 0_usize;
        for part in &mut self.parts {
            let bytes = part.bytes();
            if total > 0 && (bytes > part.planned || total.saturating_add(bytes) > self.bytes_max) {
                part.drop_records();
            } else {
                total = total.saturating_add(bytes);
            }
        }
    }
}

impl Operation for Fetch {
    fn answered(&mut self, cx: &mut Cx<'_>, slot: usize, answer: Result<Reply, KernelError>) -> Step {
        if slot >= self.parts.len() {
            self.changed(slot, answer);
            return self.advance(cx);
        }
        let first = self.total == 0;
        let Some(part) = self.parts.get_mut(slot) else { return Step::Wait };
        if let Some(more) = part.answered(answer, first, self.limit)
            && let Some(log) = part.log
        {
            cx.ask(slot, log.shard(), more);
            return Step::Wait;
        }
        part.asked = false;
        self.total = self.total.saturating_add(part.bytes());
        self.reading = self.reading.saturating_sub(1);
        self.advance(cx)
    }

    fn due(&mut self, cx: &mut Cx<'_>) -> Step {
        if self.reading > 0 && self.is_stuck(cx.now.elapsed) {
            return Step::Done(self.finish(cx));
        }
        if self.reading > 0 || cx.now.elapsed < self.deadline {
            return Step::Wait;
        }
        Step::Done(self.finish(cx))
    }
}
