//! Mirrored logs: the feed, bytes ahead of it, and the way to leadership.

use kernel_model::batch::BatchSpec;
use kernel_model::commit::{LogConfig, LogKind, Op};
use kernel_model::reply::Reply;
use kernel_model::request::{MirrorOrigin, ReadLimit, Request};
use kernel_model::{KernelError, LogEpoch, Offset, VerifiedBatch};

use crate::bench::*;

fn desk(start: u64) -> Desk {
    let mut desk = Desk::new();
    desk.create(LOG, LogKind::Mirrored, start);
    desk
}

fn feed(from: u64, batches: Vec<VerifiedBatch>, confirm: u64) -> Request {
    Request::Mirror {
        log: LOG,
        batches,
        origin: MirrorOrigin::Feed,
        from: Some(Offset(from)),
        confirm: Some(Offset(confirm)),
        start: None,
    }
}

fn ahead(batches: Vec<VerifiedBatch>) -> Request {
    Request::Mirror { log: LOG, batches, origin: MirrorOrigin::Ahead, from: None, confirm: None, start: None }
}

fn ends(reply: Result<Reply, KernelError>) -> (u64, u64, u64) {
    match reply {
        Ok(Reply::Mirrored { end, confirmed, replaced_bytes }) => (end.0, confirmed.0, replaced_bytes),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_feed_keeps_offsets_gaps_and_epochs() {
    let mut desk = desk(10);
    let early = batch(
        BatchSpec { base_offset: Offset(10), leader_epoch: LogEpoch(4), ..BatchSpec::default() },
        2,
        "a",
    );
    assert_eq!(ends(desk.ask(feed(10, vec![early, plain(20, 1, "b")], 21))), (21, 21, 0));
    let records = desk.read(12, ReadLimit::Durable).unwrap();
    assert_eq!(bases(&records), [20], "in a gap: the next batch that exists");
    assert_eq!(desk.describe().epoch, LogEpoch(4));
    assert_eq!(desk.append(plain(0, 1, "x")).unwrap_err(), KernelError::Mirrored);
}

#[test]
fn a_lost_request_becomes_no_hole() {
    let mut desk = desk(0);
    ends(desk.ask(feed(0, vec![plain(0, 5, "a")], 5)));
    assert_eq!(
        desk.ask(feed(8, vec![plain(8, 1, "c")], 9)).unwrap_err(),
        KernelError::MirrorGap { end: Offset(5) }
    );
    assert_eq!(ends(desk.ask(feed(5, vec![plain(8, 1, "c")], 9))), (9, 9, 0));
}

#[test]
fn nothing_beyond_the_confirmed_position_is_readable() {
    let mut desk = desk(0);
    assert_eq!(ends(desk.ask(feed(0, vec![plain(0, 2, "a"), plain(2, 2, "b")], 2))), (4, 2, 0));
    assert_eq!(bases(&desk.read(0, ReadLimit::Durable).unwrap()), [0]);
    assert_eq!(bases(&desk.read(0, ReadLimit::Stored).unwrap()), [0, 2]);
    assert_eq!(ends(desk.ask(feed(4, vec![], 3))), (4, 2, 0), "never into a batch");
    assert_eq!(ends(desk.ask(feed(4, vec![], 99))), (4, 4, 0), "never past the end");
}

#[test]
fn bytes_ahead_are_final_only_when_the_feed_shows_the_same() {
    let mut desk = desk(0);
    assert_eq!(ends(desk.ask(ahead(vec![plain(0, 2, "a")]))), (2, 0, 0));
    assert_eq!(ends(desk.ask(feed(0, vec![], 2))), (2, 0, 0), "the feed has not shown them");
    assert_eq!(ends(desk.ask(feed(0, vec![plain(0, 2, "a")], 2))), (2, 2, 0));
    assert_eq!(ends(desk.ask(ahead(vec![plain(0, 2, "a")]))), (2, 2, 0), "late, and equal");
    assert_eq!(
        desk.ask(ahead(vec![plain(0, 2, "z")])).unwrap_err(),
        KernelError::MirrorConflict { at: Offset(0) }
    );
}

#[test]
fn the_feed_replaces_a_tail_that_differs() {
    let mut desk = desk(0);
    let wrong = plain(2, 2, "wrong");
    let size = wrong.bytes().len() as u64;
    ends(desk.ask(ahead(vec![plain(0, 2, "a"), wrong, plain(4, 1, "c")])));
    let last = plain(4, 1, "c").bytes().len() as u64;
    let reply = desk.ask(feed(0, vec![plain(0, 2, "a"), plain(2, 3, "right")], 5));
    assert_eq!(ends(reply), (5, 5, size + last));
    assert_eq!(bases(&desk.read(0, ReadLimit::Durable).unwrap()), [0, 2]);
    assert_eq!(desk.shard.stats().replaced_bytes, size + last);
}

#[test]
fn bytes_ahead_take_the_epoch_that_the_feed_shows() {
    let at_epoch = |base: u64, epoch: i32, text: &str| {
        let leader_epoch = LogEpoch(epoch);
        batch(BatchSpec { base_offset: Offset(base), leader_epoch, ..BatchSpec::default() }, 2, text)
    };
    let mut desk = desk(0);
    ends(desk.ask(ahead(vec![at_epoch(0, 3, "a"), at_epoch(2, 3, "b"), at_epoch(4, 3, "c")])));
    let reply = desk.ask(feed(0, vec![at_epoch(0, 3, "a"), at_epoch(2, 4, "b")], 4));
    assert_eq!(ends(reply), (4, 4, 0), "the records are the same: nothing of them was replaced");
    let stored = headers(&desk.read(0, ReadLimit::Durable).unwrap());
    assert_eq!(stored.iter().map(|header| header.leader_epoch.0).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(desk.describe().epoch, LogEpoch(4));
    assert_eq!(ends(desk.ask(ahead(vec![at_epoch(2, 3, "b")]))), (4, 4, 0), "late, and of an older epoch");
}

#[test]
fn final_bytes_that_differ_or_overlap_are_a_conflict() {
    let mut desk = desk(0);
    ends(desk.ask(feed(0, vec![plain(0, 4, "a")], 4)));
    assert_eq!(ends(desk.ask(feed(0, vec![plain(0, 4, "a")], 4))), (4, 4, 0), "equal");
    for (base, count, text) in [(0, 4, "b"), (0, 3, "a"), (2, 2, "a"), (2, 5, "a"), (0, 5, "a")] {
        let reply = desk.ask(feed(0, vec![plain(base, count, text)], 9));
        assert_eq!(reply.unwrap_err(), KernelError::MirrorConflict { at: Offset(base) }, "{base} {count}");
    }
    assert_eq!(desk.describe().end, Offset(4));
}

#[test]
fn bytes_past_the_end_wait_until_the_hole_closes() {
    let mut desk = desk(0);
    let late = desk.send(ahead(vec![plain(2, 2, "b")]));
    let later = desk.send(ahead(vec![plain(4, 2, "c")]));
    desk.shard.handle_durable(desk.now);
    assert!(desk.replies().is_empty());
    let first = desk.send(feed(0, vec![plain(0, 2, "a")], 2));
    desk.shard.handle_durable(desk.now);
    let replies = desk.replies();
    assert_eq!(replies.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [first, late, later]);
    assert_eq!(ends(replies[2].1.clone()), (6, 2, 0));
    let never = desk.send(ahead(vec![plain(9, 1, "x")]));
    desk.tick(std::time::Duration::from_secs(31));
    let replies = desk.replies();
    assert!(matches!(&replies[..], [(key, Err(KernelError::MirrorGap { .. }))] if *key == never));
}

#[test]
fn after_a_restart_the_feed_shows_the_tail_again_without_writing_it() {
    let mut desk = desk(0);
    ends(desk.ask(feed(0, vec![plain(0, 2, "a"), plain(2, 2, "b")], 2)));
    desk.restart(Vec::new());
    assert_eq!(desk.ask(feed(4, vec![], 4)).unwrap_err(), KernelError::MirrorGap { end: Offset(2) });
    let commits = desk.shard.stats().commits;
    assert_eq!(ends(desk.ask(feed(2, vec![plain(2, 2, "b")], 2))), (4, 2, 0));
    assert_eq!(desk.shard.stats().commits, commits, "nothing was written");
    assert_eq!(ends(desk.ask(feed(4, vec![], 4))), (4, 4, 0));
}

#[test]
fn a_source_that_begins_past_the_end_restarts_the_log_there() {
    let mut desk = desk(0);
    ends(desk.ask(feed(0, vec![plain(0, 2, "a")], 2)));
    let request = Request::Mirror {
        log: LOG,
        batches: vec![plain(50, 1, "b")],
        origin: MirrorOrigin::Feed,
        from: Some(Offset(50)),
        confirm: Some(Offset(51)),
        start: Some(Offset(50)),
    };
    assert_eq!(ends(desk.ask(request)), (51, 51, 0));
    assert_eq!(desk.describe().start, Offset(50));
    desk.restart(Vec::new());
    assert_eq!(bases(&desk.read(50, ReadLimit::Durable).unwrap()), [50]);
}

#[test]
fn leadership_needs_an_epoch_and_no_provisional_tail() {
    let mut desk = desk(0);
    ends(desk.ask(feed(0, vec![idempotent(5, 0, 0, 2), plain(2, 1, "b")], 2)));
    let lead = |epoch| vec![Op::LogConfigure { log: LOG, config: LogConfig::default(), epoch }];
    assert!(matches!(desk.commit(lead(Some(LogEpoch(9)))), Err(KernelError::Invalid(_))));
    desk.commit(vec![Op::LogTruncate { log: LOG, to: Offset(2) }]).unwrap();
    assert!(matches!(desk.commit(lead(None)), Err(KernelError::Invalid(_))));
    desk.commit(lead(Some(LogEpoch(9)))).unwrap();
    let repeat = desk.append(idempotent(5, 0, 0, 2)).unwrap();
    assert!(repeat.duplicate && repeat.base_offset == Offset(0), "a retry that straddles the change");
    assert_eq!(desk.append(idempotent(5, 0, 2, 1)).unwrap().base_offset, Offset(2));
}

#[test]
fn a_log_goes_back_to_being_mirrored_with_all_it_wrote() {
    let mut desk = Desk::new();
    desk.create(LOG, LogKind::Led, 0);
    desk.append(plain(0, 2, "a")).unwrap();
    let config = LogConfig { kind: LogKind::Mirrored, ..LogConfig::default() };
    desk.commit(vec![Op::LogConfigure { log: LOG, config, epoch: Some(LogEpoch(3)) }]).unwrap();
    assert_eq!(desk.append(plain(0, 1, "b")).unwrap_err(), KernelError::Mirrored);
    // The source was given the same bytes; what it adds follows.
    let next = batch(
        BatchSpec { base_offset: Offset(2), leader_epoch: LogEpoch(4), ..BatchSpec::default() },
        1,
        "c",
    );
    assert_eq!(ends(desk.ask(feed(0, vec![plain(0, 2, "a"), next], 3))), (3, 3, 0));
    let differs = desk.ask(feed(0, vec![plain(0, 2, "z")], 3));
    assert_eq!(differs.unwrap_err(), KernelError::MirrorConflict { at: Offset(0) });
}

fn transactional(base: u64, producer_id: i64, base_sequence: i32, count: usize) -> VerifiedBatch {
    let base_offset = Offset(base);
    let spec = BatchSpec {
        base_offset,
        producer_id,
        producer_epoch: 0,
        base_sequence,
        transactional: true,
        ..BatchSpec::default()
    };
    batch(spec, count, "t")
}

fn marker(base: u64, producer_id: i64, commits: bool) -> VerifiedBatch {
    use kernel_model::batch::NewRecord;
    let spec = BatchSpec {
        base_offset: Offset(base),
        producer_id,
        producer_epoch: 0,
        transactional: true,
        control: true,
        ..BatchSpec::default()
    };
    let key = [0, 0, 0, u8::from(commits)];
    spec.encode(&[NewRecord { key: Some(&key), value: Some(&[0; 6]), ..NewRecord::default() }]).unwrap()
}

#[test]
fn transactions_hold_back_stable_reads_and_aborted_ones_are_listed() {
    let mut desk = desk(0);
    let batches =
        vec![transactional(0, 5, 0, 2), transactional(2, 6, 0, 1), marker(3, 5, false), plain(4, 1, "p")];
    ends(desk.ask(feed(0, batches, 5)));
    assert_eq!(desk.describe().stable_end, Offset(2), "producer 6 is still open");
    let records = desk.read(0, ReadLimit::Stable).unwrap();
    assert_eq!(bases(&records), [0]);
    assert_eq!(records.aborted.len(), 1);
    desk.restart(Vec::new());
    ends(desk.ask(feed(5, vec![marker(5, 6, true)], 6)));
    let records = desk.read(0, ReadLimit::Stable).unwrap();
    assert_eq!(records.stable_end, Offset(6));
    assert_eq!(records.aborted.len(), 1);
    let aborted = records.aborted[0];
    assert_eq!((aborted.producer_id, aborted.first_offset, aborted.last_offset), (5, Offset(0), Offset(3)));
    assert!(desk.read(4, ReadLimit::Stable).unwrap().aborted.is_empty());
}

#[test]
fn a_marker_above_the_confirmed_position_decides_nothing() {
    let mut desk = desk(0);
    ends(desk.ask(feed(0, vec![transactional(0, 5, 0, 2), marker(2, 5, true)], 2)));
    assert_eq!(desk.describe().stable_end, Offset(0));
    ends(desk.ask(feed(3, vec![], 3)));
    assert_eq!(desk.describe().stable_end, Offset(3));
}

#[test]
fn equal_sources_give_equal_chains() {
    let mut one = desk(0);
    let mut two = desk(0);
    ends(one.ask(feed(0, vec![plain(0, 2, "a"), plain(2, 2, "b")], 4)));
    ends(two.ask(feed(0, vec![plain(0, 2, "a")], 2)));
    assert_ne!(one.describe().chain, two.describe().chain);
    ends(two.ask(feed(2, vec![plain(2, 2, "b")], 4)));
    two.restart(Vec::new());
    assert_eq!(one.describe().chain, two.describe().chain);
    assert_eq!(two.describe().records, 4);
}

#[test]
fn a_source_that_begins_inside_a_batch_is_held_from_the_batch_and_trimmed() {
    for base in [0, 10] {
        let mut desk = desk(0);
        let first = Request::Mirror {
            log: LOG,
            batches: vec![plain(base, 25, "a"), plain(base + 25, 5, "b")],
            origin: MirrorOrigin::Feed,
            from: Some(Offset(20)),
            confirm: Some(Offset(base + 30)),
            start: Some(Offset(20)),
        };
        assert_eq!(ends(desk.ask(first)), (base + 30, base + 30, 0));
        assert_eq!(desk.describe().start, Offset(20));
        assert_eq!(bases(&desk.read(20, ReadLimit::Durable).unwrap()), [base, base + 25]);
    }
}
