//! One group: what it has committed, on both sides.

use std::collections::BTreeSet;
use std::time::Duration;

use kernel_model::{Reply, Request};
use translator_kafka::coordinator::group::transfer::{Transfer, TransferReply};
use translator_kafka::placement::{GROUPS, group_shard};

use super::VerifyError;
use super::legacy::{Legacy, Offsets};
use super::plan::{GroupPlan, Plan};
use super::report::{Finding, GroupReport};
use crate::ledger::{DivergenceKind, Explanation, Primary};

/// Offsets move while they are read, and the kernel follows a moment later: what differs is asked for again.
const ATTEMPTS: usize = 6;
const AGAIN: Duration = Duration::from_millis(400);
/// Differences that are written down one by one.
const FINDINGS_MAX: usize = 4;

/// Compares one group.
pub(super) async fn compare(
    plan: &Plan,
    legacy: &mut Legacy<'_>,
    group: &GroupPlan,
) -> (GroupReport, Vec<Finding>) {
    match once(plan, legacy, group).await {
        Ok(found) => found,
        Err(error) => {
            let (unit, error) = (group.unit.to_string(), Some(error.to_string()));
            (GroupReport { unit, error, ..GroupReport::default() }, Vec::new())
        }
    }
}

async fn once(
    plan: &Plan,
    legacy: &mut Legacy<'_>,
    group: &GroupPlan,
) -> Result<(GroupReport, Vec<Finding>), VerifyError> {
    let mut report = GroupReport { unit: group.unit.to_string(), ..GroupReport::default() };
    let mut noisy: BTreeSet<(String, i32)> = BTreeSet::new();
    let mut open: Option<BTreeSet<(String, i32)>> = None;
    let mut last = (Offsets::new(), Offsets::new());
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(AGAIN).await;
        }
        // Legacy twice, the kernel between: what legacy itself answers differently is no difference of ours.
        let first = legacy.offsets(&group.group).await?;
        let Some(kernel) = exported(plan, &group.group).await? else {
            report.skipped = Some("the kernel does not follow it yet".to_owned());
            return Ok((report, Vec::new()));
        };
        let second = legacy.offsets(&group.group).await?;
        let keys: BTreeSet<(String, i32)> =
            first.keys().chain(kernel.keys()).chain(second.keys()).cloned().collect();
        report.offsets = u64::try_from(keys.len()).unwrap_or(u64::MAX);
        noisy.extend(keys.iter().filter(|key| first.get(*key) != second.get(*key)).cloned());
        let differing = keys.into_iter().filter(|key| {
            let held = kernel.get(key);
            held != first.get(key) && held != second.get(key)
        });
        // An offset that was equal once is followed: it only moves faster than both can be read.
        let differing: BTreeSet<(String, i32)> = differing.collect();
        let still = match open.take() {
            Some(before) => before.intersection(&differing).cloned().collect(),
            None => differing,
        };
        last = (second, kernel);
        let done = still.is_empty() || group.primary == Primary::Kernel;
        open = Some(still);
        if done {
            break;
        }
    }
    report.noise = u64::try_from(noisy.len()).unwrap_or(u64::MAX);
    let open = open.unwrap_or_default();
    let findings = findings(group, &open, &last);
    if group.primary == Primary::Legacy {
        report.differing = u64::try_from(open.len()).unwrap_or(u64::MAX);
    }
    Ok((report, findings))
}

fn findings(group: &GroupPlan, open: &BTreeSet<(String, i32)>, last: &(Offsets, Offsets)) -> Vec<Finding> {
    let shown =
        |offsets: &Offsets, key| offsets.get(key).map_or("nothing".to_owned(), |(at, _)| at.to_string());
    let found = open.iter().take(FINDINGS_MAX).map(|key| {
        let (topic, partition) = key;
        let detail = format!(
            "{topic}/{partition}: legacy holds {}, the kernel {}",
            shown(&last.0, key),
            shown(&last.1, key)
        );
        let position = last.0.get(key).map_or(0, |(offset, _)| u64::try_from(*offset).unwrap_or(0));
        let finding = Finding::new(&group.unit, DivergenceKind::Offsets, position, &detail);
        match group.primary {
            Primary::Legacy => finding,
            Primary::Kernel => finding.explained(Explanation::GroupOffsetsStay),
        }
    });
    // One says enough where all have the same reason.
    let most = if group.primary == Primary::Kernel { 1 } else { FINDINGS_MAX };
    found.take(most).collect()
}

/// What the kernel has of a group.
async fn exported(plan: &Plan, group: &str) -> Result<Option<Offsets>, VerifyError> {
    let shards = u16::try_from(plan.shards.count()).unwrap_or(u16::MAX);
    let message = Transfer::Export { group: group.into() }.encode();
    let asked = plan.shards.ask(group_shard(group, shards), Request::Coordinate { kind: GROUPS, message });
    let failed = |error: String| VerifyError::Kernel(error);
    let Reply::Coordinated(bytes) = asked.await.map_err(|error| failed(error.to_string()))? else {
        return Err(failed("another answer than was asked for".to_owned()));
    };
    let reply = TransferReply::decode(bytes).map_err(|error| failed(error.to_string()))?;
    let TransferReply::Exported(held) = reply else {
        return Err(failed(format!("the group's coordinator answered {reply:?}")));
    };
    Ok(held.map(|(snapshot, _)| {
        let rows = snapshot.offsets.iter().map(|(key, committed)| {
            let key = (key.topic.as_str().to_owned(), key.partition);
            (key, (committed.offset, committed.metadata.as_str().to_owned()))
        });
        rows.collect()
    }))
}
