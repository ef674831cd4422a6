//! The reverse feed: brings legacy what the kernel takes behind the cut, one request in flight per partition.

use std::collections::BTreeSet;

use bytes::Bytes;
use kernel_model::VerifiedBatch;
use proxy::handover::gate::WayBack;
use proxy::ledger::{Decider, Ownership, Primary, What};

use crate::batches;
use crate::planted::Plant;
use crate::world::*;

/// How long an answer is waited for.
const ANSWER: T = 1_500 * MS;
/// Batches of one request.
const BATCHES_MAX: usize = 4;

/// The reverse feed of one partition. Only memory: a start settles again.
#[derive(Debug, Clone, Default)]
pub struct Reverse {
    /// Legacy is known to have everything below.
    pub position: u64,
    /// Legacy's tail was compared since the last doubt.
    pub settled: bool,
    pub closed: Option<String>,
    /// Legacy's leader epoch when it was compared: another leader may have lost something.
    epoch: i32,
    /// Number of the request in flight and when it was sent.
    sent: Option<(u64, T)>,
}

/// Whether legacy holds the same batch, whatever epoch it was given.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one[..12] == other[..12] && one[16..] == other[16..]
}

impl World {
    pub fn reverse(&mut self) {
        let away = self.sluice.is_none() || self.now < self.sluice_paused_until;
        if away || self.now < self.legacy.down_until || self.now < self.cut_legacy_until {
            return;
        }
        for partition in 0..PARTITIONS {
            let Some(sluice) = &self.sluice else { return };
            let owner = sluice.ledger.book().owner(&partition_unit(partition));
            if owner.side == Primary::Kernel {
                self.reverse_one(partition, &owner);
            }
        }
    }

    fn reverse_one(&mut self, partition: usize, owner: &Ownership) {
        let now = self.now;
        let feed = &mut self.reverses[partition];
        if feed.closed.is_some() || feed.sent.is_some_and(|(_, at)| now < at + ANSWER) {
            return;
        }
        if feed.sent.take().is_some() {
            feed.settled = false;
        }
        if !feed.settled || feed.epoch != self.legacy.partitions[partition].epoch {
            self.settle(partition, owner.cut.unwrap_or(0));
            return;
        }
        let position = feed.position;
        let news: Vec<Bytes> = self.led_from(partition, position).iter().map(|b| b.bytes().clone()).collect();
        let batches: Vec<Bytes> = news.into_iter().take(BATCHES_MAX).collect();
        if batches.is_empty() {
            return;
        }
        let id = self.id();
        self.reverses[partition].sent = Some((id, now));
        let latency = self.latency();
        let run = self.run;
        self.after(latency, Ev::ReverseAtLegacy { run, id, partition, base: position, batches });
    }

    /// Durable batches of the kernel from an offset on.
    fn led_from(&mut self, partition: usize, from: u64) -> Vec<VerifiedBatch> {
        let now = self.now();
        let read = self.kernel.read(now, partition, from).unwrap_or_default();
        read.into_iter().filter(|batch| batch.header().base_offset.0 >= from).collect()
    }

    /// Compares legacy's log from the cut on with the kernel's.
    fn settle(&mut self, partition: usize, cut: u64) {
        let led = self.led_from(partition, cut);
        let source = &self.legacy.partitions[partition];
        let known = self.feed_incarnations.get(&partition).copied();
        if known.is_some_and(|known| known != source.incarnation) {
            return self.close_way_back(partition, "the topic was deleted and made anew".to_owned());
        }
        if source.high_watermark < source.end() {
            return;
        }
        if source.end() < cut {
            return self.close_way_back(partition, format!("legacy ends at {}, below {cut}", source.end()));
        }
        let mut position = cut;
        for (at, stored) in source.log.iter().filter(|stored| stored.end > cut).enumerate() {
            let equal = led.get(at).is_some_and(|batch| {
                batch.header().base_offset.0 == stored.base && same(batch.bytes(), &stored.bytes)
            });
            if !equal && !self.planted(Plant::ReverseTrusts) {
                let reason = format!("legacy took other records at {}", stored.base);
                return self.close_way_back(partition, reason);
            }
            position = stored.end;
        }
        let epoch = source.epoch;
        let feed = &mut self.reverses[partition];
        feed.epoch = epoch;
        feed.position = position;
        feed.settled = true;
    }

    pub fn reverse_at_legacy(&mut self, run: u64, id: u64, partition: usize, base: u64, batches: Vec<Bytes>) {
        if self.now < self.legacy.down_until {
            let at = self.legacy.down_until + 10;
            self.at(at, Ev::ReverseAtLegacy { run, id, partition, base, batches });
            return;
        }
        let slow = if self.now < self.legacy.slow_until { self.rng.between(20, 300) * MS } else { 0 };
        let mut found = None;
        for batch in &batches {
            let header = *batches::verified(batch).header();
            let written =
                self.legacy.partitions[partition].append(header.producer_id, header.base_sequence, batch);
            let Some((at, end)) = written else { break };
            found = Some((found.map_or(at, |(first, _)| first), end));
        }
        let delay = slow + self.rng.between(500, 6_000);
        self.after(delay, Ev::Replicated(partition));
        self.after(delay + 10, Ev::ReverseAnswer { run, id, partition, base, found });
    }

    pub fn reverse_answered(
        &mut self,
        run: u64,
        id: u64,
        partition: usize,
        base: u64,
        found: Option<(u64, u64)>,
    ) {
        let lost = self.now < self.cut_legacy_until;
        if lost || run != self.run || self.reverses[partition].sent.is_none_or(|(sent, _)| sent != id) {
            return;
        }
        self.reverses[partition].sent = None;
        let source = &self.legacy.partitions[partition];
        // What was not replicated may have been lost with its leader: then this answer does not exist.
        let there =
            |end: u64| source.log.iter().any(|stored| stored.end == end) && end <= source.high_watermark;
        match found {
            Some((at, end)) if at == base && there(end) => self.reverses[partition].position = end,
            _ => self.reverses[partition].settled = false,
        }
    }

    pub fn lose_reverse_answers(&mut self) {
        for feed in &mut self.reverses {
            feed.settled &= feed.sent.take().is_none();
        }
    }

    fn close_way_back(&mut self, partition: usize, reason: String) {
        self.trace(|| format!("the way back of partition {partition} closes: {reason}"));
        self.reverses[partition].closed = Some(reason.clone());
        let now = self.now();
        let unit = partition_unit(partition);
        let Some(sluice) = &mut self.sluice else { return };
        if sluice.ledger.book().way_back_closed(&unit).is_some() {
            return;
        }
        let what = What::WayBackClosed { unit, reason };
        if sluice.ledger.append(now.wall_ms, &Decider::Sluice, vec![what]).is_err() {
            self.crash_sluice();
        }
    }

    /// What the operator is told of each partition that the kernel leads.
    pub fn ways_back(&mut self) -> Vec<(session::UnitId, WayBack)> {
        let now = self.now();
        let mut ways: Vec<_> = (0..GROUPS).map(|group| (group_unit(group), WayBack::Open)).collect();
        for partition in 0..PARTITIONS {
            let end = self.kernel.info(now, partition).map_or(0, |info| info.end.0);
            let feed = &self.reverses[partition];
            let lag = end.saturating_sub(feed.position);
            let way = match &feed.closed {
                Some(reason) => WayBack::Closed(reason.clone()),
                None if feed.settled && lag == 0 => WayBack::Open,
                None => WayBack::Lagging(lag),
            };
            ways.push((partition_unit(partition), way));
        }
        ways
    }

    /// Offsets of batches that legacy holds and the kernel does not, from the cut on.
    pub fn foreign_to_kernel(&mut self, partition: usize, cut: u64) -> BTreeSet<u64> {
        let led = self.led_from(partition, cut);
        let source = self.legacy.partitions[partition].log.iter().filter(|stored| stored.end > cut);
        let equal = |base: u64, bytes: &Bytes| {
            led.iter().any(|batch| batch.header().base_offset.0 == base && same(batch.bytes(), bytes))
        };
        source.filter(|stored| !equal(stored.base, &stored.bytes)).map(|stored| stored.base).collect()
    }
}
