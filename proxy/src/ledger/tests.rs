//! Frames, torn tails, damage and the fold.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use session::UnitId;

use super::*;

fn unit(n: u32) -> UnitId {
    UnitId::new(&format!("events/orders/{n}"))
}

fn evidence(n: u32) -> Evidence {
    Evidence {
        unit: unit(n),
        source_end: 7,
        target_end: 7,
        records: 5,
        chain: Digest(u64::MAX - 1),
        producers: Digest(3),
        source_epoch: 4,
        target_epoch: 5,
        legacy_epoch: Some(4),
        marks: Vec::new(),
        acknowledged: None,
    }
}

fn begun(id: u64, n: u32) -> What {
    What::HandoverBegun {
        handover: HandoverId(id),
        migration: "orders".to_owned(),
        to: Primary::Kernel,
        units: vec![unit(n)],
    }
}

fn committed(id: u64, n: u32, epoch: u64) -> What {
    What::Committed {
        handover: HandoverId(id),
        migration: "orders".to_owned(),
        to: Primary::Kernel,
        units: vec![CommittedUnit { epoch, evidence: evidence(n) }],
        fence_ms: 12,
    }
}

fn sample_ledger() -> (Vec<u8>, Vec<Entry>) {
    let mut ledger = Ledger::open(MemoryStore::default()).unwrap();
    let by = Decider::Operator("ada".to_owned());
    ledger.append(1, &by, vec![begun(1, 1)]).unwrap();
    ledger.append(2, &Decider::Sluice, vec![committed(1, 1, 1)]).unwrap();
    let sample = Sample::new(9, "unexpected batch", &[0xAB; 500]);
    let divergence = DivergenceKind::LateWrite;
    let what = What::Diverged { unit: unit(1), divergence, sample, explained_by: None };
    ledger.append(3, &Decider::Sluice, vec![what]).unwrap();
    let entries = ledger.entries().unwrap();
    (ledger.into_store().load().unwrap(), entries)
}

fn reopen(bytes: &[u8]) -> Result<Ledger<MemoryStore>, LedgerError> {
    let mut store = MemoryStore::default();
    store.append(bytes).unwrap();
    Ledger::open(store)
}

#[test]
fn every_prefix_of_a_ledger_opens_with_the_entries_that_are_whole() {
    let (bytes, entries) = sample_ledger();
    let mut seen = std::collections::BTreeSet::new();
    for len in 0..=bytes.len() {
        let mut ledger = reopen(&bytes[..len]).unwrap();
        let read = ledger.entries().unwrap();
        assert_eq!(read[..], entries[..read.len()], "cut at {len}");
        seen.insert(read.len());
        // What was cut can be written again.
        ledger.append(9, &Decider::Sluice, vec![begun(7, 7)]).unwrap();
        assert_eq!(ledger.entries().unwrap().len(), read.len() + 1);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn a_tail_that_is_zero_from_some_point_is_cut() {
    let (bytes, entries) = sample_ledger();
    for zeros in 1..40 {
        let mut torn = bytes.clone();
        let from = torn.len() - zeros;
        torn[from..].fill(0);
        let mut ledger = reopen(&torn).unwrap();
        assert_eq!(ledger.entries().unwrap().len(), entries.len() - 1);
        assert!(ledger.cut_bytes() > 0);
    }
    let mut longer = bytes;
    longer.extend_from_slice(&[0; 300]);
    assert_eq!(reopen(&longer).unwrap().entries().unwrap(), entries);
}

#[test]
fn a_changed_bit_anywhere_is_an_error_that_names_its_frame_never_other_entries() {
    let (bytes, entries) = sample_ledger();
    for at in 0..bytes.len() {
        for bit in [0, 3, 7] {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            match reopen(&changed) {
                Err(LedgerError::Damaged { offset, .. }) => assert!(offset <= at as u64),
                Err(LedgerError::Version { .. }) => assert!(at < 12),
                Err(other) => panic!("byte {at}: {other}"),
                Ok(mut ledger) => {
                    panic!("byte {at} bit {bit}: {} of {}", ledger.entries().unwrap().len(), entries.len())
                }
            }
        }
    }
}

#[test]
fn a_missing_or_repeated_frame_is_damage() {
    let (bytes, _) = sample_ledger();
    let frame_len = |at: usize| 20 + u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (first, second) = (12, 12 + frame_len(12));
    let third = second + frame_len(second);
    let without = [&bytes[..second], &bytes[third..]].concat();
    assert!(matches!(reopen(&without), Err(LedgerError::Damaged { offset, .. }) if offset == second as u64));
    let repeated = [&bytes[..second], &bytes[first..]].concat();
    assert!(matches!(reopen(&repeated), Err(LedgerError::Damaged { offset, .. }) if offset == second as u64));
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let (mut bytes, _) = sample_ledger();
    bytes[11] = 9;
    assert!(matches!(reopen(&bytes), Err(LedgerError::Version { found: 9, .. })));
}

#[test]
fn the_primary_changes_at_the_committed_entry_and_its_epoch_grows_by_one() {
    let mut ledger = Ledger::open(MemoryStore::default()).unwrap();
    let by = Decider::Sluice;
    assert_eq!(ledger.book().owner(&unit(1)).side, Primary::Legacy);
    ledger.append(1, &by, vec![begun(1, 1)]).unwrap();
    assert_eq!(ledger.book().owner(&unit(1)).side, Primary::Legacy);
    let wrong = ledger.append(1, &by, vec![committed(1, 1, 2)]);
    assert!(matches!(wrong, Err(LedgerError::Contradiction(BookError::Epoch { current: 0, found: 2, .. }))));
    ledger.append(1, &by, vec![committed(1, 1, 1)]).unwrap();
    let owner = ledger.book().owner(&unit(1));
    assert_eq!(
        (owner.side, owner.epoch, owner.target_epoch, owner.cut),
        (Primary::Kernel, 1, Some(5), Some(7))
    );
    let reason = "late".to_owned();
    let abort = What::Aborted { handover: HandoverId(1), step: Step::Release, reason, fence_ms: 0 };
    assert!(matches!(
        ledger.append(1, &by, vec![abort]),
        Err(LedgerError::Contradiction(BookError::Committed(_)))
    ));
    // A refused entry leaves the ledger usable and the file as it was.
    ledger.append(1, &by, vec![What::Following { handover: HandoverId(1) }]).unwrap();
    assert_eq!(ledger.book().open().count(), 0);
    assert_eq!(ledger.entries().unwrap().len(), 3);
}

#[test]
fn changes_of_side_are_kept_until_the_source_is_made_anew() {
    let mut ledger = Ledger::open(MemoryStore::default()).unwrap();
    let by = Decider::Sluice;
    ledger.append(1, &by, vec![begun(1, 1), committed(1, 1, 1)]).unwrap();
    let there = SideChange { to: Primary::Kernel, cut: 7, epoch: 5, legacy_epoch: Some(4) };
    assert_eq!(ledger.book().side_changes(&unit(1)), [there]);
    assert!(ledger.book().side_changes(&unit(2)).is_empty());
    let stop = |cause| What::UnitStopped { unit: unit(1), reason: String::new(), cause };
    let resume = What::UnitResumed { unit: unit(1), reason: String::new(), discarded: true };
    ledger.append(1, &by, vec![stop(StopCause::SourceRecreated), resume.clone()]).unwrap();
    assert_eq!(ledger.book().side_changes(&unit(1)), [there], "what the kernel leads goes on");
    ledger.append(1, &by, vec![What::Following { handover: HandoverId(1) }]).unwrap();
    let (mut begun, mut back) = (begun(2, 1), committed(2, 1, 2));
    for what in [&mut begun, &mut back] {
        if let What::HandoverBegun { to, .. } | What::Committed { to, .. } = what {
            *to = Primary::Legacy;
        }
    }
    ledger.append(1, &by, vec![begun, back]).unwrap();
    assert_eq!(ledger.book().side_changes(&unit(1)).len(), 2);
    ledger.append(1, &by, vec![stop(StopCause::SourceTruncated), resume.clone()]).unwrap();
    assert_eq!(ledger.book().side_changes(&unit(1)).len(), 2, "the same source, copied again");
    ledger.append(1, &by, vec![stop(StopCause::SourceRecreated), resume]).unwrap();
    assert!(ledger.book().side_changes(&unit(1)).is_empty());
}

#[test]
fn a_unit_is_in_one_open_handover_at_most() {
    let mut ledger = Ledger::open(MemoryStore::default()).unwrap();
    ledger.append(1, &Decider::Sluice, vec![begun(1, 1)]).unwrap();
    let busy = ledger.append(1, &Decider::Sluice, vec![begun(2, 1)]);
    assert!(matches!(busy, Err(LedgerError::Contradiction(BookError::Busy { .. }))));
    assert!(matches!(
        ledger.append(1, &Decider::Sluice, vec![begun(1, 2)]),
        Err(LedgerError::Contradiction(BookError::Begun(_)))
    ));
}

/// Fails once at the chosen call.
#[derive(Debug, Default)]
struct FailingStore {
    inner: MemoryStore,
    fail_sync: bool,
}

impl LedgerStore for FailingStore {
    fn name(&self) -> &'static str {
        "failing"
    }
    fn load(&mut self) -> Result<Vec<u8>, LedgerError> {
        self.inner.load()
    }
    fn cut(&mut self, len: u64) -> Result<(), LedgerError> {
        self.inner.cut(len)
    }
    fn append(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        self.inner.append(bytes)
    }
    fn sync(&mut self) -> Result<(), LedgerError> {
        if std::mem::take(&mut self.fail_sync) {
            let source = std::io::Error::other("EIO");
            return Err(LedgerError::Io { name: "failing".to_owned(), what: "fsync", source });
        }
        Ok(())
    }
}

#[test]
fn after_a_failed_fsync_nothing_more_is_written() {
    let mut ledger = Ledger::open(FailingStore::default()).unwrap();
    ledger.store.fail_sync = true;
    assert!(matches!(ledger.append(1, &Decider::Sluice, vec![begun(1, 1)]), Err(LedgerError::Io { .. })));
    assert_eq!(ledger.book().open().count(), 0, "an entry of unknown fate does not count");
    assert!(matches!(ledger.append(1, &Decider::Sluice, vec![begun(1, 1)]), Err(LedgerError::Stopped)));
}

#[test]
fn a_file_keeps_its_entries_and_is_held_by_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut ledger = Ledger::open(FileStore::open(&path).unwrap()).unwrap();
    ledger.append(1, &Decider::Sluice, vec![begun(1, 1), committed(1, 1, 1)]).unwrap();
    assert!(matches!(FileStore::open(&path), Err(LedgerError::InUse { .. })));
    let entries = ledger.entries().unwrap();
    drop(ledger);
    // A torn tail of a real file.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(&[0, 0, 1]);
    std::fs::write(&path, &bytes).unwrap();
    let mut ledger = Ledger::open(FileStore::open(&path).unwrap()).unwrap();
    assert_eq!(ledger.cut_bytes(), 3);
    assert_eq!(ledger.entries().unwrap(), entries);
    assert_eq!(ledger.book().owner(&unit(1)).side, Primary::Kernel);
}
