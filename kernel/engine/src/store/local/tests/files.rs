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

/// What a process leaves that is killed between naming a segment and reserving its space.
#[test]
fn a_file_that_was_never_finished_does_not_keep_the_store_from_opening() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, woken, _) = open_files(folder.path(), 1, Sync::Fsync);
    let seq = store.submit(&child_commit(0)).unwrap();
    wait(&mut store, &woken, seq).unwrap();
    drop(store);
    let unfinished = folder.path().join("wal-0000000009.seg.new");
    std::fs::write(&unfinished, b"").unwrap();
    let (store, _, last) = open_files(folder.path(), 2, Sync::Fsync);
    assert_eq!(last, seq);
    assert_eq!(store.get(b"last").unwrap().unwrap().value, "0");
    assert!(!unfinished.exists());
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

/// Folder of the child that [`a_killed_process_keeps_what_it_acknowledged`] starts.
const CHILD_FOLDER: &str = "STORE_CHILD_FOLDER";

/// The commit that the child makes `n`th.
fn child_commit(n: u64) -> Commit {
    Commit::of(vec![append(1, n, &batch(1, 500, 1, n as u8)), put("last", &n.to_string())])
}

#[test]
#[ignore = "the child of another test: writes until it is killed"]
fn child() {
    use std::io::Write;
    let Ok(folder) = std::env::var(CHILD_FOLDER) else { return };
    let owner = LocalStore::last_owner(Path::new(&folder)).unwrap().0 + 1;
    let (mut store, woken, mut last) = open_files(Path::new(&folder), owner, Sync::Fsync);
    let mut acknowledged = last;
    loop {
        while last.0 - acknowledged.0 < 20 {
            last = store.submit(&child_commit(last.0)).unwrap();
        }
        wait(&mut store, &woken, Seq(acknowledged.0 + 1)).unwrap();
        acknowledged = store.durable().unwrap();
        // Standard error is not captured.
        writeln!(std::io::stderr(), "durable {}", acknowledged.0).unwrap();
        if store.maintain(Now::default()).unwrap().checkpoint_wanted {
            store.checkpoint(last, vec![("at".into(), Some(last.0.to_string().into()))]).unwrap();
        }
    }
}

#[test]
fn a_killed_process_keeps_what_it_acknowledged() {
    use std::io::BufRead;
    let folder = tempfile::tempdir().unwrap();
    let mut expected = 0;
    for round in 0..5 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::local::tests::files::child", "--ignored", "--nocapture"])
            .env(CHILD_FOLDER, folder.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = 0;
        for line in lines.map_while(Result::ok) {
            let Some(durable) = line.strip_prefix("durable ") else { continue };
            expected = durable.parse().unwrap_or(expected);
            seen += 1;
            if seen == 20 + round * 7 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= 20, "the child wrote nothing");
        let owner = LocalStore::last_owner(folder.path()).unwrap().0 + 1;
        let (store, _, last) = open_files(folder.path(), owner, Sync::Fsync);
        assert!(last.0 >= expected, "{last:?} < {expected}");
        assert_eq!(store.get(b"last").unwrap().unwrap().value, (last.0 - 1).to_string());
        assert_eq!(read(&store, 1, 0).unwrap().len() as u64, last.0 * 561);
    }
}

/// Group commit: how many commits of 1 KiB become durable a second, by number of waiting writers.
#[test]
#[ignore = "a measurement: cargo test --release -p kernel-engine rates -- --ignored --nocapture"]
fn rates() {
    for sync in [Sync::Fsync, Sync::PageCache] {
        for writers in [1_u64, 8, 64, 256] {
            let folder = tempfile::tempdir_in(".").unwrap();
            let raw = raw_rate(&folder.path().join("raw"), sync, writers);
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
                "{sync:?} {writers:>3} writers: {:>9.0} commits/s, raw {raw:>9.0}, {:>6} syncs, submit {:>4.0} ns",
                acknowledged as f64 / seconds,
                store.stats().fsyncs,
                submitting.as_nanos() as f64 / base as f64,
            );
        }
    }
}

/// The same without a store: one write of `writers` KiB, one sync, again.
fn raw_rate(path: &Path, sync: Sync, writers: u64) -> f64 {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    let kilobytes = vec![1; 1024 * writers as usize];
    let begun = std::time::Instant::now();
    let mut written = 0;
    while begun.elapsed() < Duration::from_secs(1) {
        file.write_all(&kilobytes).unwrap();
        if sync == Sync::Fsync {
            file.sync_data().unwrap();
        }
        written += writers;
    }
    written as f64 / begun.elapsed().as_secs_f64()
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
