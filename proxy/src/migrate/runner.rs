//! The task that owns the ledger, the feeds and the routes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::Config;
use kernel_model::{KernelError, ShardId};
use session::{Answer, Request, RequestId, UnitId};
use shadow::{LinkEvent, LinkId};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc, watch};
use translator_kafka::catalog::CatalogHandle;
use translator_kafka::server::ServerSettings;

use super::cluster::ClusterRun;
use super::control::{Asked, MigrationControl};
use super::figures::{self, Published};
use super::job::{Job, Want};
use super::keeping::Kept;
use super::links::{Lane, LinkReport, Reported};
use super::resume::Resuming;
use super::transactions::{AskedTransactions, ShutOut};
use crate::clock::Clock;
use crate::driver::Memory;
use crate::handover::action::ForwarderId;
use crate::handover::lease::{Leases, Renewal};
use crate::handover::migration::{ControlLimits, MigrationSpec, Migrations};
use crate::health::Health;
use crate::holds::{Answers, HoldRegistry, ReplyTo};
use crate::inventory::Inventory;
use crate::ledger::{Decider, FileStore, Ledger, LedgerError, What};
use crate::listener::Listeners;
use crate::room::Room;
use crate::shards::{ShardMessage, Shards, new_asker};

/// This process forwards, and runs the handovers.
pub(super) const FORWARDER: ForwarderId = ForwarderId(0);
/// How often gates, metrics and the lease are looked at.
const TICK: Duration = Duration::from_millis(250);
/// Pieces of input from legacy that wait.
const REPORTS_MAX: usize = 64;
/// Bits of a request id that name the cluster whose feed asks; 0 is the runner itself.
const OWNER_SHIFT: u32 = 48;
/// Bit of a request id that tells a cluster's reverse feed from its mirror.
const REVERSE: u64 = 1 << 47;

/// What the runner needs of the process.
pub struct Setup {
    /// Configuration.
    pub config: Arc<Config>,
    /// Time.
    pub clock: Clock,
    /// The kernel.
    pub shards: Shards,
    /// Topics of the kernel.
    pub catalog: CatalogHandle,
    /// How the kernel serves what has moved.
    pub server: Arc<ServerSettings>,
    /// Bits that nobody outside this process knows.
    pub secret: [u8; 32],
    /// Who connects, and what they use.
    pub inventory: Arc<Inventory>,
    /// What works and what does not.
    pub health: Arc<Health>,
    /// Folder of the ledger.
    pub folder: PathBuf,
    /// What it shares with the connections.
    pub around: Surroundings,
}

/// What the runner shares with connections and with the process's end.
pub struct Surroundings {
    /// On whose threads the runner and the connections of its feeds are.
    pub feeding: Handle,
    /// Writes that wait for fenced units.
    pub holds: Arc<HoldRegistry>,
    /// What requests and answers of all connections may hold; what is read for the way back counts, too.
    pub memory: Arc<Memory>,
    /// All listeners of the process.
    pub listeners: Arc<Mutex<Listeners>>,
    /// Told why the process has to end: the ledger has failed.
    pub fatal: mpsc::UnboundedSender<String>,
    /// Turns when the process stops.
    pub stop: watch::Receiver<Option<Duration>>,
}

/// Units whose answers went out without the kernel, and why.
pub type Missed = mpsc::Receiver<(UnitId, String)>;

/// Why migrations cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file or an address.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        error: std::io::Error,
    },
    /// TLS material.
    #[error("{0}")]
    Tls(String),
}

pub(super) struct Runner {
    pub(super) setup: Setup,
    pub(super) ledger: Ledger<FileStore>,
    pub(super) migrations: Migrations,
    pub(super) leases: Leases,
    pub(super) clusters: Vec<ClusterRun>,
    pub(super) jobs: BTreeMap<u64, Job>,
    /// Own requests: which job, and for what.
    pub(super) wants: BTreeMap<u64, (u64, Want)>,
    /// Ends that legacy was asked for: which job.
    pub(super) asked_ends: BTreeMap<u64, u64>,
    /// Groups whose offsets legacy was asked for, by the order's token.
    pub(super) offsets_asked: BTreeMap<u64, UnitId>,
    /// Units that a handover to legacy has closed.
    pub(super) closed: BTreeSet<UnitId>,
    /// The same about transactional ids.
    pub(super) asked_transactions: BTreeMap<u64, AskedTransactions>,
    /// The ids that legacy has named last, by their unit.
    pub(super) known_transactions: BTreeMap<UnitId, Vec<String>>,
    /// How far legacy has fenced the producers of ids that have moved.
    pub(super) shut_out: BTreeMap<UnitId, ShutOut>,
    /// Ids of the kernel whose producers legacy keeps.
    pub(super) kept: Kept,
    /// Where legacy ended when it was last asked.
    pub(super) source_ends: BTreeMap<UnitId, u64>,
    pub(super) next: u64,
    pub(super) answers: Answers,
    asker: u64,
    pub(super) backlog: VecDeque<(ShardId, ShardMessage)>,
    pub(super) tick_due: Duration,
    pub(super) lease_due: Duration,
    /// Resumes whose copies are being deleted, and which request belongs to which.
    pub(super) resuming: BTreeMap<u64, Resuming>,
    pub(super) discards: BTreeMap<u64, u64>,
    /// Units that fell back from dual-write to mirror, and when they try again.
    pub(super) fallen_back: BTreeMap<UnitId, Duration>,
    /// Room on the kernel's disk, and when it is measured again.
    pub(super) room: Option<Room>,
    pub(super) room_due: Duration,
    /// What all feeds together still have to bring, as far as it is known.
    pub(super) bytes_to_come: u64,
    pub(super) published: Published,
}

/// Opens the ledger and begins. The control is ready at once; listeners follow as legacy answers.
///
/// # Errors
///
/// [`MigrateError`]: nothing was begun.
pub async fn start(setup: Setup, missed: Missed) -> Result<Arc<MigrationControl>, MigrateError> {
    let path = setup.folder.join("ledger");
    std::fs::create_dir_all(&setup.folder)
        .map_err(|error| MigrateError::Io { what: setup.folder.display().to_string(), error })?;
    let ledger = Ledger::open(FileStore::open(&path)?)?;
    if ledger.cut_bytes() > 0 {
        tracing::warn!(
            bytes = ledger.cut_bytes(),
            "cut the torn tail of the ledger: that entry never counted"
        );
    }
    let now = setup.clock.now();
    let limits = control_limits(&setup.config);
    let (reports, reported) = mpsc::channel(REPORTS_MAX);
    let clusters = setup
        .config
        .clusters
        .iter()
        .enumerate()
        .map(|(index, cluster)| super::discovery::open_cluster(&setup, index, cluster, &reports))
        .collect::<Result<Vec<_>, _>>()?;
    let specs = setup
        .config
        .migrations
        .iter()
        .map(|each| MigrationSpec { name: each.name.clone(), cluster: each.cluster.clone() });
    let migrations = Migrations::restore(now, ledger.book(), specs.collect(), limits, &[FORWARDER]);
    let leases = Leases::after_start(now, limits.handover.lease, limits.handover.send_max);
    let (answers, answered) = mpsc::unbounded_channel();
    let (asked, asking) = mpsc::channel(64);
    let control = Arc::new(MigrationControl::new(asked, setup.clock));
    let runner = Runner {
        setup,
        ledger,
        migrations,
        leases,
        clusters,
        jobs: BTreeMap::new(),
        wants: BTreeMap::new(),
        asked_ends: BTreeMap::new(),
        offsets_asked: BTreeMap::new(),
        closed: BTreeSet::new(),
        asked_transactions: BTreeMap::new(),
        known_transactions: BTreeMap::new(),
        shut_out: BTreeMap::new(),
        kept: Kept::default(),
        source_ends: BTreeMap::new(),
        next: 1,
        answers,
        asker: new_asker(),
        backlog: VecDeque::new(),
        tick_due: Duration::ZERO,
        lease_due: Duration::ZERO,
        resuming: BTreeMap::new(),
        discards: BTreeMap::new(),
        fallen_back: BTreeMap::new(),
        room: None,
        room_due: Duration::ZERO,
        bytes_to_come: 0,
        published: Published::default(),
    };
    let fatal = runner.setup.around.fatal.clone();
    let running = runner.setup.around.feeding.clone().spawn(runner.run(reported, answered, asking, missed));
    tokio::spawn(async move {
        if let Err(error) = running.await {
            // Without the runner nobody releases a fence: writes that it holds would wait for ever.
            let _gone = fatal.send(format!("the migrations have failed: {error}"));
        }
    });
    Ok(control)
}

fn control_limits(config: &Config) -> ControlLimits {
    let mut limits = ControlLimits::default();
    // One machine runs all handovers of the process: the strictest migration sets its bounds.
    for each in config.migrations.iter().map(|migration| &migration.limits) {
        let handover = &mut limits.handover;
        handover.fence_max = handover.fence_max.min(Duration::from_millis(each.fence_ms_max));
        handover.units_max = handover.units_max.min(each.fence_units_max);
        handover.lag_max_records = handover.lag_max_records.min(each.lag_records_max);
        handover.lease = handover.lease.min(Duration::from_millis(each.lease_ms));
        limits.gate.lag_records_max = limits.gate.lag_records_max.min(each.lag_records_max);
        limits.gate.lag_seconds_max = limits.gate.lag_seconds_max.min(each.lag_ms_max.div_ceil(1000));
    }
    limits
}

/// One thing that happened.
enum Happened {
    Reported(Reported),
    Answered(RequestId, Result<Answer, KernelError>),
    Asked(Asked),
    Missed(UnitId, String),
    Due,
    Room,
    Stop,
}

impl Runner {
    async fn run(
        mut self,
        mut reported: mpsc::Receiver<Reported>,
        mut answered: mpsc::UnboundedReceiver<(RequestId, Result<Answer, KernelError>)>,
        mut asking: mpsc::Receiver<Asked>,
        mut missed: Missed,
    ) {
        self.begin().await;
        loop {
            self.settle().await;
            if let Some(reason) = self.migrations.stopped() {
                tracing::error!(reason, "the ledger has failed: nothing more is decided");
                let _gone = self.setup.around.fatal.send(format!("the ledger has failed: {reason}"));
                return;
            }
            let due = self.next_due();
            let full = self.backlog.front().map(|(shard, _)| *shard);
            let (clock, shards, stop) =
                (self.setup.clock, self.setup.shards.clone(), &mut self.setup.around.stop);
            let happened = tokio::select! {
                Some(report) = reported.recv() => Happened::Reported(report),
                Some((id, answer)) = answered.recv() => Happened::Answered(id, answer),
                Some(asked) = asking.recv() => Happened::Asked(asked),
                Some((unit, reason)) = missed.recv() => Happened::Missed(unit, reason),
                () = shards.room(full.unwrap_or_default()), if full.is_some() => Happened::Room,
                () = clock.sleep_until(due) => Happened::Due,
                _ = stop.changed() => Happened::Stop,
            };
            match happened {
                Happened::Reported(report) => self.take_report(report),
                Happened::Answered(id, answer) => self.take_answer(id, answer),
                Happened::Asked(asked) => self.take_command(asked),
                Happened::Missed(unit, reason) => self.fall_back(&unit, &reason),
                Happened::Due => self.timeout().await,
                Happened::Room => {}
                Happened::Stop if self.setup.around.stop.borrow().is_some() => return,
                Happened::Stop => {}
            }
        }
    }

    /// Takes up what the ledger says before the first client can connect.
    async fn begin(&mut self) {
        let now = self.setup.clock.now();
        let (_, safe_at) = self.leases.join(now, FORWARDER);
        self.migrations.handle_joined(now, FORWARDER, safe_at);
        self.renew_lease(now);
        self.restore_units();
        self.set_kept();
        self.look_at_retired();
        self.open_kernel_listeners().await;
    }

    fn next_due(&self) -> Duration {
        let feeds = self.clusters.iter().filter_map(|cluster| cluster.feed.poll_timeout()).min();
        let reverse = self.clusters.iter().filter_map(|cluster| cluster.reverse.feed.poll_timeout()).min();
        let migrations = self.migrations.poll_timeout();
        [Some(self.tick_due), Some(self.lease_due), feeds, reverse, migrations]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or_default()
    }

    async fn timeout(&mut self) {
        let now = self.setup.clock.now();
        for cluster in &mut self.clusters {
            if cluster.feed.poll_timeout().is_some_and(|due| due <= now.elapsed) {
                cluster.feed.handle_timeout(now);
            }
            cluster.reverse.timeout(now);
        }
        if self.lease_due <= now.elapsed {
            self.renew_lease(now);
        }
        if self.tick_due <= now.elapsed {
            self.tick_due = now.deadline(TICK);
            self.look_at_situations(now);
            self.try_dual_write_again(now);
            self.look_at_retired();
            self.steer_reverse(now);
            self.steer_keeping(now);
            self.set_paces(now);
            self.shut_out_zombies(now);
            self.listen_to_brokers().await;
            self.report_readiness();
            self.publish_figures(now);
        }
        let leases = Some(&self.leases).filter(|leases| leases.not_before() <= now.elapsed);
        self.migrations.handle_timeout(now, self.ledger.book(), leases);
    }

    fn renew_lease(&mut self, now: kernel_model::Now) {
        let granted = match self.leases.renew(now, FORWARDER) {
            Renewal::Granted(granted) => granted,
            Renewal::MustJoin => {
                // This process was paused past its lease: its sessions close their connections to legacy when
                // they next forward a write, and it begins anew.
                let (granted, safe_at) = self.leases.join(now, FORWARDER);
                self.migrations.handle_joined(now, FORWARDER, safe_at);
                granted
            }
        };
        for cluster in &self.clusters {
            cluster.shared.routes.lease().renew(now.deadline(granted));
        }
        self.lease_due = now.deadline(granted / 3);
    }

    /// Hands out everything that is wanted, until nothing is.
    async fn settle(&mut self) {
        loop {
            let mut quiet = true;
            for index in 0..self.clusters.len() {
                quiet &= !self.settle_feed(index).await;
                quiet &= !self.settle_reverse(index);
            }
            while let Some(order) = self.migrations.poll_order() {
                quiet = false;
                self.execute(order);
            }
            self.send_backlog();
            if quiet {
                return;
            }
        }
    }

    async fn settle_feed(&mut self, index: usize) -> bool {
        let mut any = false;
        while let Some(cluster) = self.clusters.get_mut(index) {
            if let Some((link, action)) = cluster.feed.poll_link() {
                if !cluster.links.act(link, action) {
                    let now = self.setup.clock.now();
                    cluster.feed.handle_link(now, link, LinkEvent::Closed);
                }
            } else if let Some((id, request)) = cluster.feed.poll_request() {
                let owner = u64::try_from(index + 1).unwrap_or(u64::MAX) << OWNER_SHIFT;
                self.ask_shard(RequestId(id.0 | owner), request);
            } else if let Some(fact) = cluster.feed.poll_fact() {
                self.take_fact(index, fact).await;
            } else {
                return any;
            }
            any = true;
        }
        any
    }

    /// Where an answer for a cluster's reverse feed goes.
    pub(super) fn reply_to_reverse(&self, index: usize, id: RequestId) -> ReplyTo {
        let owner = u64::try_from(index + 1).unwrap_or(u64::MAX) << OWNER_SHIFT;
        ReplyTo { answers: self.answers.clone(), asker: self.asker, id: RequestId(id.0 | owner | REVERSE) }
    }

    pub(super) fn ask_shard(&mut self, id: RequestId, request: Request) {
        if let Request::Kernel { shard, request } = request {
            let reply_to = ReplyTo { answers: self.answers.clone(), asker: self.asker, id };
            self.backlog.push_back((shard, ShardMessage::Request { request, reply_to }));
        }
    }

    /// Sends what waits, in order, as far as there is room.
    fn send_backlog(&mut self) {
        while let Some((shard, message)) = self.backlog.pop_front() {
            if let Err(message) = self.setup.shards.try_send(shard, message) {
                self.backlog.push_front((shard, message));
                return;
            }
        }
    }

    fn take_report(&mut self, reported: Reported) {
        let now = self.setup.clock.now();
        let Reported { cluster: index, lane, link, life, report } = reported;
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        if lane == Lane::Reverse {
            cluster.reverse.take_report(now, link, life, report);
            return;
        }
        if !cluster.links.is_current(link, life) {
            return;
        }
        match report {
            LinkReport::Connected => cluster.feed.handle_link(now, link, LinkEvent::Connected),
            LinkReport::Bytes(bytes) => {
                cluster.link_works(link);
                feed_bytes(cluster, now, link, bytes);
            }
            LinkReport::Closed(why) => {
                cluster.links.forget(link);
                cluster.feed.handle_link(now, link, LinkEvent::Closed);
                self.link_broke(index, link, why);
            }
        }
    }

    fn take_answer(&mut self, id: RequestId, answer: Result<Answer, KernelError>) {
        let now = self.setup.clock.now();
        let owner = id.0 >> OWNER_SHIFT;
        let own = id.0 & ((1 << OWNER_SHIFT) - 1);
        let Some(index) = owner.checked_sub(1) else {
            if !self.discarded(own, &answer) && !self.kept_answered(own, &answer) {
                self.job_answered(own, answer);
            }
            return;
        };
        if own & REVERSE != 0 {
            self.take_reverse_answer(now, index, RequestId(own & !REVERSE), answer);
            return;
        }
        let cluster = usize::try_from(index).ok().and_then(|index| self.clusters.get_mut(index));
        if let Some(cluster) = cluster {
            cluster.feed.handle_reply(now, RequestId(own), answer);
        }
    }

    /// Makes entries durable. The task waits for the disk: nothing may be decided meanwhile.
    pub(super) fn record(&mut self, by: &Decider, whats: Vec<What>) -> Result<(), String> {
        let wall_ms = self.setup.clock.now().wall_ms;
        let ledger = &mut self.ledger;
        let told = whats.clone();
        tokio::task::block_in_place(|| ledger.append(wall_ms, by, whats))
            .map_err(|error| error.to_string())?;
        told.iter().for_each(figures::recorded);
        Ok(())
    }
}

fn feed_bytes(cluster: &mut ClusterRun, now: kernel_model::Now, link: LinkId, bytes: Bytes) {
    cluster.fed.increment(bytes.len() as u64);
    let mut input = cluster.links.take_input(link, bytes);
    cluster.feed.handle_link(now, link, LinkEvent::Bytes(&mut input));
    cluster.links.keep_input(link, input);
}
