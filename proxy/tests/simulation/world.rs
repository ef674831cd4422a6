//! Everything in one place, and the loop of events in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kernel_model::batch::chain_next;
use kernel_model::commit::{Commit, LogConfig, LogKind, Op};
use kernel_model::{Now, Offset, Request};
use proxy::handover::action::{Completion, Ticket};
use proxy::handover::lease::Leases;
use proxy::handover::limits::HandoverLimits;
use proxy::handover::migration::{ControlLimits, Migrations};
use proxy::handover::phase::Phase;
use proxy::ledger::{HandoverId, Ledger, Primary};
use session::{Gate, Lease, Side, UnitId};

use crate::disk::Disk;
use crate::faults::{Coverage, Edge, Fault};
use crate::judge::Judge;
use crate::kernel::{Kernel, log_id};
use crate::legacy::{Groups, Legacy, Partition};
use crate::planted::Plant;
use crate::rng::Rng;

/// Microseconds of virtual time.
pub type T = u64;
pub const MS: T = 1_000;
pub const S: T = 1_000_000;
pub const PARTITIONS: usize = 4;
pub const GROUPS: usize = 2;
pub const STREAMS: usize = 8;
pub const FORWARDERS: usize = 2;
pub const HELD_MAX: usize = 3;
pub const NAME: &str = "orders";

#[derive(Debug, Clone)]
pub enum Ask {
    Produce { stream: usize, partition: usize, sequence: i32, values: Vec<u64> },
    Commit { group: usize, partition: usize, offset: u64, metadata: u64 },
}

/// A client's request.
#[derive(Debug, Clone)]
pub struct Req {
    pub id: u64,
    pub ask: Ask,
    pub to: Primary,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ans {
    /// Written at this offset.
    Written(u64),
    /// Go to the other side.
    Moved,
    /// Try again.
    Retry,
    /// Never: it was not written.
    Refused,
}

#[derive(Debug, Clone)]
pub enum Cmd {
    Fence(Vec<UnitId>),
    Count(Vec<UnitId>),
    Release(Vec<UnitId>, Primary),
}

#[derive(Debug, Clone)]
pub struct Origin {
    pub handover: HandoverId,
    pub ticket: Ticket,
    pub edge: proxy::handover::action::ActionKind,
}

#[derive(Debug, Clone)]
pub enum Ev {
    Stream(usize),
    Timeout {
        stream: usize,
        request: u64,
    },
    Consumer(usize),
    AtForwarder {
        forwarder: usize,
        generation: u64,
        request: Req,
    },
    Send {
        forwarder: usize,
        generation: u64,
        connection: u64,
        request: Req,
    },
    AtLegacy {
        forwarder: usize,
        generation: u64,
        connection: u64,
        request: Req,
    },
    Replicated(usize),
    Answer {
        forwarder: usize,
        generation: u64,
        connection: u64,
        request: Req,
        answer: Ans,
    },
    AtClient {
        request: Req,
        answer: Ans,
        side: Primary,
    },
    KernelFlush,
    Feed,
    Renew(usize),
    AskLease {
        forwarder: usize,
        generation: u64,
        asked: T,
        join: bool,
    },
    LeaseAnswer {
        forwarder: usize,
        generation: u64,
        asked: T,
        granted: Option<(Duration, Vec<(UnitId, Side)>)>,
    },
    ToForwarder {
        forwarder: usize,
        generation: u64,
        run: u64,
        origin: Origin,
        command: Cmd,
    },
    Complete {
        run: u64,
        origin: Origin,
        completion: Completion,
    },
    Tick(u64),
    Situation,
    Operator,
    StartSluice,
    StartForwarder,
    Heal(Fault),
}

/// A process that forwards.
pub struct Forwarder {
    pub alive: bool,
    pub generation: u64,
    pub paused_until: T,
    pub lease: Lease,
    pub joined: bool,
    pub connection: u64,
    pub gates: BTreeMap<UnitId, Gate>,
    pub held: Vec<Req>,
    pub on_the_way: BTreeMap<u64, UnitId>,
    /// Messages of the control come in order.
    pub last_heard: T,
    pub late_until: T,
    pub cut_until: T,
}

/// The feed of one partition.
#[derive(Debug, Clone, Default)]
pub struct Feed {
    pub running: bool,
    pub position: u64,
    pub chain: u64,
    pub records: u64,
    pub epoch: i32,
    pub batch_epoch: Option<i32>,
    pub incarnation: u64,
    pub stopped: Option<String>,
    /// Late writes on disk already.
    pub reported: BTreeSet<u64>,
    pub source_epoch_seen: i32,
}

/// The control's process.
pub struct Sluice {
    pub control: Migrations,
    pub ledger: Ledger<Disk>,
    pub leases: Leases,
}

/// A producer's stream to one partition.
#[derive(Debug, Clone)]
pub struct Stream {
    pub partition: usize,
    pub sequence: i32,
    pub open: Option<(Req, u64)>,
    pub route: Primary,
    pub sent: u64,
}

/// A group with one member.
#[derive(Debug, Clone)]
pub struct Consumer {
    pub positions: Vec<u64>,
    pub open: Option<(Req, u64)>,
    /// Last acknowledged commit by partition.
    pub acknowledged: BTreeMap<usize, (u64, u64)>,
    /// Highest commit ever sent, acknowledged or not.
    pub sent: BTreeMap<usize, (u64, u64)>,
    pub turn: usize,
}

/// The kernel's groups: durable at once (the group coordinator is simulated apart).
#[derive(Debug, Clone, Default)]
pub struct KernelGroups {
    pub position: usize,
    pub offsets: Vec<BTreeMap<usize, (u64, u64)>>,
    pub active: Vec<bool>,
}

pub struct World {
    pub now: T,
    pub wall_jump_ms: i64,
    pub rng: Rng,
    queue: BTreeMap<(T, u64), Ev>,
    next_event: u64,
    pub next_id: u64,
    pub legacy: Legacy,
    pub kernel: Kernel,
    pub kernel_groups: KernelGroups,
    pub kernel_slow_until: T,
    pub kernel_waiting: BTreeMap<u64, (usize, Req)>,
    pub poison: Option<usize>,
    pub cut_legacy_until: T,
    pub feeds: Vec<Feed>,
    pub feed_incarnations: BTreeMap<usize, u64>,
    pub duplicates: bool,
    pub disk: Disk,
    pub sluice: Option<Sluice>,
    pub run: u64,
    pub sluice_paused_until: T,
    pub forwarders: Vec<Forwarder>,
    pub streams: Vec<Stream>,
    pub consumers: Vec<Consumer>,
    pub judge: Judge,
    pub armed: Vec<(Fault, Edge)>,
    pub coverage: Coverage,
    pub plant: Option<Plant>,
    pub limits: HandoverLimits,
    pub quiet: bool,
    pub trace: bool,
    pub refused_rollbacks: u64,
}

pub fn partition_unit(partition: usize) -> UnitId {
    UnitId::new(&format!("events/orders/{partition}"))
}

pub fn group_unit(group: usize) -> UnitId {
    UnitId::new(&format!("events/group/g{group}"))
}

pub fn all_units() -> Vec<UnitId> {
    (0..PARTITIONS).map(partition_unit).chain((0..GROUPS).map(group_unit)).collect()
}

pub fn partition_of(unit: &UnitId) -> Option<usize> {
    unit.0.strip_prefix("events/orders/").and_then(|number| number.parse().ok())
}

pub fn group_of(unit: &UnitId) -> Option<usize> {
    unit.0.strip_prefix("events/group/g").and_then(|number| number.parse().ok())
}

impl Req {
    pub fn unit(&self) -> UnitId {
        match self.ask {
            Ask::Produce { partition, .. } => partition_unit(partition),
            Ask::Commit { group, .. } => group_unit(group),
        }
    }
}

fn sim_limits(plant: Option<Plant>) -> HandoverLimits {
    HandoverLimits {
        units_max: 2,
        prepare_max: Duration::from_secs(6),
        fence_max: Duration::from_secs(if plant == Some(Plant::NoFenceLimit) { 3600 } else { 3 }),
        calm_max: Duration::from_millis(300),
        lag_max_records: 200,
        poll_every: Duration::from_millis(5),
        answer_max: Duration::from_millis(500),
        forwarder_answer_max: Duration::from_millis(300),
        lease: Duration::from_millis(900),
        send_max: Duration::from_millis(400),
    }
}

impl World {
    pub fn new(seed: u64, armed: Vec<(Fault, Edge)>, plant: Option<Plant>) -> Self {
        let mut rng = Rng::new(seed);
        let partitions = (0..PARTITIONS)
            .map(|n| Partition::new(rng.between(0, 3) * 1000, rng.between(0, 9) as i32, 10 + n as u64))
            .collect();
        let groups = Groups { log: vec![], rebalancing: vec![false; GROUPS], generation: vec![3; GROUPS] };
        let legacy = Legacy { partitions, groups, down_until: 0, slow_until: 0, foreign_writes: 0 };
        let limits = sim_limits(plant);
        let mut world = Self {
            now: 0,
            wall_jump_ms: 0,
            rng,
            queue: BTreeMap::new(),
            next_event: 0,
            next_id: 1,
            kernel: Kernel::new(Now::default()),
            kernel_groups: KernelGroups {
                position: 0,
                offsets: vec![BTreeMap::new(); GROUPS],
                active: vec![false; GROUPS],
            },
            kernel_slow_until: 0,
            kernel_waiting: BTreeMap::new(),
            poison: None,
            cut_legacy_until: 0,
            feeds: vec![Feed::default(); PARTITIONS],
            feed_incarnations: BTreeMap::new(),
            duplicates: false,
            disk: Disk::default(),
            sluice: None,
            run: 0,
            sluice_paused_until: 0,
            forwarders: (0..FORWARDERS).map(|_| new_forwarder()).collect(),
            streams: (0..STREAMS).map(|n| new_stream(n % PARTITIONS)).collect(),
            consumers: (0..GROUPS).map(|_| new_consumer(&legacy)).collect(),
            legacy,
            judge: Judge::default(),
            armed,
            coverage: Coverage::default(),
            plant,
            limits,
            quiet: false,
            trace: std::env::var_os("SLUICE_TRACE").is_some(),
            refused_rollbacks: 0,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        self.after(0, Ev::StartSluice);
        self.after(10 * MS, Ev::StartForwarder);
        self.after(50 * MS, Ev::Feed);
        self.after(300 * MS, Ev::Situation);
        self.after(400 * MS, Ev::Operator);
        for stream in 0..STREAMS {
            self.after(MS * (20 + 7 * stream as T), Ev::Stream(stream));
        }
        for group in 0..GROUPS {
            self.after(100 * MS, Ev::Consumer(group));
        }
    }

    pub fn now(&self) -> Now {
        let wall_ms = 1_700_000_000_000 + (self.now / MS) as i64 + self.wall_jump_ms;
        Now::new(Duration::from_micros(self.now), wall_ms)
    }

    pub fn planted(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    pub fn after(&mut self, delay: T, event: Ev) {
        self.at(self.now + delay, event);
    }

    pub fn at(&mut self, at: T, event: Ev) {
        self.next_event += 1;
        self.queue.insert((at.max(self.now), self.next_event), event);
    }

    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn latency(&mut self) -> T {
        self.rng.between(100, 2_000)
    }

    pub fn trace(&self, text: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>10.4} {}", self.now as f64 / 1e6, text());
        }
    }

    /// Runs until everything is where it shall be, or `until`.
    pub fn run(&mut self, until: T) {
        let mut settled_at = None;
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > until || !self.judge.found.is_empty() {
                break;
            }
            self.now = at;
            self.dispatch(event);
            match settled_at {
                None if self.settled() => settled_at = Some(self.now),
                Some(since) if !self.settled() => {
                    settled_at = None;
                    let _ = since;
                }
                Some(since) if self.now > since + 2 * S || self.now > 25 * S => break,
                _ => {}
            }
        }
        self.finish(settled_at.is_some());
    }

    /// No armed fault is left to wait for and every unit is at its end.
    fn settled(&self) -> bool {
        let Some(sluice) = &self.sluice else { return false };
        let book = sluice.ledger.book();
        let done =
            |unit: &UnitId| book.phase(unit) == Phase::Cutover && book.owner(unit).side == Primary::Kernel;
        let stuck = self.legacy.partitions.iter().any(|partition| partition.damaged) || self.poison.is_some();
        (all_units().iter().all(done) && book.open().next().is_none())
            || (stuck && book.open().next().is_none() && self.now > 25 * S)
    }

    fn dispatch(&mut self, event: Ev) {
        match event {
            Ev::Stream(stream) => self.stream(stream),
            Ev::Timeout { stream, request } => self.timeout(stream, request),
            Ev::Consumer(group) => self.consumer(group),
            Ev::AtForwarder { forwarder, generation, ref request } => {
                if !self.absent(forwarder, generation, &event) {
                    self.at_forwarder(forwarder, request.clone());
                }
            }
            Ev::Send { forwarder, generation, connection, ref request } => {
                if !self.absent(forwarder, generation, &event) {
                    self.send(forwarder, connection, request.clone());
                }
            }
            Ev::AtLegacy { forwarder, generation, connection, request } => {
                self.at_legacy(forwarder, generation, connection, request);
            }
            Ev::Replicated(partition) => self.replicated(partition),
            Ev::Answer { forwarder, generation, connection, ref request, ref answer } => {
                if !self.absent(forwarder, generation, &event) {
                    self.answered(forwarder, connection, request.clone(), answer.clone());
                }
            }
            Ev::AtClient { request, answer, side } => self.at_client(request, answer, side),
            Ev::KernelFlush => self.kernel_flush(),
            Ev::Feed => {
                if !self.feed_paused() {
                    self.feed();
                }
                self.after(40 * MS, Ev::Feed);
            }
            Ev::Renew(forwarder) => self.renew(forwarder),
            Ev::AskLease { forwarder, generation, asked, join } => {
                self.ask_lease(forwarder, generation, asked, join)
            }
            Ev::LeaseAnswer { forwarder, generation, asked, ref granted } => {
                if !self.absent(forwarder, generation, &event) {
                    self.lease_answer(forwarder, asked, granted.clone());
                }
            }
            Ev::ToForwarder { forwarder, generation, run, ref origin, ref command } => {
                if !self.absent(forwarder, generation, &event) {
                    self.command(forwarder, run, origin.clone(), command.clone());
                }
            }
            Ev::Complete { run, ref origin, ref completion } => {
                if self.sluice_awake(run, &event) {
                    self.complete(origin.clone(), completion.clone());
                }
            }
            Ev::Tick(run) => {
                if self.sluice_awake(run, &event) {
                    self.tick();
                }
            }
            Ev::Situation => {
                self.situation();
                self.after(300 * MS, Ev::Situation);
            }
            Ev::Operator => {
                self.operate();
                self.after(700 * MS, Ev::Operator);
            }
            Ev::StartSluice => self.start_sluice(),
            Ev::StartForwarder => self.start_forwarder(1),
            Ev::Heal(fault) => self.heal(fault),
        }
    }

    fn feed_paused(&self) -> bool {
        self.sluice.is_none() || self.now < self.sluice_paused_until
    }

    /// Whether a forwarder does not take this event now: it is gone, or takes it when it goes on.
    fn absent(&mut self, forwarder: usize, generation: u64, event: &Ev) -> bool {
        let Forwarder { alive, generation: current, paused_until, .. } = self.forwarders[forwarder];
        let paused_until = if forwarder == 0 { self.sluice_paused_until } else { paused_until };
        if !alive || current != generation {
            return true;
        }
        if self.now < paused_until {
            self.at(paused_until, event.clone());
            return true;
        }
        false
    }

    fn sluice_awake(&mut self, run: u64, event: &Ev) -> bool {
        if self.sluice.is_none() || run != self.run {
            return false;
        }
        if self.now < self.sluice_paused_until {
            self.at(self.sluice_paused_until, event.clone());
            return false;
        }
        true
    }

    /// Who is primary, as the durable ledger has it (also while no process runs).
    pub fn durable_owner(&self, unit: &UnitId) -> proxy::ledger::Ownership {
        if let Some(sluice) = &self.sluice
            && self.plant != Some(Plant::NoSync)
        {
            return sluice.ledger.book().owner(unit);
        }
        let copy = Disk::default();
        copy.with(|content| content.durable = self.disk.with(|content| content.durable.clone()));
        Ledger::open(copy).map(|ledger| ledger.book().owner(unit)).expect("the durable ledger opens")
    }

    pub fn create_log(&mut self, partition: usize) {
        let start = self.legacy.partitions[partition].start;
        let config = LogConfig { kind: LogKind::Mirrored, ..LogConfig::default() };
        let op = Op::LogCreate { log: log_id(partition), config, start: Offset(start) };
        let _ = self.kernel.call(self.now(), Request::Commit(Commit::of(vec![op])));
    }

    pub fn control_limits(&self) -> ControlLimits {
        ControlLimits {
            handover: self.limits,
            gate_wait: Duration::from_secs(10),
            retry_after: Duration::from_millis(400),
            attempts_max: 5,
            ..ControlLimits::default()
        }
    }
}

pub fn chain(before: u64, base: u64, crc: u32) -> u64 {
    chain_next(before, Offset(base), crc)
}

pub fn new_forwarder() -> Forwarder {
    Forwarder {
        alive: false,
        generation: 0,
        paused_until: 0,
        lease: Lease::new(Duration::ZERO),
        joined: false,
        connection: 0,
        gates: BTreeMap::new(),
        held: Vec::new(),
        on_the_way: BTreeMap::new(),
        last_heard: 0,
        late_until: 0,
        cut_until: 0,
    }
}

fn new_stream(partition: usize) -> Stream {
    Stream { partition, sequence: 0, open: None, route: Primary::Legacy, sent: 0 }
}

fn new_consumer(legacy: &Legacy) -> Consumer {
    Consumer {
        positions: legacy.partitions.iter().map(|partition| partition.start).collect(),
        open: None,
        acknowledged: BTreeMap::new(),
        sent: BTreeMap::new(),
        turn: 0,
    }
}
