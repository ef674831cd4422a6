//! The ledger's disk: what was synced survives, the rest may be lost or torn.

use std::sync::{Arc, Mutex};

use proxy::ledger::{LedgerError, LedgerStore};

#[derive(Debug, Default)]
pub struct Content {
    pub durable: Vec<u8>,
    pending: Vec<u8>,
    /// The next sync fails; this many pending bytes are on disk nevertheless.
    pub fail_with: Option<usize>,
    /// Planted: sync does nothing.
    pub plant_no_sync: bool,
}

/// Shared by the store that a process has open and the disk that outlives it.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<Content>>);

impl Disk {
    pub fn with<R>(&self, act: impl FnOnce(&mut Content) -> R) -> R {
        act(&mut self.0.lock().unwrap())
    }

    /// The process is gone: what was not synced is lost.
    pub fn crash(&self) {
        self.with(|content| content.pending.clear());
    }
}

impl LedgerStore for Disk {
    fn name(&self) -> &'static str {
        "simulated"
    }
    fn load(&mut self) -> Result<Vec<u8>, LedgerError> {
        Ok(self.with(|content| [content.durable.as_slice(), content.pending.as_slice()].concat()))
    }
    fn cut(&mut self, len: u64) -> Result<(), LedgerError> {
        self.with(|content| content.durable.truncate(len as usize));
        Ok(())
    }
    fn append(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        self.with(|content| content.pending.extend_from_slice(bytes));
        Ok(())
    }
    fn sync(&mut self) -> Result<(), LedgerError> {
        self.with(|content| {
            if content.plant_no_sync {
                return Ok(());
            }
            let pending = std::mem::take(&mut content.pending);
            if let Some(kept) = content.fail_with.take() {
                content.durable.extend_from_slice(&pending[..kept.min(pending.len())]);
                let source = std::io::Error::other("EIO");
                return Err(LedgerError::Io { name: "simulated".to_owned(), what: "fsync", source });
            }
            content.durable.extend_from_slice(&pending);
            Ok(())
        })
    }
}
