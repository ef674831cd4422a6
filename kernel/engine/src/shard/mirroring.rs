//! Mirrored logs: what the feed and dual-write bring.

use kernel_model::VerifiedBatch;
use kernel_model::batch::{BatchHeader, fingerprint};
use kernel_model::commit::Op;
use kernel_model::error::KernelError;
use kernel_model::position::{LogId, Offset};
use kernel_model::reply::{Chunk, Reply};
use kernel_model::request::MirrorOrigin;

use super::{RequestKey, Shard};
use crate::log::Log;
use crate::log::mirror::{Plan, Statement, StoredBatch, plan_ahead, plan_feed};
use crate::log::parked::Waiting;
use crate::store::ShardStore;

impl Shard {
    pub(super) fn mirror(
        &mut self,
        from: RequestKey,
        id: LogId,
        batches: Vec<VerifiedBatch>,
        origin: MirrorOrigin,
        statement: Statement,
    ) -> Result<(), KernelError> {
        match origin {
            MirrorOrigin::Feed => {
                let log = self.mirrored(id)?;
                let store = self.store.as_ref();
                let plan = plan_feed(log, batches, statement, &|at| stored(store, id, log, at))?;
                self.carry_out(from, id, plan)?;
            }
            MirrorOrigin::Ahead => {
                let deadline = self.now.deadline(self.limits.parked_wait_max);
                self.bring_ahead(id, Waiting { key: from, batches, deadline })?;
            }
        }
        self.unpark(id);
        Ok(())
    }

    fn mirrored(&self, id: LogId) -> Result<&Log, KernelError> {
        let log = self.log(id)?;
        if log.is_mirrored() { Ok(log) } else { Err(KernelError::Invalid("the log is not mirrored")) }
    }

    fn bring_ahead(&mut self, id: LogId, request: Waiting<RequestKey>) -> Result<(), KernelError> {
        let log = self.mirrored(id)?;
        let store = self.store.as_ref();
        match plan_ahead(log, &request.batches, &|at| stored(store, id, log, at))? {
            Some(plan) => self.carry_out(request.key, id, plan),
            None => {
                let end = log.end;
                let (bytes_max, batches_max) = (self.limits.parked_bytes_max, self.limits.parked_batches_max);
                let parked = self.parked.park(id, request, bytes_max, batches_max);
                parked.map_err(|_| KernelError::MirrorGap { end })?;
                self.stats.parked += 1;
                Ok(())
            }
        }
    }

    /// Takes the requests whose hole has closed.
    fn unpark(&mut self, id: LogId) {
        for _ in 0..self.limits.parked_batches_max {
            let Some(end) = self.state.logs.get(&id).map(|log| log.end) else { return };
            let Some(request) = self.parked.take_ready(id, end) else { return };
            let key = request.key;
            if let Err(error) = self.bring_ahead(id, request) {
                self.refuse(key, error);
            }
        }
    }

    fn carry_out(&mut self, from: RequestKey, id: LogId, plan: Plan) -> Result<(), KernelError> {
        let log = self.log(id)?;
        if log.tail.len() + plan.append.len() > self.limits.tail_batches_max {
            return Err(KernelError::Overloaded);
        }
        let mut ops = Vec::with_capacity(plan.append.len() + 3);
        if let Some(start) = plan.restart {
            if log.end > log.confirmed {
                ops.push(Op::LogTruncate { log: id, to: log.confirmed });
            }
            ops.push(Op::LogTrim { log: id, start });
        }
        ops.extend(plan.truncate.map(|to| Op::LogTruncate { log: id, to }));
        ops.extend(plan.append.iter().map(|batch| Op::LogAppend {
            log: id,
            base_offset: batch.header().base_offset,
            epoch: batch.header().leader_epoch,
            batch: batch.bytes().clone(),
        }));
        ops.extend(plan.confirm.map(|position| Op::LogConfirm { log: id, position }));
        ops.extend(plan.trim.map(|start| Op::LogTrim { log: id, start }));
        let seq = self.submit(ops)?;
        self.stats.replaced_bytes += plan.replaced_bytes;
        let log = self.state.logs.get_mut(&id).ok_or(KernelError::NotFound)?;
        log.shown = plan.shown.min(log.end).max(log.confirmed);
        let reply =
            Reply::Mirrored { end: log.end, confirmed: log.confirmed, replaced_bytes: plan.replaced_bytes };
        self.reply_at(seq, from, reply);
        Ok(())
    }
}

/// The stored batch that holds `at`, or the next one, below the confirmed position. Mostly in memory: a feed
/// shows again only what lies just below its own position.
fn stored(
    store: &dyn ShardStore,
    id: LogId,
    log: &Log,
    at: Offset,
) -> Result<Option<StoredBatch>, KernelError> {
    let chunks = store.read(id, at, log.confirmed, 0, true)?;
    let Some(chunk) = chunks.first() else { return Ok(None) };
    let bytes = match chunk {
        Chunk::Hot(bytes) => bytes.clone(),
        Chunk::Cold(cold) => cold.source.read(cold.position, cold.len)?,
    };
    let header = BatchHeader::decode(&bytes).map_err(|error| KernelError::Damaged(error.to_string()))?;
    Ok(Some(StoredBatch {
        base_offset: header.base_offset,
        end_offset: header.end_offset(),
        fingerprint: fingerprint(&header, &bytes),
    }))
}
