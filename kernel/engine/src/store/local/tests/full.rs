//! A full disk: refused, served, and over when there is room again.

use super::super::disk::Disk;
use super::*;

/// Segments that leave a database room to grow in what is kept for it.
fn options() -> LocalOptions {
    LocalOptions { segment_bytes: 512 << 10, ..super::options() }
}

fn recover(disk: &SimDisk, epoch: u64) -> Result<(LocalStore, usize), KernelError> {
    let disk = Arc::new(disk.clone());
    let mut store = LocalStore::open_on(disk, OwnerEpoch(epoch), options(), Arc::new(|| {}))?;
    let mut replayed = 0;
    store.recover(&mut |_, _| {}, &mut |_, _| replayed += 1)?;
    Ok((store, replayed))
}

fn fresh() -> (SimDisk, LocalStore) {
    let disk = SimDisk::default();
    let (store, _) = recover(&disk, 1).unwrap();
    (disk, store)
}

fn payload(base: u64) -> Commit {
    Commit::of(vec![append(1, base, &batch(1, 8000, 1, base as u8))])
}

/// Fills the disk until payload is refused; returns the offset that comes next.
fn fill(store: &mut LocalStore) -> u64 {
    for base in 0..1000 {
        match store.submit(&payload(base)) {
            Ok(_) => {}
            Err(KernelError::Full) => return base,
            Err(error) => panic!("{error}"),
        }
        store.durable().unwrap();
        store.maintain(Now::default()).unwrap();
    }
    panic!("never full");
}

/// A store on a disk with room for about `segments` segments.
fn small(segments: u64) -> (SimDisk, LocalStore) {
    let (disk, store) = fresh();
    disk.set_capacity(Some(disk.used() + segments * u64::from(options().segment_bytes)));
    (disk, store)
}

#[test]
fn a_full_disk_refuses_payload_serves_reads_and_keeps_every_promise() {
    let (disk, mut store) = small(4);
    let next = fill(&mut store);
    assert!(next > 10);
    assert!(store.maintain(Now::default()).unwrap().full);
    // Everything taken is durable, or becomes so.
    assert_eq!(store.durable(), Ok(Seq(next)));
    assert_eq!(read(&store, 1, 0).unwrap().len() as u64, next * 8061);
    let (store, _) = recover(&disk.crash(3), 2).unwrap();
    assert_eq!(read(&store, 1, 0).unwrap().len() as u64, next * 8061);
}

#[test]
fn room_from_outside_ends_it() {
    let (disk, mut store) = small(4);
    let next = fill(&mut store);
    disk.set_capacity(None);
    store.maintain(Now::default()).unwrap();
    assert!(!store.maintain(Now::default()).unwrap().full);
    commit(&mut store, payload(next).ops);
    assert_eq!(read(&store, 1, 0).unwrap().len() as u64, (next + 1) * 8061);
}

#[test]
fn a_trim_on_a_full_disk_is_taken_and_makes_room() {
    let (_disk, mut store) = small(4);
    let next = fill(&mut store);
    commit(&mut store, vec![Op::LogTrim { log: LogId(1), start: Offset(next - 1) }]);
    settle(&mut store);
    settle(&mut store);
    assert!(!store.maintain(Now::default()).unwrap().full);
    commit(&mut store, payload(next).ops);
    assert_eq!(read(&store, 1, 0).unwrap().len(), 2 * 8061);
}

#[test]
fn a_trim_after_a_restart_on_a_full_disk_makes_room() {
    let (disk, mut store) = small(4);
    let next = fill(&mut store);
    drop(store);
    let room = disk.used();
    disk.set_capacity(Some(room));
    let (mut store, _) = recover(&disk, 2).unwrap();
    // The prepared segment was not used and its room came back; take it away.
    disk.set_capacity(Some(disk.used()));
    for _ in 0..3 {
        store.maintain(Now::default()).unwrap();
    }
    let refused = (0..100).map(|n| store.submit(&payload(next + n))).find_map(Result::err);
    assert_eq!(refused, Some(KernelError::Full));
    commit(&mut store, vec![Op::LogTrim { log: LogId(1), start: Offset(next) }]);
    settle(&mut store);
    settle(&mut store);
    assert!(!store.maintain(Now::default()).unwrap().full);
}

#[test]
fn what_was_taken_before_the_disk_was_found_full_is_written_when_there_is_room() {
    let (disk, mut store) = fresh();
    commit(&mut store, payload(0).ops);
    disk.set_capacity(Some(disk.used()));
    // More than the prepared segment holds, taken at once.
    let mut taken = 1;
    while taken < 250 {
        store.submit(&payload(taken)).unwrap();
        taken += 1;
    }
    let durable = store.durable().unwrap();
    assert!(durable < Seq(taken));
    assert_eq!(store.submit(&payload(taken)), Err(KernelError::Full));
    assert_eq!(read(&store, 1, 0).unwrap().len() as u64, taken * 8061);
    store.maintain(Now::default()).unwrap();
    assert_eq!(store.durable(), Ok(durable));
    disk.set_capacity(None);
    store.maintain(Now::default()).unwrap();
    assert_eq!(store.durable(), Ok(Seq(taken)));
    let (mut store, _) = recover(&disk.crash(5), 2).unwrap();
    assert_eq!(read(&store, 1, 0).unwrap().len() as u64, taken * 8061);
    commit(&mut store, payload(taken).ops);
}

#[test]
fn a_checkpoint_waits_for_what_it_is_of() {
    let (disk, mut store) = fresh();
    commit(&mut store, payload(0).ops);
    disk.set_capacity(Some(disk.used()));
    for base in 1..250 {
        store.submit(&payload(base)).unwrap();
    }
    let durable = store.durable().unwrap();
    assert!(durable < Seq(250));
    store.checkpoint(Seq(250), vec![("s".into(), Some("v".into()))]).unwrap();
    // Room for the checkpoint, and not for the log.
    disk.set_capacity(Some(disk.used() + (100 << 10)));
    for _ in 0..3 {
        store.maintain(Now::default()).unwrap();
    }
    let (store, replayed) = recover(&disk.crash(7), 2).unwrap();
    assert!(replayed as u64 >= durable.0);
    assert_eq!(read(&store, 1, 0).unwrap().len(), replayed * 8061);
}

#[test]
fn random_full_and_free_times_lose_nothing() {
    for seed in 0..40 {
        let mut random = crate::store::faulty::SplitMix(seed);
        let (disk, mut store) = fresh();
        let (mut next, mut start) = (0_u64, 0);
        for _ in 0..400 {
            match random.below(8) {
                0 => disk.set_capacity(Some(disk.used() + random.below(800_000))),
                1 => disk.set_capacity(None),
                2 => {
                    let trim = Op::LogTrim { log: LogId(1), start: Offset(next.saturating_sub(3)) };
                    match store.submit(&Commit::of(vec![trim])) {
                        Ok(_) => start = start.max(next.saturating_sub(3)),
                        Err(error) => assert!(matches!(error, KernelError::Full), "{error}"),
                    }
                }
                3 => {
                    if store.maintain(Now::default()).unwrap().checkpoint_wanted {
                        let last = store.shared.state.lock().submitted;
                        store.checkpoint(last, Vec::new()).unwrap();
                    }
                }
                4 => {
                    store.durable().unwrap();
                }
                _ => match store.submit(&payload(next)) {
                    Ok(_) => next += 1,
                    Err(error) => assert!(matches!(error, KernelError::Full), "seed {seed}: {error}"),
                },
            }
        }
        disk.set_capacity(None);
        settle(&mut store);
        let last = store.shared.state.lock().submitted;
        assert_eq!(store.durable(), Ok(last), "seed {seed}");
        let all = store.contents.index.places_from(LogId(1), Offset(0)).count() as u64;
        assert_eq!(all, next - start, "seed {seed}");
        let stats = store.stats();
        let bound = 2 * stats.live_bytes + 4 * u64::from(options().segment_bytes);
        assert!(stats.disk_bytes <= bound, "seed {seed}: {stats:?}");
        let disk = disk.crash(seed);
        let (store, _) = recover(&disk, 2).unwrap();
        if next > 0 {
            assert_eq!(read(&store, 1, 0).unwrap().len() as u64, (next - start) * 8061, "seed {seed}");
        }
        assert!(Disk::list(&disk).unwrap().len() < 40);
    }
}
