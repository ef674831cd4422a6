//! The checks themselves, over what was collected.

use std::collections::{BTreeMap, BTreeSet};

use super::collect::{History, Log, LogName, Producer, Step};
use super::{Kind, Report};

/// Applies every check.
pub(super) fn judge(history: &History) -> Report {
    let mut report = Report {
        acknowledged: history.acknowledged,
        unconfirmed: history.unconfirmed,
        delivered: u64::try_from(history.read_values.len()).unwrap_or(u64::MAX),
        reads: history.reads,
        redelivered: history.redelivered,
        failed: history.failed,
        client_errors: history.client_errors,
        client_error_examples: history.client_error_examples.clone(),
        torn_lines: history.torn_lines,
        unfinished: history.unfinished.clone(),
        ack_ms_max: history.ack_ms_max,
        ..Report::default()
    };
    for (name, log) in &history.logs {
        inconsistent_offsets(&mut report, name, log);
        lost_and_unseen(&mut report, history, name, log);
        skipped_by_group(&mut report, history, name, log);
        order_of_sends(&mut report, history, name, log);
    }
    for value in history.acked_somewhere.difference(&history.read_values) {
        if must_be_read(history, value) {
            report.add(Kind::Unseen, || format!("{value} was acknowledged without an offset"));
        }
    }
    duplicates(&mut report, history);
    polls(&mut report, history);
    aborted_reads(&mut report, history);
    phantoms(&mut report, history);
    report
}

fn must_be_read(history: &History, value: &str) -> bool {
    !history.aborted.contains(value) && !history.undecided.contains(value)
}

fn inconsistent_offsets(report: &mut Report, name: &LogName, log: &Log) {
    for (offset, values) in log.values.iter().filter(|(_, values)| values.len() > 1) {
        report.add(Kind::InconsistentOffset, || format!("{} at {offset}: {values:?}", shown(name)));
    }
}

fn lost_and_unseen(report: &mut Report, history: &History, name: &LogName, log: &Log) {
    let highest = log.read.values().filter_map(BTreeSet::last).max().copied().unwrap_or(-1);
    for (offset, value) in log.acked.range(log.start..) {
        if history.read_values.contains(value) || !must_be_read(history, value) {
            continue;
        }
        let kind = if *offset <= highest { Kind::Lost } else { Kind::Unseen };
        report.add(kind, || format!("{value}, acknowledged as {} at {offset}", shown(name)));
    }
}

fn skipped_by_group(report: &mut Report, history: &History, name: &LogName, log: &Log) {
    for (group, read) in &log.read {
        let (Some(first), Some(last)) = (read.first(), read.last()) else { continue };
        for (offset, value) in log.acked.range((*first).max(log.start)..=*last) {
            // A value that nobody saw is already reported as lost.
            let seen_by_others = history.read_values.contains(value);
            if !read.contains(offset) && seen_by_others && must_be_read(history, value) {
                report.add(Kind::SkippedByGroup, || {
                    format!("{group} read {} from {first} to {last} without {value} at {offset}", shown(name))
                });
            }
        }
    }
}

fn order_of_sends(report: &mut Report, history: &History, name: &LogName, log: &Log) {
    // Highest sequence number so far of each producer, walking up the log.
    let mut latest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut met: BTreeSet<&str> = BTreeSet::new();
    for (offset, value) in log.values.iter().flat_map(|(o, values)| values.iter().map(move |v| (o, v))) {
        let Some((client, seq)) = split(value) else { continue };
        if !met.insert(value) {
            continue; // a duplicate, reported as such
        }
        let highest = latest.entry(client).or_insert(seq);
        if seq >= *highest {
            *highest = seq;
        } else if history.producers.get(client).is_some_and(|producer| producer.idempotent) {
            let highest = *highest;
            report.add(Kind::NonMonotonicSend, || {
                format!("{} at {offset}: {value} after {client}:{highest:06}", shown(name))
            });
        } else {
            report.reordered_allowed += 1;
        }
    }
}

fn duplicates(report: &mut Report, history: &History) {
    for (value, places) in history.places.iter().filter(|(_, places)| places.len() > 1) {
        let producer = split(value).and_then(|(client, _)| history.producers.get(client));
        if producer.is_some_and(|producer| !producer.idempotent) {
            report.duplicated_allowed += 1;
            continue;
        }
        report.add(Kind::Duplicate, || {
            let places: Vec<_> =
                places.iter().map(|(name, offset)| format!("{} at {offset}", shown(name))).collect();
            format!("{value}: {}", places.join(", "))
        });
    }
}

fn polls(report: &mut Report, history: &History) {
    for step in &history.steps {
        if step.to <= step.from {
            report.add(Kind::NonMonotonicPoll, || described(step));
            continue;
        }
        let Some(log) = history.logs.get(&step.log) else { continue };
        // Control records and compaction leave gaps; only a gap that held a value is a jump.
        let low = step.from.saturating_add(1).max(log.start);
        let jumped = low < step.to
            && log
                .values
                .range(low..step.to)
                .any(|(_, values)| values.iter().any(|value| must_be_read(history, value)));
        if jumped {
            report.add(Kind::SkippedPoll, || described(step));
        }
    }
}

fn described(step: &Step) -> String {
    format!("{} went from {} to {} in {}", step.reader, step.from, step.to, shown(&step.log))
}

fn aborted_reads(report: &mut Report, history: &History) {
    for value in history.refused.intersection(&history.read_values) {
        report.add(Kind::AbortedRead, || format!("{value} was read, its send had failed"));
    }
    for value in history.aborted.intersection(&history.committed_reads) {
        report.add(Kind::AbortedRead, || format!("{value} was read, its transaction was aborted"));
    }
}

fn phantoms(report: &mut Report, history: &History) {
    for value in &history.read_values {
        let Some((client, _)) = value.split_once(':') else { continue };
        let Some(producer) = history.producers.get(client) else { continue };
        let sent = split(value).is_some_and(|(_, seq)| may_have_sent(producer, seq));
        if !sent {
            report.add(Kind::Phantom, || value.clone());
        }
    }
}

fn may_have_sent(producer: &Producer, seq: u64) -> bool {
    producer.ranges.iter().any(|(first, sent)| seq >= *first && sent.is_none_or(|sent| seq - first < sent))
}

/// Producer and sequence number of a value, `None` for a value that is not of the agreed form.
fn split(value: &str) -> Option<(&str, u64)> {
    let (client, seq) = value.split_once(':')?;
    Some((client, seq.parse().ok()?))
}

fn shown(name: &LogName) -> String {
    format!("{}-{}", name.0, name.1)
}
