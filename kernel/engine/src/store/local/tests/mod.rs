//! Tests of the `local` store over the fault layer and over real files.
#![allow(clippy::indexing_slicing, reason = "tests know their own lengths")]
#![allow(clippy::cast_possible_truncation, reason = "tests know their own numbers")]

mod codec;
mod damage;
mod files;
mod full;
mod model;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kernel_model::batch::{BATCH_HEADER_LEN, patch_header};
use kernel_model::reply::Chunk;
use kernel_model::{Commit, KernelError, LogEpoch, LogId, Now, Offset, Op, OwnerEpoch, Seq};

use super::sim::SimDisk;
use super::{LocalOptions, LocalStore};
use crate::store::ShardStore;

/// A record batch of `records` offsets and about `payload` bytes, its offset and epoch unset.
fn batch(records: u32, payload: usize, timestamp_ms: i64, fill: u8) -> Bytes {
    let mut bytes = vec![fill; BATCH_HEADER_LEN + payload];
    let length = (bytes.len() - 12) as u32;
    bytes[..8].fill(0);
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[16] = 2;
    bytes[21..23].fill(0);
    bytes[23..27].copy_from_slice(&(records - 1).to_be_bytes());
    bytes[27..35].copy_from_slice(&timestamp_ms.to_be_bytes());
    bytes[35..43].copy_from_slice(&timestamp_ms.to_be_bytes());
    bytes[43..57].fill(0xff);
    bytes[57..61].copy_from_slice(&records.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

/// The batch as it is stored.
fn stored(batch: &Bytes, base: u64, epoch: i32) -> Bytes {
    let mut copy = BytesMut::from(batch.as_ref());
    patch_header(&mut copy, Offset(base), LogEpoch(epoch));
    copy.freeze()
}

fn append(log: u64, base: u64, batch: &Bytes) -> Op {
    // With its offset and epoch in place already, so that a replayed commit equals it.
    let batch = stored(batch, base, 3);
    Op::LogAppend { log: LogId(log), base_offset: Offset(base), epoch: LogEpoch(3), batch }
}

fn put(key: &str, value: &str) -> Op {
    let value = Bytes::copy_from_slice(value.as_bytes());
    Op::KvPut { key: Bytes::copy_from_slice(key.as_bytes()), value, expires_ms: Some(7) }
}

/// Small segments, and no threads.
fn options() -> LocalOptions {
    LocalOptions {
        segment_bytes: 16 << 10,
        hot_bytes_max: 8 << 10,
        threads: false,
        ..LocalOptions::default()
    }
}

fn open(disk: &SimDisk, epoch: u64) -> Result<LocalStore, KernelError> {
    LocalStore::open_on(Arc::new(disk.clone()), OwnerEpoch(epoch), options(), Arc::new(|| {}))
}

/// Opens and recovers; returns the replayed commits too.
fn recover(disk: &SimDisk, epoch: u64) -> Result<(LocalStore, Vec<(Seq, Commit)>), KernelError> {
    let mut store = open(disk, epoch)?;
    let mut replayed = Vec::new();
    store.recover(&mut |_, _| {}, &mut |seq, commit| replayed.push((seq, commit)))?;
    Ok((store, replayed))
}

fn fresh() -> (SimDisk, LocalStore) {
    let disk = SimDisk::default();
    let (store, _) = recover(&disk, 1).unwrap();
    (disk, store)
}

/// Submits and waits until it is durable.
fn commit(store: &mut LocalStore, ops: Vec<Op>) -> Seq {
    let seq = store.submit(&Commit::of(ops)).unwrap();
    assert_eq!(store.durable(), Ok(seq));
    seq
}

/// Maintains and checkpoints until nothing is left to do.
fn settle(store: &mut LocalStore) {
    for _ in 0..10_000 {
        let report = store.maintain(Now::default()).unwrap();
        store.durable().unwrap();
        if report.checkpoint_wanted {
            let last = store.shared.state.lock().submitted;
            store.checkpoint(last, Vec::new()).unwrap();
        } else if !report.more {
            return;
        }
    }
    panic!("the store never settles");
}

/// All that a log holds from `from` on.
fn read(store: &impl ShardStore, log: u64, from: u64) -> Result<Vec<u8>, KernelError> {
    let mut all = Vec::new();
    for chunk in store.read(LogId(log), Offset(from), Offset(u64::MAX), usize::MAX, true)? {
        match chunk {
            Chunk::Hot(bytes) => all.extend_from_slice(&bytes),
            Chunk::Cold(cold) => all.extend_from_slice(&cold.source.read(cold.position, cold.len)?),
        }
    }
    Ok(all)
}
