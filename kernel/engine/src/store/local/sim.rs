//! A disk in memory that loses, tears, fails and fills: the fault layer of the `local` store's tests.
//!
//! What was not synced is lost at a crash in units of a sector, each for itself; names that were not synced
//! come or go. A failed sync forgets for good what it should have made durable, as real ones do.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use kernel_model::OwnerEpoch;
use parking_lot::{Mutex, RwLock};

use super::disk::{Disk, DiskFile, Seat};
use crate::store::faulty::SplitMix;

/// What a device writes whole or not at all.
const SECTOR: usize = 512;

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct SimDisk(Arc<SimState>);

#[derive(Debug, Default)]
struct SimState {
    owner: RwLock<OwnerEpoch>,
    names: Mutex<Names>,
    faults: Mutex<Faults>,
}

/// Files by name: as they are, and as a crash would leave them.
#[derive(Debug, Default)]
struct Names {
    current: BTreeMap<String, Arc<SimFile>>,
    durable: BTreeMap<String, Arc<SimFile>>,
}

/// Faults to come.
#[derive(Debug, Default)]
struct Faults {
    capacity: Option<u64>,
    syncs_to_fail: u32,
    /// The next write of at least this many bytes is cut in half and fails.
    cut_write_of: Option<usize>,
}

#[derive(Debug)]
struct SimFile {
    disk: std::sync::Weak<SimState>,
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => {
                let end = at + data.len();
                to.resize(to.len().max(end), 0);
                if let Some(place) = to.get_mut(*at..end) {
                    place.copy_from_slice(data);
                }
            }
            Self::Length(len) => to.resize(*len, 0),
        }
    }
}

impl SimDisk {
    /// The disk as it is found after a crash: of what was not synced a random part, by sectors. This disk is
    /// left alone, so that what still holds it cannot reach the new one.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let mut random = SplitMix(seed);
        let after = Self::default();
        *after.0.owner.write() = *self.0.owner.read();
        after.0.faults.lock().capacity = self.0.faults.lock().capacity;
        let names = self.0.names.lock();
        let mut survivors = names.durable.clone();
        for (name, file) in &names.current {
            if !names.durable.contains_key(name) && random.below(2) == 0 {
                survivors.insert(name.clone(), Arc::clone(file));
            }
        }
        survivors.retain(|name, _| names.current.contains_key(name) || random.below(2) == 0);
        for (name, file) in survivors {
            let bytes = file.content.lock().after_crash(&mut random);
            after.put(&name, bytes);
        }
        after
    }

    /// Sets how many bytes fit (`None`: any number).
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.faults.lock().capacity = bytes;
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> u64 {
        let names = self.0.names.lock();
        names.current.values().map(|file| length(file.content.lock().current.len())).sum()
    }

    /// Lets the next `count` syncs of files fail.
    pub fn fail_syncs(&self, count: u32) {
        self.0.faults.lock().syncs_to_fail = count;
    }

    /// Cuts the next write of at least `bytes` bytes in half, and lets it fail.
    pub fn cut_write(&self, bytes: usize) {
        self.0.faults.lock().cut_write_of = Some(bytes);
    }

    /// Names of its files.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.names.lock().current.keys().cloned().collect()
    }

    /// Content of a file.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.0.names.lock().current.get(name).cloned()?;
        let content = file.content.lock().current.clone();
        Some(content)
    }

    /// Puts a file there, durably.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let content = Content { current: bytes.clone(), durable: bytes, unsynced: Vec::new() };
        let file = Arc::new(SimFile { disk: Arc::downgrade(&self.0), content: Mutex::new(content) });
        let mut names = self.0.names.lock();
        names.current.insert(name.to_owned(), Arc::clone(&file));
        names.durable.insert(name.to_owned(), file);
    }

    /// Flips one bit of a file, at rest.
    pub fn flip(&self, name: &str, at: usize) {
        if let Some(file) = self.0.names.lock().current.get(name) {
            let content = &mut *file.content.lock();
            for bytes in [&mut content.current, &mut content.durable] {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 0x10;
                }
            }
        }
    }

    fn has_room(&self, more: usize) -> bool {
        let capacity = self.0.faults.lock().capacity;
        capacity.is_none_or(|capacity| self.used().saturating_add(length(more)) <= capacity)
    }
}

impl Content {
    fn after_crash(&self, random: &mut SplitMix) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.unsynced {
            match change {
                Change::Length(_) if random.below(2) == 0 => change.apply(&mut bytes),
                Change::Length(_) => {}
                Change::Write(at, data) => {
                    let (mut at, mut rest) = (*at, data.as_slice());
                    while !rest.is_empty() {
                        let (sector, after) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                        if random.below(2) == 0 {
                            Change::Write(at, sector.to_vec()).apply(&mut bytes);
                        }
                        at += sector.len();
                        rest = after;
                    }
                }
            }
        }
        bytes
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.unsynced.push(change);
    }
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let names = self.0.names.lock();
        let len = |file: &Arc<SimFile>| length(file.content.lock().current.len());
        Ok(names.current.iter().map(|(name, file)| (name.clone(), len(file))).collect())
    }

    fn create(&self, name: &str, len: u64) -> io::Result<Arc<dyn DiskFile>> {
        if self.0.names.lock().current.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !self.has_room(size(len)) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut content = Content::default();
        if len > 0 {
            content.change(Change::Length(size(len)));
        }
        let file = Arc::new(SimFile { disk: Arc::downgrade(&self.0), content: Mutex::new(content) });
        self.0.names.lock().current.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.names.lock().current.get(name).cloned();
        file.map(|file| file as Arc<dyn DiskFile>).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.names.lock().current.remove(name);
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut names = self.0.names.lock();
        names.durable = names.current.clone();
        Ok(())
    }

    fn claim(&self, epoch: OwnerEpoch) -> io::Result<bool> {
        let mut owner = self.0.owner.write();
        let newer = epoch > *owner;
        if newer {
            *owner = epoch;
        }
        Ok(newer)
    }

    fn owner(&self) -> io::Result<OwnerEpoch> {
        Ok(*self.0.owner.read())
    }

    fn seat(&self) -> io::Result<Box<dyn Seat>> {
        Ok(Box::new(SimSeat(self.clone())))
    }
}

#[derive(Debug)]
struct SimSeat(SimDisk);

impl Seat for SimSeat {
    fn with(&mut self, epoch: OwnerEpoch, work: &mut dyn FnMut() -> io::Result<()>) -> io::Result<bool> {
        let owner = self.0.0.owner.read();
        if *owner == epoch { work().map(|()| true) } else { Ok(false) }
    }
}

impl SimFile {
    fn disk(&self) -> io::Result<SimDisk> {
        self.disk.upgrade().map(SimDisk).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Judges a write that ends at `end`.
    fn check_room(&self, end: usize) -> io::Result<()> {
        let growth = end.saturating_sub(self.content.lock().current.len());
        let room = growth == 0 || self.disk()?.has_room(growth);
        if room { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(length(self.content.lock().current.len()))
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let content = self.content.lock();
        let bytes = content.current.get(size(at)..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, at: u64, data: &[u8]) -> io::Result<()> {
        let disk = self.disk()?;
        let cut = disk.0.faults.lock().cut_write_of.take_if(|bytes| data.len() >= *bytes);
        if cut.is_some() {
            let half = data.get(..data.len() / 2).unwrap_or_default();
            self.content.lock().change(Change::Write(size(at), half.to_vec()));
            return Err(io::Error::other("injected: short write"));
        }
        self.check_room(size(at).saturating_add(data.len()))?;
        self.content.lock().change(Change::Write(size(at), data.to_vec()));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_room(size(len))?;
        self.content.lock().change(Change::Length(size(len)));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let disk = self.disk()?;
        let mut faults = disk.0.faults.lock();
        let mut content = self.content.lock();
        let unsynced = std::mem::take(&mut content.unsynced);
        if faults.syncs_to_fail > 0 {
            faults.syncs_to_fail -= 1;
            return Err(io::Error::other("injected: input/output error"));
        }
        for change in &unsynced {
            change.apply(&mut content.durable);
        }
        Ok(())
    }
}
