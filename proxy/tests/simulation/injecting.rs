//! Faults: what each does, and when it is over.

use crate::batches;
use crate::faults::{Fault, When};
use crate::planted::Plant;
use crate::world::*;
use proxy::handover::action::ActionKind;
use proxy::ledger::Primary;
use session::Side;

impl World {
    /// An edge is passed: armed faults strike.
    pub fn edge(&mut self, (kind, side): (ActionKind, Primary), when: When) {
        let edge = (kind, when, side);
        let groups_turn = self.sluice.as_ref().is_some_and(|sluice| sluice.control.held(&group_unit(0)));
        if self.plant.is_some_and(Plant::waits_for_groups) && !groups_turn {
            return;
        }
        let run = self.run;
        let due: Vec<Fault> =
            self.armed.iter().filter(|(_, armed)| *armed == edge).map(|(fault, _)| *fault).collect();
        self.armed.retain(|(_, armed)| *armed != edge);
        for fault in due {
            if self.run != run {
                // The process that passed the edge is gone: the others wait for the next one.
                self.armed.push((fault, edge));
                continue;
            }
            *self.coverage.0.entry((fault, edge)).or_default() += 1;
            self.inject(fault);
            if (fault, kind) == (Fault::CutLegacy, ActionKind::Fence) {
                // Past the limit of the fence.
                self.cut_legacy_until = self.now + 4 * S;
            }
        }
    }

    pub fn inject(&mut self, fault: Fault) {
        self.trace(|| format!("FAULT {fault:?}"));
        let partition = self.rng.between(0, PARTITIONS as u64) as usize;
        match fault {
            Fault::CrashSluice => self.crash_sluice(),
            Fault::CrashForwarder => {
                self.stop_forwarder(1);
                self.after(700 * MS, Ev::StartForwarder);
            }
            Fault::PauseForwarder => {
                let until = self.now + self.rng.between(1_500, 3_500) * MS;
                self.forwarders[1].paused_until = self.forwarders[1].paused_until.max(until);
            }
            Fault::PauseSluice => self.sluice_paused_until = self.now + self.rng.between(300, 2_500) * MS,
            Fault::StaleForwarder => self.forwarders[1].late_until = self.now + 2 * S,
            Fault::LegacyCrash => {
                self.legacy.down_until = self.now + self.rng.between(100, 800) * MS;
                self.elect_all();
            }
            Fault::LeaderChange => self.elect_all(),
            Fault::UncleanElection => self.damage(partition, |source| source.elect_uncleanly()),
            Fault::Recreated => self.damage(partition, |source| source.recreate(99)),
            Fault::KernelCrash => {
                let now = self.now();
                self.kernel.crash(now);
                self.kernel_waiting.clear();
            }
            Fault::LegacyPause => self.legacy.down_until = self.now + self.rng.between(500, 4_500) * MS,
            Fault::LegacySlow => self.legacy.slow_until = self.now + 2 * S,
            Fault::KernelSlow => self.kernel_slow_until = self.now + 2 * S,
            Fault::CutControl => self.forwarders[1].cut_until = self.now + self.rng.between(400, 2_500) * MS,
            Fault::CutLegacy => self.cut_legacy_until = self.now + self.rng.between(200, 4_000) * MS,
            Fault::LostAnswers => self.reset_connections(),
            Fault::Duplicates => {
                self.duplicates = true;
                self.after(S, Ev::Heal(fault));
            }
            Fault::ClockJump => {
                self.wall_jump_ms += if self.rng.chance(50) { 3_600_000 } else { -3_600_000 };
            }
            Fault::KernelFull => {
                self.kernel.set_full(true);
                let delay = self.rng.between(300, 4_000) * MS;
                self.after(delay, Ev::Heal(fault));
            }
            Fault::LedgerTorn => {
                let kept = self.rng.between(0, 300) as usize;
                self.disk.with(|disk| disk.fail_with = Some(kept));
            }
            Fault::LedgerFails => self.disk.with(|disk| disk.fail_with = Some(usize::MAX)),
            Fault::OpenTransaction => {
                self.legacy.partitions[partition].open_transaction = true;
                self.after(900 * MS, Ev::Heal(fault));
            }
            Fault::Rollback => self.ask_rollback(),
            Fault::Poison => self.poison = Some(partition),
            Fault::Bypass => self.bypass(partition),
            Fault::Rebalance => {
                let group = self.rng.between(0, GROUPS as u64) as usize;
                self.legacy.groups.rebalancing[group] = true;
                self.after(600 * MS, Ev::Heal(fault));
            }
        }
    }

    pub fn heal(&mut self, fault: Fault) {
        match fault {
            Fault::Duplicates => self.duplicates = false,
            Fault::KernelFull => self.kernel.set_full(false),
            Fault::OpenTransaction => {
                self.legacy.partitions.iter_mut().for_each(|partition| partition.open_transaction = false);
            }
            Fault::Rebalance => self.end_rebalances(),
            _ => {}
        }
    }

    /// Members end a rebalance by requests, which wait while their group is held.
    fn end_rebalances(&mut self) {
        for group in 0..GROUPS {
            let held = |forwarder: &Forwarder| {
                let gate = forwarder.gates.get(&group_unit(group));
                forwarder.alive && gate.is_some_and(|gate| gate.side() == Side::Held)
            };
            if !self.forwarders.iter().any(held) {
                self.legacy.groups.rebalancing[group] = false;
            }
        }
        if self.legacy.groups.rebalancing.contains(&true) {
            self.after(50 * MS, Ev::Heal(Fault::Rebalance));
        }
    }

    fn elect_all(&mut self) {
        for partition in 0..PARTITIONS {
            let lose = self.rng.chance(60);
            self.legacy.partitions[partition].elect(lose);
        }
        self.reset_connections();
    }

    fn reset_connections(&mut self) {
        for forwarder in 0..FORWARDERS {
            self.close_connections(forwarder);
        }
        self.lose_reverse_answers();
    }

    fn damage(&mut self, partition: usize, act: impl Fn(&mut crate::legacy::Partition)) {
        let owner = self.durable_owner(&partition_unit(partition));
        act(&mut self.legacy.partitions[partition]);
        if self.legacy.partitions[partition].damaged {
            self.judge.damaged(partition, self.now, &owner);
        }
    }

    /// Somebody writes to legacy past the proxies: a record, and an offset of a group.
    fn bypass(&mut self, partition: usize) {
        let value = self.id();
        let bytes = batches::build(-1, -1, &[value]);
        let written = self.legacy.partitions[partition].append(-1, -1, &bytes);
        if let Some((base, _)) = written {
            self.judge.bypassed(partition, base, value);
        }
        self.after(3 * MS, Ev::Replicated(partition));
    }
}
