//! The reverse feeds at work: which partitions are brought back to legacy follows from the ledger, and what they
//! report goes to the log and to the mirror feed.

use std::collections::BTreeMap;
use std::sync::Arc;

use kernel_model::{KernelError, Now, Reply};
use session::{Answer, RequestId, UnitId};
use shadow::{
    ClosedReason, LinkEvent, LinkId, Mode, Order as FeedOrder, ReverseConfig, ReverseFact, ReverseFeed,
    ReverseOrder, WayBack,
};

use super::cluster::ClusterRun;
use super::links::{LinkReport, Links};
use super::runner::Runner;
use super::units::{self, UnitName};
use crate::driver::requests::{is_cold, read_beside};
use crate::handover::gate::WayBack as GateWayBack;
use crate::handover::phase::Phase;
use crate::ledger::{DivergenceKind, Primary, What};

/// What a partition was begun as: begun anew when any of it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Begun {
    /// The unit's epoch in the ledger.
    epoch: u64,
    closed: Option<ClosedReason>,
}

/// The reverse feed of one cluster, with its connections.
pub(super) struct Reverse {
    pub(super) feed: ReverseFeed,
    links: Links,
    begun: BTreeMap<UnitId, Begun>,
    /// What ended connections last, so that it is said once.
    trouble: BTreeMap<LinkId, String>,
}

impl Reverse {
    pub(super) fn new(config: ReverseConfig, links: Links) -> Self {
        Self { feed: ReverseFeed::new(config), links, begun: BTreeMap::new(), trouble: BTreeMap::new() }
    }

    /// Whether the reverse feed looks after this partition already, since it became the kernel's under this epoch: the
    /// mirror would read back what it brings, and take it for late writes.
    pub(super) fn looks_after(&self, unit: &UnitId, epoch: u64) -> bool {
        self.begun.get(unit).is_some_and(|begun| begun.epoch == epoch && begun.closed.is_none())
    }

    pub(super) fn timeout(&mut self, now: Now) {
        if self.feed.poll_timeout().is_some_and(|due| due <= now.elapsed) {
            self.feed.handle_timeout(now);
        }
    }

    pub(super) fn take_report(&mut self, now: Now, link: LinkId, life: u64, report: LinkReport) {
        if !self.links.is_current(link, life) {
            return;
        }
        match report {
            LinkReport::Connected => self.feed.handle_link(now, link, LinkEvent::Connected),
            LinkReport::Bytes(bytes) => {
                self.trouble.remove(&link);
                let mut input = self.links.take_input(link, bytes);
                self.feed.handle_link(now, link, LinkEvent::Bytes(&mut input));
                self.links.keep_input(link, input);
            }
            LinkReport::Closed(why) => {
                self.links.forget(link);
                self.feed.handle_link(now, link, LinkEvent::Closed);
                self.broke(link, why);
            }
        }
    }

    fn broke(&mut self, link: LinkId, reason: String) {
        if self.trouble.get(&link) != Some(&reason) {
            tracing::warn!(?link, reason, "a connection of the way back is not there");
            self.trouble.insert(link, reason);
        }
    }

    /// Begins what is not begun so yet; says whether it was.
    fn begin(&mut self, now: Now, unit: &UnitId, begun: Begun, order: ReverseOrder) -> bool {
        if self.begun.get(unit) == Some(&begun) {
            return false;
        }
        self.begun.insert(unit.clone(), begun);
        self.feed.order(now, order);
        true
    }

    /// Brings nothing of a partition any more.
    pub(super) fn end(&mut self, now: Now, unit: &UnitId) {
        if self.begun.remove(unit).is_some()
            && let Some((_, UnitName::Partition { topic, partition })) = units::parse(unit)
        {
            self.feed.order(now, ReverseOrder::Stop { topic, partition });
        }
    }
}

impl Runner {
    /// Brings back what the ledger says the kernel leads, and nothing else. Idempotent.
    pub(super) fn steer_reverse(&mut self, now: Now) {
        for index in 0..self.clusters.len() {
            self.begin_reverse(now, index);
            self.end_reverse(now, index);
        }
    }

    fn begin_reverse(&mut self, now: Now, index: usize) {
        let (book, catalog) = (self.ledger.book(), self.setup.catalog.load());
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        if cluster.shared.routes.is_retired() {
            return;
        }
        for (unit, known) in &cluster.units {
            let UnitName::Partition { topic, partition } = &known.name else { continue };
            let owner = book.owner(unit);
            let (Primary::Kernel, Some(cut)) = (owner.side, owner.cut) else { continue };
            let copy = catalog.topic(topic).filter(|copy| copy.legacy_created);
            let log = copy.and_then(|copy| copy.partition(*partition)).map(|found| found.log);
            let (Some(copy), Some(log)) = (copy, log) else { continue };
            if book.phase(unit) == Phase::Retired {
                continue;
            }
            // A start has not heard yet whether legacy takes transactions.
            if !cluster.knows_way_back(&known.migration) {
                continue;
            }
            let closed = cluster.closed_beforehand(&known.migration, topic);
            let begun = Begun { epoch: owner.epoch, closed: closed.clone() };
            let (topic, partition, topic_id) = (topic.clone(), *partition, copy.id);
            let mode = if closed.is_some() { Mode::Watch(cut) } else { Mode::Rest };
            let (name, compacted) = (topic.clone(), copy.settings.is_compacted());
            let order = ReverseOrder::Begin { topic: name, partition, topic_id, log, cut, compacted, closed };
            if cluster.reverse.begin(now, unit, begun, order) {
                cluster.feed.order(now, FeedOrder::SetMode { topic, partition, mode });
            }
        }
    }

    fn end_reverse(&mut self, now: Now, index: usize) {
        let book = self.ledger.book();
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let led = |unit: &UnitId| {
            book.owner(unit).side == Primary::Kernel
                && book.phase(unit) != Phase::Retired
                && cluster.units.contains_key(unit)
        };
        let ended: Vec<UnitId> = cluster.reverse.begun.keys().filter(|unit| !led(unit)).cloned().collect();
        for unit in ended {
            cluster.reverse.end(now, &unit);
        }
    }

    /// Carries out what a reverse feed wants. Says whether there was anything.
    pub(super) fn settle_reverse(&mut self, index: usize) -> bool {
        let now = self.setup.clock.now();
        let mut any = false;
        while let Some(cluster) = self.clusters.get_mut(index) {
            let reverse = &mut cluster.reverse;
            if let Some((link, action)) = reverse.feed.poll_link() {
                if !reverse.links.act(link, action) {
                    reverse.feed.handle_link(now, link, LinkEvent::Closed);
                }
            } else if let Some((id, request)) = reverse.feed.poll_request() {
                let id = self.reply_to_reverse(index, id).id;
                self.ask_shard(id, request);
            } else if let Some(fact) = reverse.feed.poll_fact() {
                self.take_reverse_fact(now, index, fact);
            } else {
                return any;
            }
            any = true;
        }
        any
    }

    pub(super) fn take_reverse_answer(
        &mut self,
        now: Now,
        cluster: u64,
        id: RequestId,
        answer: Result<Answer, KernelError>,
    ) {
        let Ok(index) = usize::try_from(cluster) else { return };
        match answer {
            Ok(Answer::Kernel(Reply::Records(records))) if records.chunks.iter().any(is_cold) => {
                let memory = Arc::clone(&self.setup.around.memory);
                read_beside(records, self.reply_to_reverse(index, id), memory);
            }
            answer => {
                if let Some(cluster) = self.clusters.get_mut(index) {
                    cluster.reverse.feed.handle_reply(now, id, answer);
                }
            }
        }
    }

    fn take_reverse_fact(&mut self, now: Now, index: usize, fact: ReverseFact) {
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        match fact {
            ReverseFact::Changed { topic, partition, way_back } => match way_back {
                WayBack::Open => tracing::info!(topic, partition, "the way back is open"),
                WayBack::Lagging => tracing::info!(topic, partition, "the way back lags"),
                WayBack::Closed(reason) => {
                    // From here on the mirror looks again for what others write to legacy.
                    let status = cluster.reverse.feed.status_of(now, &topic, partition);
                    let brought = status.map_or(0, |status| status.position.unwrap_or(status.cut));
                    let from = if let ClosedReason::Bypassed { at } = &reason { *at } else { brought };
                    let mode = Mode::Watch(from);
                    let order = FeedOrder::SetMode { topic: topic.clone(), partition, mode };
                    cluster.feed.order(now, order);
                    self.way_back_closed(index, &topic, partition, &reason);
                }
            },
            ReverseFact::Deleted { topic, partition, start } => {
                tracing::debug!(topic, partition, start, "legacy has removed what the kernel had removed");
            }
            // Nobody asks yet: a handover to legacy will.
            ReverseFact::Settled { .. } | ReverseFact::SettleFailed { .. } => {}
            ReverseFact::LinkFailed { link, error } => cluster.reverse.broke(link, error.to_string()),
        }
    }

    fn way_back_closed(&mut self, index: usize, topic: &str, partition: i32, reason: &ClosedReason) {
        let Some(cluster) = self.clusters.get(index) else { return };
        let unit = units::partition_unit(&cluster.config.name, topic, partition);
        if !self.is_led(&unit) || self.ledger.book().way_back_closed(&unit).is_some() {
            return;
        }
        tracing::warn!(%unit, %reason, "nothing leads back from cutover any more");
        if let ClosedReason::Bypassed { at } = reason {
            self.diverged(index, topic, partition, DivergenceKind::LateWrite, *at, &reason.to_string());
        }
        self.record_fact(What::WayBackClosed { unit, reason: reason.to_string() });
    }

    /// Whether what legacy takes from now on is brought by ourselves.
    pub(super) fn is_brought(&self, index: usize, topic: &str, partition: i32) -> bool {
        let now = self.setup.clock.now();
        let status =
            self.clusters.get(index).and_then(|run| run.reverse.feed.status_of(now, topic, partition));
        status.is_some_and(|status| !matches!(status.way_back, WayBack::Closed(_)))
    }

    /// Whether each unit of a migration could go back.
    pub(super) fn ways_back(&self, cluster: &ClusterRun, migration: &str) -> BTreeMap<UnitId, GateWayBack> {
        let now = self.setup.clock.now();
        let mine = cluster.units.iter().filter(|(_, known)| known.migration == migration);
        mine.filter_map(|(unit, known)| {
            let (topic, partition) = match &known.name {
                UnitName::Partition { topic, partition } => (topic, partition),
                UnitName::Group(_) => return Some((unit.clone(), GateWayBack::Open)),
                UnitName::Transactions(_) => {
                    let way = match cluster.closed_for_ids(migration) {
                        Some(reason) => GateWayBack::Closed(reason.to_string()),
                        None if !self.is_led(unit) => GateWayBack::Open,
                        None => match self.kept_behind(unit)? {
                            0 => GateWayBack::Open,
                            behind => GateWayBack::Lagging(behind),
                        },
                    };
                    return Some((unit.clone(), way));
                }
            };
            let way = if self.is_led(unit) {
                let status = cluster.reverse.feed.status_of(now, topic, *partition)?;
                match status.way_back {
                    WayBack::Open => GateWayBack::Open,
                    WayBack::Lagging => GateWayBack::Lagging(status.lag_records),
                    WayBack::Closed(reason) => GateWayBack::Closed(reason.to_string()),
                }
            } else {
                let closed = cluster.closed_beforehand(migration, topic);
                closed.map_or(GateWayBack::Open, |reason| GateWayBack::Closed(reason.to_string()))
            };
            Some((unit.clone(), way))
        })
        .collect()
    }
}
