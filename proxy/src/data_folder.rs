//! The folder that holds everything durable of one process.
//!
//! ```text
//! sluice-data/
//!   lock          held while a process uses the folder
//!   node.json     {"version", "shards", "cluster_id"}: fixed when the folder is made
//!   shard-0/ …    one store each
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Version of the folder's layout.
const VERSION: u32 = 1;

/// Why a data folder cannot be used. The operator's fault, unless the disk's.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// It was made with another number of shards, by which things are placed.
    #[error("{} was made with shards = {found}, and the configuration says {wanted}", folder.display())]
    Shards {
        /// Which.
        folder: PathBuf,
        /// In the folder.
        found: u16,
        /// In the configuration.
        wanted: u16,
    },
    /// `node.json` is not what this version writes.
    #[error("{}: {reason}", file.display())]
    Identity {
        /// Which.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The disk refuses.
    #[error("{}: {error}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What.
        error: std::io::Error,
    },
}

/// What a folder says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    version: u32,
    /// Number of shards.
    pub shards: u16,
    /// The cluster id of a kernel that stands alone.
    pub cluster_id: String,
}

/// A folder in use. Dropping it lets others in.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    identity: Identity,
    _lock: File,
}

impl DataFolder {
    /// Opens the folder, and makes it if need be. `cluster_id` is for a new one.
    ///
    /// # Errors
    ///
    /// [`FolderError`]
    pub fn open(path: &Path, shards: u16, cluster_id: &str) -> Result<Self, FolderError> {
        std::fs::create_dir_all(path).map_err(|error| io(path, error))?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(|error| io(&lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(io(&lock_path, error)),
        }
        let identity = identity(path, shards, cluster_id)?;
        if identity.shards != shards {
            let (folder, found) = (path.to_owned(), identity.shards);
            return Err(FolderError::Shards { folder, found, wanted: shards });
        }
        Ok(Self { path: path.to_owned(), identity, _lock: lock })
    }

    /// What it says about itself.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where a shard's store is.
    #[must_use]
    pub fn shard(&self, shard: u16) -> PathBuf {
        self.path.join(format!("shard-{shard}"))
    }

    /// Where everything is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn io(path: &Path, error: std::io::Error) -> FolderError {
    FolderError::Io { path: path.to_owned(), error }
}

fn identity(folder: &Path, shards: u16, cluster_id: &str) -> Result<Identity, FolderError> {
    let file = folder.join("node.json");
    let wrong = |reason: String| FolderError::Identity { file: file.clone(), reason };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let identity = Identity { version: VERSION, shards, cluster_id: cluster_id.to_owned() };
            write(folder, &file, &identity).map_err(|error| io(&file, error))?;
            return Ok(identity);
        }
        Err(error) => return Err(io(&file, error)),
    };
    let identity: Identity = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if identity.version != VERSION {
        return Err(wrong(format!("version {}, and this sluice knows {VERSION}", identity.version)));
    }
    Ok(identity)
}

/// Whole or not at all, also over a power cut.
fn write(folder: &Path, file: &Path, identity: &Identity) -> std::io::Result<()> {
    let draft = folder.join("node.json.new");
    let mut out = File::create(&draft)?;
    out.write_all(serde_json::to_string(identity)?.as_bytes())?;
    out.sync_all()?;
    std::fs::rename(&draft, file)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_user_and_keeps_what_it_was_made_with() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let first = DataFolder::open(&path, 2, "one").unwrap();
        assert!(matches!(DataFolder::open(&path, 2, "two"), Err(FolderError::InUse(_))));
        drop(first);
        assert_eq!(DataFolder::open(&path, 2, "two").unwrap().identity().cluster_id, "one");
        let error = DataFolder::open(&path, 3, "two").unwrap_err();
        assert!(matches!(error, FolderError::Shards { found: 2, wanted: 3, .. }));
    }

    #[test]
    fn a_folder_of_another_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"version":99,"shards":2,"cluster_id":"x"}"#;
        std::fs::write(folder.path().join("node.json"), text).unwrap();
        let error = DataFolder::open(folder.path(), 2, "x").unwrap_err();
        assert!(error.to_string().contains("version 99"));
    }
}
