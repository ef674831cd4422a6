//! What a mirror request means for a log: judged here, without changing anything.
//!
//! The feed is the authority. Below the confirmed position what it shows must be what is stored; in the
//! provisional tail it replaces what differs. Bytes that were brought ahead of the feed become final only
//! when the feed shows the same.

use kernel_model::VerifiedBatch;
use kernel_model::error::KernelError;
use kernel_model::position::Offset;

use super::meta::BatchMeta;
use super::{Log, OFFSET_MAX};

/// What is stored at a position below the confirmed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredBatch {
    pub(crate) base_offset: Offset,
    pub(crate) end_offset: Offset,
    pub(crate) fingerprint: u32,
}

/// Looks up the stored batch that holds an offset, or the next one after it.
pub(crate) type Stored<'a> = dyn Fn(Offset) -> Result<Option<StoredBatch>, KernelError> + 'a;

/// What the feed states.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Statement {
    pub(crate) from: Option<Offset>,
    pub(crate) confirm: Option<Offset>,
    pub(crate) start: Option<Offset>,
}

/// What has to be done, in this order.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Drop the tail and begin anew here: the source begins past the log's end.
    pub(crate) restart: Option<Offset>,
    /// Drop the tail from here on.
    pub(crate) truncate: Option<Offset>,
    pub(crate) append: Vec<VerifiedBatch>,
    pub(crate) confirm: Option<Offset>,
    pub(crate) trim: Option<Offset>,
    /// Up to here the feed has shown the source.
    pub(crate) shown: Offset,
    /// Provisional bytes that are dropped because the feed shows something else.
    pub(crate) replaced_bytes: u64,
}

/// Where the log stands while a request is judged.
struct Ends {
    confirmed: Offset,
    shown: Offset,
}

/// Judges what the feed brought.
///
/// # Errors
///
/// - `MirrorGap`: the request does not continue what the feed has shown.
/// - `MirrorConflict`: final bytes differ.
/// - `Invalid`: batches overlap or go backwards.
pub(crate) fn plan_feed(
    log: &Log,
    batches: Vec<VerifiedBatch>,
    statement: Statement,
    stored: &Stored<'_>,
) -> Result<Plan, KernelError> {
    ascending(&batches)?;
    if statement.start.is_some_and(|start| start > OFFSET_MAX) {
        return Err(KernelError::Invalid("an offset beyond what a batch can carry"));
    }
    // A source may start inside a batch. Such a batch is held whole, and the log trimmed to the start afterwards.
    let base = batches.first().map(|batch| batch.header().base_offset);
    let begin = |start: Offset| base.map_or(start, |base| base.min(start));
    let restart = statement.start.map(begin).filter(|&start| start > log.end);
    let ends = match restart {
        Some(start) => Ends { confirmed: start, shown: start },
        None => Ends { confirmed: log.confirmed, shown: log.shown },
    };
    // A read from inside a batch brings the whole batch.
    let from = statement.from.into_iter().chain(base).min().unwrap_or(ends.shown);
    if from > ends.shown {
        return Err(KernelError::MirrorGap { end: ends.shown });
    }
    // A feed that goes back has a reason (its source was truncated): what it showed beyond counts no more.
    let shown = from.max(ends.confirmed);
    let mut plan = Plan { restart, shown, ..Plan::default() };
    if restart.is_some() {
        plan.replaced_bytes = log.tail.iter().map(|batch| batch.size).sum();
    }
    let new = merge(log, batches, from, &ends, stored, &mut plan)?;
    plan.append = new;
    settle(log, &ends, statement, &mut plan);
    Ok(plan)
}

/// Compares each batch with what is stored. Answers those to append: what is new, and everything from the
/// first difference in the tail on.
fn merge(
    log: &Log,
    batches: Vec<VerifiedBatch>,
    from: Offset,
    ends: &Ends,
    stored: &Stored<'_>,
    plan: &mut Plan,
) -> Result<Vec<VerifiedBatch>, KernelError> {
    let first_shown = from.max(ends.confirmed);
    let restarted = plan.restart.is_some();
    let mut tail = log.tail.iter().filter(|held| !restarted && held.end_offset > first_shown).peekable();
    let mut append: Vec<VerifiedBatch> = Vec::new();
    for batch in batches {
        let shown = BatchMeta::of(batch.header(), batch.bytes());
        if shown.base_offset < ends.confirmed {
            compare_final(log, &shown, ends.confirmed, stored)?;
        } else if append.is_empty() && tail.next_if(|held| identical(held, &shown)).is_some() {
            plan.shown = plan.shown.max(shown.end_offset);
        } else {
            if append.is_empty() && !restarted {
                // What differs may also be a gap: here, where the tail has a batch, or the other way round.
                let held = tail.peek().map_or(shown.base_offset, |held| held.base_offset);
                plan.truncate = Some(held.min(shown.base_offset)).filter(|&cut| cut < log.end);
            }
            plan.shown = shown.end_offset;
            append.push(batch);
        }
    }
    if let Some(cut) = plan.truncate {
        if cut < from {
            // The difference reaches back before what was read: what lies between would become a hole.
            return Err(KernelError::MirrorGap { end: cut });
        }
        let shown: Vec<BatchMeta> =
            append.iter().map(|batch| BatchMeta::of(batch.header(), batch.bytes())).collect();
        // What lies behind all that was shown is dropped too, but nothing contradicts it: it will be shown again.
        let dropped = log.tail.iter().filter(|held| (cut..plan.shown).contains(&held.base_offset));
        let other = dropped.filter(|held| !shown.iter().any(|shown| same(held, shown)));
        plan.replaced_bytes += other.map(|held| held.size).sum::<u64>();
    }
    Ok(append)
}

/// How far the request confirms and trims, once its batches are in.
fn settle(log: &Log, ends: &Ends, statement: Statement, plan: &mut Plan) {
    let kept_below = plan.truncate.unwrap_or(Offset(u64::MAX));
    let kept = log.tail.iter().filter(|held| plan.restart.is_none() && held.base_offset < kept_below);
    let appended = plan.append.iter().map(|batch| (batch.header().base_offset, batch.header().end_offset()));
    let mut confirmed = statement.confirm.map_or(ends.confirmed, |to| to.min(plan.shown));
    // Never into a batch.
    let mut batches = kept.map(|held| (held.base_offset, held.end_offset)).chain(appended);
    if let Some((base, _)) = batches.find(|&(_, end)| end > confirmed) {
        confirmed = confirmed.min(base);
    }
    let confirmed = confirmed.max(ends.confirmed);
    plan.confirm = (confirmed > ends.confirmed).then_some(confirmed);
    let trim = statement.start.map(|start| start.min(confirmed));
    plan.trim = trim.filter(|&to| to > plan.restart.unwrap_or(log.start));
}

/// Judges bytes that were brought ahead of the feed. `Ok(None)`: they lie past the end, and wait.
///
/// # Errors
///
/// - `MirrorConflict`: something else is stored there.
/// - `Invalid`: batches overlap or go backwards.
pub(crate) fn plan_ahead(
    log: &Log,
    batches: &[VerifiedBatch],
    stored: &Stored<'_>,
) -> Result<Option<Plan>, KernelError> {
    ascending(batches)?;
    // A hole inside the request could never close: it would wait for itself.
    let mut pairs = batches.iter().zip(batches.iter().skip(1));
    if pairs.any(|(a, b)| b.header().base_offset != a.header().end_offset()) {
        return Err(KernelError::Invalid("batches brought ahead must continue each other"));
    }
    let mut end = log.end;
    let mut plan = Plan { shown: log.shown, ..Plan::default() };
    for batch in batches {
        let brought = BatchMeta::of(batch.header(), batch.bytes());
        if brought.base_offset > end {
            return Ok(None);
        }
        if brought.base_offset == end {
            end = brought.end_offset;
            plan.append.push(batch.clone());
        } else if brought.base_offset < log.confirmed {
            compare_final(log, &brought, log.confirmed, stored)?;
        } else if !log.tail.iter().any(|held| same(held, &brought)) {
            return Err(KernelError::MirrorConflict { at: brought.base_offset });
        }
    }
    Ok(Some(plan))
}

fn ascending(batches: &[VerifiedBatch]) -> Result<(), KernelError> {
    let mut pairs = batches.iter().zip(batches.iter().skip(1));
    if pairs.any(|(a, b)| b.header().base_offset < a.header().end_offset()) {
        return Err(KernelError::Invalid("mirrored batches must ascend"));
    }
    if batches.iter().any(|batch| batch.header().end_offset() > OFFSET_MAX) {
        return Err(KernelError::Invalid("an offset beyond what a batch can carry"));
    }
    Ok(())
}

/// The same records at the same place. The leader epoch lies before the checksummed part: who brings a batch ahead
/// may name an older one than the leader then wrote.
fn same(held: &BatchMeta, shown: &BatchMeta) -> bool {
    held.base_offset == shown.base_offset
        && held.end_offset == shown.end_offset
        && held.fingerprint() == shown.fingerprint()
}

/// The same bytes, leader epoch included.
fn identical(held: &BatchMeta, shown: &BatchMeta) -> bool {
    same(held, shown) && held.crc == shown.crc && held.epoch == shown.epoch
}

fn compare_final(
    log: &Log,
    shown: &BatchMeta,
    confirmed: Offset,
    stored: &Stored<'_>,
) -> Result<(), KernelError> {
    if shown.end_offset <= log.start {
        return Ok(());
    }
    let held = if shown.end_offset <= confirmed { stored(shown.base_offset.max(log.start))? } else { None };
    let equal = held.is_some_and(|held| {
        held.base_offset == shown.base_offset
            && held.end_offset == shown.end_offset
            && held.fingerprint == shown.fingerprint()
    });
    if equal { Ok(()) } else { Err(KernelError::MirrorConflict { at: shown.base_offset }) }
}
