//! Which side serves each partition and group of a legacy cluster: shared by all sessions of a process,
//! published by the handover.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use kernel_model::LogId;
use session::{Gate, Lease, Side, UnitId};

use super::kept::KeptIds;
use super::transactions::{OpenTransactions, Stray, TransactionRoute};
use crate::canary::Share;
use crate::codec::{Str, Uuid};
use crate::epochs::EpochTable;

/// Strays that are remembered: enough to show what is wrong.
const STRAYS_MAX: usize = 256;
/// No log has this number: its shard does not exist.
const NO_LOG: u64 = u64::MAX;

/// A partition or a group of a migration.
#[derive(Debug)]
pub struct Unit {
    /// Its name in ledger, status and logs.
    pub id: UnitId,
    /// Which side may serve it.
    pub gate: Gate,
    /// Of a unit of transactional ids: which of them have a transaction open.
    pub transactions: OpenTransactions,
    /// The same: whether legacy keeps their producers while the kernel serves them.
    pub kept: KeptIds,
    /// [`NO_LOG`] where there is none.
    log: AtomicU64,
    dual_write: AtomicBool,
    legacy_epoch: AtomicI32,
    kernel_epoch: AtomicI32,
    /// Node in the upper half, its epoch in the lower; negative where there is none.
    legacy_leader: AtomicI64,
    /// `None` while virtual epochs are legacy's own.
    epochs: ArcSwapOption<EpochTable>,
    canary: Share,
    pace_ms: AtomicU32,
}

impl Unit {
    /// A unit that `side` serves.
    #[must_use]
    pub fn new(id: UnitId, side: Side) -> Self {
        Self {
            id,
            gate: Gate::new(side),
            transactions: OpenTransactions::default(),
            kept: KeptIds::default(),
            log: AtomicU64::new(NO_LOG),
            dual_write: AtomicBool::new(false),
            legacy_epoch: AtomicI32::new(-1),
            kernel_epoch: AtomicI32::new(-1),
            legacy_leader: AtomicI64::new(-1),
            epochs: ArcSwapOption::empty(),
            canary: Share::default(),
            pace_ms: AtomicU32::new(0),
        }
    }

    /// Where the kernel keeps a partition; `None` for a group, and before its copy exists.
    #[must_use]
    pub fn log(&self) -> Option<LogId> {
        Some(self.log.load(Ordering::Acquire)).filter(|log| *log != NO_LOG).map(LogId)
    }

    /// Notes where the kernel keeps the partition. A copy that was discarded and made anew has another log.
    pub fn set_log(&self, log: LogId) {
        self.log.store(log.0, Ordering::Release);
    }

    /// The kernel's copy was discarded.
    pub fn forget_log(&self) {
        self.log.store(NO_LOG, Ordering::Release);
    }

    /// Its part in the canary; [`Routes::set_canary`] sets the share.
    #[must_use]
    pub fn canary(&self) -> &Share {
        &self.canary
    }

    /// How long a write waits before the kernel is given it, so that legacy keeps up with what it is brought.
    #[must_use]
    pub fn pace(&self) -> Duration {
        Duration::from_millis(self.pace_ms.load(Ordering::Acquire).into())
    }

    /// Whether an answer waits until the kernel holds the batch too.
    #[must_use]
    pub fn dual_write(&self) -> bool {
        self.dual_write.load(Ordering::Acquire)
    }

    /// Switches dual-write on or off for answers that come from now on.
    pub fn set_dual_write(&self, on: bool) {
        self.dual_write.store(on, Ordering::Release);
    }

    /// Newest leader epoch that legacy has shown (−1: none yet).
    #[must_use]
    pub fn legacy_epoch(&self) -> i32 {
        self.legacy_epoch.load(Ordering::Acquire)
    }

    /// Notes a leader epoch that legacy has shown; an older one changes nothing.
    pub fn see_legacy_epoch(&self, epoch: i32) {
        self.legacy_epoch.fetch_max(epoch, Ordering::AcqRel);
    }

    /// Epoch under which the kernel leads (−1: it does not).
    #[must_use]
    pub fn kernel_epoch(&self) -> i32 {
        self.kernel_epoch.load(Ordering::Acquire)
    }

    /// Sets the epoch under which the kernel leads; before the gate is released to it.
    pub fn set_kernel_epoch(&self, epoch: i32) {
        self.kernel_epoch.store(epoch, Ordering::Release);
    }

    /// Legacy's leader and its own epoch, as its metadata was last read; `None` where it has none.
    #[must_use]
    pub fn legacy_leader(&self) -> Option<(i32, i32)> {
        let both = self.legacy_leader.load(Ordering::Acquire);
        let epoch = i32::try_from(both & i64::from(u32::MAX)).ok()?;
        i32::try_from(both >> 32).ok().filter(|node| *node >= 0).map(|node| (node, epoch))
    }

    /// Notes legacy's leader and its epoch; a negative one: there is none.
    pub fn see_legacy_leader(&self, node: i32, epoch: i32) {
        let both = if node < 0 || epoch < 0 { -1 } else { i64::from(node) << 32 | i64::from(epoch) };
        self.legacy_leader.store(both, Ordering::Release);
    }

    /// Whether the kernel led it once, and does not do so freely now: it has gone back to legacy, or is held.
    fn is_away(&self) -> bool {
        self.epochs.load().is_some() && self.gate.side() != Side::Kernel
    }

    /// How clients see a partition's leader epochs; `None` while those are legacy's own.
    #[must_use]
    pub fn epochs(&self) -> Option<Arc<EpochTable>> {
        self.epochs.load_full()
    }

    /// Publishes how clients see a partition's leader epochs: after the ledger has the commit, before the gate is
    /// released. [`Routes::release`] and [`Routes::publish`] make sessions look.
    pub fn set_epochs(&self, table: EpochTable) {
        self.epochs.store((!table.is_identity()).then(|| Arc::new(table)));
    }

    /// Whether the kernel is primary. On the way back it is until the gate is released to legacy.
    #[must_use]
    pub fn is_moved(&self) -> bool {
        self.gate.is_kernels()
    }
}

/// The units of one topic.
#[derive(Debug, Default, Clone)]
pub struct TopicRoute {
    /// Topic id (zero where the cluster has none).
    pub id: Uuid,
    /// Partition number to unit.
    pub partitions: BTreeMap<i32, Arc<Unit>>,
}

/// The units of one cluster. Immutable: a change publishes a new table; the units themselves are shared.
#[derive(Debug, Default, Clone)]
pub struct RouteTable {
    topics: BTreeMap<Str, TopicRoute>,
    names: BTreeMap<Uuid, Str>,
    groups: BTreeMap<Str, Arc<Unit>>,
    transactions: Vec<TransactionRoute>,
}

impl RouteTable {
    /// Adds or replaces a topic.
    pub fn insert_topic(&mut self, name: &str, route: TopicRoute) {
        let name = Str::from(name);
        if route.id != Uuid::default() {
            self.names.insert(route.id, name.clone());
        }
        self.topics.insert(name, route);
    }

    /// Adds or replaces a group.
    pub fn insert_group(&mut self, name: &str, unit: Arc<Unit>) {
        self.groups.insert(Str::from(name), unit);
    }

    /// Adds the transactional ids of a migration.
    pub fn insert_transactions(&mut self, route: TransactionRoute) {
        self.transactions.push(route);
    }

    /// The ids among which this one is.
    #[must_use]
    pub fn transaction(&self, id: &str) -> Option<&TransactionRoute> {
        self.transactions.iter().find(|route| (route.scope.ids)(id))
    }

    /// The topic's units.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&TopicRoute> {
        self.topics.get(name)
    }

    /// The topic that has this id.
    #[must_use]
    pub fn topic_name(&self, id: Uuid) -> Option<&Str> {
        self.names.get(&id)
    }

    /// A partition's unit, by the topic's name or, where that is empty, its id.
    #[must_use]
    pub fn partition(&self, topic: TopicRef<'_>, partition: i32) -> Option<&Arc<Unit>> {
        let route = match topic {
            TopicRef::Name(name) => self.topics.get(name),
            TopicRef::Id(id) => self.names.get(&id).and_then(|name| self.topics.get(name)),
        };
        route?.partitions.get(&partition)
    }

    /// A group's unit.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Arc<Unit>> {
        self.groups.get(name)
    }

    /// All topics with their units, by name.
    pub fn topics(&self) -> impl Iterator<Item = (&Str, &TopicRoute)> {
        self.topics.iter()
    }

    /// All groups with their units, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&Str, &Arc<Unit>)> {
        self.groups.iter()
    }

    /// Every unit.
    pub fn units(&self) -> impl Iterator<Item = &Arc<Unit>> {
        let partitions = self.topics.values().flat_map(|topic| topic.partitions.values());
        partitions.chain(self.groups.values()).chain(self.transactions.iter().map(|route| &route.unit))
    }

    /// Whether there is nothing that could move.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.groups.is_empty() && self.transactions.is_empty()
    }
}

/// How a request names a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicRef<'a> {
    /// By name.
    Name(&'a str),
    /// By id (the newer versions).
    Id(Uuid),
}

impl<'a> TopicRef<'a> {
    /// The reference that a request makes: by id from the version on that has no names.
    #[must_use]
    pub fn of(name: &'a str, id: Uuid) -> Self {
        if name.is_empty() { Self::Id(id) } else { Self::Name(name) }
    }
}

/// What all sessions in front of one cluster share.
#[derive(Debug)]
pub struct Routes {
    table: ArcSwap<RouteTable>,
    moves: AtomicU64,
    /// Units that the kernel serves: asked on every request, so it is counted when it changes.
    moved: AtomicUsize,
    /// Units whose epochs are not legacy's own: the same.
    translated: AtomicUsize,
    /// Units in canary: the same.
    canaries: AtomicUsize,
    /// Units whose writes are slowed down: the same.
    paced: AtomicUsize,
    /// Units that the kernel led once and does not lead freely: the same.
    away: AtomicUsize,
    retired: AtomicBool,
    lease: Lease,
    /// Transactional ids that cannot move as they are used; bounded.
    strays: Mutex<BTreeSet<Stray>>,
}

impl Routes {
    /// No units yet; the right to forward holds until `lease_until` on the monotonic clock.
    #[must_use]
    pub fn new(lease_until: Duration) -> Self {
        Self {
            table: ArcSwap::from_pointee(RouteTable::default()),
            moves: AtomicU64::new(0),
            moved: AtomicUsize::new(0),
            translated: AtomicUsize::new(0),
            canaries: AtomicUsize::new(0),
            paced: AtomicUsize::new(0),
            away: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
            lease: Lease::new(lease_until),
            strays: Mutex::default(),
        }
    }

    /// The current table. Not to be held across a wait.
    #[must_use]
    pub fn table(&self) -> Guard<Arc<RouteTable>> {
        self.table.load()
    }

    /// Replaces the table. Units that stay must be the same `Arc`s: sessions count on their gates.
    pub fn publish(&self, table: RouteTable) {
        self.table.store(Arc::new(table));
        self.count();
    }

    fn count(&self) {
        let table = self.table();
        let moved = table.units().filter(|unit| unit.is_moved()).count();
        let translated = table.units().filter(|unit| unit.epochs.load().is_some()).count();
        let canaries = table.units().filter(|unit| unit.canary.percent().is_some()).count();
        let paced = table.units().filter(|unit| !unit.pace().is_zero()).count();
        self.canaries.store(canaries, Ordering::Release);
        let away = table.units().filter(|unit| unit.is_away()).count();
        self.away.store(away, Ordering::Release);
        self.paced.store(paced, Ordering::Release);
        self.moved.store(moved, Ordering::Release);
        self.translated.store(translated, Ordering::Release);
    }

    /// How many times units changed sides; a session that saw an older number checks again what it holds.
    #[must_use]
    pub fn moves(&self) -> u64 {
        self.moves.load(Ordering::Acquire)
    }

    /// Lets no further write to these units pass.
    pub fn fence<'a>(&self, units: impl Iterator<Item = &'a Arc<Unit>>) {
        for unit in units {
            unit.gate.fence();
        }
        self.count();
    }

    /// Whether any unit was led by the kernel once, and is not led by it freely now.
    #[must_use]
    pub fn any_away(&self) -> bool {
        self.away.load(Ordering::Acquire) > 0
    }

    /// Opens a unit's gate to `side` and makes every session look again.
    pub fn release(&self, unit: &Unit, side: Side) {
        // The gate last: who is let through by it finds its epochs looked at.
        self.translated.fetch_add(usize::from(unit.epochs.load().is_some()), Ordering::AcqRel);
        unit.gate.release(side);
        self.count();
        self.moves.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes a transactional id that cannot move as it is used.
    pub(super) fn note_stray(&self, stray: Stray) {
        let mut strays = self.strays.lock().unwrap_or_else(PoisonError::into_inner);
        if strays.len() < STRAYS_MAX {
            strays.insert(stray);
        }
    }

    /// Transactional ids that cannot move as they are used.
    #[must_use]
    pub fn strays(&self) -> Vec<Stray> {
        self.strays.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Whether any unit is served by the kernel.
    #[must_use]
    pub fn any_moved(&self) -> bool {
        self.moved.load(Ordering::Acquire) > 0
    }

    /// Whether clients know the kernel's node: once anything has moved, and ever after. A client that has learnt of a
    /// coordinator or leader there asks it once more, also when all has gone back; some wait for a node in vain that is
    /// not in the metadata any more (librdkafka, for a group's coordinator within a transaction).
    #[must_use]
    pub fn kernel_shown(&self) -> bool {
        self.any_moved() || self.any_translated()
    }

    /// Whether clients see other leader epochs of any unit than legacy's own.
    #[must_use]
    pub fn any_translated(&self) -> bool {
        self.translated.load(Ordering::Acquire) > 0
    }

    /// Sets a unit's share of consumers that read from the kernel; `None` outside canary.
    pub fn set_canary(&self, unit: &Unit, percent: Option<u8>) {
        if unit.canary.percent() != percent {
            unit.canary.set_percent(percent);
            self.count();
        }
    }

    /// Whether any unit is in canary.
    #[must_use]
    pub fn any_canary(&self) -> bool {
        self.canaries.load(Ordering::Acquire) > 0
    }

    /// Sets how long each write to a unit waits (whole milliseconds; zero: not at all).
    pub fn set_pace(&self, unit: &Unit, pace: Duration) {
        let pace_ms = u32::try_from(pace.as_millis()).unwrap_or(u32::MAX);
        if unit.pace_ms.swap(pace_ms, Ordering::AcqRel) != pace_ms {
            self.count();
        }
    }

    /// Whether writes to any unit are slowed down.
    #[must_use]
    pub fn any_paced(&self) -> bool {
        self.paced.load(Ordering::Acquire) > 0
    }

    /// Whether legacy is no longer contacted.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// Legacy is no longer contacted from now on: the kernel answers everything.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// The right to forward writes to legacy.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.lease
    }
}
