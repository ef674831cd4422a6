//! Settings of the `local` store.

use std::sync::Arc;

/// Called when [`durable`](crate::store::ShardStore::durable) has something new to say; from another thread.
pub type Waker = Arc<dyn Fn() + Send + std::marker::Sync>;

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// When it is synced.
    #[default]
    Fsync,
    /// When it is in the operating system's cache: it survives a crash of the process, not of the machine.
    PageCache,
}

/// Settings of a [`LocalStore`](super::LocalStore).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalOptions {
    /// Length of a segment, which also bounds a commit; at least 4 KiB, below 4 GiB.
    pub segment_bytes: u32,
    /// When a commit counts as durable.
    pub sync: Sync,
    /// Bytes taken and not durable, above which `submit` answers `Overloaded`.
    pub pending_bytes_max: usize,
    /// Recent bytes kept in memory for reads.
    pub hot_bytes_max: usize,
    /// Cache of the checkpoint's database.
    pub cache_bytes: usize,
    /// Checkpoints waiting to be written, above which `checkpoint` answers `Overloaded`.
    pub checkpoints_max: usize,
    /// Whether threads write in the background. Without, `durable` and `maintain` write, so that a simulation
    /// can replay a run.
    pub threads: bool,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            sync: Sync::Fsync,
            pending_bytes_max: 32 << 20,
            hot_bytes_max: 16 << 20,
            cache_bytes: 8 << 20,
            checkpoints_max: 2,
            threads: true,
        }
    }
}

/// Shortest segment.
pub(crate) const SEGMENT_BYTES_MIN: u32 = 4096;
