//! What the kernel is asked: batches to send or to compare, where logs end, and when there is more.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use kernel_model::batch::split;
use kernel_model::reply::{Chunk, Records};
use kernel_model::request::ReadLimit;
use kernel_model::{
    KernelError, LogId, Now, Offset, Reply, Request as KernelRequest, ShardId, VerifiedBatch,
};
use session::{Request, RequestId};

use super::partition::{Partition, REST, Stage};
use super::{ClosedReason, Key, ReverseFeed};
use crate::feed::LinkId;

/// Logs that one watch names: each answer makes a watch be asked anew.
const WATCH_LOGS: usize = 64;
/// Longest wait of a watch.
const WATCH_WAIT: Duration = Duration::from_secs(5);
/// How often the kernel is told how far legacy has come.
const HOLD_EVERY: Duration = Duration::from_secs(1);
/// How often the kernel is asked where a log stands that is not read at present.
const DESCRIBE_BEHIND: Duration = Duration::from_secs(1);
/// As [`DESCRIBE_BEHIND`], where nothing is to be brought: its start may have moved.
const DESCRIBE_IDLE: Duration = Duration::from_secs(5);

/// What a request to the kernel was for.
pub(super) enum Pending {
    /// Batches: to send, or to compare (`true`).
    Read(Key, bool),
    Describe(Key, LogId),
    Watch(Vec<Key>),
    Hold(Key, LogId),
    Release,
}

impl Partition {
    /// What to read of the kernel, and whether to compare it.
    fn wants_read(&self, now: Now, read_bytes_max: usize) -> Option<(u64, bool)> {
        if self.reading.is_some() || self.rests(now) {
            return None;
        }
        match &self.stage {
            Stage::Settling(settling) => {
                let end = settling.end?;
                (settling.kernel.next < end && settling.kernel.prints.is_empty())
                    .then_some((settling.kernel.next, true))
            }
            Stage::Sending => {
                let more = self.read_next < self.kernel_end;
                (more && self.ready_bytes() < read_bytes_max / 2).then_some((self.read_next, false))
            }
            Stage::Closed(_) => None,
        }
    }

    fn wants_watch(&self) -> bool {
        let idle = matches!(self.stage, Stage::Sending) && !self.watched && !self.describing;
        idle && self.read_next >= self.kernel_end
    }
}

impl ReverseFeed {
    pub(super) fn ask_kernel(&mut self, now: Now) {
        self.read_kernel(now);
        self.hold_logs(now);
        self.describe_logs(now);
        self.watch_logs();
    }

    /// Bytes that are held, or that a read under way may bring.
    fn held_bytes(&self) -> usize {
        let reads = self.pending.values().filter(|pending| matches!(pending, Pending::Read(..))).count();
        let ready: usize = self.partitions.values().map(Partition::ready_bytes).sum();
        ready.saturating_add(reads.saturating_mul(self.config.limits.read_bytes_max))
    }

    fn read_kernel(&mut self, now: Now) {
        let limits = self.config.limits;
        let wants = |(key, partition): (&Key, &Partition)| {
            // Nothing is read ahead of a legacy that cannot take it.
            let reached = self.connections.get(&LinkId::Node(partition.leader));
            reached.filter(|each| each.link.is_ready())?;
            let (from, compare) = partition.wants_read(now, limits.read_bytes_max)?;
            Some((key.clone(), partition.log, from, compare))
        };
        let mut wanted: Vec<_> = self.partitions.iter().filter_map(wants).collect();
        if wanted.is_empty() {
            return;
        }
        let first =
            wanted.partition_point(|(key, ..)| self.read_turn.as_ref().is_some_and(|turn| key <= turn));
        wanted.rotate_left(first);
        let mut held = self.held_bytes();
        for (key, log, from, compare) in wanted {
            if held >= limits.held_bytes_max {
                return;
            }
            held = held.saturating_add(limits.read_bytes_max);
            let request = KernelRequest::Read {
                log,
                from: Offset(from),
                bytes_max: limits.read_bytes_max,
                at_least_one: true,
                // What a client has removed since is brought first, and then removed on legacy too.
                limit: ReadLimit::Stored,
                epoch: None,
            };
            let id = self.ask(log.shard(), request, Pending::Read(key.clone(), compare));
            if let Some(partition) = self.partitions.get_mut(&key) {
                partition.reading = Some(id);
            }
            self.read_turn = Some(key);
        }
    }

    /// Keeps what legacy lacks.
    fn hold_logs(&mut self, now: Now) {
        let mut asks = Vec::new();
        for (key, partition) in &mut self.partitions {
            let wanted = (!partition.is_closed()).then(|| partition.floor());
            let due = wanted.is_none() || partition.hold_due <= now.elapsed;
            if partition.held != wanted && due {
                partition.held = wanted;
                partition.hold_due = now.deadline(HOLD_EVERY);
                asks.push((key.clone(), partition.log, wanted));
            }
        }
        for (key, log, from) in asks {
            let request = KernelRequest::Hold { log, from: from.map(Offset) };
            self.ask(log.shard(), request, Pending::Hold(key, log));
        }
    }

    /// A partition is not brought any more: the kernel keeps nothing for legacy.
    pub(super) fn release(&mut self, partition: &Partition) {
        if partition.held.is_some() {
            let log = partition.log;
            self.ask(log.shard(), KernelRequest::Hold { log, from: None }, Pending::Release);
        }
    }

    fn describe_logs(&mut self, now: Now) {
        let mut asks = Vec::new();
        for (key, partition) in &mut self.partitions {
            if partition.is_closed() || partition.describing || partition.describe_due > now.elapsed {
                continue;
            }
            partition.describing = true;
            let every = if partition.is_idle() { DESCRIBE_IDLE } else { DESCRIBE_BEHIND };
            partition.describe_due = now.deadline(every);
            asks.push((key.clone(), partition.log));
        }
        for (key, log) in asks {
            self.ask(log.shard(), KernelRequest::Describe { log }, Pending::Describe(key, log));
        }
    }

    fn watch_logs(&mut self) {
        let mut by_shard: BTreeMap<ShardId, Vec<(Key, LogId, Offset)>> = BTreeMap::new();
        for (key, partition) in &mut self.partitions {
            if partition.wants_watch() {
                partition.watched = true;
                let mark = Offset(partition.kernel_end);
                let of_shard = by_shard.entry(partition.log.shard()).or_default();
                of_shard.push((key.clone(), partition.log, mark));
            }
        }
        for (shard, watched) in by_shard {
            for some in watched.chunks(WATCH_LOGS) {
                let logs = some.iter().map(|(_, log, mark)| (*log, *mark)).collect();
                let keys = some.iter().map(|(key, ..)| key.clone()).collect();
                let request = KernelRequest::Watch { logs, limit: ReadLimit::Durable, wait: WATCH_WAIT };
                self.ask(shard, request, Pending::Watch(keys));
            }
        }
    }

    fn ask(&mut self, shard: ShardId, request: KernelRequest, pending: Pending) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.insert(id, pending);
        self.requests.push_back((id, Request::Kernel { shard, request }));
        id
    }

    pub(super) fn take_reply(&mut self, now: Now, id: RequestId, reply: Result<Reply, KernelError>) {
        match self.pending.remove(&id) {
            Some(Pending::Read(key, compare)) => {
                let Some(partition) = self.partitions.get_mut(&key) else { return };
                // Settling forgets what was read before.
                if partition.reading == Some(id) {
                    partition.reading = None;
                    partition.take_read(now, compare, reply);
                }
            }
            Some(Pending::Describe(key, log)) => {
                let Some(partition) = self.partitions.get_mut(&key) else { return };
                partition.describing = false;
                if let Ok(Reply::Described(info)) = reply
                    && partition.log == log
                {
                    partition.see_kernel(now, &info);
                }
            }
            Some(Pending::Watch(keys)) => {
                let changed = if let Ok(Reply::Changed(logs)) = reply { logs } else { Vec::new() };
                for key in keys {
                    let Some(partition) = self.partitions.get_mut(&key) else { continue };
                    partition.watched = false;
                    if changed.contains(&partition.log) {
                        partition.describe_due = now.elapsed;
                    }
                }
            }
            Some(Pending::Hold(key, log)) => {
                let Some(partition) = self.partitions.get_mut(&key) else { return };
                if reply.is_err() && partition.log == log {
                    partition.held = None;
                }
            }
            Some(Pending::Release) | None => {}
        }
    }
}

impl Partition {
    fn take_read(&mut self, now: Now, compare: bool, reply: Result<Reply, KernelError>) {
        match reply {
            Ok(Reply::Records(records)) => self.take_records(now, compare, &records),
            Err(KernelError::OffsetOutOfRange { start, end }) => self.out_of_range(now, start.0, end.0),
            Err(KernelError::Damaged(error)) => {
                self.close(ClosedReason::Unreadable { at: self.read_next, error });
            }
            Err(error) => {
                self.trouble = Some(format!("the kernel cannot be read: {error}"));
                self.rests_until = self.rests_until.max(now.deadline(REST));
            }
            Ok(_) => self.rests_until = self.rests_until.max(now.deadline(REST)),
        }
    }

    fn take_records(&mut self, now: Now, compare: bool, records: &Records) {
        self.kernel_start = records.start.0;
        self.kernel_end = self.kernel_end.max(records.durable_end.0);
        let batches = match batches(records) {
            Ok(batches) => batches,
            Err(error) => return self.close(ClosedReason::Unreadable { at: self.read_next, error }),
        };
        let durable = |batch: &VerifiedBatch| batch.header().end_offset() <= records.durable_end;
        let batches: Vec<VerifiedBatch> = batches.into_iter().filter(durable).collect();
        if compare {
            let first = batches.first().map(|batch| batch.header().base_offset.0);
            if let (Some(first), Stage::Settling(settling)) = (first, &self.stage)
                && first > settling.kernel.next
                && self.kernel_start > settling.kernel.next
            {
                // What lay before was removed.
                return self.compare_from(now, first);
            }
            let nothing = batches.is_empty();
            self.take_prints(now, false, batches.iter());
            if let (true, Stage::Settling(settling)) = (nothing, &self.stage) {
                // Legacy goes on where the kernel ends.
                let at = settling.kernel.next;
                self.close(ClosedReason::Bypassed { at });
            }
        } else if batches.is_empty() {
            self.rests_until = self.rests_until.max(now.deadline(REST));
        } else {
            self.take_batches(batches);
        }
        self.note_lag(now);
    }

    fn out_of_range(&mut self, now: Now, start: u64, end: u64) {
        match &self.stage {
            Stage::Settling(settling) if settling.kernel.next < start => self.compare_from(now, start),
            Stage::Settling(_) => self.close(ClosedReason::Bypassed { at: end }),
            Stage::Sending if self.read_next < start => {
                self.close(ClosedReason::Truncated { end: self.read_next, from: start });
            }
            // The kernel ends before what legacy holds of it: whatever happened, look again.
            Stage::Sending => self.settle(now, REST),
            Stage::Closed(_) => {}
        }
    }
}

/// The whole batches of an answer.
fn batches(records: &Records) -> Result<Vec<VerifiedBatch>, String> {
    let mut all = Vec::new();
    // A batch may lie across chunks.
    let mut rest = BytesMut::new();
    for chunk in &records.chunks {
        match chunk {
            Chunk::Hot(bytes) if rest.is_empty() && records.chunks.len() == 1 => {
                let mut bytes = bytes.clone();
                return split(&mut bytes).map_err(|error| error.to_string());
            }
            Chunk::Hot(bytes) => rest.extend_from_slice(bytes),
            Chunk::Cold(_) => return Err("stored bytes were not read".to_owned()),
        }
    }
    let mut rest = rest.freeze();
    all.extend(split(&mut rest).map_err(|error| error.to_string())?);
    Ok(all)
}
