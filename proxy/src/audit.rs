//! The record of every administrative act: who ordered what, from where, when, and what came of it.
//!
//! One JSON object a line in `audit.log` in the data folder, on disk before whoever ordered it is answered. A file that
//! has grown past its bound becomes `audit.1.log`, the one before it `audit.2.log`, and so on; the oldest goes. No
//! secret is ever part of an act: it names what was changed, not to which value. docs/audit.md describes the fields.
//!
//! Refusals are written too, but only so many a second: whoever may do nothing must not be able to push what was done
//! out of the record. What a disk does not take is kept in memory, bounded, and written once it does; meanwhile the
//! status says so.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use session::{Administered, Event};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::clock::Clock;
use crate::driver::{ConnectionId, Ending, Observer};

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Files that are kept beside the one that is written.
const FILES_KEPT: u32 = 4;
/// Longest text of one field, in characters.
const TEXT_CHARS_MAX: usize = 1024;
/// Refusals that are written in one second; more are counted.
const REFUSALS_MAX: u32 = 20;
/// How long refusals are counted together, in milliseconds.
const REFUSALS_MS: i64 = 1000;

/// Lines that wait for a disk that takes none; of more only the number is kept.
const WAITING_MAX: usize = 1000;

/// One act.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// By which way it came: `admin-api` or `kafka`.
    pub via: &'a str,
    /// A principal, or an operator's name.
    pub who: &'a str,
    /// Whether `who` was proved, or is only what was said.
    pub proved: bool,
    /// Address.
    pub from: &'a str,
    /// What was ordered.
    pub what: &'a str,
    /// What came of it.
    pub outcome: &'a str,
    /// Something was done, or may have been. Otherwise it was refused.
    pub done: bool,
}

/// The record. Without a folder (a kernel in memory) acts are logged only.
#[derive(Debug)]
pub struct Audit {
    folder: Option<PathBuf>,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: Option<(File, u64)>,
    refusals: Refusals,
    /// What is not written yet, oldest first; and whether it must be on disk.
    waiting: VecDeque<(String, bool)>,
    /// Acts that found no place there either.
    left_out: u64,
    /// Why lines wait.
    trouble: Option<String>,
}

/// How well the record is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Lines in memory that the disk did not take yet.
    pub waiting: usize,
    /// Acts that are in the log of the process only.
    pub left_out: u64,
    /// What the operating system says of it.
    pub trouble: Option<String>,
}

/// Refusals of the second that runs.
#[derive(Debug, Default)]
struct Refusals {
    since_ms: i64,
    written: u32,
    left_out: u64,
}

impl Refusals {
    /// Whether one more is written, and how many were left out in the second before.
    fn take(&mut self, now_ms: i64) -> (bool, u64) {
        let mut before = 0;
        if now_ms.saturating_sub(self.since_ms) >= REFUSALS_MS || now_ms < self.since_ms {
            before = self.left_out;
            *self = Self { since_ms: now_ms, ..Self::default() };
        }
        let fits = self.written < REFUSALS_MAX;
        if fits {
            self.written += 1
        } else {
            self.left_out += 1
        }
        (fits, before)
    }
}

impl Audit {
    /// The record in this folder.
    #[must_use]
    pub fn new(folder: Option<PathBuf>, clock: Clock) -> Self {
        Self { folder, clock, state: Mutex::default() }
    }

    /// Writes an act down; what was done is on disk when this returns. A disk that does not take it is no reason to
    /// undo it: that is logged, shown, and tried again with the next act.
    pub fn note(&self, act: Act<'_>) {
        apart(|| self.write(act));
    }

    /// How well the record is kept, once more is tried to be written.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let mut state = self.state.lock();
        if !state.waiting.is_empty() {
            apart(|| self.flush(&mut state));
        }
        Condition { waiting: state.waiting.len(), left_out: state.left_out, trouble: state.trouble.clone() }
    }

    fn write(&self, act: Act<'_>) {
        let at_ms = self.clock.now().wall_ms;
        let mut state = self.state.lock();
        if !act.done {
            let (fits, left_out) = state.refusals.take(at_ms);
            if left_out > 0 {
                let what = format!("{left_out} more refusals in a second");
                let told = Act { via: "sluice", who: "sluice", proved: true, from: "", what: &what, ..act };
                self.append(&mut state, at_ms, Act { outcome: "not written", ..told });
            }
            if !fits {
                return;
            }
        }
        self.append(&mut state, at_ms, act);
    }

    fn append(&self, state: &mut State, at_ms: i64, act: Act<'_>) {
        let Act { via, who, proved, from, what, outcome, done } = act;
        tracing::info!(via, who, proved, from, what, outcome, "audit");
        metrics::counter!("sluice_audited_total", "via" => via.to_owned(), "done" => if done { "yes" } else { "no" })
            .increment(1);
        if self.folder.is_none() {
            return;
        }
        let fields = json!({
            "at_ms": at_ms, "via": via, "who": cut(who), "proved": proved, "from": cut(from), "what": cut(what),
            "outcome": cut(outcome), "done": done,
        });
        if state.waiting.len() < WAITING_MAX {
            state.waiting.push_back((format!("{fields}\n"), done));
        } else {
            state.left_out += 1;
        }
        self.flush(state);
    }

    /// Writes what waits, as far as the disk takes it.
    fn flush(&self, state: &mut State) {
        let Some(folder) = &self.folder else { return };
        let outcome = write_waiting(folder, state);
        if let Err(error) = &outcome {
            state.file = None;
            tracing::error!(%error, waiting = state.waiting.len(), "the audit log cannot be written");
        }
        state.trouble = outcome.err().map(|error| error.to_string());
        metrics::gauge!("sluice_audit_waiting")
            .set(f64::from(u32::try_from(state.waiting.len()).unwrap_or(u32::MAX)));
        if state.waiting.is_empty() && state.left_out > 0 {
            let what = format!("{} acts while the disk took nothing", std::mem::take(&mut state.left_out));
            let told = Act {
                via: "sluice",
                who: "sluice",
                proved: true,
                from: "",
                what: &what,
                outcome: "not written",
                done: true,
            };
            self.append(state, self.clock.now().wall_ms, told);
        }
    }

    /// The last acts, oldest first, at most `count`; those too that wait for the disk.
    ///
    /// # Errors
    ///
    /// What the operating system says of a file that is there.
    pub fn last(&self, count: usize) -> io::Result<Vec<Value>> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        // Nothing is rotated meanwhile.
        let state = self.state.lock();
        let mut acts: Vec<Value> =
            state.waiting.iter().filter_map(|(line, _)| serde_json::from_str(line).ok()).collect();
        for number in 0..=FILES_KEPT {
            let file = match File::open(path(folder, number)) {
                Ok(file) => file,
                // A crash between two renames leaves a gap in the numbers.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let mut lines = VecDeque::new();
            for line in BufReader::new(file).split(b'\n') {
                if lines.len() + acts.len() >= count {
                    lines.pop_front();
                }
                lines.push_back(line?);
            }
            // A line that a crash has cut is left out.
            let mut older: Vec<Value> =
                lines.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect();
            older.append(&mut acts);
            acts = older;
            if acts.len() >= count {
                break;
            }
        }
        let skip = acts.len().saturating_sub(count);
        Ok(acts.split_off(skip))
    }
}

/// Does what waits for a disk, so that others' connections go on meanwhile.
fn apart<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        Ok(_) | Err(_) => work(),
    }
}

/// A line leaves the list when it is written; one whose end did not reach the disk is written again.
fn write_waiting(folder: &Path, state: &mut State) -> io::Result<()> {
    while let Some((line, durable)) = state.waiting.front() {
        append_line(folder, &mut state.file, line, *durable)?;
        state.waiting.pop_front();
    }
    Ok(())
}

fn append_line(folder: &Path, open: &mut Option<(File, u64)>, line: &str, durable: bool) -> io::Result<()> {
    if open.as_ref().is_some_and(|(_, bytes)| *bytes >= FILE_BYTES_MAX) {
        *open = None;
        rotate(folder)?;
    }
    if open.is_none() {
        *open = Some(open_last(folder)?);
    }
    let Some((file, bytes)) = open.as_mut() else { return Ok(()) };
    file.write_all(line.as_bytes())?;
    *bytes += line.len() as u64;
    if durable { file.sync_data() } else { Ok(()) }
}

/// Opens the file that is written. What a crash has left of a line is ended, so that the next one stands alone.
fn open_last(folder: &Path) -> io::Result<(File, u64)> {
    let at = path(folder, 0);
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(at)?;
    if file.metadata()?.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    // Its name, too, has to be there after a power cut.
    File::open(folder)?.sync_all()?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

/// What administrators order over Kafka's protocol.
impl Observer for Audit {
    fn opened(&self, _id: ConnectionId, _peer: SocketAddr) {}

    fn observed(&self, _id: ConnectionId, event: Event) {
        if let Event::Administered(act) = event {
            let Administered { who, from, what, outcome, done } = *act;
            let named = who.as_deref().filter(|who| *who != translator_kafka::access::ANONYMOUS);
            let who = who.as_deref().unwrap_or("somebody whose name is not known");
            let proved = named.is_some();
            self.note(Act { via: "kafka", who, proved, from: &from, what: &what, outcome: &outcome, done });
        }
    }

    fn closed(&self, _id: ConnectionId, _ending: &Ending) {}
}

fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(if number == 0 { "audit.log".to_owned() } else { format!("audit.{number}.log") })
}

fn rotate(folder: &Path) -> io::Result<()> {
    for number in (0..FILES_KEPT).rev() {
        match std::fs::rename(path(folder, number), path(folder, number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
