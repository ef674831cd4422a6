//! Where the ledger's bytes lie.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::LedgerError;

/// Append-only bytes. The simulation's store crashes at each of its points.
pub trait LedgerStore {
    /// What to call it in errors (a path).
    fn name(&self) -> &str;
    /// All bytes stored.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Io`].
    fn load(&mut self) -> Result<Vec<u8>, LedgerError>;
    /// Drops everything from `len` on, durably.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Io`].
    fn cut(&mut self, len: u64) -> Result<(), LedgerError>;
    /// Appends bytes; they may be lost or torn until `sync` has returned.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Io`]; the caller writes nothing more.
    fn append(&mut self, bytes: &[u8]) -> Result<(), LedgerError>;
    /// Makes everything appended durable.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Io`]; the caller writes nothing more.
    fn sync(&mut self) -> Result<(), LedgerError>;
}

/// A file, locked against other processes while it is open.
#[derive(Debug)]
pub struct FileStore {
    name: String,
    file: File,
}

impl FileStore {
    /// Opens or creates the file; its folder must exist.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Io`]; [`LedgerError::InUse`] while another process has it open.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let name = path.display().to_string();
        let failed = |what, source| LedgerError::Io { name: name.clone(), what, source };
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|source| failed("open", source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::InUse { name }),
            Err(TryLockError::Error(source)) => return Err(failed("lock", source)),
        }
        // The name itself must survive a power cut, or the whole ledger could be gone.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|source| failed("sync folder", source))?;
        Ok(Self { name, file })
    }

    fn check(&self, what: &'static str, outcome: io::Result<()>) -> Result<(), LedgerError> {
        outcome.map_err(|source| LedgerError::Io { name: self.name.clone(), what, source })
    }
}

impl LedgerStore for FileStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn load(&mut self) -> Result<Vec<u8>, LedgerError> {
        let mut bytes = Vec::new();
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.read_to_end(&mut bytes));
        self.check("read", read.map(|_| ()))?;
        Ok(bytes)
    }

    fn cut(&mut self, len: u64) -> Result<(), LedgerError> {
        let cut = self.file.set_len(len).and_then(|()| self.file.sync_all());
        self.check("cut the torn tail", cut)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        let written = self.file.write_all(bytes);
        self.check("write", written)
    }

    fn sync(&mut self) -> Result<(), LedgerError> {
        let synced = self.file.sync_data();
        self.check("fsync", synced)
    }
}

/// Bytes in memory: nothing survives a restart (a kernel that was started without a configuration).
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    bytes: Vec<u8>,
}

impl LedgerStore for MemoryStore {
    fn name(&self) -> &'static str {
        "in memory"
    }

    fn load(&mut self) -> Result<Vec<u8>, LedgerError> {
        Ok(self.bytes.clone())
    }

    fn cut(&mut self, len: u64) -> Result<(), LedgerError> {
        self.bytes.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }
}
