//! The store with its threads on real files.
#![allow(clippy::disallowed_methods, reason = "threads and files take real time")]

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;
use crate::store::local::Sync;

/// Longest wait for something that must come.
const LONG: Duration = Duration::from_secs(30);

fn open_files(folder: &Path, owner: u64, sync: Sync) -> (LocalStore, Receiver<()>, Seq) {
    let (wake, woken) = channel();
    let options = LocalOptions { segment_bytes: 256 << 10, sync, ..LocalOptions::default() };
    let waker = Arc::new(move || {
        let _ = wake.send(());
    });
    let mut store = LocalStore::open(folder, OwnerEpoch(owner), options, waker).unwrap();
    let last = store.recover(&mut |_, _| {}, &mut |_, _| {}).unwrap();
    (store, woken, last)
}

/// Waits until `seq` is durable.
fn wait(store: &mut LocalStore, woken: &Receiver<()>, seq: Seq) -> Result<(), KernelError> {
    while store.durable()? < seq {
        woken.recv_timeout(LONG).expect("the store wakes its shard");
    }
    Ok(())
}

#[test]
fn commits_survive_a_restart_with_a_checkpoint_in_between() {
    for sync in [Sync::Fsync, Sync::PageCache] {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, woken, last) = open_files(folder.path(), 1, sync);
        assert_eq!(last, Seq(0));
        let mut seq = last;
        for base in 0..500 {
            seq = store
                .submit(&Commit::of(vec![append(1, base, &batch(1, 2000, 1, 1)), put("k", "v")]))
                .unwrap();
            if base == 250 {
                wait(&mut store, &woken, seq).unwrap();
                store.checkpoint(seq, vec![("s".into(), Some("v".into()))]).unwrap();
            }
        }
        wait(&mut store, &woken, seq).unwrap();
        let all = read(&store, 1, 0).unwrap();
        drop(store);
        let (store, _, last) = open_files(folder.path(), 2, sync);
        assert_eq!(last, Seq(500));
        assert!(read(&store, 1, 0).unwrap() == all);
        assert_eq!(store.get(b"k").unwrap().unwrap().value, "v");
    }
}

#[test]
fn a_newer_owner_fences_a_living_one() {
    let folder = tempfile::tempdir().unwrap();
    let (mut old, woken, _) = open_files(folder.path(), 1, Sync::Fsync);
    let seq = old.submit(&Commit::of(vec![put("k", "1")])).unwrap();
    wait(&mut old, &woken, seq).unwrap();
    let seq = old.submit(&Commit::of(vec![put("k", "2")])).unwrap();
    let (mut new, new_woken, last) = open_files(folder.path(), 2, Sync::Fsync);
    // The second commit is either whole in the new owner's hands, or never acknowledged by the old one.
    let outcome = wait(&mut old, &woken, seq);
    assert!(outcome == Err(KernelError::Fenced) || last == seq, "{outcome:?} {last:?}");
    assert_eq!(old.durable(), Err(KernelError::Fenced));
    let _ = old.submit(&Commit::of(vec![put("k", "3")]));
    assert_eq!(old.maintain(Now::default()), Err(KernelError::Fenced));
    let seq = new.submit(&Commit::of(vec![put("n", "1")])).unwrap();
    wait(&mut new, &new_woken, seq).unwrap();
    drop(old);
    drop(new);
    let (last, _, seq) = open_files(folder.path(), 3, Sync::Fsync);
    assert!(last.get(b"k").unwrap().is_some_and(|entry| entry.value != "3"));
    assert!(last.get(b"n").unwrap().is_some());
    assert!(seq >= Seq(2));
    let again = LocalStore::open(folder.path(), OwnerEpoch(3), LocalOptions::default(), Arc::new(|| {}));
    assert_eq!(again.unwrap_err(), KernelError::Fenced);
    assert_eq!(LocalStore::last_owner(folder.path()), Ok(OwnerEpoch(3)));
}

#[test]
fn a_cold_read_outlives_the_deletion_of_its_segment() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, woken, _) = open_files(folder.path(), 1, Sync::PageCache);
    let first = batch(1, 2000, 1, 42);
    store.submit(&Commit::of(vec![append(1, 0, &first)])).unwrap();
    let mut seq = Seq(0);
    for base in 1..12_000 {
        seq = store.submit(&Commit::of(vec![append(1, base, &batch(1, 2000, 1, 1))])).unwrap();
        wait(&mut store, &woken, seq).unwrap();
    }
    let chunk = store.read(LogId(1), Offset(0), Offset(1), 1, true).unwrap().pop().unwrap();
    let Chunk::Cold(cold) = chunk else { panic!("still in memory") };
    store.submit(&Commit::of(vec![Op::LogTrim { log: LogId(1), start: Offset(11_990) }])).unwrap();
    seq = Seq(seq.0 + 1);
    wait(&mut store, &woken, seq).unwrap();
    let deadline = std::time::Instant::now() + LONG;
    while store.stats().segments > 2 {
        assert!(std::time::Instant::now() < deadline, "{:?}", store.stats());
        if store.maintain(Now::default()).unwrap().checkpoint_wanted {
            store.checkpoint(seq, Vec::new()).unwrap();
        }
        std::thread::yield_now();
    }
    assert!(!folder.path().join("wal-0000000001.seg").exists());
    assert_eq!(cold.source.read(cold.position, cold.len).unwrap(), stored(&first, 0, 3));
}

/// Group commit: how many commits of 1 KiB become durable a second, by number of waiting writers.
#[test]
#[ignore = "a measurement: cargo test --release -p kernel-engine rates -- --ignored --nocapture"]
fn rates() {
    for sync in [Sync::Fsync, Sync::PageCache] {
        for writers in [1_u64, 8, 64, 256] {
            let folder = tempfile::tempdir_in(".").unwrap();
            let (mut store, woken, _) = open_with(folder.path(), sync);
            let one = batch(1, 1024 - 61, 1, 1);
            let (mut base, mut acknowledged) = (0, 0);
            let begun = std::time::Instant::now();
            let mut submitting = Duration::ZERO;
            while begun.elapsed() < Duration::from_secs(3) {
                let before = std::time::Instant::now();
                while base - acknowledged < writers {
                    store.submit(&Commit::of(vec![append_as_is(base, &one)])).unwrap();
                    base += 1;
                }
                submitting += before.elapsed();
                wait(&mut store, &woken, Seq(acknowledged + 1)).unwrap();
                acknowledged = store.durable().unwrap().0;
            }
            let seconds = begun.elapsed().as_secs_f64();
            println!(
                "{sync:?} {writers:>3} writers: {:>9.0} commits/s, {:>6} syncs, submit {:>4.0} ns",
                acknowledged as f64 / seconds,
                store.stats().fsyncs,
                submitting.as_nanos() as f64 / base as f64,
            );
        }
    }
}

fn open_with(folder: &Path, sync: Sync) -> (LocalStore, Receiver<()>, Seq) {
    let (wake, woken) = channel();
    let options = LocalOptions { sync, ..LocalOptions::default() };
    let waker = Arc::new(move || {
        let _ = wake.send(());
    });
    let mut store = LocalStore::open(folder, OwnerEpoch(1), options, waker).unwrap();
    let last = store.recover(&mut |_, _| {}, &mut |_, _| {}).unwrap();
    (store, woken, last)
}

fn append_as_is(base: u64, batch: &Bytes) -> Op {
    Op::LogAppend { log: LogId(1), base_offset: Offset(base), epoch: LogEpoch(1), batch: batch.clone() }
}
