//! Actions of handovers towards legacy, by the contract in [`crate::handover`].
//!
//! ```text
//!   partition   Close: its log is a mirrored one ─► compared ─► commit ─► Switch: under legacy's shifted epoch, followed
//!   group       Gather: members join again, and wait ─► Close: offsets to legacy ─► read back ─► commit ─► NOT_COORDINATOR
//! ```

use std::collections::BTreeMap;

use kernel_model::Request as KernelRequest;
use session::UnitId;
use shadow::{GroupOffset, GroupOffsets, Mode, Order as FeedOrder, ReverseStatus, Token, WayBack};
use translator_kafka::coordinator::group::GroupSnapshot;
use translator_kafka::coordinator::group::transfer::Transfer;
use translator_kafka::coordinator::message::{CatalogMessage, PartitionEpoch};
use translator_kafka::placement::{CATALOG, CATALOG_SHARD};

use super::job::{Errand, Want};
use super::runner::Runner;
use super::transactions::Purpose;
use super::units::{self, UnitName};
use crate::handover::action::{Completion, Facts, NewOwner, Obstacle, Whose};
use crate::ledger::{Digest, Primary};

impl Runner {
    /// Members of groups are asked to come together.
    pub(super) fn gather(&mut self, errand: Errand, units: &[UnitId]) {
        let job = self.open_job(errand, false);
        for unit in units {
            if let Some((_, UnitName::Group(group))) = units::parse(unit) {
                let gather = Transfer::Gather { group: group.as_str().into() };
                self.ask_group(job, &group, &gather, Want::Gathering);
            }
        }
        self.finish_job(job);
    }

    /// The kernel takes nothing more; offsets of groups go to legacy.
    pub(super) fn close(&mut self, errand: Errand, units: &[UnitId]) {
        let job = self.open_job(errand, false);
        let epoch = |owner: &crate::ledger::Ownership| owner.target_epoch.unwrap_or(0);
        self.ask_kinds(job, units, |topic, partitions| CatalogMessage::Mirror { topic, partitions }, epoch);
        for unit in units {
            self.closed.insert(unit.clone());
            if let Some((_, UnitName::Group(group))) = units::parse(unit) {
                let close = Transfer::Close { group: group.as_str().into() };
                self.ask_group(job, &group, &close, Want::Closed(unit.clone()));
            }
        }
        self.finish_job(job);
        self.close_kept(units);
    }

    /// Undoes what `gather` and `close` did.
    pub(super) fn reopen(&mut self, errand: Errand, units: &[UnitId]) {
        let job = self.open_job(errand, false);
        let epoch = |owner: &crate::ledger::Ownership| owner.target_epoch.unwrap_or(0);
        self.ask_kinds(job, units, |topic, partitions| CatalogMessage::Lead { topic, partitions }, epoch);
        for unit in units {
            self.closed.remove(unit);
            if let Some((_, UnitName::Group(group))) = units::parse(unit) {
                let reopen = Transfer::Reopen { group: group.as_str().into() };
                self.ask_group(job, &group, &reopen, Want::Transfer);
            }
        }
        self.return_ids(units);
        self.finish_job(job);
    }

    /// The ledger has the commit: the kernel's logs follow again, members are sent to legacy.
    pub(super) fn switch_back(&mut self, errand: Errand, owners: &[NewOwner]) {
        let job = self.open_job(errand, false);
        let units: Vec<UnitId> = owners.iter().map(|owner| owner.unit.clone()).collect();
        let epoch = |owner: &crate::ledger::Ownership| owner.target_epoch.unwrap_or(0);
        self.ask_kinds(job, &units, |topic, partitions| CatalogMessage::Mirror { topic, partitions }, epoch);
        for unit in &units {
            if let Some((_, UnitName::Group(group))) = units::parse(unit) {
                let deactivate = Transfer::Deactivate { group: group.as_str().into() };
                self.ask_group(job, &group, &deactivate, Want::Transfer);
            }
        }
        self.finish_job(job);
    }

    /// Clients see legacy's epochs above the kernel's; nothing is brought to legacy any more, and it is followed.
    pub(super) fn publish_back(&mut self, owners: &[NewOwner]) {
        let now = self.setup.clock.now();
        let units: Vec<UnitId> = owners.iter().map(|owner| owner.unit.clone()).collect();
        self.publish_epochs(&units);
        for unit in &units {
            self.closed.remove(unit);
            let Some((name, UnitName::Partition { topic, partition })) = units::parse(unit) else { continue };
            for cluster in self.clusters.iter_mut().filter(|cluster| cluster.config.name == name) {
                let (topic, mode) = (topic.clone(), Mode::Follow);
                cluster.reverse.end(now, unit);
                cluster.feed.order(now, FeedOrder::SetMode { topic, partition, mode });
            }
        }
    }

    /// Asks the catalog to change who writes the partitions among these units.
    fn ask_kinds(
        &mut self,
        job: u64,
        units: &[UnitId],
        message: impl Fn(String, Vec<PartitionEpoch>) -> CatalogMessage,
        epoch: impl Fn(&crate::ledger::Ownership) -> i32,
    ) {
        let mut topics: BTreeMap<String, Vec<PartitionEpoch>> = BTreeMap::new();
        for unit in units {
            if let Some((_, UnitName::Partition { topic, partition })) = units::parse(unit) {
                let epoch = epoch(&self.ledger.book().owner(unit));
                topics.entry(topic).or_default().push(PartitionEpoch { partition, epoch });
            }
        }
        for (topic, partitions) in topics {
            let message = message(topic, partitions).to_bytes();
            let request = KernelRequest::Coordinate { kind: CATALOG, message };
            self.ask_kernel(job, CATALOG_SHARD, request, Want::Catalog);
        }
    }

    pub(super) fn ask_back(&mut self, errand: Errand, whose: Whose, units: &[UnitId]) -> Option<Completion> {
        match whose {
            Whose::Source => {
                self.ask_kernel_side(errand, units);
                None
            }
            Whose::Feed => Some(self.reverse_facts(units)),
            Whose::Target => self.ask_legacy_side(errand, units),
        }
    }

    /// What the kernel has: ends of logs, offsets of groups and who of a group is missing.
    fn ask_kernel_side(&mut self, errand: Errand, units: &[UnitId]) {
        let (groups, partitions): (Vec<&UnitId>, Vec<&UnitId>) =
            units.iter().partition(|unit| matches!(units::parse(unit), Some((_, UnitName::Group(_)))));
        let partitions: Vec<UnitId> = partitions.into_iter().cloned().collect();
        let closed = self.closed.clone();
        let job = self.open_job(errand, true);
        if let Some(open) = self.jobs.get_mut(&job) {
            open.closed = closed;
        }
        self.ask_logs(job, &partitions);
        self.tally(job, units);
        for unit in groups {
            let Some((_, UnitName::Group(group))) = units::parse(unit) else { continue };
            let gather = Transfer::Gather { group: group.as_str().into() };
            self.ask_group(job, &group, &gather, Want::Gathered(unit.clone()));
            let export = Transfer::Export { group: group.as_str().into() };
            self.ask_group(job, &group, &export, Want::Offsets(unit.clone()));
        }
        self.finish_job(job);
    }

    /// How far legacy has been brought.
    fn reverse_facts(&self, units: &[UnitId]) -> Completion {
        let now = self.setup.clock.now();
        let mut all = BTreeMap::new();
        for unit in units {
            let facts = match units::parse(unit) {
                Some((name, UnitName::Partition { topic, partition })) => {
                    let cluster = self.clusters.iter().find(|cluster| cluster.config.name == name);
                    let status = cluster.and_then(|run| run.reverse.feed.status_of(now, &topic, partition));
                    let mut facts = brought(status);
                    facts.epoch = self.ledger.book().owner(unit).target_epoch.unwrap_or(0);
                    let copy = self.setup.catalog.load();
                    let id = copy.topic(&topic).map(|topic| topic.id.0);
                    facts.incarnation = super::actions::incarnation(id.unwrap_or_default());
                    facts
                }
                _ => Facts::default(),
            };
            all.insert(unit.clone(), facts);
        }
        Completion::Facts(all)
    }

    /// What legacy has, asked of it now.
    fn ask_legacy_side(&mut self, errand: Errand, units: &[UnitId]) -> Option<Completion> {
        let Some(index) = self.cluster_of(units) else {
            return Some(Completion::Failed("the units' cluster is not configured".to_owned()));
        };
        let job = self.open_job(errand, true);
        let now = self.setup.clock.now();
        let token = self.await_token(job);
        self.ask_transactions(job, units, Purpose::Compare);
        let cluster = self.clusters.get_mut(index)?;
        let (partitions, groups) = (cluster.partitions(units), cluster.groups(units));
        cluster.feed.order(now, FeedOrder::ReadEnds { token, partitions, groups: groups.clone() });
        let name = cluster.config.name.clone();
        for group in groups {
            let token = self.await_token(job);
            let unit = units::group_unit(&name, &group);
            self.offsets_asked.insert(token.0, unit);
            if let Some(cluster) = self.clusters.get_mut(index) {
                cluster.feed.order(now, FeedOrder::ReadOffsets { token, group });
            }
        }
        None
    }

    /// A token for an order of the feed whose answer this job waits for.
    fn await_token(&mut self, job: u64) -> Token {
        let token = self.next_number();
        self.asked_ends.insert(token, job);
        if let Some(job) = self.jobs.get_mut(&job) {
            job.outstanding += 1;
        }
        Token(token)
    }

    /// A group takes nothing more: what it has goes to legacy.
    pub(super) fn copy_offsets(&mut self, job: u64, unit: &UnitId, snapshot: &GroupSnapshot) {
        let Some((name, UnitName::Group(group))) = units::parse(unit) else { return };
        let Some(index) = self.clusters.iter().position(|cluster| cluster.config.name == name) else {
            return;
        };
        let mut offsets = offsets_of(snapshot);
        if let Some(cluster) = self.clusters.get(index) {
            for ((topic, partition), offset) in &mut offsets {
                let known = cluster.units.get(&units::partition_unit(name, topic, *partition));
                // An epoch that legacy does not know would look like a truncation there.
                if let Some(table) = known.and_then(|known| known.unit.epochs()) {
                    offset.leader_epoch = table.committed(offset.offset, offset.leader_epoch);
                }
            }
        }
        let token = self.await_token(job);
        let now = self.setup.clock.now();
        if let Some(cluster) = self.clusters.get_mut(index) {
            cluster.feed.order(now, FeedOrder::WriteOffsets { token, group, offsets });
        }
    }

    pub(super) fn offsets_written(&mut self, token: Token) {
        let Some(id) = self.asked_ends.remove(&token.0) else { return };
        if let Some(job) = self.jobs.get_mut(&id) {
            job.outstanding = job.outstanding.saturating_sub(1);
        }
        self.finish_job(id);
    }

    pub(super) fn offsets_read(&mut self, token: Token, offsets: &GroupOffsets) {
        let unit = self.offsets_asked.remove(&token.0);
        let Some(id) = self.asked_ends.remove(&token.0) else { return };
        if let (Some(job), Some(unit)) = (self.jobs.get_mut(&id), unit) {
            job.outstanding = job.outstanding.saturating_sub(1);
            let facts = job.facts.entry(unit).or_default();
            facts.chain = Some(offsets_digest(offsets));
            facts.records = Some(u64::try_from(offsets.len()).unwrap_or(u64::MAX));
        }
        self.finish_job(id);
    }

    /// Legacy could not be asked, or refused.
    pub(super) fn offsets_failed(&mut self, token: Token, reason: String) {
        self.offsets_asked.remove(&token.0);
        self.ends_unknown(token, reason);
    }

    /// Towards legacy a group there must be empty: it cannot be given members.
    pub(super) fn empty_on_legacy(end: &shadow::GroupEnd) -> Facts {
        let empty = matches!(end.state.as_str(), "Empty" | "Dead") && end.consumers.is_empty();
        let who = end.members.iter().chain(&end.consumers).next().cloned().unwrap_or_default();
        let reason =
            format!("the group has members on legacy: it is in state {} there, with {who}", end.state);
        Facts { obstacle: (!empty).then_some(Obstacle { reason, passing: true }), ..Facts::default() }
    }

    /// Whether the primary of a unit is the kernel.
    pub(super) fn is_led(&self, unit: &UnitId) -> bool {
        self.ledger.book().owner(unit).side == Primary::Kernel
    }
}

/// What the reverse feed says of a partition.
fn brought(status: Option<ReverseStatus>) -> Facts {
    let wait = |reason: &str| Some(Obstacle { reason: reason.to_owned(), passing: true });
    let Some(status) = status else {
        let obstacle = wait("nothing is brought to legacy yet");
        return Facts { obstacle, ..Facts::default() };
    };
    let position = status.position.unwrap_or(status.cut);
    let obstacle = match (status.way_back, status.position) {
        (WayBack::Closed(reason), _) => Some(Obstacle { reason: reason.to_string(), passing: false }),
        (_, None) => wait("legacy's tail is being compared"),
        (WayBack::Open | WayBack::Lagging, Some(_)) => None,
    };
    // Where nothing was brought yet nothing need be waited for.
    let brings = status.records_per_second;
    Facts { end: position, settled: position, brings, obstacle, ..Facts::default() }
}

/// A group's offsets, as they go to legacy.
pub(super) fn offsets_of(snapshot: &GroupSnapshot) -> GroupOffsets {
    let each = snapshot.offsets.iter().map(|(key, offset)| {
        let at = (key.topic.as_str().to_owned(), key.partition);
        let metadata = offset.metadata.as_str().to_owned();
        (at, GroupOffset { offset: offset.offset, leader_epoch: offset.leader_epoch, metadata })
    });
    each.collect()
}

/// A hash over offsets with their metadata; leader epochs are not the same on both sides.
pub(super) fn offsets_digest(offsets: &GroupOffsets) -> Digest {
    let mut bytes = Vec::new();
    for ((topic, partition), offset) in offsets {
        for text in [topic, &offset.metadata] {
            bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(&partition.to_be_bytes());
        bytes.extend_from_slice(&offset.offset.to_be_bytes());
    }
    Digest(u64::from(crc32c::crc32c(&bytes)))
}
