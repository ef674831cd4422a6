//! How much room the kernel's disk has.

use std::path::Path;

use config::{Config, Store};

/// Segments that each shard may hold beyond its live bytes while it rewrites: the bound that the store is tested for.
const SEGMENTS_KEPT_FREE: u64 = 4;
/// `f_type` of a file system in memory (Linux `TMPFS_MAGIC`).
#[cfg(target_os = "linux")]
const TMPFS: i64 = 0x0102_1994;

/// What a file system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this process may still write.
    pub free_bytes: u64,
    /// It is in memory: gone when the machine stops.
    pub in_memory: bool,
}

/// Asks the file system of a folder. A system call that touches no data; on a hanging network file system it waits.
///
/// # Errors
///
/// What the operating system says of the folder.
pub fn measure(folder: &Path) -> std::io::Result<Room> {
    let stat = rustix::fs::statvfs(folder)?;
    // Blocks kept for the superuser are not ours.
    Ok(Room { free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize), in_memory: in_memory(folder) })
}

#[cfg(target_os = "linux")]
fn in_memory(folder: &Path) -> bool {
    rustix::fs::statfs(folder).is_ok_and(|stat| stat.f_type == TMPFS)
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_: &Path) -> bool {
    false
}

/// What must stay free beside all that is mirrored: the store rewrites segments before it drops the old ones.
#[must_use]
pub fn reserve_bytes(config: &Config) -> u64 {
    match config.kernel.store {
        Store::Memory => 0,
        Store::Local => {
            let segments = SEGMENTS_KEPT_FREE.saturating_mul(config.kernel.shards.into());
            segments.saturating_mul(config.kernel.segment_bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_exists_has_room_and_one_that_does_not_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(measure(folder.path()).unwrap().free_bytes > 0);
        assert!(measure(&folder.path().join("none")).is_err());
    }

    #[test]
    fn the_reserve_follows_the_store() {
        let config = config::parse("[kernel]\nshards = 3\nsegment_bytes = 4194304\n").unwrap();
        assert_eq!(reserve_bytes(&config), 48 << 20);
        assert_eq!(reserve_bytes(&config::parse("[kernel]\nstore = \"memory\"\n").unwrap()), 0);
    }
}
