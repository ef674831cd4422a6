//! What must hold: during the run, and over its history at the end.

use std::collections::{BTreeMap, BTreeSet};

use kernel_model::KernelError;
use proxy::ledger::{CommittedUnit, DivergenceKind, Ledger, Ownership, Primary, What};

use session::{Gate, Side};

use crate::batches;
use crate::disk::Disk;
use crate::planted::Plant;
use crate::reversing;
use crate::world::*;

#[derive(Debug, Clone)]
struct Ack {
    partition: usize,
    stream: usize,
    base: u64,
    values: Vec<u64>,
    side: Primary,
}

#[derive(Debug, Default)]
pub struct Judge {
    /// Violations: invariant and what was seen.
    pub found: Vec<(&'static str, String)>,
    acks: Vec<Ack>,
    refused: BTreeSet<u64>,
    /// By partition and offset, from all consumers.
    reads: BTreeMap<(usize, u64), u64>,
    positions: BTreeMap<(usize, usize), u64>,
    bypassed: BTreeMap<(usize, u64), u64>,
    /// Where the last write of a client lies in legacy's log.
    written: BTreeMap<usize, u64>,
    damaged: BTreeMap<usize, (T, Primary)>,
    asked: BTreeMap<usize, T>,
    held_max: usize,
    pub acknowledged_by: BTreeMap<&'static str, u64>,
}

impl Judge {
    pub fn fail(&mut self, invariant: &'static str, text: String) {
        if self.found.len() < 20 {
            self.found.push((invariant, text));
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one acknowledgement is all of these")]
    pub fn acknowledged(
        &mut self,
        now: T,
        partition: usize,
        stream: usize,
        base: u64,
        values: &[u64],
        side: Primary,
        owner: &Ownership,
    ) {
        let cut = owner.cut.unwrap_or(if side == Primary::Kernel { 0 } else { u64::MAX });
        match (side, owner.side) {
            // Behind a rollback: an answer on its way is of something before the cut back.
            (Primary::Kernel, Primary::Legacy) if base >= cut => {
                self.fail(
                    "G2",
                    format!(
                        "{now}: the kernel acknowledged {partition}@{base}, the durable ledger says legacy"
                    ),
                );
            }
            // Acknowledged by legacy, on its way while the primary changed: it must lie before the cut.
            (Primary::Legacy, Primary::Kernel) if base >= cut => {
                self.fail(
                    "G1",
                    format!("{now}: legacy acknowledged {partition}@{base}, the kernel leads from {cut}"),
                );
            }
            _ => {}
        }
        *self
            .acknowledged_by
            .entry(if side == Primary::Kernel { "kernel" } else { "legacy" })
            .or_default() += 1;
        self.acks.push(Ack { partition, stream, base, values: values.to_vec(), side });
    }

    /// `held`: the kernel has this commit, or a later one.
    pub fn commit_acknowledged(
        &mut self,
        now: T,
        group: usize,
        side: Primary,
        owner: &Ownership,
        held: bool,
    ) {
        if side == Primary::Legacy && owner.side == Primary::Kernel && !held {
            self.fail("K7", format!("{now}: legacy took a commit of group {group}, the kernel coordinates"));
        }
        if side == Primary::Kernel && owner.side == Primary::Legacy && !held {
            self.fail("K7", format!("{now}: the kernel took a commit of group {group}, legacy coordinates"));
        }
    }

    pub fn refused(&mut self, values: &[u64]) {
        self.refused.extend(values);
    }

    pub fn read(&mut self, group: usize, partition: usize, offset: u64, value: u64) {
        let next = self.positions.entry((group, partition)).or_insert(offset);
        if offset != *next {
            let text = format!("group {group} reads {partition}@{offset}, expected {next}");
            *next = offset + 1;
            self.fail("K5", text);
            return;
        }
        *next += 1;
        self.reads.entry((partition, offset)).or_insert(value);
        if self.reads.get(&(partition, offset)) != Some(&value) && !self.damaged.contains_key(&partition) {
            let other = self.reads.get(&(partition, offset)).copied();
            self.fail("G6", format!("{partition}@{offset} is {other:?} and {value}"));
        }
    }

    pub fn read_error(&mut self, partition: usize, from: u64, error: &KernelError) {
        if let KernelError::OffsetOutOfRange { start, end } = error
            && !self.damaged.contains_key(&partition)
        {
            self.fail("K5", format!("a consumer at {from} of {partition} is told {start} to {end}"));
        }
    }

    pub fn held(&mut self, held: usize) {
        self.held_max = self.held_max.max(held);
        if held > HELD_MAX {
            self.fail("G15", format!("{held} writes are held, at most {HELD_MAX} may be"));
        }
    }

    pub fn bypassed(&mut self, partition: usize, base: u64, value: u64) {
        self.bypassed.insert((partition, base), value);
    }

    pub fn damaged(&mut self, partition: usize, now: T, owner: &Ownership) {
        self.damaged.entry(partition).or_insert((now, owner.side));
    }

    /// Legacy has lost something, or taken something behind the cut, that the kernel knows nothing of. A client's write
    /// whose connection was given up may still reach legacy there: nobody was told that it was written.
    pub fn may_be_closed(&self, partition: usize, cut: u64) -> bool {
        self.damaged.contains_key(&partition)
            || self.written.get(&partition).is_some_and(|base| *base >= cut)
            || self.bypassed.keys().any(|(of, _)| *of == partition)
    }

    pub fn written_to_legacy(&mut self, partition: usize, base: u64) {
        self.written.insert(partition, base);
    }

    pub fn asked_source(&mut self, partition: usize, now: T) {
        self.asked.insert(partition, now);
    }
}

impl World {
    /// The commit entry is durable: both sides must be equal at this moment.
    pub fn check_commit(&mut self, to: Primary, units: &[CommittedUnit]) {
        for committed in units {
            self.check_order(to, &committed.evidence.unit);
            let Some(partition) = partition_of(&committed.evidence.unit) else { continue };
            let asked = self.judge.asked.get(&partition).copied().unwrap_or(0);
            if self.judge.damaged.get(&partition).is_some_and(|(at, _)| *at > asked) {
                // Damaged after the last look: the kernel has what legacy lost.
                continue;
            }
            self.compare(partition, committed.evidence.source_end);
            if to == Primary::Kernel
                && self.legacy.partitions[partition].open_transaction
                && self.plant == Some(Plant::TransactionIgnored)
            {
                self.judge.fail("K3", format!("partition {partition} is cut within a transaction"));
            }
        }
    }

    /// A group may only be on legacy while its partitions are on the kernel, never the other way round.
    fn check_order(&mut self, to: Primary, unit: &session::UnitId) {
        let groups_first = to == Primary::Legacy;
        if group_of(unit).is_some() == groups_first {
            return;
        }
        let others = all_units().into_iter().filter(|other| group_of(other).is_some() == groups_first);
        let left: Vec<_> = others.filter(|other| self.durable_owner(other).side != to).collect();
        if !left.is_empty() {
            self.judge.fail("K6", format!("{unit} goes to {to} before {left:?}"));
        }
    }

    /// Batches below the cut, byte for byte.
    fn compare(&mut self, partition: usize, cut: u64) {
        let now = self.now();
        let start = self.legacy.partitions[partition].start;
        let mirrored = self.kernel.read(now, partition, start).unwrap_or_default();
        let mirrored = mirrored
            .iter()
            .filter(|batch| batch.header().base_offset.0 < cut)
            .map(|batch| batch.bytes().clone());
        let source = self.legacy.partitions[partition].log.iter().filter(|stored| stored.base < cut);
        let (mirrored, source): (Vec<_>, Vec<_>) =
            (mirrored.collect(), source.map(|stored| stored.bytes.clone()).collect());
        let equal = mirrored.len() == source.len()
            && mirrored.iter().zip(&source).all(|(one, other)| reversing::same(one, other));
        if !equal {
            let damaged = self.judge.damaged.contains_key(&partition);
            let at = mirrored
                .iter()
                .zip(&source)
                .position(|(a, b)| !reversing::same(a, b))
                .unwrap_or(mirrored.len().min(source.len()));
            let text = format!(
                "partition {partition}: {} batches against legacy's {}, different from {at} on",
                mirrored.len(),
                source.len()
            );
            self.judge.fail(if damaged { "K11" } else { "K1" }, text);
        }
    }

    /// The run is over.
    pub fn finish(&mut self, settled: bool) {
        if !self.judge.found.is_empty() {
            return;
        }
        if !settled {
            let status = self.sluice.as_ref().map(|sluice| {
                serde_json::to_string(&sluice.control.status(self.now(), sluice.ledger.book()))
                    .unwrap_or_default()
            });
            self.judge.fail("G12", format!("not at rest at {}: {}", self.now, status.unwrap_or_default()));
            return;
        }
        self.kernel.flush(self.now());
        for partition in 0..PARTITIONS {
            self.judge_partition(partition);
        }
        self.judge_groups();
        self.judge_ledger();
        self.judge_gates();
        if self.legacy.foreign_writes > 0 {
            self.judge.fail("G14", "something that only reads has changed legacy".to_owned());
        }
    }

    fn judge_partition(&mut self, partition: usize) {
        let owner = self.durable_owner(&partition_unit(partition));
        if self.judge.damaged.get(&partition).is_some_and(|(_, primary)| *primary == Primary::Legacy) {
            // Legacy itself has lost records while it led. What was copied is compared at the commit.
            return;
        }
        let content = self.content(partition, owner.side);
        let mut places: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (offset, value) in &content {
            places.entry(*value).or_default().push(*offset);
        }
        if let Some((value, offsets)) = places.iter().find(|(_, offsets)| offsets.len() > 1) {
            let text = format!("value {value} lies at {offsets:?} of partition {partition} ({owner:?})");
            if self.trace {
                let now = self.now();
                for batch in
                    self.kernel.read(now, partition, self.legacy.partitions[partition].start).unwrap()
                {
                    eprintln!("{:?} {:?}", batch.header(), batches::values(batch.bytes()));
                }
            }
            self.judge.fail("G7", text);
        }
        if let Some(value) = self.judge.refused.iter().find(|value| places.contains_key(value)).copied() {
            self.judge.fail("G5", format!("refused value {value} is in partition {partition}"));
        }
        let acks: Vec<Ack> =
            self.judge.acks.iter().filter(|ack| ack.partition == partition).cloned().collect();
        let mut last: BTreeMap<usize, u64> = BTreeMap::new();
        for ack in acks {
            for (offset, value) in (ack.base..).zip(&ack.values) {
                if content.get(&offset) != Some(value) {
                    let text = format!(
                        "{value} acknowledged by {} at {partition}@{offset}; there is {:?}, it is at {:?}",
                        ack.side,
                        content.get(&offset),
                        places.get(value)
                    );
                    self.judge.fail("G4", text);
                }
            }
            if last.get(&ack.stream).is_some_and(|last| ack.base <= *last) {
                self.judge.fail("G6", format!("stream {} goes back to {partition}@{}", ack.stream, ack.base));
            }
            last.insert(ack.stream, ack.base);
        }
    }

    fn content(&mut self, partition: usize, side: Primary) -> BTreeMap<u64, u64> {
        let now = self.now();
        let start = self.legacy.partitions[partition].start;
        let batches: Vec<(u64, Vec<u64>)> = match side {
            Primary::Legacy => self.legacy.partitions[partition]
                .log
                .iter()
                .map(|stored| (stored.base, batches::values(&stored.bytes)))
                .collect(),
            Primary::Kernel => {
                let from = self.kernel.info(now, partition).map_or(start, |info| info.start.0);
                let batches = self.kernel.read(now, partition, from).unwrap_or_default();
                batches
                    .iter()
                    .map(|batch| (batch.header().base_offset.0, batches::values(batch.bytes())))
                    .collect()
            }
        };
        batches.into_iter().flat_map(|(base, values)| (base..).zip(values)).collect()
    }

    fn judge_groups(&mut self) {
        for group in 0..GROUPS {
            let owner = self.durable_owner(&group_unit(group));
            let now = match owner.side {
                Primary::Kernel => self.kernel_groups.offsets[group].clone(),
                Primary::Legacy => self.legacy.groups.fold(group, usize::MAX),
            };
            for (partition, (offset, metadata)) in self.consumers[group].acknowledged.clone() {
                let found = now.get(&partition).copied();
                // A later commit whose answer was lost may stand there.
                if found.is_none_or(|(_, found)| found < metadata) {
                    let text = format!(
                        "group {group}: commit {offset} ({metadata}) of partition {partition} is {found:?}"
                    );
                    self.judge.fail("K7", text);
                }
            }
        }
    }

    /// No forwarder that may forward has a gate that says something else than the ledger.
    fn judge_gates(&mut self) {
        for forwarder in 0..FORWARDERS {
            let state = &self.forwarders[forwarder];
            if !state.alive
                || !state.joined
                || !state.lease.holds(self.now())
                || self.now < state.paused_until
            {
                continue;
            }
            for unit in all_units() {
                let expected = match self.durable_owner(&unit).side {
                    Primary::Legacy => Side::Legacy,
                    Primary::Kernel => Side::Kernel,
                };
                let found = self.forwarders[forwarder].gates.get(&unit).map(Gate::side);
                if found != Some(expected) {
                    self.judge.fail(
                        "G12",
                        format!("forwarder {forwarder} has {unit} at {found:?}, the ledger {expected:?}"),
                    );
                }
            }
        }
    }

    fn judge_ledger(&mut self) {
        let copy = Disk::default();
        copy.with(|content| content.durable = self.disk.with(|content| content.durable.clone()));
        let entries = match Ledger::open(copy).and_then(|mut ledger| ledger.entries()) {
            Ok(entries) => entries,
            Err(error) => return self.judge.fail("G8", format!("the ledger cannot be read: {error}")),
        };
        let mut late: BTreeSet<(String, u64)> = BTreeSet::new();
        let fence_max = self.limits.fence_max.as_millis().min(3_000) as u64;
        for entry in &entries {
            match &entry.what {
                What::Diverged { unit, divergence: DivergenceKind::LateWrite, sample, .. } => {
                    late.insert((unit.to_string(), sample.position));
                }
                What::Committed { fence_ms, handover, .. } if *fence_ms > fence_max => {
                    self.judge
                        .fail("G11", format!("{handover} was committed after a fence of {fence_ms} ms"));
                }
                What::Aborted { fence_ms, handover, .. } if *fence_ms > fence_max + 6_000 => {
                    self.judge.fail("G11", format!("{handover} was aborted after a fence of {fence_ms} ms"));
                }
                _ => {}
            }
        }
        for partition in 0..PARTITIONS {
            let owner = self.durable_owner(&partition_unit(partition));
            let (Primary::Kernel, Some(cut)) = (owner.side, owner.cut) else { continue };
            let unit = partition_unit(partition).to_string();
            let foreign = self.foreign_to_kernel(partition, cut);
            let missing = foreign.into_iter().find(|base| !late.contains(&(unit.clone(), *base)));
            if let Some(base) = missing {
                self.judge.fail(
                    "G13",
                    format!("legacy has a late write at {partition}@{base} that the ledger does not name"),
                );
            }
        }
    }
}
