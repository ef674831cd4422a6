//! The checkpoint file: keys, indexes and derived state as of one position of the log, in one redb database.
//!
//! The database checks the whole file as it is opened; every value has a crc32c over key and value behind it,
//! for what goes bad later. What makes the database panic is damage too. After an IO error (a full disk, say) the database refuses everything until it is opened
//! again, which [`Meta::apply`] does by itself.

use std::fmt;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::{KernelError, LogId, Seq};
use parking_lot::{Mutex, RwLock};
use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, WriteTransaction};

use super::checkpoint::Job;
use super::disk::{DiskError, DiskFile, FencedDisk};
use super::index::{Index, run_key};
use super::segment::segment_number;
use super::tail::Position;
use crate::store::{KvEntry, after_prefix};

/// File name of the checkpoint.
const CHECKPOINT: &str = "checkpoint.redb";

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;
const KEYS: Table = Table::new("keys");
const STATE: Table = Table::new("state");
const LOGS: Table = Table::new("logs");
const RUNS: Table = Table::new("runs");
const META: Table = Table::new("meta");
const APPLIED: &[u8] = b"applied";

/// Version of the tables and of what is in them.
const VERSION: u32 = 1;

/// How far a checkpoint goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) seq: Seq,
    /// Where the commits after it begin.
    pub(crate) position: Position,
}

/// The checkpoint of one store.
pub(crate) struct Meta {
    database: RwLock<Option<Database>>,
    file: Arc<MetaFile>,
    cache_bytes: usize,
}

/// The file under the database, fenced.
struct MetaFile {
    disk: FencedDisk,
    /// A seat for reading, so that a reader does not wait for a checkpoint that is being written.
    readers: FencedDisk,
    file: Arc<dyn DiskFile>,
    /// Why it failed last; redb's errors do not tell.
    failed: Mutex<Option<DiskError>>,
}

/// The database's way to its file.
struct Backend(Arc<MetaFile>);

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CHECKPOINT)
    }
}

impl MetaFile {
    fn write<T>(&self, work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.disk.with(CHECKPOINT, work).map_err(|error| self.fail(error))
    }

    /// Reads as the owner: a newer one may be changing the pages.
    fn read<T>(&self, work: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.readers.with(CHECKPOINT, work).map_err(|error| self.fail(error))
    }

    fn fail(&self, error: DiskError) -> io::Error {
        let full = matches!(error, DiskError::Full);
        self.failed.lock().get_or_insert(error);
        io::Error::from(if full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other })
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.read(|| self.0.file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(|| self.0.file.read_at(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.write(|| self.0.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        // Without the lock: it may take long, and makes only durable what was written with it.
        self.0.file.sync().map_err(|error| self.0.fail(DiskError::of(CHECKPOINT, &error)))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(|| self.0.file.write_at(offset, data))
    }
}

impl Meta {
    /// Opens the checkpoint file; makes it where the folder is new.
    pub(crate) fn open(disk: &FencedDisk, cache_bytes: usize) -> Result<Self, KernelError> {
        let failed = |error: io::Error| KernelError::Stopped(format!("{CHECKPOINT}: {error}"));
        let files = disk.disk().list().map_err(failed)?;
        let file = if files.iter().any(|(name, _)| name == CHECKPOINT) {
            disk.disk().open(CHECKPOINT).map_err(failed)?
        } else {
            disk.create(CHECKPOINT, 0)?
        };
        let first_use = !files.iter().any(|(name, _)| segment_number(name).is_some());
        let seat = || disk.another().map_err(failed);
        match Self::open_file(seat()?, Arc::clone(&file), cache_bytes) {
            // A first start that was cut off before the database was whole: nothing has been stored yet.
            Err(KernelError::Damaged(_)) if first_use => {
                disk.with(CHECKPOINT, || file.set_len(0))?;
                Self::open_file(seat()?, file, cache_bytes)
            }
            outcome => outcome,
        }
    }

    fn open_file(disk: FencedDisk, file: Arc<dyn DiskFile>, cache_bytes: usize) -> Result<Self, KernelError> {
        let readers = disk.another().map_err(|error| KernelError::Stopped(format!("lock: {error}")))?;
        let file = Arc::new(MetaFile { disk, readers, file, failed: Mutex::new(None) });
        let meta = Self { database: RwLock::new(None), file, cache_bytes };
        meta.reopen()?;
        Ok(meta)
    }

    /// How far it goes; `None` for a new one.
    pub(crate) fn applied(&self) -> Result<Option<Applied>, KernelError> {
        let Some(value) = self.value(META, APPLIED)? else { return Ok(None) };
        let fields: Option<Vec<u32>> =
            value.chunks(4).map(|field| Some(u32::from_be_bytes(field.try_into().ok()?))).collect();
        match fields.as_deref() {
            Some(&[VERSION, high, low, segment, at]) => {
                let seq = Seq(u64::from(high) << 32 | u64::from(low));
                Ok(Some(Applied { seq, position: Position { segment, at } }))
            }
            Some(&[version, ..]) if version != VERSION => {
                Err(KernelError::Stopped(format!("{CHECKPOINT}: version {version} is not known here")))
            }
            _ => Err(damaged("the position")),
        }
    }

    /// Derived state, ascending.
    pub(crate) fn each_state(&self, each: &mut dyn FnMut(Bytes, Bytes)) -> Result<(), KernelError> {
        self.each(STATE, |key, value| {
            each(key, value);
            Ok(())
        })
    }

    /// The index.
    pub(crate) fn load_index(&self) -> Result<Index, KernelError> {
        let mut index = Index::default();
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).map_err(|_| damaged("a key"));
        self.each(LOGS, |key, _| {
            index.restore_log(LogId(number(&key)?));
            Ok(())
        })?;
        self.each(RUNS, |key, value| {
            let (log, id) = key.split_at_checked(8).ok_or_else(|| damaged("a key"))?;
            index.restore_run(LogId(number(log)?), number(id)?, value).map_err(|_| damaged("an index entry"))
        })?;
        index.finish_restore().map_err(|_| damaged("the index"))?;
        Ok(index)
    }

    /// Value of a key of the Kv primitive.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<KvEntry>, KernelError> {
        self.value(KEYS, key)?.map(decode_entry).transpose()
    }

    /// Up to `entries_max` keys from `start` on that begin with `prefix`.
    pub(crate) fn scan(
        &self,
        prefix: &[u8],
        start: Bound<&[u8]>,
        entries_max: usize,
    ) -> Result<Vec<(Bytes, KvEntry)>, KernelError> {
        let guard = self.database.read();
        let work = || -> Result<Vec<(Bytes, Bytes)>, redb::Error> {
            let database = guard.as_ref().ok_or(redb::Error::DatabaseClosed)?;
            let table = match database.begin_read()?.open_table(KEYS) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                table => table?,
            };
            let end = after_prefix(prefix);
            let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut found = Vec::new();
            for row in table.range::<&[u8]>((start, end))?.take(entries_max) {
                let (key, value) = row?;
                found.push((Bytes::copy_from_slice(key.value()), Bytes::copy_from_slice(value.value())));
            }
            Ok(found)
        };
        let rows = self.guard(work)?;
        rows.into_iter().map(|(key, value)| Ok((key.clone(), decode_entry(checked(&key, value)?)?))).collect()
    }

    /// Makes a checkpoint durable. Its state is then exactly that of `job`, or, after an error, as before.
    pub(crate) fn apply(&self, job: &Job) -> Result<(), DiskError> {
        let outcome = self.guard(|| self.try_apply(job));
        let Err(error) = outcome else { return Ok(()) };
        let kept = self.file.failed.lock().take();
        let error = kept.unwrap_or_else(|| DiskError::Failed(error.to_string()));
        if matches!(error, DiskError::Full)
            && let Err(again) = self.reopen()
        {
            return Err(DiskError::Failed(again.to_string()));
        }
        Err(error)
    }

    /// Length of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.file.len().unwrap_or(0)
    }

    fn reopen(&self) -> Result<(), KernelError> {
        let mut database = self.database.write();
        *database = None;
        *self.file.failed.lock() = None;
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache_bytes).set_check_integrity_on_open(true);
        let backend = Backend(Arc::clone(&self.file));
        *database = Some(self.guard(|| Ok(builder.create_with_backend(backend)?))?);
        Ok(())
    }

    /// Runs work on the database; its panics are damage.
    fn guard<T>(&self, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, KernelError> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(outcome) => outcome.map_err(|error| self.sort(&error)),
            Err(_) => Err(damaged("the database")),
        }
    }

    fn try_apply(&self, job: &Job) -> Result<(), redb::Error> {
        let guard = self.database.read();
        let database = guard.as_ref().ok_or(redb::Error::DatabaseClosed)?;
        let mut change = database.begin_write()?;
        // Costs a little at each commit and spares the next start a walk over the whole file.
        change.set_quick_repair(true);
        let keys = job.keys.iter().map(|(key, entry)| (key.as_ref(), entry.as_ref().map(encode_entry)));
        put_all(&change, KEYS, keys)?;
        let state = job.state.iter().map(|(key, value)| (key.as_ref(), value.clone()));
        put_all(&change, STATE, state)?;
        let logs: Vec<_> =
            job.index.logs.iter().map(|(log, exists)| (log.0.to_be_bytes(), *exists)).collect();
        let logs = logs.iter().map(|(log, exists)| (log.as_slice(), exists.then(Bytes::new)));
        put_all(&change, LOGS, logs)?;
        let runs = job.index.runs.iter().map(|((log, id), run)| (run_key(*log, *id), run.clone()));
        let runs: Vec<_> = runs.collect();
        put_all(&change, RUNS, runs.iter().map(|(key, run)| (key.as_ref(), run.clone())))?;
        put_all(&change, META, [(APPLIED, Some(encode_applied(job.applied)))].into_iter())?;
        change.commit()?;
        Ok(())
    }

    fn value(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, KernelError> {
        let guard = self.database.read();
        let work = || -> Result<Option<Bytes>, redb::Error> {
            let database = guard.as_ref().ok_or(redb::Error::DatabaseClosed)?;
            let table = match database.begin_read()?.open_table(table) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
                table => table?,
            };
            Ok(table.get(key)?.map(|value| Bytes::copy_from_slice(value.value())))
        };
        let value = self.guard(work)?;
        value.map(|value| checked(key, value)).transpose()
    }

    fn each(
        &self,
        table: Table,
        mut each: impl FnMut(Bytes, Bytes) -> Result<(), KernelError>,
    ) -> Result<(), KernelError> {
        let guard = self.database.read();
        let mut judged = Ok(());
        let work = || -> Result<(), redb::Error> {
            let database = guard.as_ref().ok_or(redb::Error::DatabaseClosed)?;
            let table = match database.begin_read()?.open_table(table) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
                table => table?,
            };
            for row in table.iter()? {
                let (key, value) = row?;
                let key = Bytes::copy_from_slice(key.value());
                let value = checked(&key, Bytes::copy_from_slice(value.value()));
                judged = value.and_then(|value| each(key, value));
                if judged.is_err() {
                    break;
                }
            }
            Ok(())
        };
        self.guard(work)?;
        judged
    }

    /// What an error of the database means.
    fn sort(&self, error: &redb::Error) -> KernelError {
        match self.file.failed.lock().as_ref() {
            Some(DiskError::Fenced) => KernelError::Fenced,
            Some(DiskError::Full) => KernelError::Full,
            Some(DiskError::Failed(why)) => KernelError::Damaged(why.clone()),
            None => KernelError::Damaged(format!("{CHECKPOINT}: {error}")),
        }
    }
}

fn put_all<'a>(
    change: &WriteTransaction,
    table: Table,
    rows: impl Iterator<Item = (&'a [u8], Option<Bytes>)>,
) -> Result<(), redb::Error> {
    let mut table = change.open_table(table)?;
    for (key, value) in rows {
        match value {
            Some(value) => {
                let mut stored = BytesMut::with_capacity(value.len() + 4);
                stored.put_slice(&value);
                stored.put_u32_le(checksum(key, &value));
                table.insert(key, stored.as_ref())?;
            }
            None => {
                table.remove(key)?;
            }
        }
    }
    Ok(())
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}

/// Takes the checksum off a stored value.
fn checked(key: &[u8], mut stored: Bytes) -> Result<Bytes, KernelError> {
    let at = stored.len().checked_sub(4).ok_or_else(|| damaged("a value"))?;
    let sum = stored.split_off(at);
    let whole = sum.as_ref() == checksum(key, &stored).to_le_bytes();
    if whole { Ok(stored) } else { Err(damaged("a value (checksum mismatch)")) }
}

fn damaged(what: &str) -> KernelError {
    KernelError::Damaged(format!("{CHECKPOINT}: {what}"))
}

fn encode_applied(applied: Applied) -> Bytes {
    let mut out = BytesMut::with_capacity(20);
    out.put_u32(VERSION);
    out.put_u64(applied.seq.0);
    out.put_u32(applied.position.segment);
    out.put_u32(applied.position.at);
    out.freeze()
}

/// A flag, the time it expires at where the flag is 1, the value.
fn encode_entry(entry: &KvEntry) -> Bytes {
    let mut out = BytesMut::with_capacity(entry.value.len() + 9);
    out.put_u8(u8::from(entry.expires_ms.is_some()));
    if let Some(expires_ms) = entry.expires_ms {
        out.put_i64(expires_ms);
    }
    out.put_slice(&entry.value);
    out.freeze()
}

fn decode_entry(bytes: Bytes) -> Result<KvEntry, KernelError> {
    match bytes.split_first() {
        Some((0, _)) => Ok(KvEntry { value: bytes.slice(1..), expires_ms: None }),
        Some((1, rest)) => {
            let field = rest.get(..8).and_then(|field| field.try_into().ok());
            let expires_ms = Some(i64::from_be_bytes(field.ok_or_else(|| damaged("a value"))?));
            Ok(KvEntry { value: bytes.slice(9..), expires_ms })
        }
        _ => Err(damaged("a value")),
    }
}
