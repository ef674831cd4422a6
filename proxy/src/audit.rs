//! The record of every administrative act: who ordered what, from where, when, and what came of it.
//!
//! One JSON object a line in `audit.log` in the data folder, on disk before whoever ordered it is answered. A file that
//! has grown past its bound becomes `audit.1.log`, the one before it `audit.2.log`, and so on; the oldest goes. No
//! secret is ever part of an act: it names what was changed, not to which value. docs/audit.md describes the fields.
//!
//! Refusals are written too, but only so many a second: whoever may do nothing must not be able to push what was done
//! out of the record.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
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
    /// undo it: that is logged.
    pub fn note(&self, act: Act<'_>) {
        match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            // Others' connections go on while the disk works.
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| self.write(act)),
            Ok(_) | Err(_) => self.write(act),
        }
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
        let Some(folder) = &self.folder else { return };
        let fields = json!({
            "at_ms": at_ms, "via": via, "who": cut(who), "proved": proved, "from": cut(from), "what": cut(what),
            "outcome": cut(outcome), "done": done,
        });
        if let Err(error) = append_line(folder, &mut state.file, &format!("{fields}\n"), done) {
            state.file = None;
            tracing::error!(%error, "an administrative act could not be written to the audit log");
        }
    }

    /// The last acts, oldest first, at most `count`.
    ///
    /// # Errors
    ///
    /// What the operating system says of a file that is there.
    pub fn last(&self, count: usize) -> io::Result<Vec<Value>> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let _nothing_is_rotated_meanwhile = self.state.lock();
        let mut acts: Vec<Value> = Vec::new();
        for number in 0..=FILES_KEPT {
            let file = match File::open(path(folder, number)) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            };
            let lines = BufReader::new(file).split(b'\n').collect::<io::Result<Vec<Vec<u8>>>>()?;
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
    let torn = std::fs::read(&at).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n'));
    let mut file = OpenOptions::new().create(true).append(true).open(at)?;
    if torn {
        file.write_all(b"\n")?;
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
mod tests {
    use super::*;

    fn act(what: &str, done: bool) -> Act<'_> {
        Act { via: "kafka", who: "User:ada", proved: true, from: "192.0.2.1", what, outcome: "ok", done }
    }

    fn told(audit: &Audit, count: usize) -> Vec<String> {
        audit.last(count).unwrap().iter().map(|act| act["what"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn acts_are_read_back_in_order_over_files_restarts_and_a_cut_line() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::new(Some(folder.path().to_owned()), Clock::start());
        audit.note(act("1", true));
        audit.note(act("2", true));
        audit.state.lock().file = None;
        rotate(folder.path()).unwrap();
        audit.note(act("3", true));
        let mut file = OpenOptions::new().append(true).open(path(folder.path(), 0)).unwrap();
        file.write_all(b"{\"at_ms\": 4, \"wh").unwrap();
        assert_eq!(told(&audit, 10), ["1", "2", "3"]);
        assert_eq!(told(&audit, 2), ["2", "3"]);
        let again = Audit::new(Some(folder.path().to_owned()), Clock::start());
        again.note(act("5", true));
        assert_eq!(told(&again, 10), ["1", "2", "3", "5"], "the cut line takes no other with it");
        for _ in 0..10 {
            rotate(folder.path()).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the oldest go");
    }

    #[test]
    fn a_full_file_is_followed_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::new(Some(folder.path().to_owned()), Clock::start());
        audit.note(act("1", true));
        audit.state.lock().file.as_mut().unwrap().1 = FILE_BYTES_MAX;
        audit.note(act("2", true));
        assert!(path(folder.path(), 1).exists());
        assert_eq!(told(&audit, 10), ["1", "2"]);
    }

    #[test]
    fn refusals_do_not_push_out_what_was_done_and_are_counted() {
        let mut refusals = Refusals::default();
        let written = (0..1000).filter(|_| refusals.take(5000).0).count();
        assert_eq!(written, REFUSALS_MAX as usize);
        assert_eq!(refusals.take(6000), (true, 1000 - u64::from(REFUSALS_MAX)));
        assert_eq!(refusals.take(6001), (true, 0));
    }

    #[test]
    fn a_long_text_is_cut_and_a_strange_one_stays_on_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::new(Some(folder.path().to_owned()), Clock::start());
        let what = format!("CreateTopics \n\u{1b}[2J{}", "x".repeat(100_000));
        audit.note(act(&what, true));
        let text = std::fs::read_to_string(path(folder.path(), 0)).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert!(text.len() < 2000 && !text.contains('\u{1b}'));
    }
}
