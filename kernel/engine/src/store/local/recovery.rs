//! Opening what an earlier owner left: which segments count, replay after the checkpoint, and the torn tail.
//!
//! A torn tail is what follows the last whole entry of the last segment, as long as nothing whole behind it
//! says (`synced`) that it had been durable. It is cut. Anything else that does not fit is damage and ends the
//! start with file and position: a gap between segments, an entry out of order, a bad checksum before the end.
//! Files that only cold reads need may be missing or short; those reads then fail, and the start says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use kernel_model::{BatchHeader, Commit, KernelError, LogId, Seq};

use super::codec::{self, Input};
use super::contents::Contents;
use super::disk::{DiskFile, FencedDisk};
use super::entry::{
    self, ALIGN, ENTRY_HEADER, EntryHeader, HeaderFault, Kind, SEGMENT_HEADER, SegmentHeader, is_whole,
};
use super::flusher::RESERVE;
use super::index::Place;
use super::meta::Applied;
use super::segment::{Segment, segment_name, segment_number};
use super::tail::{Position, Registered};

/// How much of a segment is read at once.
const WINDOW: usize = 1 << 20;

/// Receives the commits after the checkpoint.
pub(crate) type Replay<'a> = &'a mut dyn FnMut(Seq, Commit);

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) last: Seq,
    pub(crate) end: Position,
    pub(crate) segments: BTreeMap<u32, Registered>,
    pub(crate) reserve_bytes: u64,
    pub(crate) damaged: Vec<String>,
}

/// Replays everything after `applied` into `contents` and to `replay`. Segments of an owner not older than
/// `epoch` (should the lock file have been lost) fence this one.
pub(crate) fn recover(
    disk: &FencedDisk,
    epoch: u64,
    applied: Applied,
    contents: &mut Contents,
    replay: Replay<'_>,
) -> Result<Found, KernelError> {
    let files: BTreeMap<String, u64> =
        disk.disk().list().map_err(|error| stopped("folder", &error))?.into_iter().collect();
    let mut found = Found {
        last: applied.seq,
        end: applied.position,
        segments: BTreeMap::new(),
        reserve_bytes: files.get(RESERVE).copied().unwrap_or(0),
        damaged: Vec::new(),
    };
    let numbers = files.iter().filter_map(|(name, len)| Some((segment_number(name)?, *len)));
    let mut older: BTreeMap<u32, u64> = numbers.collect();
    let later = older.split_off(&applied.position.segment);
    found.keep_older(disk, contents, &older)?;
    let (later, blank) = open_later(disk, later)?;
    check_sequence(applied, &later)?;
    if later.last().is_some_and(|newest| newest.header.epoch >= epoch) {
        return Err(KernelError::Fenced);
    }
    for (at, open) in later.iter().enumerate() {
        let end = later.get(at + 1).map(|next| next.header.previous_end);
        found.replay_segment(disk, applied, open, end, contents, replay)?;
    }
    remove_blank(disk, &blank, found.last)?;
    Ok(found)
}

/// A segment from the checkpoint on.
struct Later {
    number: u32,
    name: String,
    file: Arc<dyn DiskFile>,
    len: u64,
    header: SegmentHeader,
}

/// A segment that was prepared and, as it seems, never used.
struct Blank {
    name: String,
    file: Arc<dyn DiskFile>,
    len: u64,
}

/// Opens the segments from the checkpoint on, and those behind the end whose header was never written.
fn open_later(
    disk: &FencedDisk,
    numbers: BTreeMap<u32, u64>,
) -> Result<(Vec<Later>, Vec<Blank>), KernelError> {
    let mut later = Vec::new();
    let mut blank: Vec<Blank> = Vec::new();
    for (number, len) in numbers {
        let name = segment_name(number);
        let file = disk.disk().open(&name).map_err(|error| stopped(&name, &error))?;
        let mut front = vec![0; usize::try_from(len.min(u64::from(SEGMENT_HEADER))).unwrap_or(0)];
        file.read_at(0, &mut front).map_err(|error| damaged(&name, 0, &error.to_string()))?;
        match SegmentHeader::decode(&front) {
            Ok(header) if header.number == number => {
                if let Some(blank) = blank.first() {
                    return Err(damaged(
                        &blank.name,
                        0,
                        "the header is blank, but a later segment is in use",
                    ));
                }
                later.push(Later { number, name, file, len, header });
            }
            Err(HeaderFault::Blank) => blank.push(Blank { name, file, len }),
            Err(HeaderFault::Version(version)) => {
                return Err(KernelError::Stopped(format!("{name}: version {version} is not known here")));
            }
            // The header lies in one sector, so that it cannot be torn.
            Ok(_) | Err(HeaderFault::Damaged) => {
                return Err(damaged(&name, 0, "the segment header is damaged"));
            }
        }
    }
    Ok((later, blank))
}

/// Removes segments whose header was never written, unless something in them had been synced.
fn remove_blank(disk: &FencedDisk, blank: &[Blank], last: Seq) -> Result<(), KernelError> {
    for Blank { name, file, len } in blank {
        let mut scan = Scan::new(name, file.as_ref(), *len, SEGMENT_HEADER);
        if scan.synced_behind(last)? {
            return Err(damaged(name, 0, "the header is blank, although it had been synced"));
        }
    }
    let names: Vec<String> = blank.iter().map(|blank| blank.name.clone()).collect();
    Ok(disk.remove(&names)?)
}

/// Checks that the segments follow each other without a gap, from the checkpoint on.
fn check_sequence(applied: Applied, later: &[Later]) -> Result<(), KernelError> {
    let missing = |number| KernelError::Damaged(format!("{}: the file is missing", segment_name(number)));
    let started = applied.seq > Seq(0) || applied.position.segment > 0;
    match later.first() {
        None if started => return Err(missing(applied.position.segment)),
        Some(first) if first.number != applied.position.segment.max(1) => {
            return Err(missing(applied.position.segment.max(1)));
        }
        None | Some(_) => {}
    }
    for (before, after) in later.iter().zip(later.iter().skip(1)) {
        if after.number != before.number + 1 {
            return Err(missing(before.number + 1));
        }
        if after.header.epoch < before.header.epoch {
            return Err(damaged(&after.name, 16, "an older owner than the segment before"));
        }
    }
    Ok(())
}

impl Found {
    /// Opens the segments before the checkpoint in which something lives; removes the others.
    fn keep_older(
        &mut self,
        disk: &FencedDisk,
        contents: &Contents,
        older: &BTreeMap<u32, u64>,
    ) -> Result<(), KernelError> {
        for number in contents.index.used_segments() {
            let Some(wanted) = contents.index.reach(number) else { continue };
            let name = segment_name(number);
            let bytes = older.get(&number).copied().unwrap_or(0);
            let file = disk.disk().open(&name).ok();
            if file.is_none() {
                self.damaged.push(format!("{name}: the file is missing"));
            } else if bytes < wanted && older.contains_key(&number) {
                self.damaged.push(format!("{name} at byte {bytes}: the file is cut"));
            }
            self.segments.insert(number, Registered { segment: Arc::new(Segment { name, file }), bytes });
        }
        let stale = older.keys().filter(|number| contents.index.usage(**number).is_none());
        let stale: Vec<String> = stale.map(|number| segment_name(*number)).collect();
        Ok(disk.remove(&stale)?)
    }

    fn replay_segment(
        &mut self,
        disk: &FencedDisk,
        applied: Applied,
        open: &Later,
        end: Option<u32>,
        contents: &mut Contents,
        replay: Replay<'_>,
    ) -> Result<(), KernelError> {
        let is_first = open.number == applied.position.segment;
        let start = if is_first { applied.position.at } else { SEGMENT_HEADER };
        let expected = Seq(self.last.0 + 1);
        if open.header.first > expected || (!is_first && open.header.first != expected) {
            return Err(damaged(&open.name, 24, "commits before this segment are missing"));
        }
        if u64::from(start) > open.len {
            return Err(damaged(&open.name, open.len, "the file is cut"));
        }
        let mut scan = Scan::new(&open.name, open.file.as_ref(), open.len, start);
        while end.is_none_or(|end| scan.at < u64::from(end)) {
            let Some((at, header, body)) = scan.next()? else { break };
            self.replay_entry(open, at, &header, body, contents, replay)?;
        }
        let at = scan.at;
        let bytes = match end {
            Some(end) if at == u64::from(end) => open.len,
            Some(_) => return Err(damaged(&open.name, at, "a broken entry before the segment's end")),
            None => {
                cut_tail(disk, open, &mut scan, self.last)?;
                at
            }
        };
        self.end = Position { segment: open.number, at: u32::try_from(at).unwrap_or(u32::MAX) };
        let segment = Segment { name: open.name.clone(), file: Some(Arc::clone(&open.file)) };
        self.segments.insert(open.number, Registered { segment: Arc::new(segment), bytes });
        Ok(())
    }

    fn replay_entry(
        &mut self,
        open: &Later,
        at: u32,
        header: &EntryHeader,
        body: Bytes,
        contents: &mut Contents,
        replay: Replay<'_>,
    ) -> Result<(), KernelError> {
        let broken = |why| damaged(&open.name, u64::from(at), why);
        let expected = if header.kind == Kind::Commit { Seq(self.last.0 + 1) } else { self.last };
        if header.seq != expected {
            return Err(broken("an entry out of order"));
        }
        let body_at = at.saturating_add(u32::try_from(ENTRY_HEADER).unwrap_or(0));
        match header.kind {
            Kind::Commit => {
                let (commit, batches_at) =
                    codec::decode(&body).map_err(|_| broken("a commit of an unknown form"))?;
                let at = body_at.saturating_add(u32::try_from(batches_at).unwrap_or(0));
                contents.apply(header.seq, &commit, Position { segment: open.number, at });
                self.last = header.seq;
                replay(header.seq, commit);
            }
            Kind::Moved => {
                let moved = Moved::decode(&body).ok_or_else(|| broken("moved batches of an unknown form"))?;
                let to = Position { segment: open.number, at: body_at };
                if !moved.apply(contents, to) {
                    return Err(broken("moved batches that are not there"));
                }
            }
            Kind::Mark => {}
        }
        Ok(())
    }
}

/// Cuts what follows the last whole entry, unless something behind proves that it had been durable.
fn cut_tail(disk: &FencedDisk, open: &Later, scan: &mut Scan<'_>, last: Seq) -> Result<(), KernelError> {
    let end = scan.at;
    if scan.synced_behind(last)? {
        return Err(damaged(&open.name, end, "a broken entry, although it had been synced"));
    }
    disk.with(&open.name, || {
        open.file.set_len(end)?;
        open.file.sync()
    })?;
    Ok(())
}

/// A body of moved batches: length of the front (u32), log, segment they come from; then the batches.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) log: LogId,
    pub(crate) from: u32,
    /// Header of each batch and where it begins in the body.
    batches: Vec<(BatchHeader, u32)>,
}

impl Moved {
    pub(crate) fn decode(body: &Bytes) -> Option<Self> {
        let mut rest = body.clone();
        let front = usize::try_from(rest.try_get_u32_le().ok()?).ok()?;
        if front > rest.len() {
            return None;
        }
        let mut input = Input { rest: rest.split_to(front), batches: None };
        let log = LogId(input.number().ok()?);
        let from = u32::try_from(input.number().ok()?).ok()?;
        let mut batches = Vec::new();
        while !rest.is_empty() {
            let header = BatchHeader::decode(&rest).ok()?;
            let at = u32::try_from(body.len() - rest.len()).ok()?;
            rest.try_advance(header.size)?;
            batches.push((header, at));
        }
        Some(Self { log, from, batches })
    }

    /// Points the index to the copies; `to` is where the body begins. Says whether all were there.
    pub(crate) fn apply(&self, contents: &mut Contents, to: Position) -> bool {
        self.batches.iter().all(|(header, at)| {
            let at = to.at.saturating_add(*at);
            Place::of(header, header.base_offset, header.leader_epoch, at)
                .is_some_and(|place| contents.index.relocate(self.log, self.from, to.segment, place))
        })
    }
}

/// Advances a buffer if it is long enough.
trait TryAdvance {
    fn try_advance(&mut self, count: usize) -> Option<()>;
}

impl TryAdvance for Bytes {
    fn try_advance(&mut self, count: usize) -> Option<()> {
        if count > self.len() {
            return None;
        }
        self.advance(count);
        Some(())
    }
}

/// Reads a segment entry by entry.
struct Scan<'a> {
    name: &'a str,
    file: &'a dyn DiskFile,
    len: u64,
    /// Where the next entry begins.
    at: u64,
    window: Bytes,
    window_at: u64,
}

impl<'a> Scan<'a> {
    fn new(name: &'a str, file: &'a dyn DiskFile, len: u64, at: u32) -> Self {
        Self { name, file, len, at: u64::from(at), window: Bytes::new(), window_at: 0 }
    }

    /// `len` bytes at `at`, or `None` where the file ends before.
    fn bytes(&mut self, at: u64, len: usize) -> Result<Option<Bytes>, KernelError> {
        let left = usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX);
        if len > left {
            return Ok(None);
        }
        let inside = at.checked_sub(self.window_at).and_then(|start| usize::try_from(start).ok());
        let inside = inside.filter(|start| start.saturating_add(len) <= self.window.len());
        let start = match inside {
            Some(start) => start,
            None => {
                let mut window = vec![0; WINDOW.max(len).min(left)];
                self.file
                    .read_at(at, &mut window)
                    .map_err(|error| damaged(self.name, at, &error.to_string()))?;
                self.window = Bytes::from(window);
                self.window_at = at;
                0
            }
        };
        Ok(Some(self.window.slice(start..start + len)))
    }

    /// The entry at `at` if it is whole.
    fn entry(&mut self, at: u64) -> Result<Option<(EntryHeader, Bytes)>, KernelError> {
        let Some(front) = self.bytes(at, ENTRY_HEADER)? else { return Ok(None) };
        let Some(header) = EntryHeader::decode(&front) else { return Ok(None) };
        let Some(bytes) = self.bytes(at, header.total())? else { return Ok(None) };
        Ok(is_whole(&bytes).then_some((header, bytes)))
    }

    /// The next entry with its position and body; `None` where there is no whole one.
    fn next(&mut self) -> Result<Option<(u32, EntryHeader, Bytes)>, KernelError> {
        let Some((header, bytes)) = self.entry(self.at)? else { return Ok(None) };
        let Ok(at) = u32::try_from(self.at) else { return Ok(None) };
        self.at += u64::try_from(bytes.len()).unwrap_or(0);
        Ok(Some((at, header, bytes.slice(ENTRY_HEADER..ENTRY_HEADER + header.body))))
    }

    /// Whether a whole entry behind `at` says that something after `last` had been synced.
    fn synced_behind(&mut self, last: Seq) -> Result<bool, KernelError> {
        let mut at = self.at;
        while at < self.len {
            let left = usize::try_from(self.len - at).unwrap_or(usize::MAX);
            let page = self.bytes(at, left.min(ZEROS.len()))?.unwrap_or_default();
            let blank = ZEROS.starts_with(&page);
            for start in (0..page.len()).step_by(ALIGN).take_while(|_| !blank) {
                let at = at + u64::try_from(start).unwrap_or(0);
                let begins = page.get(start..).is_some_and(entry::begins_entry);
                if begins && self.entry(at)?.is_some_and(|(header, _)| header.synced > last) {
                    return Ok(true);
                }
            }
            at += u64::try_from(page.len().max(1)).unwrap_or(1);
        }
        Ok(false)
    }
}

/// What an unwritten part of a file looks like.
static ZEROS: [u8; 4096] = [0; 4096];

fn damaged(name: &str, at: u64, why: &str) -> KernelError {
    KernelError::Damaged(format!("{name} at byte {at}: {why}"))
}

fn stopped(name: &str, error: &std::io::Error) -> KernelError {
    KernelError::Stopped(format!("{name}: {error}"))
}
