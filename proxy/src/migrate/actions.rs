//! The actions of a handover, by the contract in [`crate::handover`].

use std::collections::{BTreeMap, BTreeSet};

use kernel_model::{Commit, KernelError, Offset, Op, Reply, Request as KernelRequest, ShardId};
use session::{Answer, Request, RequestId, Side, UnitId};
use shadow::{ChainStatus, FollowerState, GroupEnd, Mode, Order as FeedOrder, PartitionEnd, Token};
use translator_kafka::coordinator::group::transfer::Transfer;
use translator_kafka::coordinator::message::{CatalogMessage, PartitionEpoch};
use translator_kafka::placement::{CATALOG, CATALOG_SHARD, GROUPS, group_shard};

use super::job::{Errand, Job, Want, members_digest};
use super::runner::Runner;
use super::transactions::Purpose;
use super::units::{self, UnitName};
use crate::handover::action::{Action, ActionKind, Completion, Facts, NewOwner, Obstacle, Ticket, Whose};
use crate::ledger::{Acknowledged, Decider, Digest, HandoverId, Mark, Primary};

impl Runner {
    pub(super) fn act(&mut self, handover: HandoverId, by: &Decider, ticket: Ticket, action: Action) {
        let errand = Errand { handover, ticket, kind: action.kind() };
        crate::failpoint::reached("before", errand.kind);
        if let Some(completion) = self.perform(errand, by, action) {
            self.complete(errand, completion);
        }
    }

    fn complete(&mut self, errand: Errand, completion: Completion) {
        crate::failpoint::reached("after", errand.kind);
        let now = self.setup.clock.now();
        self.migrations.handle_completion(now, errand.handover, errand.ticket, completion);
    }

    /// Performs an action; `None` when its completion comes later.
    fn perform(&mut self, errand: Errand, by: &Decider, action: Action) -> Option<Completion> {
        let done = Some(Completion::Done);
        match action {
            Action::Record(whats) => Some(match self.record(by, whats) {
                Ok(()) => Completion::Done,
                Err(reason) => Completion::Failed(reason),
            }),
            Action::Ask { whose, units, to: Primary::Kernel } => self.ask(errand, whose, &units),
            Action::Ask { whose, units, to: Primary::Legacy } => self.ask_back(errand, whose, &units),
            Action::Fence { units, .. } => Some(self.fence(&units)),
            Action::Count { units, .. } => {
                self.leave_again(&units);
                Some(Completion::OnTheWay(self.on_the_way(&units)))
            }
            Action::Revoke { forwarder } => Some(Completion::SafeAt(self.leases.revoke(forwarder))),
            Action::Gather { units, .. } => {
                self.gather(errand, &units);
                None
            }
            Action::Close { to: Primary::Legacy, units } => {
                self.close(errand, &units);
                None
            }
            Action::Reopen { to: Primary::Legacy, units } => {
                self.reopen(errand, &units);
                None
            }
            Action::Close { to: Primary::Kernel, units } => self.close_transactions(errand, &units),
            // A group is followed all the time; what is taken over of an id counts for nothing before the commit.
            Action::Reopen { to: Primary::Kernel, .. } => done,
            Action::Switch(owners) => self.switch(errand, &owners),
            Action::Publish(owners) if is_back(&owners) => {
                self.publish_back(&owners);
                done
            }
            Action::Publish(owners) => {
                self.publish(&owners);
                done
            }
            Action::Release { units, side, .. } => {
                self.release(&units, side);
                done
            }
            Action::Follow(owners) => {
                let now = self.setup.clock.now();
                let units: Vec<UnitId> = owners.into_iter().map(|owner| owner.unit).collect();
                self.return_ids(&units);
                self.steer_reverse(now);
                self.steer_keeping(now);
                done
            }
        }
    }

    fn fence(&mut self, units: &[UnitId]) -> Completion {
        for cluster in &self.clusters {
            let known = || units.iter().filter_map(|unit| cluster.units.get(unit)).map(|known| &known.unit);
            known().for_each(|unit| self.setup.around.holds.hold(&unit.id));
            cluster.shared.routes.fence(known());
        }
        self.leave_kernel(units);
        Completion::OnTheWay(self.on_the_way(units))
    }

    fn on_the_way(&self, units: &[UnitId]) -> u64 {
        // An open transaction is on its way until it ends.
        let open = |id: &UnitId, counted: u64| match self.transactions_among(std::slice::from_ref(id)) {
            Some(_) if self.is_led(id) => self.open_on_kernel(id),
            _ => counted,
        };
        let known = self.known(units);
        known.iter().map(|unit| unit.gate.on_the_way() + open(&unit.id, unit.transactions.count())).sum()
    }

    pub(super) fn known(&self, units: &[UnitId]) -> Vec<std::sync::Arc<translator_kafka::gateway::Unit>> {
        let find = |unit: &UnitId| self.clusters.iter().find_map(|cluster| cluster.units.get(unit));
        units.iter().filter_map(find).map(|known| std::sync::Arc::clone(&known.unit)).collect()
    }

    fn release(&mut self, units: &[UnitId], side: Primary) {
        let side = match side {
            Primary::Legacy => Side::Legacy,
            Primary::Kernel => Side::Kernel,
        };
        for cluster in &self.clusters {
            for known in units.iter().filter_map(|unit| cluster.units.get(unit)) {
                cluster.shared.routes.release(&known.unit, side);
                self.setup.around.holds.release(&known.unit.id);
            }
        }
    }

    fn publish(&mut self, owners: &[NewOwner]) {
        for owner in owners.iter().filter(|owner| owner.side == Primary::Kernel) {
            for unit in self.known(std::slice::from_ref(&owner.unit)) {
                unit.set_kernel_epoch(owner.target_epoch);
            }
        }
        let units: Vec<UnitId> = owners.iter().map(|owner| owner.unit.clone()).collect();
        self.publish_epochs(&units);
    }

    /// From the cut on, what legacy still gets is a divergence.
    fn watch(&mut self, owners: &[NewOwner]) {
        let now = self.setup.clock.now();
        for owner in owners.iter().filter(|owner| owner.side == Primary::Kernel) {
            let Some((name, UnitName::Partition { topic, partition })) = units::parse(&owner.unit) else {
                continue;
            };
            let mode = Mode::Watch(owner.cut);
            let clusters = self.clusters.iter_mut().filter(|cluster| cluster.config.name == name);
            for cluster in clusters.filter(|cluster| !cluster.reverse.looks_after(&owner.unit, owner.epoch)) {
                let order = FeedOrder::SetMode { topic: topic.clone(), partition, mode };
                cluster.feed.order(now, order);
            }
        }
    }

    fn switch(&mut self, errand: Errand, owners: &[NewOwner]) -> Option<Completion> {
        if is_back(owners) {
            self.switch_back(errand, owners);
            return None;
        }
        // The feed writes no more before the kernel leads: a log that is led refuses a feed.
        self.watch(owners);
        self.publish(owners);
        self.set_kept();
        let job = self.open_job(errand, false);
        let mut topics: BTreeMap<String, Vec<PartitionEpoch>> = BTreeMap::new();
        for owner in owners {
            match units::parse(&owner.unit) {
                Some((_, UnitName::Partition { topic, partition })) => {
                    let moved = PartitionEpoch { partition, epoch: owner.target_epoch };
                    topics.entry(topic).or_default().push(moved);
                }
                Some((_, UnitName::Group(group))) => {
                    self.ask_group(
                        job,
                        &group,
                        &Transfer::Activate { group: group.as_str().into() },
                        Want::Transfer,
                    );
                }
                Some((_, UnitName::Transactions(_))) | None => {}
            }
        }
        for (topic, partitions) in topics {
            let message = CatalogMessage::Lead { topic, partitions }.to_bytes();
            let request = KernelRequest::Coordinate { kind: CATALOG, message };
            self.ask_kernel(job, CATALOG_SHARD, request, Want::Catalog);
        }
        self.finish_job(job);
        None
    }

    fn ask(&mut self, errand: Errand, whose: Whose, units: &[UnitId]) -> Option<Completion> {
        match whose {
            Whose::Source => self.ask_source(errand, units),
            Whose::Feed => Some(self.feed_facts(units)),
            Whose::Target => {
                self.ask_target(errand, units);
                None
            }
        }
    }

    /// Units of one handover belong to one migration, and so to one cluster.
    pub(super) fn cluster_of(&self, units: &[UnitId]) -> Option<usize> {
        let (name, _) = units::parse(units.first()?)?;
        self.clusters.iter().position(|cluster| cluster.config.name == name)
    }

    fn ask_source(&mut self, errand: Errand, units: &[UnitId]) -> Option<Completion> {
        let Some(index) = self.cluster_of(units) else {
            return Some(Completion::Failed("the units' cluster is not configured".to_owned()));
        };
        let job = self.open_job(errand, true);
        let token = self.next_number();
        self.asked_ends.insert(token, job);
        if let Some(job) = self.jobs.get_mut(&job) {
            job.outstanding += 1;
        }
        self.ask_transactions(job, units, Purpose::Look);
        let now = self.setup.clock.now();
        if let Some(cluster) = self.clusters.get_mut(index) {
            let (partitions, groups) = (cluster.partitions(units), cluster.groups(units));
            cluster.feed.order(now, FeedOrder::ReadEnds { token: Token(token), partitions, groups });
        }
        None
    }

    /// Legacy has said where units end.
    pub(super) fn ends_known(
        &mut self,
        index: usize,
        token: Token,
        partitions: &BTreeMap<(String, i32), PartitionEnd>,
        groups: &BTreeMap<String, GroupEnd>,
    ) {
        let Some(id) = self.asked_ends.remove(&token.0) else { return };
        let Some(name) = self.clusters.get(index).map(|cluster| cluster.config.name.clone()) else { return };
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.outstanding = job.outstanding.saturating_sub(1);
        for ((topic, partition), end) in partitions {
            let unit = units::partition_unit(&name, topic, *partition);
            self.source_ends.insert(unit.clone(), end.end.max(end.high_watermark));
            let facts = Facts {
                end: end.end.max(end.high_watermark),
                settled: end.high_watermark,
                epoch: end.epoch,
                legacy_epoch: Some(end.legacy_epoch),
                incarnation: incarnation(end.topic_id.0),
                ..Facts::default()
            };
            job.facts.insert(unit, facts);
        }
        for (group, end) in groups {
            if job.errand.kind == ActionKind::AskTarget {
                let unit = units::group_unit(&name, group);
                let known = job.facts.entry(unit).or_default();
                known.obstacle = Self::empty_on_legacy(end).obstacle;
                continue;
            }
            let obstacle = group_obstacle(&end.state).map(|reason| Obstacle { reason, passing: true });
            let producers = Some(members_digest(end.members.clone()));
            let facts = Facts { end: end.end, settled: end.end, producers, obstacle, ..Facts::default() };
            job.facts.insert(units::group_unit(&name, group), facts);
        }
        self.finish_job(id);
    }

    /// Legacy could not be asked.
    pub(super) fn ends_unknown(&mut self, token: Token, reason: String) {
        let Some(id) = self.asked_ends.remove(&token.0) else { return };
        if let Some(job) = self.jobs.get_mut(&id) {
            job.outstanding = job.outstanding.saturating_sub(1);
            job.failed = Some(reason);
        }
        self.finish_job(id);
    }

    fn feed_facts(&self, units: &[UnitId]) -> Completion {
        let Some(cluster) = self.cluster_of(units).and_then(|index| self.clusters.get(index)) else {
            return Completion::Failed("the units' cluster is not configured".to_owned());
        };
        let status = cluster.feed.status(self.setup.clock.now());
        let mut all = BTreeMap::new();
        for unit in units {
            let Some(known) = cluster.units.get(unit) else { continue };
            let facts = match &known.name {
                // Read from legacy itself, when they are asked for.
                UnitName::Transactions(_) => Facts::default(),
                UnitName::Group(group) => {
                    let end = cluster.feed.group_position(group);
                    let obstacle = status.offsets.error.clone();
                    let obstacle = obstacle.map(|reason| Obstacle { reason, passing: false });
                    Facts { end, settled: end, obstacle, ..Facts::default() }
                }
                UnitName::Partition { topic, partition } => {
                    let Some(at) = status.partitions.get(&(topic.clone(), *partition)) else {
                        return Completion::Failed(format!("{unit} is not mirrored yet"));
                    };
                    let obstacle = if let FollowerState::Stopped(reason) = &at.state {
                        Some(Obstacle { reason: reason.to_string(), passing: false })
                    } else {
                        None
                    };
                    let id =
                        cluster.view.as_ref().and_then(|view| view.topics.get(topic)).map(|topic| topic.id.0);
                    let (records, since_ms) = self.setup.inventory.acknowledged(unit);
                    // What the feed has been shown beyond the kernel's end is not to be compared yet.
                    let kept = at.chain.as_ref().filter(|chain| chain.end == at.confirmed);
                    Facts {
                        end: at.confirmed,
                        settled: at.confirmed,
                        chain: kept.map(|chain| Digest(chain.value)),
                        marks: kept.map(marks).unwrap_or_default(),
                        acknowledged: Some(Acknowledged { records, since_ms }),
                        epoch: at.epoch,
                        incarnation: incarnation(id.unwrap_or_default()),
                        obstacle,
                        ..Facts::default()
                    }
                }
            };
            all.insert(unit.clone(), facts);
        }
        Completion::Facts(all)
    }

    fn ask_target(&mut self, errand: Errand, units: &[UnitId]) {
        let job = self.open_job(errand, true);
        self.ask_logs(job, units);
        for unit in units {
            if let Some((_, UnitName::Group(group))) = units::parse(unit) {
                let export = Transfer::Export { group: group.as_str().into() };
                self.ask_group(job, &group, &export, Want::Group(unit.clone()));
            }
            if let Some((_, UnitName::Transactions(_))) = units::parse(unit) {
                self.describe_adopted(job, unit);
            }
        }
        self.finish_job(job);
    }

    /// Asks for ends and producers of the logs of the partitions among these units.
    pub(super) fn ask_logs(&mut self, job: u64, units: &[UnitId]) {
        let moving_ids = self.transactions_among(units).is_some();
        let catalog = self.setup.catalog.load();
        for unit in units {
            let Some((_, UnitName::Partition { topic, partition })) = units::parse(unit) else { continue };
            let found = catalog.topic(&topic);
            let log = found.and_then(|topic| topic.partition(partition)).map(|found| found.log);
            let (Some(found), Some(log)) = (found, log) else {
                self.fail_job(job, format!("{unit} has no copy in the kernel yet"));
                continue;
            };
            if let Some(open) = self.jobs.get_mut(&job) {
                open.facts.entry(unit.clone()).or_default().incarnation = incarnation(found.id.0);
            }
            self.ask_kernel(job, log.shard(), KernelRequest::Describe { log }, Want::Info(unit.clone()));
            // A transaction that will end within the fence must not keep it from beginning.
            let lenient = moving_ids
                && self.known(std::slice::from_ref(unit)).iter().all(|at| at.gate.side() != Side::Held);
            let producers = Want::Producers(unit.clone(), lenient);
            self.ask_kernel(job, log.shard(), KernelRequest::Producers { log }, producers);
        }
    }

    pub(super) fn open_job(&mut self, errand: Errand, asks: bool) -> u64 {
        let id = self.next_number();
        let job = Job {
            errand,
            outstanding: 0,
            failed: None,
            facts: BTreeMap::new(),
            asks,
            closed: BTreeSet::new(),
            exports: Vec::new(),
            copies: Vec::new(),
        };
        self.jobs.insert(id, job);
        id
    }

    pub(super) fn fail_job(&mut self, id: u64, reason: String) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.failed.get_or_insert(reason);
        }
    }

    /// A tail that dual-write brought and that legacy has lost again (its leader changed before the batch was
    /// replicated) would be compared with nothing for ever. What lies above all that legacy holds is dropped;
    /// it was never readable.
    fn drop_orphaned_tails(&mut self, id: u64) {
        let mirrored = |job: &&Job| job.errand.kind == ActionKind::AskTarget && job.asks;
        let job = self.jobs.get(&id).filter(mirrored).filter(|job| job.outstanding == 0);
        let Some(job) = job else { return };
        let orphaned = job.facts.iter().filter(|(unit, facts)| {
            facts.end > facts.settled && self.source_ends.get(*unit).is_some_and(|end| *end == facts.settled)
        });
        let orphaned: Vec<(UnitId, u64)> =
            orphaned.map(|(unit, facts)| (unit.clone(), facts.settled)).collect();
        for (unit, to) in orphaned {
            let log = self.known(std::slice::from_ref(&unit)).first().and_then(|known| known.log());
            let Some(log) = log else { continue };
            tracing::warn!(%unit, to, "dropping a tail that dual-write brought and legacy does not hold");
            let truncate = Op::LogTruncate { log, to: Offset(to) };
            let request = KernelRequest::Commit(Commit::of(vec![truncate]));
            let request_id = RequestId(self.next_number());
            self.ask_shard(request_id, Request::Kernel { shard: log.shard(), request });
        }
    }

    /// Reports a job that nothing is outstanding of.
    pub(super) fn finish_job(&mut self, id: u64) {
        self.go_on_copying(id);
        self.drop_orphaned_tails(id);
        let Some(completion) = self.jobs.get_mut(&id).and_then(Job::completion) else { return };
        if let Some(job) = self.jobs.remove(&id) {
            self.complete(job.errand, completion);
        }
    }

    /// Takes what a group that is closed has to legacy.
    fn go_on_copying(&mut self, id: u64) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let (exports, copies) = (std::mem::take(&mut job.exports), std::mem::take(&mut job.copies));
        for unit in exports {
            if let Some((_, UnitName::Group(group))) = units::parse(&unit) {
                let export = Transfer::Export { group: group.as_str().into() };
                self.ask_group(id, &group, &export, Want::Copy(unit.clone()));
            }
        }
        for (unit, snapshot) in copies {
            self.copy_offsets(id, &unit, &snapshot);
        }
    }

    pub(super) fn ask_group(&mut self, job: u64, group: &str, transfer: &Transfer, want: Want) {
        let shards = u16::try_from(self.setup.shards.count()).unwrap_or(u16::MAX);
        let request = KernelRequest::Coordinate { kind: GROUPS, message: transfer.encode() };
        self.ask_kernel(job, group_shard(group, shards), request, want);
    }

    pub(super) fn ask_kernel(&mut self, job: u64, shard: ShardId, request: KernelRequest, want: Want) {
        let id = self.next_number();
        if let Some(open) = self.jobs.get_mut(&job) {
            open.outstanding += 1;
        }
        self.wants.insert(id, (job, want));
        self.ask_shard(RequestId(id), Request::Kernel { shard, request });
    }

    pub(super) fn job_answered(&mut self, id: u64, answer: Result<Answer, KernelError>) {
        let Some((job, want)) = self.wants.remove(&id) else { return };
        let reply = answer.map(|answer| match answer {
            Answer::Kernel(reply) => reply,
            Answer::Released => Reply::Done,
        });
        if let Some(open) = self.jobs.get_mut(&job) {
            open.answered(&want, reply);
        }
        self.finish_job(job);
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// The hashes that a feed has kept, the end's last.
fn marks(chain: &ChainStatus) -> Vec<Mark> {
    let all = chain.marks.iter().copied().chain([(chain.end, chain.value)]);
    let mut marks: Vec<Mark> = all.map(|(offset, chain)| Mark { offset, chain: Digest(chain) }).collect();
    marks.dedup();
    marks
}

/// A handover moves all its units to one side.
fn is_back(owners: &[NewOwner]) -> bool {
    owners.iter().any(|owner| owner.side == Primary::Legacy)
}

/// A topic's incarnation, from its id.
pub(super) fn incarnation(topic_id: [u8; 16]) -> Digest {
    let (high, low) = topic_id.split_at(8);
    let number = |half: &[u8]| half.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    Digest(number(high) ^ number(low))
}

/// Why a group in this state cannot move: its members must bring it to rest first.
fn group_obstacle(state: &str) -> Option<String> {
    match state {
        "Stable" | "Empty" | "Dead" => None,
        "PreparingRebalance" | "CompletingRebalance" => Some(format!("the group is rebalancing ({state})")),
        other => Some(format!("the group is in state {other}")),
    }
}
