//! Forwarders: gates, leases, what is held and what is on its way; and legacy's side of it.

use std::time::Duration;

use kernel_model::request::MirrorOrigin;
use kernel_model::{KernelError, Reply, Request};
use proxy::handover::action::{Completion, ForwarderId};
use proxy::handover::lease::Renewal;
use proxy::handover::phase::Phase;
use proxy::handover::recovery::gate_side;
use proxy::ledger::Primary;
use session::{Entry, Gate, Lease, Side, UnitId};

use crate::batches;
use crate::kernel::log_id;
use crate::legacy::Stored;
use crate::planted::Plant;
use crate::world::*;

impl World {
    pub fn start_forwarder(&mut self, forwarder: usize) {
        if self.forwarders[forwarder].alive {
            return;
        }
        let old = self.forwarders[forwarder].generation;
        let last_heard = self.forwarders[forwarder].last_heard;
        let cut_until = self.forwarders[forwarder].cut_until;
        self.forwarders[forwarder] =
            Forwarder { alive: true, generation: old + 1, last_heard, cut_until, ..new_forwarder() };
        self.after(1, Ev::Renew(forwarder));
    }

    pub fn stop_forwarder(&mut self, forwarder: usize) {
        self.forwarders[forwarder].alive = false;
        self.forwarders[forwarder].held.clear();
    }

    /// Asks for the lease to go on, or to join; closes what a lost lease forbids.
    pub fn renew(&mut self, forwarder: usize) {
        if !self.forwarders[forwarder].alive {
            return;
        }
        let paused =
            if forwarder == 0 { self.sluice_paused_until } else { self.forwarders[forwarder].paused_until };
        if self.now < paused {
            self.at(paused, Ev::Renew(forwarder));
            return;
        }
        if self.forwarders[forwarder].joined && !self.forwarders[forwarder].lease.holds(self.now()) {
            self.lose_lease(forwarder);
        }
        let state = &self.forwarders[forwarder];
        let (generation, join, reachable) = (state.generation, !state.joined, self.now >= state.cut_until);
        if reachable {
            let latency = if forwarder == 0 { 10 } else { self.latency() };
            self.after(latency, Ev::AskLease { forwarder, generation, asked: self.now, join });
        }
        self.after(300 * MS, Ev::Renew(forwarder));
    }

    fn lose_lease(&mut self, forwarder: usize) {
        if self.planted(Plant::NoLease) {
            return;
        }
        self.trace(|| format!("forwarder {forwarder} has lost its lease"));
        self.close_connections(forwarder);
        self.forwarders[forwarder].joined = false;
    }

    /// Every connection to legacy is gone: no answer can come any more.
    pub fn close_connections(&mut self, forwarder: usize) {
        let state = &mut self.forwarders[forwarder];
        state.connection += 1;
        for unit in std::mem::take(&mut state.on_the_way).into_values() {
            if let Some(gate) = state.gates.get(&unit) {
                gate.leave();
            }
        }
    }

    /// The control's answer to a renewal.
    pub fn ask_lease(&mut self, forwarder: usize, generation: u64, asked: T, join: bool) {
        if self.sluice.is_none() || self.now < self.sluice_paused_until {
            return;
        }
        let now = self.now();
        let id = ForwarderId(forwarder as u32);
        let Some(sluice) = &mut self.sluice else { return };
        let lease = if join {
            let (lease, safe_at) = sluice.leases.join(now, id);
            sluice.control.handle_joined(now, id, safe_at);
            Some(lease)
        } else {
            match sluice.leases.renew(now, id) {
                Renewal::Granted(lease) => Some(lease),
                Renewal::MustJoin => None,
            }
        };
        let book = sluice.ledger.book();
        let table: Vec<(UnitId, Side)> = all_units()
            .into_iter()
            .map(|unit| {
                let side = gate_side(book, &unit, sluice.control.held(&unit));
                (unit, side)
            })
            .collect();
        let granted = lease.map(|lease| (lease, table));
        let at = self.in_order(forwarder);
        self.at(at, Ev::LeaseAnswer { forwarder, generation, asked, granted });
        self.drive();
    }

    /// When a message of the control reaches a forwarder: never before an earlier one.
    pub fn in_order(&mut self, forwarder: usize) -> T {
        let latency = if forwarder == 0 { 10 } else { self.latency() };
        let late = if self.now < self.forwarders[forwarder].late_until { 2 * S } else { 0 };
        let at = (self.now + latency + late).max(self.forwarders[forwarder].last_heard);
        self.forwarders[forwarder].last_heard = at;
        at
    }

    pub fn lease_answer(
        &mut self,
        forwarder: usize,
        asked: T,
        granted: Option<(Duration, Vec<(UnitId, Side)>)>,
    ) {
        if self.now < self.forwarders[forwarder].cut_until {
            return;
        }
        let Some((lease, table)) = granted else {
            self.lose_lease(forwarder);
            return;
        };
        let until = Duration::from_micros(asked) + lease;
        let heal = !self.planted(Plant::NoTable) || !self.forwarders[forwarder].joined;
        let state = &mut self.forwarders[forwarder];
        state.joined = true;
        state.lease = Lease::new(until);
        for (unit, side) in table {
            let gate = state.gates.entry(unit).or_insert_with(|| Gate::new(side));
            if heal {
                gate.release(side);
            }
        }
        self.wake(forwarder);
    }

    /// Writes that were held try again.
    fn wake(&mut self, forwarder: usize) {
        for request in std::mem::take(&mut self.forwarders[forwarder].held) {
            self.at_forwarder(forwarder, request);
        }
    }

    pub fn command(&mut self, forwarder: usize, run: u64, origin: Origin, command: Cmd) {
        if self.now < self.forwarders[forwarder].cut_until {
            return;
        }
        let drain = !self.planted(Plant::NoDrain);
        let fence_groups = !self.planted(Plant::GroupNotFenced);
        let state = &mut self.forwarders[forwarder];
        let count = |state: &Forwarder, units: &[UnitId]| {
            let sum = units.iter().filter_map(|unit| state.gates.get(unit)).map(Gate::on_the_way).sum();
            Completion::OnTheWay(if drain { sum } else { 0 })
        };
        let completion = match command {
            Cmd::Fence(units) => {
                for unit in units.iter().filter(|unit| fence_groups || group_of(unit).is_none()) {
                    state.gates.entry(unit.clone()).or_insert_with(|| Gate::new(Side::Held)).fence();
                }
                count(state, &units)
            }
            Cmd::Count(units) => count(state, &units),
            Cmd::Release(units, side) => {
                let side = if side == Primary::Legacy { Side::Legacy } else { Side::Kernel };
                for unit in units {
                    state.gates.entry(unit).or_insert_with(|| Gate::new(side)).release(side);
                }
                Completion::Done
            }
        };
        self.wake(forwarder);
        let latency = if forwarder == 0 { 10 } else { self.latency() };
        self.after(latency, Ev::Complete { run, origin, completion });
    }

    pub fn at_forwarder(&mut self, forwarder: usize, request: Req) {
        let now = self.now();
        let state = &self.forwarders[forwarder];
        let unit = request.unit();
        if !state.joined || (!state.lease.holds(now) && !self.planted(Plant::NoLease)) {
            self.reply(request, Ans::Retry, Primary::Legacy);
            return;
        }
        let Some(gate) = state.gates.get(&unit) else {
            self.reply(request, Ans::Retry, Primary::Legacy);
            return;
        };
        match gate.enter() {
            Entry::Legacy if request.to == Primary::Kernel => {
                gate.leave();
                self.reply(request, Ans::Moved, Primary::Kernel);
            }
            Entry::Legacy => {
                let (generation, connection) = (state.generation, state.connection);
                self.forwarders[forwarder].on_the_way.insert(request.id, unit);
                // Between this check and the system call the process can be stopped.
                self.after(20, Ev::Send { forwarder, generation, connection, request });
            }
            Entry::Held => self.hold(forwarder, request),
            Entry::Kernel if request.to == Primary::Legacy => {
                self.reply(request, Ans::Moved, Primary::Legacy)
            }
            Entry::Kernel => self.kernel_takes(forwarder, request),
        }
    }

    fn hold(&mut self, forwarder: usize, request: Req) {
        if self.forwarders[forwarder].held.len() < HELD_MAX || self.planted(Plant::UnboundedHeld) {
            self.forwarders[forwarder].held.push(request);
            let held = self.forwarders[forwarder].held.len();
            self.judge.held(held);
        } else {
            self.reply(request, Ans::Retry, Primary::Legacy);
        }
    }

    fn kernel_takes(&mut self, forwarder: usize, request: Req) {
        if self.sluice.is_none()
            || self.now < self.sluice_paused_until
            || self.now < self.forwarders[forwarder].cut_until
        {
            return;
        }
        let now = self.now();
        match &request.ask {
            Ask::Produce { stream, partition, sequence, values } => {
                let pid = 100 + *stream as i64;
                let sequence = if self.planted(Plant::NoProducerState) { -1 } else { *sequence };
                let pid = if sequence < 0 { -1 } else { pid };
                let batch = batches::verified(&batches::build(pid, sequence, values));
                let (log, id) = (log_id(*partition), request.id);
                let append = Request::Append { log, batches: vec![batch], epoch: None };
                if self.planted(Plant::EarlyAck) {
                    if let Some(Reply::Appended(appended)) = self.kernel.append_early(now, id, append) {
                        self.reply(request, Ans::Written(appended.base_offset.0), Primary::Kernel);
                    }
                    self.after(50 * MS, Ev::KernelFlush);
                    return;
                }
                self.kernel.append(now, id, append);
                self.kernel_waiting.insert(id, (forwarder, request));
                let slow = if self.now < self.kernel_slow_until { 300 * MS } else { 0 };
                let delay = slow + self.rng.between(500, 3_000);
                self.after(delay, Ev::KernelFlush);
            }
            &Ask::Commit { group, partition, offset, metadata } => {
                if self.kernel_groups.active[group] && !self.kernel_groups.closed[group] {
                    self.kernel_groups.offsets[group].insert(partition, (offset, metadata));
                    self.reply(request, Ans::Written(0), Primary::Kernel);
                } else {
                    self.reply(request, Ans::Retry, Primary::Kernel);
                }
            }
        }
    }

    pub fn kernel_flush(&mut self) {
        if self.sluice.is_none() {
            return;
        }
        for (id, outcome) in self.kernel.flush(self.now()) {
            let Some((_, request)) = self.kernel_waiting.remove(&id) else { continue };
            let refuse = self.planted(Plant::RefuseWritten) && self.rng.chance(20);
            let answer = match outcome {
                Ok(Reply::Appended(_)) if refuse => Ans::Refused,
                Ok(Reply::Appended(appended)) => Ans::Written(appended.base_offset.0),
                Err(KernelError::SequenceOutOfOrder { expected, found }) => {
                    let damaged = self.legacy.partitions.iter().any(|partition| partition.damaged);
                    if !damaged {
                        self.judge
                            .fail("K4", format!("kernel expects sequence {expected}, client sent {found}"));
                    }
                    Ans::Retry
                }
                _ => Ans::Retry,
            };
            self.reply(request, answer, Primary::Kernel);
        }
    }

    pub fn reply(&mut self, request: Req, answer: Ans, side: Primary) {
        let latency = self.latency();
        self.after(latency, Ev::AtClient { request, answer, side });
    }

    /// The system call: the bytes are on their way, whatever happens to the process now.
    pub fn send(&mut self, forwarder: usize, connection: u64, request: Req) {
        let state = &self.forwarders[forwarder];
        if state.connection != connection && !self.planted(Plant::NoLease) {
            // A process that was stopped between check and system call writes into its old connection first.
            if !self.stopped_in_between(forwarder) {
                return;
            }
        }
        let generation = state.generation;
        let slow = if self.now < self.legacy.slow_until { self.rng.between(0, 100) * MS } else { 0 };
        let latency = self.latency() + slow;
        self.after(latency, Ev::AtLegacy { forwarder, generation, connection, request });
    }

    fn stopped_in_between(&self, forwarder: usize) -> bool {
        let paused_until =
            if forwarder == 0 { self.sluice_paused_until } else { self.forwarders[forwarder].paused_until };
        paused_until == self.now
    }

    pub fn at_legacy(&mut self, forwarder: usize, generation: u64, connection: u64, request: Req) {
        if self.now < self.legacy.down_until {
            self.at(self.legacy.down_until + 10, Ev::AtLegacy { forwarder, generation, connection, request });
            return;
        }
        let slow = if self.now < self.legacy.slow_until { self.rng.between(20, 300) * MS } else { 0 };
        match &request.ask {
            Ask::Produce { stream, partition, sequence, values } => {
                let bytes = batches::build(100 + *stream as i64, *sequence, values);
                let written =
                    self.legacy.partitions[*partition].append(100 + *stream as i64, *sequence, &bytes);
                let delay = slow + self.rng.between(500, 6_000);
                let partition = *partition;
                if let Some((base, _)) = written {
                    self.judge.written_to_legacy(partition, base);
                }
                self.after(delay, Ev::Replicated(partition));
                let answer = match written {
                    Some((base, _)) => Ans::Written(base),
                    None => Ans::Retry,
                };
                // The answer follows the replication.
                self.after(delay + 10, Ev::Answer { forwarder, generation, connection, request, answer });
            }
            &Ask::Commit { group, partition, offset, metadata } => {
                self.legacy.groups.log.push((group, partition, offset, metadata));
                let delay = slow + self.rng.between(200, 2_000);
                self.after(
                    delay,
                    Ev::Answer { forwarder, generation, connection, request, answer: Ans::Written(0) },
                );
            }
        }
    }

    pub fn replicated(&mut self, partition: usize) {
        if self.now < self.legacy.down_until {
            self.at(self.legacy.down_until + 1, Ev::Replicated(partition));
            return;
        }
        let partition = &mut self.legacy.partitions[partition];
        partition.high_watermark = partition.end();
    }

    pub fn answered(&mut self, forwarder: usize, connection: u64, request: Req, answer: Ans) {
        let now = self.now();
        let state = &mut self.forwarders[forwarder];
        let lease = state.lease.holds(now);
        let ignore_lease = self.plant == Some(Plant::NoLease);
        if state.connection != connection && !ignore_lease {
            return;
        }
        if !lease && !ignore_lease {
            self.lose_lease(forwarder);
            return;
        }
        if let Some(unit) = state.on_the_way.remove(&request.id)
            && let Some(gate) = state.gates.get(&unit)
        {
            gate.leave();
        }
        if let (Ask::Produce { partition, values, .. }, Ans::Written(base)) = (&request.ask, &answer) {
            let (partition, base, values) = (*partition, *base, values.clone());
            // What was not replicated may have been lost with its leader: then this answer does not exist.
            let found = self.legacy.partitions[partition].log.iter().find(|stored| {
                stored.base == base && stored.end <= self.legacy.partitions[partition].high_watermark
            });
            let Some(found) = found.filter(|stored| batches::values(&stored.bytes) == values).cloned() else {
                return;
            };
            self.dual_write(forwarder, partition, &found);
        }
        self.reply(request, answer, Primary::Legacy);
    }

    /// Bytes go ahead to the kernel; whatever becomes of it, legacy's answer goes to the client.
    fn dual_write(&mut self, forwarder: usize, partition: usize, stored: &Stored) {
        let phase = self.sluice.as_ref().map(|sluice| sluice.ledger.book().phase(&partition_unit(partition)));
        let reachable = forwarder == 0 || self.now >= self.forwarders[forwarder].cut_until;
        if phase != Some(Phase::DualWrite) || !reachable || self.now < self.sluice_paused_until {
            return;
        }
        let mut batch = self.as_shown(partition, stored);
        if self.planted(Plant::WrongAhead) {
            batch = batches::verified(&batches::build(-1, -1, &[self.next_id << 40]))
                .at(batch.header().base_offset);
        }
        let request = Request::Mirror {
            log: log_id(partition),
            batches: vec![batch],
            origin: MirrorOrigin::Ahead,
            from: None,
            confirm: None,
            start: None,
        };
        self.kernel.append(self.now(), u64::MAX, request);
        self.after(2 * MS, Ev::KernelFlush);
    }
}
