//! Gathers the lines of all files into what the checks ask for. Judges nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::line::{Ack, Done, Line, Outcome, Read, Rebalance, Role, Start};
use super::{EXAMPLES_MAX, HistoryError};

/// Topic and partition.
pub(super) type LogName = (String, i32);

/// Everything that was said about one partition.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Values seen at an offset, by acknowledgements and reads together: one, if all is well.
    pub(super) values: BTreeMap<i64, BTreeSet<String>>,
    /// Acknowledged values by offset.
    pub(super) acked: BTreeMap<i64, String>,
    /// Offsets each group has read. A reader without a group is a group of its own.
    pub(super) read: BTreeMap<String, BTreeSet<i64>>,
    /// Log start as far as record deletion told.
    pub(super) start: i64,
}

/// Everything that was said about one producer.
#[derive(Debug, Default)]
pub(super) struct Producer {
    pub(super) idempotent: bool,
    /// Sequence numbers that it sent: first, and how many where it lived to tell.
    pub(super) ranges: Vec<(u64, Option<u64>)>,
}

/// A step of one reader within one stay of a partition that the checks must look at.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) log: LogName,
    pub(super) reader: String,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// All files together.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) logs: BTreeMap<LogName, Log>,
    pub(super) producers: BTreeMap<String, Producer>,
    /// Where each value was seen.
    pub(super) places: BTreeMap<String, BTreeSet<(LogName, i64)>>,
    pub(super) read_values: BTreeSet<String>,
    /// Values read by readers that must not see aborted transactions.
    pub(super) committed_reads: BTreeSet<String>,
    /// Acknowledged values whose offset the client was not told.
    pub(super) acked_somewhere: BTreeSet<String>,
    /// Values that surely were not written.
    pub(super) refused: BTreeSet<String>,
    /// Values of aborted transactions, and of those whose end nobody knows.
    pub(super) aborted: BTreeSet<String>,
    pub(super) undecided: BTreeSet<String>,
    /// Steps that did not go to the next offset.
    pub(super) steps: Vec<Step>,
    pub(super) acknowledged: u64,
    pub(super) unconfirmed: u64,
    pub(super) reads: u64,
    pub(super) redelivered: u64,
    pub(super) failed: u64,
    pub(super) client_errors: u64,
    pub(super) client_error_examples: Vec<String>,
    pub(super) torn_lines: u64,
    pub(super) unfinished: Vec<String>,
    pub(super) ack_ms_max: u64,
}

/// What lives only as long as one file: one run of one client (or a few, one after the other).
#[derive(Debug, Default)]
struct Run {
    file: String,
    without_acks: bool,
    read_committed: bool,
    open: Option<String>,
    /// Last offset of each reader and partition since its partitions last changed.
    at: BTreeMap<(String, LogName), i64>,
    /// Values of each transaction that has not ended.
    txns: BTreeMap<(String, u64), Vec<String>>,
}

impl History {
    /// Adds one file.
    pub(super) fn read_file(&mut self, path: &Path) -> Result<(), HistoryError> {
        let unreadable = |source| HistoryError::Read { path: path.to_owned(), source };
        let mut input = BufReader::new(File::open(path).map_err(unreadable)?);
        let mut run = Run { file: path.display().to_string(), ..Run::default() };
        let mut text = Vec::new();
        let mut number = 0;
        loop {
            text.clear();
            if input.read_until(b'\n', &mut text).map_err(unreadable)? == 0 {
                break;
            }
            number += 1;
            if text.last() != Some(&b'\n') {
                self.torn_lines += 1;
                break;
            }
            let line = serde_json::from_slice(&text).map_err(|source| HistoryError::Line {
                path: path.to_owned(),
                number,
                source,
            })?;
            self.take(&mut run, line);
        }
        self.end_run(run);
        Ok(())
    }

    fn take(&mut self, run: &mut Run, line: Line) {
        match line {
            Line::Start(start) => self.start(run, start),
            Line::Ack(ack) => self.ack(run, ack),
            Line::Fail(fail) => {
                self.failed += 1;
                if fail.definite {
                    self.refused.insert(fail.value);
                }
            }
            Line::Txn(txn) => {
                let values = run.txns.remove(&(txn.client, txn.txn)).unwrap_or_default();
                match txn.outcome {
                    Outcome::Commit => {}
                    Outcome::Abort => self.aborted.extend(values),
                    Outcome::Unknown => self.undecided.extend(values),
                }
            }
            Line::Read(read) => self.read(run, read),
            Line::Rebalance(change) => forget(run, &change),
            Line::Error(complaint) => {
                self.client_errors += 1;
                if self.client_error_examples.len() < EXAMPLES_MAX {
                    self.client_error_examples.push(complaint.error);
                }
            }
            Line::Result(answer) => {
                if let (Some(partition), Some(start)) = (answer.partition, answer.low_watermark) {
                    let log = self.logs.entry((answer.topic, partition)).or_default();
                    log.start = log.start.max(start);
                }
            }
            Line::Done(done) => self.done(run, &done),
            Line::Other => {}
        }
    }

    fn start(&mut self, run: &mut Run, start: Start) {
        self.unfinished.extend(run.open.take());
        run.at.clear();
        match start.role {
            Role::Produce => {
                run.without_acks = start.acks == "0";
                run.open = Some(format!("producer {} ({})", start.client, run.file));
                let producer = self.producers.entry(start.client).or_default();
                // One run without the promise is enough for a duplicate: the weakest counts.
                producer.idempotent = start.idempotent && (producer.idempotent || producer.ranges.is_empty());
                producer.ranges.push((start.first, None));
            }
            Role::Consume => {
                run.read_committed = start.isolation == "read_committed";
                run.open = Some(format!("reader {} ({})", start.member, run.file));
            }
        }
    }

    fn done(&mut self, run: &mut Run, done: &Done) {
        run.open = None;
        if done.role == Role::Produce
            && let Some(range) =
                self.producers.get_mut(&done.client).and_then(|producer| producer.ranges.last_mut())
        {
            range.1 = Some(done.sent);
        }
    }

    fn ack(&mut self, run: &mut Run, ack: Ack) {
        self.ack_ms_max = self.ack_ms_max.max(ack.t_ms.saturating_sub(ack.sent_ms));
        if run.without_acks {
            self.unconfirmed += 1;
            return;
        }
        self.acknowledged += 1;
        if let Some(txn) = ack.txn {
            run.txns.entry((ack.client, txn)).or_default().push(ack.value.clone());
        }
        if ack.offset < 0 {
            self.acked_somewhere.insert(ack.value);
            return;
        }
        let name = (ack.topic, ack.partition);
        self.see(&name, ack.offset, &ack.value);
        self.logs.entry(name).or_default().acked.insert(ack.offset, ack.value);
    }

    fn read(&mut self, run: &mut Run, read: Read) {
        self.reads += 1;
        let name = (read.topic, read.partition);
        let reader = reader_name(&run.file, read.group.as_deref(), &read.member);
        let group = read.group.unwrap_or_else(|| reader.clone());
        let first_time =
            self.logs.entry(name.clone()).or_default().read.entry(group).or_default().insert(read.offset);
        let before = run.at.insert((reader.clone(), name.clone()), read.offset);
        match before {
            Some(from) if read.offset != from.saturating_add(1) => {
                self.steps.push(Step { log: name.clone(), reader, from, to: read.offset });
            }
            // Within one stay every step goes to the next offset, so a second read is one across stays.
            Some(_) | None if !first_time => self.redelivered += 1,
            Some(_) | None => {}
        }
        if let Some(value) = read.value {
            self.see(&name, read.offset, &value);
            if run.read_committed {
                self.committed_reads.insert(value.clone());
            }
            self.read_values.insert(value);
        }
    }

    fn see(&mut self, name: &LogName, offset: i64, value: &str) {
        let log = self.logs.entry(name.clone()).or_default();
        log.values.entry(offset).or_default().insert(value.to_owned());
        self.places.entry(value.to_owned()).or_default().insert((name.clone(), offset));
    }

    fn end_run(&mut self, run: Run) {
        self.unfinished.extend(run.open);
        self.undecided.extend(run.txns.into_values().flatten());
    }
}

/// A reader's position means nothing once its partitions have changed.
fn forget(run: &mut Run, change: &Rebalance) {
    let reader = reader_name(&run.file, change.group.as_deref(), &change.member);
    for partition in &change.partitions {
        run.at.remove(&(reader.clone(), (change.topic.clone(), *partition)));
    }
}

fn reader_name(file: &str, group: Option<&str>, member: &str) -> String {
    format!("{}/{member} ({file})", group.unwrap_or("-"))
}
