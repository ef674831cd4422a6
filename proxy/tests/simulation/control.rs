//! The executor of the control's orders, with a fault at any edge; starts and ends of its process.

use std::collections::BTreeMap;

use kernel_model::commit::{Commit, LogConfig, LogKind, Op};
use kernel_model::{LogEpoch, Request};
use proxy::handover::action::{Action, Completion, Facts, ForwarderId, NewOwner, Obstacle, UnitKind, Whose};
use proxy::handover::gate::{Lag, Situation};
use proxy::handover::lease::Leases;
use proxy::handover::migration::{MigrationSpec, Migrations, Order};
use proxy::handover::phase::Phase;
use proxy::handover::recovery::contradiction;
use proxy::ledger::{Decider, Digest, HandoverId, Ledger, Primary, What};
use session::UnitId;

use crate::faults::When;
use crate::kernel::log_id;
use crate::planted::Plant;
use crate::reversing::Reverse;
use crate::rng::hash;
use crate::world::*;

impl World {
    pub fn start_sluice(&mut self) {
        if self.sluice.is_some() {
            return;
        }
        let now = self.now();
        self.run += 1;
        let mut ledger = match Ledger::open(self.disk.clone()) {
            Ok(ledger) => ledger,
            Err(error) => {
                return self.judge.fail("G8", format!("the ledger does not open after a crash: {error}"));
            }
        };
        for partition in 0..PARTITIONS {
            let Some(info) = self.kernel.info(now, partition) else { continue };
            let facts = Facts { end: info.end.0, ..Facts::default() };
            let leads = info.config.kind == LogKind::Led;
            if let Some(what) = contradiction(ledger.book(), &partition_unit(partition), leads, &facts) {
                self.judge.fail("G2", format!("ledger and kernel contradict each other: {what:?}"));
                let _ = ledger.append(now.wall_ms, &Decider::Sluice, vec![what]);
            }
        }
        let spec = MigrationSpec { name: NAME.to_owned(), cluster: "events".to_owned() };
        let forwarders: Vec<ForwarderId> = (0..FORWARDERS as u32).map(ForwarderId).collect();
        let control = Migrations::restore(now, ledger.book(), vec![spec], self.control_limits(), &forwarders);
        let leases = Leases::after_start(now, self.limits.lease, self.limits.send_max);
        self.feeds = vec![Feed::default(); PARTITIONS];
        self.reverses = vec![Reverse::default(); PARTITIONS];
        self.sluice = Some(Sluice { control, ledger, leases });
        self.trace(|| "sluice starts".to_owned());
        self.drive();
        let units: Vec<(UnitId, UnitKind)> =
            all_units().into_iter().map(|unit| (unit.clone(), kind_of(&unit))).collect();
        if let Some(Sluice { control, ledger, .. }) = &mut self.sluice {
            control.handle_discovered(now, ledger.book(), NAME, &units);
        }
        self.drive();
        self.start_forwarder(0);
    }

    /// The process is gone, with all that was only in its memory.
    pub fn crash_sluice(&mut self) {
        if self.sluice.take().is_none() {
            return;
        }
        self.trace(|| "sluice is gone".to_owned());
        self.run += 1;
        self.disk.crash();
        self.kernel.crash(self.now());
        self.kernel_waiting.clear();
        self.stop_forwarder(0);
        self.sluice_paused_until = 0;
        let delay = self.rng.between(50, 500) * MS;
        self.after(delay, Ev::StartSluice);
    }

    /// Carries out everything that the control wants now.
    pub fn drive(&mut self) {
        let run = self.run;
        loop {
            let Some(sluice) = &mut self.sluice else { return };
            if let Some(reason) = sluice.control.stopped().map(str::to_owned) {
                self.trace(|| format!("the process ends: {reason}"));
                self.crash_sluice();
                return;
            }
            let Some(order) = sluice.control.poll_order() else { break };
            self.execute(order);
            if self.run != run {
                return;
            }
        }
        let due = self.sluice.as_ref().and_then(|sluice| sluice.control.poll_timeout());
        if let Some(due) = due {
            let at = (due.as_micros() as T).max(self.now + 1);
            self.at(at, Ev::Tick(self.run));
        }
    }

    pub fn tick(&mut self) {
        let now = self.now();
        let Some(Sluice { control, ledger, leases }) = &mut self.sluice else { return };
        if control.poll_timeout().is_some_and(|due| due <= now.elapsed) {
            control.handle_timeout(now, ledger.book(), Some(leases));
            self.drive();
        }
    }

    fn execute(&mut self, order: Order) {
        let now = self.now();
        match order {
            Order::Record { id, by, whats } => {
                let Some(sluice) = &mut self.sluice else { return };
                let outcome =
                    sluice.ledger.append(now.wall_ms, &by, whats).map(|_| ()).map_err(|e| e.to_string());
                sluice.control.handle_done(now, sluice.ledger.book(), id, outcome);
            }
            Order::Apply { id, phase, units } => {
                for partition in units.iter().filter_map(partition_of) {
                    self.apply(partition, phase);
                }
                let Some(sluice) = &mut self.sluice else { return };
                sluice.control.handle_done(now, sluice.ledger.book(), id, Ok(()));
            }
            Order::Handover { handover, by, ticket, action } => {
                let run = self.run;
                let edge = (action.kind(), self.direction(handover, &action));
                self.trace(|| format!("{handover} {action:?}").chars().take(230).collect());
                self.edge(edge, When::Before);
                if self.run != run {
                    return;
                }
                let origin = Origin { handover, ticket, edge };
                let completion = self.act(&origin, by, action);
                if self.run != run {
                    return;
                }
                self.edge(edge, When::After);
                if self.run != run {
                    return;
                }
                if let Some(completion) = completion {
                    let delay = self.rng.between(50, 1_500);
                    self.after(
                        delay,
                        Ev::Complete { run, origin: origin.clone(), completion: completion.clone() },
                    );
                    if self.duplicates {
                        self.after(delay * 3, Ev::Complete { run, origin, completion });
                    }
                }
            }
        }
    }

    pub fn complete(&mut self, origin: Origin, completion: Completion) {
        let now = self.now();
        let run = self.run;
        self.trace(|| {
            format!("  {} {:?} {completion:?}", origin.handover, origin.edge).chars().take(200).collect()
        });
        let Some(sluice) = &mut self.sluice else { return };
        sluice.control.handle_completion(now, origin.handover, origin.ticket, completion);
        self.edge(origin.edge, When::Completed);
        if self.run == run {
            self.drive();
        }
    }

    /// Towards which side a handover moves its units.
    fn direction(&self, handover: HandoverId, action: &Action) -> Primary {
        if let Action::Record(whats) = action
            && let Some(What::HandoverBegun { to, .. }) = whats.first()
        {
            return *to;
        }
        let mut open = self.sluice.iter().flat_map(|sluice| sluice.ledger.book().open());
        open.find(|open| open.handover == handover).map_or(Primary::Kernel, |open| open.to)
    }

    fn act(&mut self, origin: &Origin, by: Decider, action: Action) -> Option<Completion> {
        match action {
            Action::Record(whats) => Some(self.record(&by, whats)),
            Action::Ask { whose, units, to } => Some(self.facts(whose, to, &units)),
            Action::Fence { forwarder, units } => self.tell(forwarder, origin, Cmd::Fence(units)),
            Action::Count { forwarder, units } => self.tell(forwarder, origin, Cmd::Count(units)),
            Action::Release { forwarder, units, side } => {
                self.tell(forwarder, origin, Cmd::Release(units, side))
            }
            Action::Revoke { forwarder } => {
                let now = self.now();
                let at_once = self.planted(Plant::RevokeAtOnce);
                let sluice = self.sluice.as_mut()?;
                let safe_at = sluice.leases.revoke(forwarder);
                Some(Completion::SafeAt(if at_once { now.elapsed } else { safe_at }))
            }
            Action::Gather { units, .. } => Some(self.gather(&units)),
            Action::Close { to: Primary::Legacy, units } => Some(self.close(&units)),
            Action::Reopen { to: Primary::Legacy, units } => Some(self.reopen(&units)),
            Action::Close { .. } | Action::Reopen { .. } | Action::Publish(_) | Action::Follow(_) => {
                Some(Completion::Done)
            }
            Action::Switch(owners) if owners.iter().all(|owner| owner.side == Primary::Legacy) => {
                Some(self.switch_back(&owners))
            }
            Action::Switch(owners) => Some(self.switch(&owners)),
        }
    }

    fn record(&mut self, by: &Decider, whats: Vec<What>) -> Completion {
        let now = self.now();
        let Some(sluice) = &mut self.sluice else { return Completion::Failed("gone".to_owned()) };
        let committed = whats.iter().find_map(|what| match what {
            What::Committed { units, to, .. } => Some((*to, units.clone())),
            _ => None,
        });
        match sluice.ledger.append(now.wall_ms, by, whats) {
            Ok(_) => {
                if let Some((to, units)) = committed {
                    self.check_commit(to, &units);
                }
                Completion::Done
            }
            Err(error) => Completion::Failed(error.to_string()),
        }
    }

    fn tell(&mut self, forwarder: ForwarderId, origin: &Origin, command: Cmd) -> Option<Completion> {
        let forwarder = forwarder.0 as usize;
        let generation = self.forwarders[forwarder].generation;
        let at = self.in_order(forwarder);
        let (run, origin) = (self.run, origin.clone());
        self.at(at, Ev::ToForwarder { forwarder, generation, run, origin, command });
        None
    }

    fn facts(&mut self, whose: Whose, to: Primary, units: &[UnitId]) -> Completion {
        let unreachable = self.now < self.legacy.down_until || self.now < self.cut_legacy_until;
        let of_legacy = if to == Primary::Kernel { Whose::Source } else { Whose::Target };
        if whose == of_legacy && unreachable {
            return Completion::Failed("legacy does not answer".to_owned());
        }
        let mut facts = BTreeMap::new();
        for unit in units {
            let found = match (partition_of(unit), group_of(unit)) {
                (Some(partition), _) if to == Primary::Legacy => self.facts_back(whose, partition),
                (Some(partition), _) => self.partition_facts(whose, partition),
                (None, Some(group)) if to == Primary::Legacy => Some(self.group_facts_back(whose, group)),
                (None, Some(group)) => Some(self.group_facts(whose, group)),
                (None, None) => None,
            };
            let Some(found) = found else { return Completion::Failed(format!("{unit} is not known")) };
            facts.insert(unit.clone(), found);
        }
        Completion::Facts(facts)
    }

    fn partition_facts(&mut self, whose: Whose, partition: usize) -> Option<Facts> {
        let now = self.now();
        let shift = self.shift(partition);
        let source = &self.legacy.partitions[partition];
        let feed = &self.feeds[partition];
        Some(match whose {
            Whose::Source => {
                self.judge.asked_source(partition, self.now);
                Facts {
                    end: source.end(),
                    settled: source.high_watermark,
                    epoch: source.epoch + shift,
                    incarnation: Digest(source.incarnation),
                    ..Facts::default()
                }
            }
            Whose::Feed => Facts {
                end: feed.position,
                settled: feed.position,
                records: Some(feed.records),
                chain: Some(Digest(feed.chain)),
                epoch: feed.epoch + shift,
                incarnation: Digest(feed.incarnation),
                obstacle: match &feed.stopped {
                    Some(reason) => Some(Obstacle { reason: reason.clone(), passing: false }),
                    None if !feed.running => Some(Obstacle { reason: "no feed".to_owned(), passing: true }),
                    None => None,
                },
                ..Facts::default()
            },
            Whose::Target => {
                let incarnation = Digest(self.feed_incarnations.get(&partition).copied().unwrap_or(0));
                let open = self.legacy.partitions[partition].open_transaction
                    && !self.planted(Plant::TransactionIgnored);
                let info = self.kernel.info(now, partition)?;
                Facts {
                    end: info.end.0,
                    settled: info.durable_end.0,
                    records: Some(info.records),
                    chain: Some(Digest(info.chain)),
                    epoch: info.epoch.0,
                    incarnation,
                    obstacle: open
                        .then(|| Obstacle { reason: "a transaction is open".to_owned(), passing: true }),
                    ..Facts::default()
                }
            }
        })
    }

    fn group_facts(&mut self, whose: Whose, group: usize) -> Facts {
        let groups = &self.legacy.groups;
        let kernel = &self.kernel_groups;
        let generation = Some(Digest(groups.generation[group] as u64));
        let rebalancing = groups.rebalancing[group]
            .then(|| Obstacle { reason: "the group rebalances".to_owned(), passing: true });
        let (end, offsets, obstacle) = match whose {
            Whose::Source => (groups.log.len(), groups.fold(group, usize::MAX), rebalancing),
            Whose::Feed => (kernel.position, groups.fold(group, kernel.position), None),
            Whose::Target => (kernel.position, kernel.offsets[group].clone(), None),
        };
        let parts = offsets.iter().flat_map(|(partition, (offset, metadata))| {
            let metadata = if self.planted(Plant::LoseMetadata) { 0 } else { *metadata };
            [*partition as u64, *offset, metadata]
        });
        let chain = if whose == Whose::Source && self.planted(Plant::LoseMetadata) {
            None
        } else {
            Some(Digest(hash(parts)))
        };
        Facts {
            end: end as u64,
            settled: end as u64,
            records: Some(offsets.len() as u64).filter(|_| whose != Whose::Source),
            chain,
            producers: generation,
            epoch: groups.generation[group],
            obstacle,
            ..Facts::default()
        }
    }

    fn switch(&mut self, owners: &[NewOwner]) -> Completion {
        let now = self.now();
        for owner in owners {
            if let Some(partition) = partition_of(&owner.unit) {
                let Some(info) = self.kernel.info(now, partition) else {
                    return Completion::Failed("the kernel does not answer".to_owned());
                };
                if info.config.kind == LogKind::Led {
                    if self.planted(Plant::SwitchOnce) {
                        return Completion::Failed("it is led already".to_owned());
                    }
                    continue;
                }
                let epoch = if self.planted(Plant::LowEpoch) { info.epoch.0 } else { owner.target_epoch };
                self.reverses[partition] = Reverse::default();
                self.feeds[partition].reported.clear();
                self.feeds[partition].watched = (0, -1);
                let config = LogConfig { kind: LogKind::Led, ..info.config };
                let op = Op::LogConfigure { log: log_id(partition), config, epoch: Some(LogEpoch(epoch)) };
                if let Err(error) = self.kernel.call(now, Request::Commit(Commit::of(vec![op]))) {
                    return Completion::Failed(error.to_string());
                }
                let seen = self.feeds[partition].source_epoch_seen.max(self.kernel_groups.shown[partition]);
                let found = self.kernel.epoch(now, partition).0;
                self.kernel_groups.shown[partition] = found;
                if found <= seen && seen > 0 {
                    self.judge.fail(
                        "K5",
                        format!("partition {partition} is led under {found}, legacy used {seen}"),
                    );
                }
            } else if let Some(group) = group_of(&owner.unit) {
                if !self.kernel_groups.active[group] {
                    let legacy = self.legacy.groups.fold(group, owner.cut as usize);
                    if legacy != self.kernel_groups.offsets[group] {
                        self.judge.fail(
                            "K6",
                            format!(
                                "group {group}: {legacy:?} is not {:?}",
                                self.kernel_groups.offsets[group]
                            ),
                        );
                    }
                }
                self.kernel_groups.active[group] = true;
            }
        }
        Completion::Done
    }

    /// Runs a partition as a phase wants.
    pub fn apply(&mut self, partition: usize, phase: Phase) {
        let now = self.now();
        if phase == Phase::Observe {
            self.feeds[partition].running = false;
            return;
        }
        self.create_log(partition);
        if self.feeds[partition].running {
            return;
        }
        let (owner, shift) = (self.durable_owner(&partition_unit(partition)), self.shift(partition));
        let Some(info) = self.kernel.info(now, partition) else { return };
        let position = info.durable_end.0;
        let last = self
            .kernel
            .read(now, partition, position.saturating_sub(1).max(info.start.0))
            .unwrap_or_default();
        let batch_epoch = last.last().filter(|_| position > info.start.0).and_then(|batch| {
            let header = batch.header();
            match owner.cut {
                // The kernel's own epochs are not legacy's.
                Some(cut) if header.base_offset.0 < cut => None,
                _ => Some(header.leader_epoch.0 - shift),
            }
        });
        let source = &self.legacy.partitions[partition];
        let incarnation = *self.feed_incarnations.entry(partition).or_insert(source.incarnation);
        self.feeds[partition] = Feed {
            running: true,
            position,
            chain: info.chain,
            records: info.records,
            epoch: batch_epoch.unwrap_or(source.epoch),
            batch_epoch,
            incarnation,
            ..Feed::default()
        };
    }

    pub fn situation(&mut self) {
        let now = self.now();
        let lag = (0..PARTITIONS).map(|partition| {
            let behind =
                self.legacy.partitions[partition].end().saturating_sub(self.feeds[partition].position);
            let stopped = self.feeds[partition].stopped.clone();
            (partition_unit(partition), Lag { records: behind, stopped, ..Lag::default() })
        });
        let lag: Vec<_> = lag.collect();
        let way_back = self.ways_back().into_iter().collect();
        let groups = (0..GROUPS).map(|group| (group_unit(group), Lag::default()));
        let situation = Situation {
            lag: lag.into_iter().chain(groups).collect(),
            way_back,
            rules_missing: Some(Vec::new()),
            accept_single_copy: true,
            legacy_replicas: 3,
            ..Situation::default()
        };
        self.check_waiting_joins();
        if self.now < self.sluice_paused_until {
            return;
        }
        if let Some(Sluice { control, ledger, .. }) = &mut self.sluice {
            control.handle_situation(now, ledger.book(), NAME, situation);
            self.drive();
        }
    }
}

pub fn kind_of(unit: &UnitId) -> UnitKind {
    if partition_of(unit).is_some() { UnitKind::Log } else { UnitKind::Group }
}
