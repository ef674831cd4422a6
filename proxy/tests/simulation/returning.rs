//! The executor of actions towards legacy: what is closed, copied, compared and switched on the way back.

use kernel_model::commit::{Commit, LogKind, Op};
use kernel_model::{LogEpoch, Request};
use proxy::handover::action::{Completion, Facts, NewOwner, Obstacle, Whose};
use proxy::ledger::Digest;
use session::UnitId;

use crate::kernel::log_id;
use crate::planted::Plant;
use crate::rng::hash;
use crate::world::*;

impl World {
    /// Members are asked to commit and to join again; they do so after a while. Some are slow.
    pub fn gather(&mut self, units: &[UnitId]) -> Completion {
        for group in units.iter().filter_map(group_of) {
            let slow = self.rng.chance(10);
            let joined = self.now + self.rng.between(20, if slow { 5_000 } else { 900 }) * MS;
            self.kernel_groups.gathering[group].get_or_insert(joined);
        }
        Completion::Done
    }

    /// The kernel takes nothing more; a group's offsets are copied.
    pub fn close(&mut self, units: &[UnitId]) -> Completion {
        let unreachable = self.now < self.legacy.down_until || self.now < self.cut_legacy_until;
        for unit in units {
            if let Some(partition) = partition_of(unit) {
                if let Err(reason) = self.set_kind(partition, LogKind::Mirrored, None) {
                    return Completion::Failed(reason);
                }
            } else if let Some(group) = group_of(unit) {
                self.kernel_groups.closed[group] = !self.planted(Plant::GroupStaysOpen);
                if unreachable {
                    return Completion::Failed("legacy does not answer".to_owned());
                }
                self.copy_offsets(group);
            }
        }
        Completion::Done
    }

    fn copy_offsets(&mut self, group: usize) {
        let there = self.legacy.groups.fold(group, usize::MAX);
        for (partition, (offset, metadata)) in self.kernel_groups.offsets[group].clone() {
            let metadata = if self.planted(Plant::CopyLosesMetadata) { 0 } else { metadata };
            if there.get(&partition) != Some(&(offset, metadata)) {
                self.legacy.groups.log.push((group, partition, offset, metadata));
            }
        }
    }

    pub fn reopen(&mut self, units: &[UnitId]) -> Completion {
        for unit in units {
            if let Some(partition) = partition_of(unit) {
                if let Err(reason) = self.set_kind(partition, LogKind::Led, None) {
                    return Completion::Failed(reason);
                }
            } else if let Some(group) = group_of(unit) {
                self.kernel_groups.closed[group] = false;
                if !self.planted(Plant::StaysGathered) {
                    self.kernel_groups.gathering[group] = None;
                }
            }
        }
        Completion::Done
    }

    /// Members that have joined again wait only while a handover wants their group.
    pub fn check_waiting_joins(&mut self) {
        let Some(sluice) = &self.sluice else { return };
        let open: Vec<UnitId> = sluice.ledger.book().open().flat_map(|open| open.units.clone()).collect();
        for group in 0..GROUPS {
            let unit = group_unit(group);
            if self.kernel_groups.gathering[group].is_some() && !open.contains(&unit) {
                self.judge.fail("G12", format!("members of {unit} wait, and no handover wants it"));
            }
        }
    }

    fn set_kind(&mut self, partition: usize, kind: LogKind, epoch: Option<i32>) -> Result<(), String> {
        if kind == LogKind::Mirrored && epoch.is_none() && self.planted(Plant::NoClose) {
            return Ok(());
        }
        let now = self.now();
        let info = self.kernel.info(now, partition).ok_or("the kernel does not answer")?;
        let epoch = epoch.map_or(info.epoch, LogEpoch);
        if info.config.kind == kind && info.epoch == epoch {
            return Ok(());
        }
        let config = kernel_model::commit::LogConfig { kind, ..info.config };
        let op = Op::LogConfigure { log: log_id(partition), config, epoch: Some(epoch) };
        let outcome = self.kernel.call(now, Request::Commit(Commit::of(vec![op])));
        outcome.map(|_| ()).map_err(|error| error.to_string())
    }

    pub fn facts_back(&mut self, whose: Whose, partition: usize) -> Option<Facts> {
        let now = self.now();
        let info = self.kernel.info(now, partition)?;
        let incarnation = Digest(self.feed_incarnations.get(&partition).copied().unwrap_or(0));
        let feed = &self.reverses[partition];
        Some(match whose {
            Whose::Source => Facts {
                end: info.end.0,
                settled: info.durable_end.0,
                records: Some(info.records),
                chain: Some(Digest(info.chain)),
                epoch: info.epoch.0,
                incarnation,
                ..Facts::default()
            },
            Whose::Feed => Facts {
                end: feed.position,
                settled: feed.position,
                epoch: info.epoch.0,
                incarnation,
                obstacle: match &feed.closed {
                    Some(reason) => Some(Obstacle { reason: reason.clone(), passing: false }),
                    None if !feed.settled => {
                        Some(Obstacle { reason: "legacy's tail is being compared".to_owned(), passing: true })
                    }
                    None => None,
                },
                ..Facts::default()
            },
            Whose::Target => {
                self.judge.asked_source(partition, self.now);
                let target = &self.legacy.partitions[partition];
                let lies = self.plant == Some(Plant::BackUnverified);
                Facts {
                    end: if lies { info.end.0 } else { target.end() },
                    settled: if lies { info.end.0 } else { target.high_watermark },
                    legacy_epoch: Some(target.epoch),
                    incarnation: Digest(target.incarnation),
                    ..Facts::default()
                }
            }
        })
    }

    pub fn group_facts_back(&mut self, whose: Whose, group: usize) -> Facts {
        let kernel = &self.kernel_groups;
        let mine = kernel.offsets[group].clone();
        let wait = |reason: &str| Some(Obstacle { reason: reason.to_owned(), passing: true });
        let joined =
            kernel.gathering[group].is_some_and(|at| at <= self.now) || self.planted(Plant::NoGather);
        let (offsets, obstacle) = match whose {
            Whose::Source => (mine, if joined { None } else { wait("members have not joined again") }),
            Whose::Feed => (mine, None),
            Whose::Target => {
                let rebalancing = self.legacy.groups.rebalancing[group];
                let busy = if rebalancing { wait("somebody is a member on legacy") } else { None };
                (self.legacy.groups.fold(group, usize::MAX), busy)
            }
        };
        let metadata_lost = self.planted(Plant::CopyLosesMetadata);
        let parts = offsets.iter().flat_map(|(partition, (offset, metadata))| {
            [*partition as u64, *offset, if metadata_lost { 0 } else { *metadata }]
        });
        Facts {
            chain: Some(Digest(hash(parts))),
            records: Some(offsets.len() as u64).filter(|_| whose != Whose::Source),
            epoch: self.legacy.groups.generation[group],
            obstacle,
            ..Facts::default()
        }
    }

    pub fn switch_back(&mut self, owners: &[NewOwner]) -> Completion {
        for owner in owners {
            if let Some(partition) = partition_of(&owner.unit) {
                if let Err(reason) = self.set_kind(partition, LogKind::Mirrored, Some(owner.target_epoch)) {
                    return Completion::Failed(reason);
                }
                self.shown_by_legacy(partition, self.shift(partition));
                // The feed goes on where the kernel ends; the epochs before are the kernel's own.
                self.feeds[partition].running = false;
                self.reverses[partition].settled = false;
                let phase = proxy::handover::phase::Phase::Mirror;
                self.apply(partition, phase);
            } else if let Some(group) = group_of(&owner.unit) {
                self.check_copied(group);
                self.kernel_groups.active[group] = false;
                self.kernel_groups.closed[group] = false;
                self.kernel_groups.gathering[group] = None;
                if self.planted(Plant::DismissesEverybody) {
                    self.kernel_groups.gathering.fill(None);
                }
            }
        }
        Completion::Done
    }

    /// Clients are shown legacy's epoch, shifted: it must lie above everything that they have seen.
    fn shown_by_legacy(&mut self, partition: usize, shift: i32) {
        let shift = if self.planted(Plant::LowShift) { 0 } else { shift };
        let found = self.legacy.partitions[partition].epoch + shift;
        let before = self.kernel_groups.shown[partition];
        if found < before || (found == before && shift == 0) {
            let text =
                format!("partition {partition}: legacy leads under {found}, clients have seen {before}");
            self.judge.fail("K5", text);
        }
        self.kernel_groups.shown[partition] = found;
    }

    fn check_copied(&mut self, group: usize) {
        if !self.kernel_groups.active[group] {
            return;
        }
        let there = self.legacy.groups.fold(group, usize::MAX);
        let mine = &self.kernel_groups.offsets[group];
        if let Some((partition, offset)) = mine.iter().find(|(at, offset)| there.get(at) != Some(*offset)) {
            let found = there.get(partition).copied();
            let text = format!("group {group}: {offset:?} of partition {partition} is {found:?} on legacy");
            self.judge.fail("K6", text);
        }
        if self.kernel_groups.gathering[group].is_none_or(|at| at > self.now) {
            self.judge.fail("K7", format!("group {group} went back while its members were at work"));
        }
    }
}
