//! The durable record of every phase change with its evidence.
//!
//! One append-only sequence of checksummed, numbered entries. An entry counts only once its fsync has
//! returned; who is primary for a unit is whatever the last `committed` entry says, and nothing else.
//!
//! ```text
//!  file    = "SLUICELG" version(u32) frame*
//!  frame   = length(u32) number(u64) head-checksum(u32) body-checksum(u32) body(JSON, `length` bytes)
//! ```
//!
//! All integers are big-endian. The head checksum covers length and number; the body checksum is chained:
//! it begins with the body checksum of the frame before, so that a frame that was lost, repeated or written
//! to the wrong place is found. A frame that ends before its declared length, or is zero from some point to
//! the end of the file, is a torn tail and is cut; any other damage is an error that names file and offset.
//!
//! Owns: the format, the file, the fold of entries into [`Book`]. Leaves to others: what is decided, and when.

mod account;
mod book;
mod entry;
mod explained;
mod frame;
mod seal;
mod store;

pub use account::{SCHEMA, VERSION, Written, account};
pub use book::{Book, BookError, Migration, OpenHandover, Ownership, SideChange, Stop};
pub use entry::{
    Acknowledged, CommittedUnit, Decider, Digest, DivergenceKind, Entry, Evidence, ForwarderNote, HandoverId,
    Mark, Primary, Sample, Step, StopCause, What,
};
pub use explained::Explanation;
pub use frame::FORMAT_VERSION;
pub use seal::Seal;
pub use store::{FileStore, LedgerStore, MemoryStore};

/// Why the ledger cannot be read or written. Retrying never helps: the process stops and an operator looks.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The storage below failed. After a failed write or fsync nobody knows what is on disk.
    #[error("ledger {name}: {what}: {source}")]
    Io {
        /// Which file.
        name: String,
        /// What was tried.
        what: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Bytes before the tail fail their checksum or are out of order; nothing was changed.
    #[error("ledger {name} is damaged at offset {offset}: {what}")]
    Damaged {
        /// Which file.
        name: String,
        /// Byte offset of the frame.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Written by a newer Sluice, or not a ledger.
    #[error("ledger {name} has format version {found}, this Sluice reads up to {FORMAT_VERSION}")]
    Version {
        /// Which file.
        name: String,
        /// What its head says.
        found: u32,
    },
    /// Another process holds the file.
    #[error("ledger {name} is in use by another process")]
    InUse {
        /// Which file.
        name: String,
    },
    /// An entry contradicts the ones before it; it was not written.
    #[error("ledger entry refused: {0}")]
    Contradiction(#[from] BookError),
    /// An earlier write failed: what is on disk is not known before the next start.
    #[error("the ledger has stopped after an earlier failure")]
    Stopped,
}

/// The ledger over a store.
#[derive(Debug)]
pub struct Ledger<S> {
    store: S,
    tail: frame::Tail,
    book: Book,
    stopped: bool,
    cut_bytes: u64,
}

impl<S: LedgerStore> Ledger<S> {
    /// Reads what is stored, cuts a torn tail, and folds it.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]: nothing was changed, except that a torn tail may have been cut.
    pub fn open(mut store: S) -> Result<Self, LedgerError> {
        let bytes = store.load()?;
        let (tail, entries) = frame::read(store.name(), &bytes)?;
        let mut book = Book::default();
        for entry in &entries {
            book.apply(entry)?;
        }
        let stored = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let cut_bytes = stored.saturating_sub(tail.len);
        if cut_bytes > 0 {
            store.cut(tail.len)?;
        }
        let mut ledger = Self { store, tail, book, stopped: false, cut_bytes };
        if ledger.tail.len == 0 {
            ledger.put(&frame::head())?;
        }
        Ok(ledger)
    }

    /// Makes entries durable, all with one fsync, and returns the number of the last one. They count (and show
    /// in [`Self::book`]) only after this returned.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Contradiction`] before anything was written; any other error stops the ledger, and with
    /// it whoever needs it: an entry of unknown fate is settled by reading the file at the next start.
    pub fn append(&mut self, wall_ms: i64, by: &Decider, whats: Vec<What>) -> Result<u64, LedgerError> {
        if self.stopped {
            return Err(LedgerError::Stopped);
        }
        let mut book = self.book.clone();
        let mut tail = self.tail;
        let mut bytes = Vec::new();
        for what in whats {
            let entry = Entry { number: tail.number + 1, wall_ms, by: by.clone(), what };
            book.apply(&entry)?;
            frame::write(&mut tail, &entry, &mut bytes);
        }
        self.put(&bytes)?;
        self.tail = tail;
        self.book = book;
        Ok(self.tail.number)
    }

    /// What the entries say now.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Bytes of a torn tail that `open` cut off.
    #[must_use]
    pub fn cut_bytes(&self) -> u64 {
        self.cut_bytes
    }

    /// Reads every entry back from the store.
    ///
    /// # Errors
    ///
    /// See [`LedgerError`].
    pub fn entries(&mut self) -> Result<Vec<Entry>, LedgerError> {
        let bytes = self.store.load()?;
        Ok(frame::read(self.store.name(), &bytes)?.1)
    }

    /// Reads every entry back from the store, with the text that is on disk.
    ///
    /// # Errors
    ///
    /// See [`LedgerError`].
    pub fn written(&mut self) -> Result<Vec<Written>, LedgerError> {
        let bytes = self.store.load()?;
        let entries = frame::read(self.store.name(), &bytes)?.1;
        let bodies = frame::bodies(&bytes).into_iter().map(|body| String::from_utf8_lossy(body).into_owned());
        Ok(entries.into_iter().zip(bodies).map(|(entry, body)| Written { entry, body }).collect())
    }

    /// The seal over every entry.
    #[must_use]
    pub fn seal(&self) -> (u64, Seal) {
        (self.tail.number, self.tail.seal)
    }

    /// Gives the store back.
    #[must_use]
    pub fn into_store(self) -> S {
        self.store
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        let written = self.store.append(bytes).and_then(|()| self.store.sync());
        if written.is_err() {
            // After a failed fsync the pages may be marked clean although they never reached the disk: a
            // second attempt could succeed and mean nothing.
            self.stopped = true;
        } else {
            self.tail.len += u64::try_from(bytes.len()).unwrap_or(0);
        }
        written
    }
}

#[cfg(test)]
mod tests;
