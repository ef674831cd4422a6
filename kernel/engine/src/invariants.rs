//! What must hold of a shard's state after every step. The simulation checks it each time; nothing else does,
//! since a check looks at everything.

use kernel_model::position::{CursorId, LogId, Offset, Seq, ViewId};

use crate::log::Log;
use crate::log::producers::REMEMBERED;
use crate::state::State;
use crate::view::View;

/// A broken invariant, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// `start <= stable <= high <= confirmed <= end`, and the feed has shown at least what is confirmed.
    #[error("the ends of {0:?} are out of order")]
    Ends(LogId),
    /// A log that the kernel leads has no provisional tail.
    #[error("{0:?} is led and has a tail")]
    LedTail(LogId),
    /// The tail lies between the confirmed position and the end, in order.
    #[error("the tail of {0:?} does not fit")]
    Tail(LogId),
    /// Open transactions are those that the producers have open.
    #[error("open transactions of {0:?} and of its producers differ")]
    Transactions(LogId),
    /// Aborted transactions ascend, end above the start, and end before the confirmed position.
    #[error("the aborted index of {0:?} is out of order")]
    Aborted(LogId),
    /// Epochs and their starts ascend, and none is above the log's.
    #[error("the epochs of {0:?} are out of order")]
    Epochs(LogId),
    /// Spans ascend up to the confirmed position at the most, and their sum is kept.
    #[error("the spans of {0:?} do not fit")]
    Spans(LogId),
    /// A producer's batches are few, follow each other, and lie below the confirmed position.
    #[error("producer {1} of {0:?} is inconsistent")]
    Producer(LogId, i64),
    /// What waits for durability ascends and has not become durable.
    #[error("unreleased positions of {0:?} are out of order")]
    Unreleased(LogId),
    /// A live reference of a view leads to a record that is final, or was once.
    #[error("entry {1} of {0:?} refers to nothing")]
    Reference(ViewId, u64),
    /// A view counts its live entries.
    #[error("{0:?} miscounts")]
    ViewCount(ViewId),
    /// Leased and returned entries are live, apart, and were delivered.
    #[error("deliveries of {0:?} contradict its entries")]
    Deliveries(ViewId),
    /// A cursor reads a view that exists.
    #[error("{0:?} has no view")]
    Cursor(CursorId),
    /// Every timer waits or has fired.
    #[error("a timer is lost")]
    Timers,
    /// Every expiring key is due at some time.
    #[error("an expiry is lost")]
    Expiries,
    /// An outbox queue holds exactly what lies between its positions.
    #[error("an outbox queue has a hole")]
    Outbox,
    /// Commits become durable in order, and what waits for one waits for a later one.
    #[error("the shard's positions are out of order")]
    Positions,
}

/// Checks a state whose commits up to `durable` are durable and up to `submitted` are applied.
pub(crate) fn check(state: &State, submitted: Seq, durable: Seq) -> Vec<Violation> {
    let mut found = Vec::new();
    for (&id, log) in &state.logs {
        check_log(id, log, submitted, durable, &mut found);
    }
    for (&id, view) in &state.views {
        check_view(state, id, view, &mut found);
    }
    for (&id, cursor) in &state.cursors {
        claim(state.views.contains_key(&cursor.view), Violation::Cursor(id), &mut found);
    }
    claim(state.timers.is_consistent(), Violation::Timers, &mut found);
    claim(state.expiries.is_consistent(), Violation::Expiries, &mut found);
    let whole = state.outbox.queues.values().all(|queue| {
        queue.trimmed + queue.entries.len() as u64 == queue.last
            && (queue.trimmed..=queue.last).contains(&queue.applied)
            && queue.entries.iter().is_sorted_by_key(|(seq, _)| *seq)
    });
    claim(whole, Violation::Outbox, &mut found);
    claim(durable <= submitted, Violation::Positions, &mut found);
    found
}

fn claim(holds: bool, violation: Violation, found: &mut Vec<Violation>) {
    if !holds {
        found.push(violation);
    }
}

fn check_log(id: LogId, log: &Log, submitted: Seq, durable: Seq, found: &mut Vec<Violation>) {
    let ends = [log.start, log.stable(), log.high, log.confirmed, log.shown, log.end];
    // A log that the kernel leads is shown by nobody.
    let ordered = if log.is_mirrored() {
        ends.is_sorted()
    } else {
        [log.start, log.stable(), log.high, log.confirmed, log.end].is_sorted()
    };
    claim(ordered, Violation::Ends(id), found);
    claim(
        log.is_mirrored() || (log.tail.is_empty() && log.confirmed == log.end),
        Violation::LedTail(id),
        found,
    );
    claim(tail_fits(log), Violation::Tail(id), found);
    let open = log.producers.by_id.iter().filter_map(|(&id, producer)| Some((producer.open_from?, id)));
    let mut open: Vec<(Offset, i64)> = open.collect();
    open.sort_unstable();
    let kept = log.transactions.open.iter().map(|(&first, &id)| (first, id));
    claim(kept.eq(open), Violation::Transactions(id), found);
    let aborted = &log.transactions.aborted;
    let indexed = aborted.is_sorted_by_key(|entry| entry.aborted.last_offset)
        && aborted.iter().all(|entry| {
            entry.aborted.first_offset < entry.aborted.last_offset
                && (log.start..log.confirmed).contains(&entry.aborted.last_offset)
        });
    claim(indexed, Violation::Aborted(id), found);
    let epochs = &log.epochs.entries;
    let ascending = epochs.iter().zip(epochs.iter().skip(1)).all(|(a, b)| a.0 < b.0 && a.1 < b.1);
    let known = epochs.last().is_none_or(|&(newest, _)| newest <= log.epoch);
    claim(ascending && known, Violation::Epochs(id), found);
    claim(spans_fit(log), Violation::Spans(id), found);
    check_producers(id, log, found);
    let unreleased = log.unreleased.iter().is_sorted()
        && log.unreleased.iter().all(|&(seq, to)| seq > durable && seq <= submitted && to <= log.confirmed);
    claim(unreleased, Violation::Unreleased(id), found);
}

fn tail_fits(log: &Log) -> bool {
    let mut at = log.confirmed;
    for batch in &log.tail {
        if batch.base_offset < at || batch.end_offset <= batch.base_offset {
            return false;
        }
        at = batch.end_offset;
    }
    at <= log.end
}

fn spans_fit(log: &Log) -> bool {
    let spans = &log.spans.spans;
    let sum: u64 = spans.iter().map(|span| span.bytes).sum();
    let last = spans.back().is_none_or(|span| span.end <= log.confirmed);
    spans.iter().is_sorted_by_key(|span| span.end) && last && sum == log.spans.bytes()
}

fn check_producers(id: LogId, log: &Log, found: &mut Vec<Violation>) {
    for (&producer_id, producer) in &log.producers.by_id {
        let batches = &producer.batches;
        let follow = batches.iter().zip(batches.iter().skip(1)).all(|(a, b)| a.base_offset < b.base_offset);
        let below = batches.iter().all(|batch| batch.base_offset < log.confirmed);
        let fits = batches.len() <= REMEMBERED && follow && below;
        claim(fits, Violation::Producer(id, producer_id), found);
    }
}

fn check_view(state: &State, id: ViewId, view: &View, found: &mut Vec<Violation>) {
    let mut live = 0;
    for (entry, reference) in view.live_from(0) {
        live += 1;
        let log = state.logs.get(&reference.log);
        let final_record = log.is_none_or(|log| reference.offset < log.confirmed);
        claim(final_record, Violation::Reference(id, entry), found);
    }
    claim(live == view.live && view.is_within_bounds(), Violation::ViewCount(id), found);
    let held = &view.deliveries;
    let leased = held.leased.iter().all(|(entry, lease)| {
        *entry < held.fresh
            && view.is_live(*entry)
            && state.cursors.get(&lease.cursor).is_some_and(|cursor| cursor.view == id)
    });
    let returned = held
        .returned
        .iter()
        .all(|entry| *entry < held.fresh && view.is_live(*entry) && !held.leased.contains_key(entry));
    let counted = held.counts.keys().all(|entry| *entry < held.fresh && view.is_live(*entry));
    let known = view.live_from(0).take_while(|&(entry, _)| entry < held.fresh);
    let mut known = known.map(|(entry, _)| entry);
    let none_lost = known.all(|entry| held.leased.contains_key(&entry) || held.returned.contains(&entry));
    let fits = leased && returned && counted && none_lost && held.fresh <= view.next;
    claim(fits && held.is_consistent(), Violation::Deliveries(id), found);
}

#[cfg(test)]
pub(crate) mod tests;
