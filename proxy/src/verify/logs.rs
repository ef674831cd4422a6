//! One partition: its batches on both sides.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use kernel_model::batch::{BATCH_HEADER_LEN, split};
use kernel_model::reply::{Chunk, LogInfo};
use kernel_model::request::ReadLimit;
use kernel_model::{LogId, Offset, Reply, Request};
use shadow::{Comparison, Difference, Print, Side};
use translator_kafka::epochs::patch_batches;

use super::legacy::Legacy;
use super::plan::{LogPlan, Plan};
use super::report::{FINDINGS_MAX, Finding, LogReport, Scope};
use super::{Pace, Progress, VerifyError};
use crate::ledger::{Digest, DivergenceKind, Explanation, Primary, Sample};

/// Most bytes that the kernel is asked for at once.
const READ_BYTES: usize = 4 << 20;
/// How often a partition is begun again that changes while it is read (its start, its leader).
const ATTEMPTS: usize = 3;
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// Compares one partition.
pub(super) async fn compare(
    plan: &Plan,
    legacy: &mut Legacy<'_>,
    log: &LogPlan,
    pace: &mut Pace,
    progress: &Arc<Progress>,
) -> (LogReport, Vec<Finding>) {
    let unit = log.unit.to_string();
    let Some(id) = log.log else {
        let skipped = Some("the kernel has no copy yet".to_owned());
        return (LogReport { unit, skipped, ..LogReport::default() }, Vec::new());
    };
    let mut why = String::new();
    for _ in 0..ATTEMPTS {
        match once(&mut Reader { plan, legacy, log, id, pace, progress }).await {
            Ok(found) => return found,
            Err(error) => why = error.to_string(),
        }
    }
    (LogReport { unit, error: Some(why), ..LogReport::default() }, Vec::new())
}

struct Reader<'a, 'b> {
    plan: &'a Plan,
    legacy: &'a mut Legacy<'b>,
    log: &'a LogPlan,
    id: LogId,
    pace: &'a mut Pace,
    progress: &'a Progress,
}

async fn once(reader: &mut Reader<'_, '_>) -> Result<(LogReport, Vec<Finding>), VerifyError> {
    let log = reader.log;
    let (legacy, kernel) = reader.ends().await?;
    let mut findings = ends_differ(log, legacy, kernel);
    let from = reader.plan.options.from.max(legacy.start).max(kernel.start);
    let end = legacy.end.min(kernel.end).max(from);
    let compacted = reader.is_compacted();
    let marks = if compacted { &[][..] } else { &log.marks };
    let mut comparison = Comparison::new(from, end, marks);
    while let Some((side, at)) = comparison.wants() {
        let bytes = reader.read(side, at).await?;
        let mut rest = bytes.clone();
        let batches = split(&mut rest)
            .map_err(|error| VerifyError::Legacy(format!("{side:?} at {at}: a damaged batch: {error}")))?;
        comparison.take(side, batches.iter().map(|batch| Print::of(batch.header())));
        let offsets = comparison.found().reached.saturating_sub(at);
        reader.progress.offsets.fetch_add(offsets, Ordering::Relaxed);
    }
    let found = comparison.found();
    for difference in found.differences.iter().take(FINDINGS_MAX) {
        findings.push(reader.finding(difference, compacted).await);
    }
    if found.differing > FINDINGS_MAX as u64 {
        let detail = format!("{} batches differ; the first are written down one by one", found.differing);
        let mut more = Finding::new(&log.unit, DivergenceKind::Content, found.from, &detail);
        more.explained_by = compacted.then_some(Explanation::Compacted);
        findings.push(more);
    }
    reader.progress.differing.fetch_add(found.differing, Ordering::Relaxed);
    let report = LogReport {
        unit: log.unit.to_string(),
        legacy,
        kernel,
        from: found.from,
        compared_to: found.reached,
        batches_equal: found.equal,
        control_batches: found.control,
        legacy_records: found.records.0,
        kernel_records: found.records.1,
        legacy_chain: Digest(found.chains.0),
        kernel_chain: Digest(found.chains.1),
        marks_held: found.marks_held,
        differing: found.differing,
        skipped: None,
        error: None,
    };
    Ok((report, findings))
}

/// What the ends alone tell.
fn ends_differ(log: &LogPlan, legacy: Scope, kernel: Scope) -> Vec<Finding> {
    let mut findings = Vec::new();
    if legacy.start != kernel.start {
        let detail = format!("legacy begins at {}, the kernel at {}", legacy.start, kernel.start);
        let finding = Finding::new(&log.unit, DivergenceKind::Ends, legacy.start, &detail);
        // A copy that lacks what legacy still serves is a loss; anything else is the other side's own retention.
        let lacking = log.primary == Primary::Legacy && kernel.start > legacy.start;
        findings.push(if lacking { finding } else { finding.explained(Explanation::RemovedOnOneSide) });
    }
    // The side that follows was asked first: it cannot be ahead of the other one.
    let (ahead, divergence) = match log.primary {
        Primary::Legacy => (kernel.end > legacy.end, DivergenceKind::Ends),
        Primary::Kernel => (legacy.end > kernel.end, DivergenceKind::LateWrite),
    };
    if ahead {
        let at = legacy.end.min(kernel.end);
        let detail = format!(
            "{} is primary, and yet legacy ends at {} and the kernel at {}",
            log.primary, legacy.end, kernel.end
        );
        findings.push(Finding::new(&log.unit, divergence, at, &detail));
    }
    findings
}

impl Reader<'_, '_> {
    /// Ends of both sides; the one that follows is asked first.
    async fn ends(&mut self) -> Result<(Scope, Scope), VerifyError> {
        if self.log.primary == Primary::Legacy {
            let kernel = self.describe().await?;
            Ok((self.legacy_ends().await?, kernel))
        } else {
            let legacy = self.legacy_ends().await?;
            Ok((legacy, self.describe().await?))
        }
    }

    async fn legacy_ends(&mut self) -> Result<Scope, VerifyError> {
        let (topic, partition) = (self.log.topic.as_str(), self.log.partition);
        let end = self.legacy.end(topic, partition, LATEST).await?;
        Ok(Scope { start: self.legacy.end(topic, partition, EARLIEST).await?, end })
    }

    async fn describe(&self) -> Result<Scope, VerifyError> {
        let asked = self.plan.shards.ask(self.id.shard(), Request::Describe { log: self.id }).await;
        match asked {
            Ok(Reply::Described(LogInfo { start, durable_end, .. })) => {
                Ok(Scope { start: start.0, end: durable_end.0 })
            }
            Ok(_) => Err(VerifyError::Kernel("another answer than was asked for".to_owned())),
            Err(error) => Err(VerifyError::Kernel(error.to_string())),
        }
    }

    fn is_compacted(&self) -> bool {
        let catalog = self.plan.catalog.load();
        let topic = catalog.topic(&self.log.topic);
        let policy = topic.and_then(|topic| topic.configs.get("cleanup.policy"));
        policy.is_some_and(|policy| policy.contains("compact"))
    }

    /// Whole batches of one side from `at` on, legacy's under the epochs that clients see.
    async fn read(&mut self, side: Side, at: u64) -> Result<Bytes, VerifyError> {
        let bytes = match side {
            Side::Legacy => {
                let bytes = self.legacy.fetch(&self.log.topic, self.log.partition, at).await?;
                self.pace.spent(u64::try_from(bytes.len()).unwrap_or(u64::MAX)).await;
                let mut patched = BytesMut::from(bytes);
                patch_batches(&self.log.epochs, &mut patched);
                patched.freeze()
            }
            Side::Kernel => self.read_kernel(at).await?,
        };
        let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.progress.bytes.fetch_add(read, Ordering::Relaxed);
        Ok(bytes)
    }

    async fn read_kernel(&self, at: u64) -> Result<Bytes, VerifyError> {
        let request = Request::Read {
            log: self.id,
            from: Offset(at),
            bytes_max: READ_BYTES,
            at_least_one: true,
            limit: ReadLimit::Durable,
            epoch: None,
        };
        let failed = |error: kernel_model::KernelError| VerifyError::Kernel(error.to_string());
        let Reply::Records(records) = self.plan.shards.ask(self.id.shard(), request).await.map_err(failed)?
        else {
            return Err(VerifyError::Kernel("another answer than was asked for".to_owned()));
        };
        let read = tokio::task::spawn_blocking(move || {
            let mut whole = BytesMut::new();
            for chunk in &records.chunks {
                match chunk {
                    Chunk::Hot(bytes) => whole.extend_from_slice(bytes),
                    Chunk::Cold(cold) => whole.extend_from_slice(&cold.source.read(cold.position, cold.len)?),
                }
            }
            Ok(whole.freeze())
        });
        let lost = |error: tokio::task::JoinError| VerifyError::Kernel(error.to_string());
        read.await.map_err(lost)?.map_err(failed)
    }

    /// A difference with the header of the batch in question; no record's content leaves its side.
    async fn finding(&mut self, difference: &Difference, compacted: bool) -> Finding {
        let at = difference.offset();
        let late = self.log.primary == Primary::Kernel && self.log.cut.is_some_and(|cut| at >= cut);
        let divergence = if late { DivergenceKind::LateWrite } else { DivergenceKind::Content };
        let side = if matches!(difference, Difference::OnlyKernel(_)) { Side::Kernel } else { Side::Legacy };
        let bytes = self.read(side, at).await.unwrap_or_default();
        let header = bytes.get(..BATCH_HEADER_LEN).unwrap_or_default();
        Finding {
            unit: self.log.unit.clone(),
            divergence,
            sample: Sample::new(at, &difference.to_string(), header),
            explained_by: compacted.then_some(Explanation::Compacted),
        }
    }
}
