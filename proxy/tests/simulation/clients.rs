//! Producers with one idempotent batch in flight per stream, and groups with one member each.

use proxy::ledger::Primary;
use session::Side;

use crate::batches;
use crate::planted::Plant;
use crate::world::*;

const TIMEOUT: T = 1_200 * MS;

impl World {
    /// Any forwarder that a client can reach.
    fn some_forwarder(&mut self) -> Option<usize> {
        let alive: Vec<usize> = (0..FORWARDERS).filter(|&n| self.forwarders[n].alive).collect();
        let at = self.rng.between(0, alive.len() as u64) as usize;
        alive.get(at).copied()
    }

    fn route(&self, forwarder: usize, unit: &session::UnitId) -> Primary {
        match self.forwarders[forwarder].gates.get(unit).map(session::Gate::side) {
            Some(Side::Kernel) => Primary::Kernel,
            _ => Primary::Legacy,
        }
    }

    pub fn stream(&mut self, index: usize) {
        if self.streams[index].open.is_none() {
            if self.quiet {
                return;
            }
            let count = self.rng.between(1, 4);
            let values: Vec<u64> = (0..count).map(|_| self.id()).collect();
            let stream = &self.streams[index];
            let ask = Ask::Produce {
                stream: index,
                partition: stream.partition,
                sequence: stream.sequence,
                values,
            };
            let to = stream.route;
            let request = Req { id: 0, ask, to };
            self.streams[index].open = Some((request, 0));
        }
        self.transmit(index);
    }

    /// Sends the open batch (again), wherever the client now believes its leader to be.
    fn transmit(&mut self, index: usize) {
        let id = self.id();
        let forwarder = self.some_forwarder();
        let unit = partition_unit(self.streams[index].partition);
        let route = forwarder.map(|forwarder| self.route(forwarder, &unit));
        let stream = &mut self.streams[index];
        let Some((request, current)) = &mut stream.open else { return };
        request.id = id;
        *current = id;
        if let Some(route) = route {
            stream.route = route;
        }
        request.to = stream.route;
        let request = request.clone();
        stream.sent += 1;
        self.after(TIMEOUT, Ev::Timeout { stream: index, request: id });
        if let Some(forwarder) = forwarder {
            let generation = self.forwarders[forwarder].generation;
            let latency = self.latency();
            self.after(latency, Ev::AtForwarder { forwarder, generation, request });
        }
    }

    pub fn timeout(&mut self, index: usize, request: u64) {
        if self.streams[index].open.as_ref().is_some_and(|(_, current)| *current == request) {
            self.transmit(index);
        }
    }

    pub fn at_client(&mut self, request: Req, answer: Ans, side: Primary) {
        match &request.ask {
            Ask::Produce { stream, partition, sequence, values } => {
                let (index, partition) = (*stream, *partition);
                let open = &self.streams[index].open;
                if open.as_ref().is_none_or(|(_, current)| *current != request.id) {
                    // An answer to an earlier try of a batch that is still open is as good as any; a client
                    // that closed the connection does not see it.
                    return;
                }
                match answer {
                    Ans::Written(base) => {
                        let owner = self.durable_owner(&partition_unit(partition));
                        self.judge.acknowledged(self.now, partition, index, base, values, side, &owner);
                        let stream = &mut self.streams[index];
                        stream.sequence = sequence + values.len() as i32;
                        stream.open = None;
                        let pause = self.rng.between(60, 300) * MS;
                        self.after(pause, Ev::Stream(index));
                    }
                    Ans::Refused => {
                        self.judge.refused(values);
                        let stream = &mut self.streams[index];
                        stream.sequence = sequence + values.len() as i32;
                        stream.open = None;
                        self.after(100 * MS, Ev::Stream(index));
                    }
                    Ans::Moved => self.transmit(index),
                    Ans::Retry => self.after(80 * MS, Ev::Timeout { stream: index, request: request.id }),
                }
            }
            &Ask::Commit { group, partition, offset, metadata } => {
                let consumer = &mut self.consumers[group];
                if consumer.open.as_ref().is_none_or(|(_, id)| *id != request.id) {
                    return;
                }
                consumer.open = None;
                match answer {
                    Ans::Written(_) => {
                        consumer.acknowledged.insert(partition, (offset, metadata));
                        let owner = self.durable_owner(&group_unit(group));
                        let held = match owner.side {
                            Primary::Kernel => self.kernel_groups.offsets[group].get(&partition).copied(),
                            Primary::Legacy => {
                                self.legacy.groups.fold(group, usize::MAX).get(&partition).copied()
                            }
                        };
                        let held = held.map(|held| held.1) >= Some(metadata);
                        self.judge.commit_acknowledged(self.now, group, side, &owner, held);
                    }
                    Ans::Moved | Ans::Retry | Ans::Refused => {}
                }
            }
        }
    }

    pub fn consumer(&mut self, group: usize) {
        self.after(120 * MS, Ev::Consumer(group));
        let Some(forwarder) = self.some_forwarder() else { return };
        if !self.forwarders[forwarder].joined || !self.forwarders[forwarder].lease.holds(self.now()) {
            return;
        }
        for partition in 0..PARTITIONS {
            self.poll(forwarder, group, partition);
        }
        self.commit(forwarder, group);
    }

    fn poll(&mut self, forwarder: usize, group: usize, partition: usize) {
        let from = self.consumers[group].positions[partition];
        let mut read: Vec<(u64, Vec<u64>)> = Vec::new();
        let side = self.forwarders[forwarder].gates.get(&partition_unit(partition)).map(session::Gate::side);
        match side {
            // Neither side's: what legacy took behind the fence may not be there for long.
            Some(Side::Held) if !self.planted(Plant::ReadsHeld) => {}
            Some(Side::Legacy | Side::Held) if self.now >= self.legacy.down_until => {
                let source = &self.legacy.partitions[partition];
                read.extend(
                    source.read(from).into_iter().map(|stored| (stored.base, batches::values(&stored.bytes))),
                );
            }
            Some(Side::Kernel) if self.sluice.is_some() && self.now >= self.sluice_paused_until => {
                let now = self.now();
                match self.kernel.read(now, partition, from) {
                    Ok(batches) => read.extend(
                        batches
                            .iter()
                            .map(|batch| (batch.header().base_offset.0, batches::values(batch.bytes()))),
                    ),
                    Err(error) => self.judge.read_error(partition, from, &error),
                }
            }
            _ => {}
        }
        for (base, values) in read {
            for (offset, value) in (base..).zip(values).filter(|(offset, _)| *offset >= from) {
                self.judge.read(group, partition, offset, value);
                self.consumers[group].positions[partition] = offset + 1;
            }
        }
    }

    fn commit(&mut self, forwarder: usize, group: usize) {
        let id = self.id();
        let route = self.route(forwarder, &group_unit(group));
        let consumer = &mut self.consumers[group];
        if let Some((_, since)) = &consumer.open {
            // Gives up after a while; the outcome is unknown then.
            if id < since + 400 {
                return;
            }
        }
        consumer.turn = (consumer.turn + 1) % PARTITIONS;
        let partition = consumer.turn;
        let offset = consumer.positions[partition];
        if consumer.sent.get(&partition).is_some_and(|(sent, _)| *sent >= offset) && consumer.open.is_none() {
            return;
        }
        consumer.sent.insert(partition, (offset, id));
        let ask = Ask::Commit { group, partition, offset, metadata: id };
        let request = Req { id, ask, to: route };
        consumer.open = Some((request.clone(), id));
        let generation = self.forwarders[forwarder].generation;
        let latency = self.latency();
        self.after(latency, Ev::AtForwarder { forwarder, generation, request });
    }
}
