//! The files of one shard: the seam at which tests inject faults, and the fence between owners.
//!
//! Every change goes through `FencedDisk`: it holds the shard's lock shared while it writes and compares the
//! owner epoch first, so that after a newer owner's [`Disk::claim`] (which takes the lock alone) not one byte
//! of an older owner reaches the files, whichever process it lives in.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kernel_model::{KernelError, OwnerEpoch};
use parking_lot::Mutex;

/// A flat folder of files.
pub trait Disk: Debug + Send + Sync {
    /// Names and lengths in bytes of its files, the lock's own left out.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;
    /// Makes a new file of `len` zero bytes with its space reserved.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`, `StorageFull`, and others of the file system; then no file is left behind.
    fn create(&self, name: &str, len: u64) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file to read and write.
    ///
    /// # Errors
    ///
    /// `NotFound`, and others of the file system.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Removes a file; those that hold it open read on.
    ///
    /// # Errors
    ///
    /// Of the file system; a file that is not there is no error.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations and removals durable.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn sync_dir(&self) -> io::Result<()>;
    /// Makes `epoch` the owner, durably, if it is above every earlier one; says whether it was.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn claim(&self, epoch: OwnerEpoch) -> io::Result<bool>;
    /// Newest owner so far.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn owner(&self) -> io::Result<OwnerEpoch>;
    /// A place from which one thread at a time holds the lock shared.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn seat(&self) -> io::Result<Box<dyn Seat>>;
}

/// Shared access to a disk's lock.
pub trait Seat: Debug + Send {
    /// Runs `work` with the lock held if `epoch` is still the owner; says whether it is.
    ///
    /// # Errors
    ///
    /// Those of `work` and of the file system.
    fn with(&mut self, epoch: OwnerEpoch, work: &mut dyn FnMut() -> io::Result<()>) -> io::Result<bool>;
}

/// One file, read and written by position.
#[allow(clippy::len_without_is_empty, reason = "an empty file is nothing special")]
pub trait DiskFile: Debug + Send + Sync {
    /// Length in bytes.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn len(&self) -> io::Result<u64>;
    /// Fills `out` from `at`.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof`, and others of the file system.
    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()>;
    /// Writes all of `data` at `at`.
    ///
    /// # Errors
    ///
    /// `StorageFull`, and others of the file system; then any part of it may have been written.
    fn write_at(&self, at: u64, data: &[u8]) -> io::Result<()>;
    /// Cuts or extends with zeros.
    ///
    /// # Errors
    ///
    /// Of the file system.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes what was written durable.
    ///
    /// # Errors
    ///
    /// Of the file system. What was written before may be lost whatever a second call answers.
    fn sync(&self) -> io::Result<()>;
}

/// Why a change did not happen.
#[derive(Debug)]
pub(crate) enum DiskError {
    /// There is a newer owner.
    Fenced,
    /// No room.
    Full,
    /// Anything else, with the file's name.
    Failed(String),
}

impl DiskError {
    /// Sorts an error of the file system.
    pub(crate) fn of(name: &str, error: &io::Error) -> Self {
        // Other kinds cannot be told from a failing device, after which nothing may be assumed.
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            Self::Full
        } else {
            Self::Failed(format!("{name}: {error}"))
        }
    }
}

impl From<DiskError> for KernelError {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Fenced => Self::Fenced,
            DiskError::Full => Self::Full,
            DiskError::Failed(why) => Self::Stopped(why),
        }
    }
}

/// A disk as one owner sees it. Clones have their own seat at the lock.
#[derive(Debug)]
pub(crate) struct FencedDisk {
    disk: Arc<dyn Disk>,
    seat: Mutex<Box<dyn Seat>>,
    epoch: OwnerEpoch,
}

impl FencedDisk {
    /// The disk as `epoch` sees it.
    pub(crate) fn new(disk: Arc<dyn Disk>, epoch: OwnerEpoch) -> io::Result<Self> {
        let seat = Mutex::new(disk.seat()?);
        Ok(Self { disk, seat, epoch })
    }

    /// The same with a seat of its own, for another thread.
    pub(crate) fn another(&self) -> io::Result<Self> {
        Self::new(Arc::clone(&self.disk), self.epoch)
    }

    /// The disk itself, for reading.
    pub(crate) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    /// Whether this owner is still the newest.
    pub(crate) fn check(&self) -> Result<(), DiskError> {
        self.with("lock", || Ok(()))
    }

    /// Runs one change of the file `name`.
    pub(crate) fn with<T>(
        &self,
        name: &str,
        mut work: impl FnMut() -> io::Result<T>,
    ) -> Result<T, DiskError> {
        let mut answer = None;
        let mut seat = self.seat.lock();
        let held = seat.with(self.epoch, &mut || {
            answer = Some(work()?);
            Ok(())
        });
        match held {
            Ok(true) => answer.ok_or(DiskError::Fenced),
            Ok(false) => Err(DiskError::Fenced),
            Err(error) => Err(DiskError::of(name, &error)),
        }
    }

    /// Makes a file and its name durable.
    pub(crate) fn create(&self, name: &str, len: u64) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.with(name, || {
            let file = self.disk.create(name, len)?;
            file.sync()?;
            self.disk.sync_dir()?;
            Ok(file)
        })
    }

    /// Removes files for good.
    pub(crate) fn remove(&self, names: &[String]) -> Result<(), DiskError> {
        let Some(first) = names.first() else { return Ok(()) };
        self.with(first, || {
            names.iter().try_for_each(|name| self.disk.remove(name))?;
            self.disk.sync_dir()
        })
    }
}

/// Name of the lock file: two slots of 512 bytes, of which the valid one with the greater epoch counts.
const LOCK: &str = "lock";
/// Ends the name of a file whose space is not reserved yet. What a dead process has left of that is removed by the
/// next owner.
const UNFINISHED: &str = ".new";
/// One slot: magic, version, epoch, checksum of those.
const SLOT_LEN: usize = 20;
/// Marks a slot, with the version of its form.
const SLOT_MAGIC: u64 = u64::from_le_bytes(*b"sluice\x00\x01");

/// A folder of the file system.
#[derive(Debug)]
pub struct FolderDisk {
    path: PathBuf,
}

impl FolderDisk {
    /// Opens a folder, and makes it if need be.
    ///
    /// # Errors
    ///
    /// Of the file system.
    pub fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self { path: path.to_owned() })
    }

    fn remove_unfinished(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(UNFINISHED) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn lock_file(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).open(self.path.join(LOCK))
    }
}

/// Makes the file `len` zero bytes long, with its space reserved, durably.
fn reserve(file: &File, len: u64) -> io::Result<()> {
    if len > 0 {
        match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, len) {
            // A file system without reservations: space then runs out at a write, which is handled too.
            Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(len)?,
            outcome => outcome?,
        }
    }
    file.sync_all()
}

/// Reads the newest owner from the lock file.
fn read_owner(file: &File) -> io::Result<OwnerEpoch> {
    let mut bytes = [0; 512 + SLOT_LEN];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..)
        && !rest.is_empty()
    {
        let at = u64::try_from(filled).unwrap_or(0);
        match FileExt::read_at(file, rest, at)? {
            0 => break,
            count => filled += count,
        }
    }
    let slots = [bytes.get(..SLOT_LEN), bytes.get(512..)];
    let epochs = slots.into_iter().flatten().filter_map(read_slot);
    Ok(epochs.max().unwrap_or_default())
}

/// Reads one slot, if it is whole.
fn read_slot(slot: &[u8]) -> Option<OwnerEpoch> {
    let (content, checksum) = slot.split_at_checked(16)?;
    let (magic, epoch) = content.split_at_checked(8)?;
    let whole = u32::from_le_bytes(checksum.try_into().ok()?) == crc32c::crc32c(content);
    let known = u64::from_le_bytes(magic.try_into().ok()?) == SLOT_MAGIC;
    (whole && known).then_some(OwnerEpoch(u64::from_le_bytes(epoch.try_into().ok()?)))
}

impl Disk for FolderDisk {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != LOCK && !name.ends_with(UNFINISHED) && entry.file_type()?.is_file() {
                files.push((name, entry.metadata()?.len()));
            }
        }
        files.sort();
        Ok(files)
    }

    /// Under another name until its space is reserved: a process that dies in between must not leave a file behind
    /// that looks like a damaged one.
    fn create(&self, name: &str, len: u64) -> io::Result<Arc<dyn DiskFile>> {
        let (path, unfinished) = (self.path.join(name), self.path.join(format!("{name}{UNFINISHED}")));
        if path.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&unfinished)?;
        let finished = reserve(&file, len).and_then(|()| std::fs::rename(&unfinished, &path));
        if let Err(error) = finished {
            std::fs::remove_file(&unfinished)?;
            return Err(error);
        }
        Ok(Arc::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(true).open(self.path.join(name))?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn claim(&self, epoch: OwnerEpoch) -> io::Result<bool> {
        let file = self.lock_file()?;
        file.lock()?;
        if epoch <= read_owner(&file)? {
            return Ok(false);
        }
        let mut slot = SLOT_MAGIC.to_le_bytes().to_vec();
        slot.extend_from_slice(&epoch.0.to_le_bytes());
        let checksum = crc32c::crc32c(&slot);
        slot.extend_from_slice(&checksum.to_le_bytes());
        // The slots take turns, so that a torn write leaves the older owner's in place.
        FileExt::write_all_at(&file, &slot, (epoch.0 % 2) * 512)?;
        file.sync_all()?;
        // Nobody creates a file meanwhile: an older owner would need the lock.
        self.remove_unfinished()?;
        self.sync_dir()?;
        Ok(true)
    }

    fn owner(&self) -> io::Result<OwnerEpoch> {
        let file = self.lock_file()?;
        file.lock_shared()?;
        read_owner(&file)
    }

    fn seat(&self) -> io::Result<Box<dyn Seat>> {
        Ok(Box::new(FileSeat(self.lock_file()?)))
    }
}

/// A handle of the lock file. The lock belongs to the handle, so each seat has its own.
#[derive(Debug)]
struct FileSeat(File);

impl Seat for FileSeat {
    fn with(&mut self, epoch: OwnerEpoch, work: &mut dyn FnMut() -> io::Result<()>) -> io::Result<bool> {
        self.0.lock_shared()?;
        let outcome = match read_owner(&self.0) {
            Ok(owner) if owner == epoch => work().map(|()| true),
            Ok(_) => Ok(false),
            Err(error) => Err(error),
        };
        self.0.unlock()?;
        outcome
    }
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        FileExt::read_exact_at(self, out, at)
    }

    fn write_at(&self, at: u64, data: &[u8]) -> io::Result<()> {
        FileExt::write_all_at(self, data, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::set_len(self, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
