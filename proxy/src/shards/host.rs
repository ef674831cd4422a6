//! Hosts each shard on its own thread.
//!
//! One turn takes whatever has come, hands it to the shard, tells the shard how far its store is durable, and
//! sends off the replies and what is meant for other shards. A shard that stops or panics is a fault of the
//! process, shown by its health; whoever waits for it gets an error, not silence.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use kernel_engine::{CompactionDone, RequestKey, Shard};
use kernel_model::{KernelError, Now, Request, ShardId};
use session::{Answer, RequestId};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender, channel, unbounded_channel};
use tokio::sync::{Notify, oneshot, watch};

use super::{ShardMessage, Shards, new_asker};
use crate::clock::{Clock, Timer};
use crate::health::Health;
use crate::holds::{Answers, ReplyTo};

/// Requests that wait for one shard.
const QUEUE_MAX: usize = 1024;
/// Requests that one turn takes.
const TURN_MAX: usize = 256;
/// Outbox entries that one turn sends off.
const OUTBOX_TURN_MAX: usize = 256;

/// Called by a store, from any thread, when its durable position may have moved.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Opens a shard, on the shard's own thread.
pub type OpenShard = Arc<dyn Fn(ShardId, Waker) -> Result<Shard, KernelError> + Send + Sync>;

/// Why the shards could not be started.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A shard could not be opened: its store says why.
    #[error("shard {} cannot be opened: {error}", shard.0)]
    Open {
        /// Which.
        shard: ShardId,
        /// Why.
        error: KernelError,
    },
    /// No thread, or no runtime for it.
    #[error("no thread for a shard: {0}")]
    Thread(#[from] std::io::Error),
}

/// All shards of the process, running.
pub struct ShardHosts {
    shards: Shards,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl ShardHosts {
    /// Opens `count` shards and starts their threads; ready when all have recovered.
    ///
    /// # Errors
    ///
    /// [`HostError`] of the first shard that fails; the others are stopped again.
    pub async fn start(
        count: u16,
        clock: Clock,
        health: Arc<Health>,
        open: OpenShard,
    ) -> Result<Self, HostError> {
        let (stop, stopped) = watch::channel(false);
        let (ports, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| channel(QUEUE_MAX)).unzip();
        let mut hosts = Self { shards: Shards::new(ports), threads: Vec::new(), stop };
        let mut opened = Vec::new();
        for (number, inbox) in (0..count).zip(inboxes) {
            let id = ShardId(number);
            let (open, health) = (Arc::clone(&open), Arc::clone(&health));
            let (shards, stopped) = (hosts.shards.clone(), stopped.clone());
            let (ready, when_ready) = oneshot::channel();
            let thread = std::thread::Builder::new().name(format!("shard-{number}")).spawn(move || {
                host(id, inbox, &open, Setting { clock, health, shards, stopped }, ready);
            })?;
            hosts.threads.push(thread);
            opened.push((id, when_ready));
        }
        for (shard, when_ready) in opened {
            let lost = || KernelError::Stopped("its thread ended".to_owned());
            let outcome = when_ready.await.unwrap_or_else(|_| Err(lost()));
            if let Err(error) = outcome {
                hosts.stop().await;
                return Err(HostError::Open { shard, error });
            }
        }
        Ok(hosts)
    }

    /// The way to them.
    #[must_use]
    pub fn shards(&self) -> Shards {
        self.shards.clone()
    }

    /// Stops them once they have taken what waits; their stores write what is pending.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in self.threads {
                // A panic inside was caught and reported where it happened.
                let _panicked = thread.join();
            }
        });
        let _cancelled = joined.await;
    }
}

struct Setting {
    clock: Clock,
    health: Arc<Health>,
    shards: Shards,
    stopped: watch::Receiver<bool>,
}

fn host(
    id: ShardId,
    inbox: Receiver<ShardMessage>,
    open: &OpenShard,
    setting: Setting,
    ready: oneshot::Sender<Result<(), KernelError>>,
) {
    let part = format!("shard {}", id.0);
    let wake = Arc::new(Notify::new());
    let waker: Waker = {
        let wake = Arc::clone(&wake);
        Arc::new(move || wake.notify_one())
    };
    let health = Arc::clone(&setting.health);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().thread_name("shard").build();
    let opened = catch_unwind(AssertUnwindSafe(|| open(id, waker)));
    let opened = opened.unwrap_or_else(|_| Err(KernelError::Stopped("it panicked".to_owned())));
    let (shard, runtime) = match (opened, runtime) {
        (Ok(shard), Ok(runtime)) => (shard, runtime),
        (Err(error), _) => return drop(ready.send(Err(error))),
        (_, Err(error)) => return drop(ready.send(Err(KernelError::Stopped(error.to_string())))),
    };
    let _nobody_waits = ready.send(Ok(()));
    let mut host = Host::new(shard, inbox, wake, setting, part.clone());
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(host.run())));
    if outcome.is_err() {
        health.fail(&part, "it panicked; restart the process");
    }
    host.refuse_all();
}

/// What wakes a host.
enum Wake {
    Messages,
    Delivered(RequestId, bool),
    Compacted(Option<CompactionDone>),
    Durable,
    Time,
    Stop,
}

struct Host {
    shard: Shard,
    inbox: Receiver<ShardMessage>,
    messages: Vec<ShardMessage>,
    waiting: BTreeMap<RequestKey, ReplyTo>,
    wake: Arc<Notify>,
    timer: Timer,
    setting: Setting,
    /// Answers of other shards to what was delivered there.
    answers: Answers,
    answered: UnboundedReceiver<(RequestId, Result<Answer, KernelError>)>,
    delivering: BTreeMap<RequestId, (ShardId, u64)>,
    /// Results of compaction, which works on a thread of its own; `None`: it panicked.
    compactions: UnboundedSender<Option<CompactionDone>>,
    compacted: UnboundedReceiver<Option<CompactionDone>>,
    asker: u64,
    delivered: u64,
    /// Name for the health report.
    part: String,
    reported: bool,
    stopping: bool,
    figures: Figures,
    refusing: Refusing,
}

/// How often a shard's figures are published.
const FIGURES_EVERY: Duration = Duration::from_secs(1);
/// How long a store that was full refuses nothing until it counts as having room.
const FULL_QUIET: Duration = Duration::from_secs(3);

/// A shard's figures as metrics.
struct Figures {
    requests: metrics::Counter,
    commits: metrics::Counter,
    overloaded: metrics::Counter,
    fsyncs: metrics::Counter,
    live_bytes: metrics::Gauge,
    disk_bytes: metrics::Gauge,
    pending_bytes: metrics::Gauge,
    compactions: metrics::Counter,
    compaction_read_bytes: metrics::Counter,
    compaction_written_bytes: metrics::Counter,
    compaction_removed_records: metrics::Counter,
    compaction_failures: metrics::Counter,
    due: Duration,
}

impl Figures {
    fn new(shard: ShardId) -> Self {
        let label = [("shard", shard.0.to_string())];
        Self {
            requests: metrics::counter!("sluice_shard_requests_total", &label),
            commits: metrics::counter!("sluice_shard_commits_total", &label),
            overloaded: metrics::counter!("sluice_shard_overloaded_total", &label),
            fsyncs: metrics::counter!("sluice_store_fsyncs_total", &label),
            live_bytes: metrics::gauge!("sluice_store_live_bytes", &label),
            disk_bytes: metrics::gauge!("sluice_store_disk_bytes", &label),
            pending_bytes: metrics::gauge!("sluice_store_pending_bytes", &label),
            compactions: metrics::counter!("sluice_compaction_passes_total", &label),
            compaction_read_bytes: metrics::counter!("sluice_compaction_read_bytes_total", &label),
            compaction_written_bytes: metrics::counter!("sluice_compaction_written_bytes_total", &label),
            compaction_removed_records: metrics::counter!("sluice_compaction_removed_records_total", &label),
            compaction_failures: metrics::counter!("sluice_compaction_failures_total", &label),
            due: Duration::ZERO,
        }
    }

    /// Says whether it was due.
    fn publish(&mut self, now: Now, shard: &Shard) -> bool {
        if now.elapsed < self.due {
            return false;
        }
        self.due = now.deadline(FIGURES_EVERY);
        let (stats, store) = (shard.stats(), shard.store_stats());
        self.commits.absolute(stats.commits);
        self.overloaded.absolute(stats.overloaded);
        self.fsyncs.absolute(store.fsyncs);
        self.live_bytes.set(as_float(store.live_bytes));
        self.disk_bytes.set(as_float(store.disk_bytes));
        self.pending_bytes.set(as_float(store.pending_bytes));
        self.compactions.absolute(stats.compactions);
        self.compaction_read_bytes.absolute(stats.compaction_read_bytes);
        self.compaction_written_bytes.absolute(stats.compaction_written_bytes);
        self.compaction_removed_records.absolute(stats.compaction_removed_records);
        self.compaction_failures.absolute(stats.compaction_failures + stats.compaction_unreadable);
        true
    }
}

/// Whether the store refuses for lack of space, as its answers say.
#[derive(Debug, Default)]
struct Refusing {
    /// When it last refused.
    full_at: Option<Duration>,
    /// Commits taken when it last refused: one more shows that there is room again.
    commits: u64,
}

/// Metrics are floating point; above 2^53 bytes the last digits do not matter.
#[allow(clippy::cast_precision_loss, reason = "figures for a graph")]
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}

impl Host {
    fn new(
        shard: Shard,
        inbox: Receiver<ShardMessage>,
        wake: Arc<Notify>,
        setting: Setting,
        part: String,
    ) -> Self {
        let (answers, answered) = unbounded_channel();
        let (compactions, compacted) = unbounded_channel();
        Self {
            figures: Figures::new(shard.id()),
            refusing: Refusing::default(),
            shard,
            inbox,
            messages: Vec::with_capacity(TURN_MAX),
            waiting: BTreeMap::new(),
            wake,
            timer: Timer::new(setting.clock),
            setting,
            answers,
            answered,
            delivering: BTreeMap::new(),
            compactions,
            compacted,
            asker: new_asker(),
            delivered: 0,
            part,
            reported: false,
            stopping: false,
        }
    }

    async fn run(&mut self) {
        while !(self.stopping && self.inbox.is_empty()) {
            let wake = self.wait().await;
            self.turn(wake);
        }
    }

    async fn wait(&mut self) -> Wake {
        let deadline = self.shard.poll_timeout();
        let Self { inbox, messages, answered, compacted, wake, timer, setting, stopping, .. } = self;
        tokio::select! {
            biased;
            () = wake.notified() => Wake::Durable,
            Some((id, answer)) = answered.recv() => Wake::Delivered(id, answer.is_ok()),
            Some(done) = compacted.recv() => Wake::Compacted(done),
            () = std::future::poll_fn(|cx| timer.poll(cx, deadline)) => Wake::Time,
            _count = inbox.recv_many(messages, TURN_MAX) => Wake::Messages,
            _gone = setting.stopped.wait_for(|stop| *stop), if !*stopping => Wake::Stop,
        }
    }

    fn turn(&mut self, wake: Wake) {
        let now = self.setting.clock.now();
        match wake {
            Wake::Messages => self.take_messages(),
            Wake::Delivered(id, applied) => {
                let delivery = self.delivering.remove(&id);
                if let (Some((to, position)), true) = (delivery, applied) {
                    self.shard.handle_outbox_applied(now, to, position);
                }
            }
            Wake::Compacted(done) => self.shard.handle_compaction(now, done),
            Wake::Time => self.shard.handle_timeout(now),
            Wake::Durable => {}
            Wake::Stop => self.stopping = true,
        }
        self.shard.handle_durable(now);
        self.deliver();
        self.compact();
        self.reply();
        self.report();
        if self.figures.publish(now, &self.shard) {
            self.report_store();
        }
    }

    fn take_messages(&mut self) {
        let now = self.setting.clock.now();
        self.figures.requests.increment(self.messages.len() as u64);
        for message in std::mem::take(&mut self.messages) {
            match message {
                ShardMessage::Request { request, reply_to } => {
                    let key = RequestKey(reply_to.asker, reply_to.id.0);
                    self.waiting.insert(key, reply_to);
                    self.shard.handle_request(now, key, request);
                }
                ShardMessage::Cancel(reply_to) => {
                    let key = RequestKey(reply_to.asker, reply_to.id.0);
                    self.shard.cancel(key);
                    self.waiting.remove(&key);
                }
            }
        }
        self.messages.reserve(TURN_MAX);
    }

    fn reply(&mut self) {
        while let Some((key, reply)) = self.shard.poll_reply() {
            if matches!(reply, Err(KernelError::Full)) {
                let full_at = Some(self.setting.clock.now().elapsed);
                self.refusing = Refusing { full_at, commits: self.shard.stats().commits };
                self.setting.health.set_full(&self.part, true);
            }
            if let Some(reply_to) = self.waiting.remove(&key) {
                reply_to.send(reply.map(Answer::Kernel));
            }
        }
    }

    /// Sends off what is meant for other shards. What finds no room is handed out again by the shard after a
    /// while, in order.
    fn deliver(&mut self) {
        for _ in 0..OUTBOX_TURN_MAX {
            let Some(entry) = self.shard.poll_outbox() else { return };
            self.delivered += 1;
            let id = RequestId(self.delivered);
            let reply_to = ReplyTo { answers: self.answers.clone(), asker: self.asker, id };
            let request = Request::OutboxDeliver {
                from: self.shard.id(),
                position: entry.position,
                commit: entry.commit,
            };
            self.delivering.insert(id, (entry.to, entry.position));
            if self.setting.shards.try_send(entry.to, ShardMessage::Request { request, reply_to }).is_err() {
                self.delivering.remove(&id);
                return;
            }
        }
        // More is left: come back at once.
        self.wake.notify_one();
    }

    /// Lets the next piece of compaction be done beside the shard; there is one at a time.
    fn compact(&mut self) {
        if self.stopping {
            return;
        }
        let Some(task) = self.shard.poll_compaction() else { return };
        let done = self.compactions.clone();
        let _detached = tokio::task::spawn_blocking(move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| task.run())).ok();
            // The shard may have stopped meanwhile.
            let _nobody_waits = done.send(outcome);
        });
    }

    fn report(&mut self) {
        if let Some(error) = self.shard.stopped().filter(|_| !self.reported) {
            self.setting.health.fail(&self.part, &error.to_string());
            self.reported = true;
        }
    }

    /// What a store that still runs has found.
    fn report_store(&mut self) {
        // What only removes is taken by a full store too, so one commit shows nothing: it must be quiet for a while.
        let quiet_since = self.setting.clock.now().elapsed.saturating_sub(FULL_QUIET);
        let quiet = self.refusing.full_at.is_some_and(|at| at <= quiet_since);
        if quiet && self.shard.stats().commits > self.refusing.commits {
            self.refusing.full_at = None;
            self.setting.health.set_full(&self.part, false);
        }
        let damaged = self.shard.store_stats().damaged;
        if !damaged.is_empty() {
            self.setting.health.set_damaged(&self.part, &damaged.join(", "));
        }
    }

    /// The thread ends: whoever waits, or has just sent something, gets an error.
    fn refuse_all(&mut self) {
        let gone = || KernelError::Stopped("the shard is gone".to_owned());
        for reply_to in std::mem::take(&mut self.waiting).into_values() {
            reply_to.send(Err(gone()));
        }
        self.inbox.close();
        while let Ok(message) = self.inbox.try_recv() {
            super::refuse(message, gone());
        }
    }
}
