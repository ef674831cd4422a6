//! Torn, lost and flipped bytes, cut and missing files: found, named, and never served.

use super::super::disk::Disk;
use super::*;

const SEGMENT_1: &str = "wal-0000000001.seg";
const SEGMENT_2: &str = "wal-0000000002.seg";

/// Offset in the file of the `nth` entry of a segment, from 0.
fn entry_at(disk: &SimDisk, name: &str, nth: usize) -> usize {
    let content = disk.content(name).unwrap();
    let mut starts = (64..content.len() - 4).step_by(8).filter(|at| &content[*at..at + 4] == b"SLUE");
    starts.nth(nth).unwrap()
}

fn damage_of(outcome: Result<(LocalStore, Vec<(Seq, Commit)>), KernelError>) -> String {
    match outcome {
        Err(KernelError::Damaged(why)) => why,
        Err(error) => panic!("{error}"),
        Ok((_, replayed)) => panic!("opened with {} commits", replayed.len()),
    }
}

/// A copy of the disk without its last owner's reach.
fn copy(disk: &SimDisk) -> SimDisk {
    let copy = SimDisk::default();
    for name in disk.names() {
        copy.put(&name, disk.content(&name).unwrap());
    }
    copy
}

#[test]
fn a_torn_tail_is_cut_at_the_last_whole_entry() {
    for seed in 0..200 {
        let (disk, mut store) = fresh();
        let small = batch(1, 100, 1, 1);
        commit(&mut store, vec![append(1, 0, &small)]);
        // Large enough for many sectors, written and never synced.
        disk.fail_syncs(1);
        for base in 1..4 {
            store.submit(&Commit::of(vec![append(1, base, &batch(1, 3000, 1, 2))])).unwrap();
        }
        assert!(matches!(store.durable(), Err(KernelError::Stopped(_))));
        let (store, replayed) = recover(&disk.crash(seed), 2).unwrap();
        assert!(!replayed.is_empty() && replayed.len() <= 4);
        let all = read(&store, 1, 0).unwrap();
        assert_eq!(all.len(), 161 + 3061 * (replayed.len() - 1));
    }
}

#[test]
fn the_unsynced_tail_is_lost_whole_and_the_next_owner_writes_on() {
    let (disk, mut store) = fresh();
    commit(&mut store, vec![put("a", "1")]);
    store.submit(&Commit::of(vec![put("a", "2")])).unwrap();
    // Not flushed at all: the kill comes first.
    let disk = disk.crash(0);
    let (mut store, replayed) = recover(&disk, 2).unwrap();
    assert_eq!(replayed.len(), 1);
    assert_eq!(store.get(b"a").unwrap().unwrap().value, "1");
    commit(&mut store, vec![put("a", "3")]);
    let (store, replayed) = recover(&disk.crash(0), 3).unwrap();
    assert_eq!(replayed.len(), 2);
    assert_eq!(store.get(b"a").unwrap().unwrap().value, "3");
}

#[test]
fn a_crash_while_rolling_keeps_what_was_durable() {
    for seed in 0..300 {
        let (disk, mut store) = fresh();
        let mut durable = 0;
        let mut random = crate::store::faulty::SplitMix(seed);
        for base in 0..random.below(20) + 5 {
            store.submit(&Commit::of(vec![append(1, base, &batch(1, 2000, 1, base as u8))])).unwrap();
            if random.below(3) == 0 {
                durable = store.durable().unwrap().0;
            }
        }
        // Some of what was taken is written and not synced.
        disk.fail_syncs(1);
        let _ = store.durable();
        let (_, replayed) = recover(&disk.crash(seed), 2).unwrap();
        assert!(replayed.len() as u64 >= durable, "seed {seed}");
    }
}

#[test]
fn a_flipped_bit_in_a_synced_entry_ends_the_start() {
    let (disk, mut store) = fresh();
    for n in 0..4 {
        commit(&mut store, vec![append(1, n, &batch(1, 100, 1, 1))]);
    }
    for nth in 0..3 {
        for inside in [0, 5, 9, 13, 17, 25, 40, 150] {
            let damaged = copy(&disk);
            let start = entry_at(&disk, SEGMENT_1, nth);
            damaged.flip(SEGMENT_1, start + inside);
            let why = damage_of(recover(&damaged, 2));
            assert!(why.contains(SEGMENT_1) && why.contains(&format!("at byte {start}")), "{why}");
        }
    }
}

#[test]
fn a_log_that_rested_proves_its_last_entry() {
    let (disk, mut store) = fresh();
    commit(&mut store, vec![put("a", "1")]);
    store.maintain(Now::default()).unwrap();
    store.durable().unwrap();
    let damaged = copy(&disk);
    damaged.flip(SEGMENT_1, entry_at(&disk, SEGMENT_1, 0) + 40);
    damage_of(recover(&damaged, 2));
    // The mark itself may go.
    let without = copy(&disk);
    without.flip(SEGMENT_1, entry_at(&disk, SEGMENT_1, 1) + 20);
    assert_eq!(recover(&without, 2).unwrap().1.len(), 1);
}

#[test]
fn a_damaged_segment_header_ends_the_start() {
    let (disk, mut store) = fresh();
    commit(&mut store, vec![put("a", "1")]);
    for at in [0, 13, 20, 30, 61] {
        let damaged = copy(&disk);
        damaged.flip(SEGMENT_1, at);
        assert!(damage_of(recover(&damaged, 2)).contains(SEGMENT_1));
    }
}

#[test]
fn a_blank_segment_header_over_synced_entries_ends_the_start() {
    let (disk, mut store) = fresh();
    commit(&mut store, vec![put("a", "1")]);
    commit(&mut store, vec![put("a", "2")]);
    let mut content = disk.content(SEGMENT_1).unwrap();
    content[..64].fill(0);
    disk.put(SEGMENT_1, content);
    assert!(damage_of(recover(&disk, 2)).contains(SEGMENT_1));
}

#[test]
fn without_its_lock_file_a_store_still_knows_its_newest_owner() {
    let (disk, mut store) = fresh();
    commit(&mut store, vec![put("a", "1")]);
    let (mut store, _) = recover(&disk, 7).unwrap();
    commit(&mut store, vec![put("a", "2")]);
    assert_eq!(recover(&copy(&disk), 7).unwrap_err(), KernelError::Fenced);
    assert_eq!(recover(&copy(&disk), 8).unwrap().1.len(), 2);
}

#[test]
fn an_unknown_version_is_named() {
    let (disk, mut store) = fresh();
    commit(&mut store, vec![put("a", "1")]);
    let newer = copy(&disk);
    let mut content = disk.content(SEGMENT_1).unwrap();
    content[8] = 9;
    let sum = crc32c::crc32c(&content[..60]).to_le_bytes();
    content[60..64].copy_from_slice(&sum);
    newer.put(SEGMENT_1, content);
    let Err(KernelError::Stopped(why)) = recover(&newer, 2) else { panic!("opened") };
    assert_eq!(why, "wal-0000000001.seg: version 9 is not known here");
}

/// Three segments, the first two behind the checkpoint and half alive.
fn three_segments() -> (SimDisk, LocalStore) {
    let (disk, mut store) = fresh();
    for base in 0..20 {
        commit(&mut store, vec![append(1, base, &batch(1, 2000, 1, base as u8)), put("a", "1")]);
    }
    settle(&mut store);
    assert_eq!(store.stats().segments, 3);
    (disk, store)
}

#[test]
fn a_flipped_bit_at_rest_fails_the_read_that_meets_it_and_no_other() {
    let (disk, store) = three_segments();
    let place = store.contents.index.places_from(LogId(1), Offset(2)).next().unwrap();
    drop(store);
    for inside in [0, 9, 13, 16, 18, 30, 1000] {
        let damaged = copy(&disk);
        let at = place.1.position as usize + inside;
        damaged.flip(SEGMENT_1, at);
        let (store, _) = recover(&damaged, 2).unwrap();
        let error = read(&store, 1, 2).unwrap_err();
        let KernelError::Damaged(why) = error else { panic!("{error}") };
        assert!(why.contains(&format!("{SEGMENT_1} at byte {}", place.1.position)), "{why}");
        assert_eq!(read(&store, 1, 3).unwrap().len(), 17 * 2061);
    }
}

#[test]
fn a_whole_batch_in_the_place_of_another_is_not_served() {
    let (disk, store) = three_segments();
    let mut places = store.contents.index.places_from(LogId(1), Offset(2));
    let (first, second) = (places.next().unwrap().1, places.next().unwrap().1);
    drop(places);
    drop(store);
    let mut content = disk.content(SEGMENT_1).unwrap();
    let from = second.position as usize;
    let other = content[from..from + second.len as usize].to_vec();
    let to = first.position as usize;
    content[to..to + other.len()].copy_from_slice(&other);
    // Even with the offset of the one that should be there.
    patch_header(&mut content[to..], first.base, first.epoch);
    disk.put(SEGMENT_1, content);
    let (store, _) = recover(&disk, 2).unwrap();
    assert!(matches!(read(&store, 1, 2), Err(KernelError::Damaged(why)) if why.contains(SEGMENT_1)));
}

#[test]
fn missing_and_cut_files_behind_the_checkpoint_fail_reads_and_are_listed() {
    let (disk, store) = three_segments();
    let whole = read(&store, 1, 10).unwrap();
    drop(store);
    let missing = copy(&disk);
    Disk::remove(&missing, SEGMENT_1).unwrap();
    let cut = copy(&disk);
    let mut content = disk.content(SEGMENT_1).unwrap();
    content.truncate(5000);
    cut.put(SEGMENT_1, content);
    for damaged in [missing, cut] {
        let (mut store, _) = recover(&damaged, 2).unwrap();
        assert_eq!(store.stats().damaged.len(), 1, "{:?}", store.stats());
        assert!(matches!(read(&store, 1, 5), Err(KernelError::Damaged(why)) if why.contains(SEGMENT_1)));
        assert_eq!(read(&store, 1, 10).unwrap(), whole);
        // What is not damaged goes on.
        commit(&mut store, vec![append(1, 20, &batch(1, 10, 1, 1))]);
        settle(&mut store);
        assert!(read(&store, 1, 10).unwrap().len() > whole.len());
        assert!(matches!(read(&store, 1, 5), Err(KernelError::Damaged(_))));
    }
}

#[test]
fn a_missing_file_that_the_replay_needs_ends_the_start() {
    let (disk, mut store) = fresh();
    for base in 0..20 {
        commit(&mut store, vec![append(1, base, &batch(1, 2000, 1, 1))]);
    }
    for name in [SEGMENT_1, SEGMENT_2] {
        let missing = copy(&disk);
        Disk::remove(&missing, name).unwrap();
        assert!(damage_of(recover(&missing, 2)).contains(name));
    }
    let (disk, store) = three_segments();
    drop(store);
    Disk::remove(&disk, "checkpoint.redb").unwrap();
    // The first segments are there, but not all that the keys need.
    let without_first = copy(&disk);
    Disk::remove(&without_first, SEGMENT_1).unwrap();
    assert!(damage_of(recover(&without_first, 2)).contains(SEGMENT_1));
}

#[test]
fn a_cut_file_that_the_replay_needs_ends_the_start() {
    let (disk, mut store) = fresh();
    for base in 0..20 {
        commit(&mut store, vec![append(1, base, &batch(1, 2000, 1, 1))]);
    }
    let mut content = disk.content(SEGMENT_2).unwrap();
    content.truncate(6000);
    disk.put(SEGMENT_2, content);
    assert!(damage_of(recover(&disk, 2)).contains(SEGMENT_2));
}

#[test]
fn a_flipped_bit_in_the_checkpoint_is_never_served() {
    let (disk, mut store) = fresh();
    for n in 0..50 {
        commit(&mut store, vec![put(&format!("key{n}"), &format!("value-{n}"))]);
    }
    store.checkpoint(Seq(50), vec![("s".into(), Some("derived".into()))]).unwrap();
    settle(&mut store);
    drop(store);
    let content = disk.content("checkpoint.redb").unwrap();
    let needle = b"value-33";
    let found: Vec<usize> =
        (0..content.len() - needle.len()).filter(|at| &content[*at..at + needle.len()] == needle).collect();
    assert!(!found.is_empty());
    for at in found {
        disk.flip("checkpoint.redb", at);
    }
    match recover(&disk, 2) {
        Ok((store, _)) => assert!(matches!(store.get(b"key33"), Err(KernelError::Damaged(_)))),
        Err(error) => assert!(matches!(error, KernelError::Damaged(_)), "{error}"),
    }
}

#[test]
fn any_flipped_bit_in_the_checkpoint_is_found_or_does_no_harm() {
    let (disk, mut store) = fresh();
    for n in 0..200 {
        commit(&mut store, vec![put(&format!("key{n}"), &format!("value-{n}"))]);
        if n % 50 == 0 {
            settle(&mut store);
            store.checkpoint(Seq(n + 1), Vec::new()).unwrap();
        }
    }
    store.checkpoint(Seq(200), vec![("s".into(), Some("derived".into()))]).unwrap();
    settle(&mut store);
    drop(store);
    let length = disk.content("checkpoint.redb").unwrap().len();
    let mut random = crate::store::faulty::SplitMix(1);
    let (mut found, mut harmless) = (0, 0);
    for at in (0..400).map(|_| random.below(length as u64) as usize).chain(0..320) {
        let damaged = copy(&disk);
        damaged.flip("checkpoint.redb", at);
        let (store, replayed) = match recover(&damaged, 2) {
            Ok(opened) => opened,
            Err(KernelError::Damaged(why)) => {
                assert!(why.contains("checkpoint.redb") || why.contains("wal-"), "{why}");
                found += 1;
                continue;
            }
            Err(error) => panic!("byte {at}: {error}"),
        };
        harmless += 1;
        let _ = replayed;
        for n in 0..200 {
            match store.get(format!("key{n}").as_bytes()) {
                Ok(entry) => assert_eq!(entry.unwrap().value, format!("value-{n}"), "byte {at}"),
                Err(error) => assert!(matches!(error, KernelError::Damaged(_)), "byte {at}: {error}"),
            }
        }
    }
    assert!(found > 0 && harmless > 0, "{found} {harmless}");
}

#[test]
fn a_failed_sync_ends_the_store_and_acknowledges_nothing() {
    let (disk, mut store) = fresh();
    commit(&mut store, vec![put("a", "1")]);
    disk.fail_syncs(1);
    store.submit(&Commit::of(vec![put("a", "2")])).unwrap();
    assert!(matches!(store.durable(), Err(KernelError::Stopped(why)) if why.contains("sync")));
    // It stays ended although the next sync would work.
    assert!(matches!(store.submit(&Commit::of(vec![put("a", "3")])), Err(KernelError::Stopped(_))));
    assert!(matches!(store.durable(), Err(KernelError::Stopped(_))));
    assert!(matches!(store.maintain(Now::default()), Err(KernelError::Stopped(_))));
    let (store, _) = recover(&disk.crash(1), 2).unwrap();
    assert!(store.get(b"a").unwrap().is_some_and(|entry| entry.value != "3"));
}

#[test]
fn a_short_write_ends_the_store_and_leaves_no_half_commit() {
    let (disk, mut store) = fresh();
    commit(&mut store, vec![put("a", "1")]);
    disk.cut_write(1000);
    store.submit(&Commit::of(vec![append(1, 0, &batch(1, 4000, 1, 1)), put("a", "2")])).unwrap();
    assert!(matches!(store.durable(), Err(KernelError::Stopped(_))));
    for seed in 0..20 {
        let (store, replayed) = recover(&disk.crash(seed), 2).unwrap();
        assert_eq!(replayed.len(), 1);
        assert_eq!(store.get(b"a").unwrap().unwrap().value, "1");
        assert_eq!(read(&store, 1, 0), Err(KernelError::NotFound));
    }
}
