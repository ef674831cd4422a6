//! One partition: its batches on both sides.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use kernel_model::batch::{BATCH_HEADER_LEN, split};
use kernel_model::reply::{Chunk, LogInfo};
use kernel_model::request::ReadLimit;
use kernel_model::{LogId, Offset, Reply, Request, VerifiedBatch};
use shadow::{Comparison, Difference, KeyComparison, KeysFound, Print, Side};
use translator_kafka::epochs::patch_batches;

use super::legacy::Legacy;
use super::plan::{LogPlan, Plan};
use super::report::{FINDINGS_MAX, Finding, KeysReport, LogReport, Scope};
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
    for attempt in 1..=ATTEMPTS {
        match once(&mut Reader { plan, legacy, log, id, pace, progress }).await {
            // The side that compacts may have done so between two reads. What differs for good differs again.
            Ok((report, _))
                if attempt < ATTEMPTS && report.keys.as_ref().is_some_and(|keys| keys.differing > 0) => {}
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
    let mut keys = compacted.then(|| reader.keys(from, end));
    while let Some((side, at)) = comparison.wants() {
        let batches = reader.batches(side, at).await?;
        comparison.take(side, batches.iter().map(Print::of));
        if let Some(known) = keys.take() {
            keys = Some(
                with_keys(known, move |keys| batches.iter().for_each(|batch| keys.take(side, batch))).await?,
            );
        }
        let offsets = comparison.found().reached.saturating_sub(at);
        reader.progress.offsets.fetch_add(offsets, Ordering::Relaxed);
    }
    let found = comparison.found();
    let keys = match keys {
        Some(keys) => Some(reader.settle(keys, end).await?.found()),
        None => None,
    };
    findings.extend(keys.iter().flat_map(|keys| keys_differ(log, keys)));
    // Batches may differ as they like where the newest record of every key is the same.
    let explained = keys.as_ref().is_some_and(KeysFound::is_clean).then_some(Explanation::Compacted);
    for difference in found.differences.iter().take(FINDINGS_MAX) {
        findings.push(reader.finding(difference, explained).await);
    }
    if found.differing > FINDINGS_MAX as u64 {
        let detail = format!("{} batches differ; the first are written down one by one", found.differing);
        let mut more = Finding::new(&log.unit, DivergenceKind::Content, found.from, &detail);
        more.explained_by = explained;
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
        keys: keys.map(|keys| KeysReport::of(&keys, found.differs_to)),
        skipped: None,
        error: None,
    };
    Ok((report, findings))
}

/// Works on the comparison of keys on a thread that may take its time: batches are inflated.
async fn with_keys(
    mut keys: KeyComparison,
    work: impl FnOnce(&mut KeyComparison) + Send + 'static,
) -> Result<KeyComparison, VerifyError> {
    let worked = tokio::task::spawn_blocking(move || {
        work(&mut keys);
        keys
    });
    worked.await.map_err(|error| VerifyError::Kernel(error.to_string()))
}

/// What compaction does not explain: newest records that are not the same.
fn keys_differ(log: &LogPlan, keys: &KeysFound) -> Vec<Finding> {
    let finding = |at, detail: &str| Finding::new(&log.unit, DivergenceKind::Content, at, detail);
    let first = keys.differences.iter().take(FINDINGS_MAX);
    let mut findings: Vec<Finding> =
        first.map(|difference| finding(difference.offset, &difference.detail)).collect();
    if keys.differing > findings.len() as u64 {
        let detail = format!(
            "the newest record of {} keys differs; the first are written down one by one",
            keys.differing
        );
        findings.push(finding(0, &detail));
    }
    if keys.unreadable > 0 {
        let detail = format!(
            "{} batches of a compacted topic cannot be read, so their keys are not compared",
            keys.unreadable
        );
        findings.push(finding(0, &detail));
    }
    findings
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

    /// A comparison of keys. A kernel that has led for longer than deletions stay may have forgotten some.
    fn keys(&self, from: u64, end: u64) -> KeyComparison {
        let mut keys = KeyComparison::new(from, end);
        let catalog = self.plan.catalog.load();
        let compaction = catalog.topic(&self.log.topic).and_then(|topic| topic.settings.compaction);
        let stay_ms = compaction.map_or(u64::MAX, |how| how.deletes_stay_ms);
        let now_ms = self.plan.clock.now().wall_ms;
        let led_ms =
            self.log.moved_ms.and_then(|moved_ms| u64::try_from(now_ms.saturating_sub(moved_ms)).ok());
        if self.log.primary == Primary::Kernel && led_ms.is_some_and(|led_ms| led_ms >= stay_ms) {
            keys.kernel_forgets();
        }
        keys
    }

    /// Where keys differ, reads both sides on from `end`: what was written there supersedes.
    async fn settle(&mut self, mut keys: KeyComparison, end: u64) -> Result<KeyComparison, VerifyError> {
        if !keys.is_unsettled() {
            return Ok(keys);
        }
        let (legacy, kernel) = self.ends().await?;
        for (side, to) in [(Side::Legacy, legacy.end), (Side::Kernel, kernel.end)] {
            let mut at = end;
            while at < to {
                let batches = self.batches(side, at).await?;
                let Some(last) = batches.last() else { break };
                at = last.header().end_offset().0.max(at + 1);
                keys = with_keys(keys, move |keys| {
                    batches.iter().for_each(|batch| keys.take_later(side, batch))
                })
                .await?;
            }
        }
        Ok(keys)
    }

    async fn batches(&mut self, side: Side, at: u64) -> Result<Vec<VerifiedBatch>, VerifyError> {
        let mut bytes = self.read(side, at).await?;
        split(&mut bytes)
            .map_err(|error| VerifyError::Legacy(format!("{side:?} at {at}: a damaged batch: {error}")))
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
    async fn finding(&mut self, difference: &Difference, explained_by: Option<Explanation>) -> Finding {
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
            explained_by,
        }
    }
}
