//! A partition's life on both sides, played through with what each side would store, and the table asked about it.

use bytes::{Bytes, BytesMut};
use kernel_model::batch::{BatchSpec, NewRecord, patch_header, split};
use kernel_model::{LogEpoch, Offset};
use proptest::prelude::*;

use super::{EpochError, EpochTable, Leads, Named, is_patched, patch_batches};

/// How far a new leadership lies above the last.
const AHEAD: i32 = 100;

#[derive(Debug, Clone)]
enum Event {
    /// Legacy elects so many leaders.
    Elect(i32),
    /// So many records are written, by whoever leads.
    Append(usize),
    /// The other side leads.
    Change,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        (1..5_i32).prop_map(Event::Elect),
        (1..4_usize).prop_map(Event::Append),
        Just(Event::Change),
    ];
    proptest::collection::vec(event, 0..40)
}

/// What each side holds. Offsets are indexes.
#[derive(Debug, Default)]
struct Life {
    table: EpochTable,
    kernel_leads: bool,
    real: i32,
    elected: Vec<i32>,
    real_log: Vec<i32>,
    virtual_log: Vec<i32>,
    /// Every epoch that clients were told.
    shown: Vec<i32>,
}

impl Life {
    fn of(events: &[Event]) -> Self {
        let mut life = Self { real: 3, elected: vec![3], shown: vec![3], ..Self::default() };
        for event in events {
            life.take(event);
        }
        life
    }

    fn end(&self) -> u64 {
        self.real_log.len() as u64
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Elect(times) => {
                self.real += times;
                self.elected.push(self.real);
                if !self.kernel_leads {
                    self.shown.push(self.table.virtual_now(self.real));
                }
            }
            Event::Append(records) => {
                let led = *self.shown.last().unwrap();
                self.virtual_log.extend(vec![led; *records]);
                // The reverse feed writes under whatever legacy is in.
                self.real_log.extend(vec![self.real; *records]);
            }
            Event::Change => {
                let next = self.shown.last().unwrap() + AHEAD;
                let end = self.end();
                if self.kernel_leads {
                    self.table.legacy_leads(next, end, self.real).unwrap();
                } else {
                    self.table.kernel_leads(next, end).unwrap();
                }
                self.shown.push(next);
                self.kernel_leads = !self.kernel_leads;
            }
        }
    }

    /// What Kafka answers to OffsetForLeaderEpoch.
    fn legacy_answers(&self, real: i32) -> (i32, i64) {
        if real > self.real {
            return (-1, -1);
        }
        let known = self.elected.iter().rev().find(|elected| **elected <= real).copied().unwrap_or(real);
        (known, first_above(&self.real_log, real))
    }
}

fn first_above(log: &[i32], epoch: i32) -> i64 {
    log.iter().position(|of| *of > epoch).unwrap_or(log.len()) as i64
}

proptest! {
    #[test]
    fn what_legacy_stores_reads_as_what_clients_were_told(events in events()) {
        let life = Life::of(&events);
        for (offset, (real, shown)) in life.real_log.iter().zip(&life.virtual_log).enumerate() {
            prop_assert_eq!(life.table.virtual_at(offset as u64, *real), *shown, "at {}", offset);
        }
        prop_assert!(life.virtual_log.is_sorted());
        prop_assert!(life.shown.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_leader_is_named_to_legacy_as_legacy_knows_it(events in events()) {
        let life = Life::of(&events);
        let now = life.table.virtual_now(life.real);
        if life.kernel_leads {
            prop_assert!(now < *life.shown.last().unwrap(), "nobody follows legacy while the kernel leads");
            prop_assert_eq!(life.table.named_now(*life.shown.last().unwrap()), Named::Unknown);
        } else {
            prop_assert_eq!(now, *life.shown.last().unwrap());
            prop_assert_eq!(life.table.named_now(now), Named::Real(life.real));
            let first = life.table.spans().last().unwrap().first;
            for old in life.shown.iter().filter(|shown| **shown < first) {
                prop_assert_eq!(life.table.named_now(*old), Named::Fenced);
            }
            prop_assert_eq!(life.table.named_now(now + 1), Named::Real(life.real + 1));
        }
        prop_assert_eq!(life.table.named_now(-1), Named::Real(-1));
    }

    #[test]
    fn a_broker_that_lags_is_not_taken_for_the_leader(events in events(), behind in 1..300_i32) {
        let mut life = Life::of(&events);
        life.take(&Event::Change);
        let stale = life.table.virtual_now(life.real.saturating_sub(behind).max(0));
        if life.real - behind >= 0 {
            prop_assert!(stale < *life.shown.last().unwrap());
        }
    }

    #[test]
    fn an_epoch_ends_where_the_next_one_that_clients_saw_begins(events in events()) {
        let life = Life::of(&events);
        for asked in &life.shown {
            let Some(real) = life.table.asked_for(*asked) else {
                prop_assert!(life.kernel_leads && asked == life.shown.last().unwrap());
                continue;
            };
            let (known, end) = life.table.end_of(*asked, life.legacy_answers(real));
            if !life.kernel_leads {
                prop_assert_eq!(end, first_above(&life.virtual_log, *asked), "epoch {}", asked);
            }
            prop_assert!(known <= *asked && known >= 0, "{} for {}", known, asked);
        }
    }

    #[test]
    fn what_stands_beside_a_committed_offset_is_true_with_and_without_the_proxy(events in events()) {
        let life = Life::of(&events);
        for at in 0..=life.end() {
            // The client names the epoch of the last record that it read.
            let before = at.checked_sub(1).and_then(|last| usize::try_from(last).ok());
            let (read, real) = before.map_or((-1, -1), |last| (life.virtual_log[last], life.real_log[last]));
            let stored = life.table.committed(at as i64, read);
            prop_assert!(stored == -1 || (stored == read && stored == real), "{} at {}", stored, at);
            if life.table.is_identity() {
                prop_assert_eq!(stored, read);
            }
        }
    }

    #[test]
    fn a_table_counts_back_what_it_counted_forward(events in events(), real in 0..1000_i32) {
        let life = Life::of(&events);
        for span in life.table.spans() {
            match span.leads {
                Leads::Kernel => prop_assert_eq!(life.table.real_of(span.first), None),
                Leads::Legacy { shift } => {
                    prop_assert_eq!(life.table.real_of(span.first), Some(span.first - shift));
                }
            }
        }
        let identity = EpochTable::default();
        prop_assert_eq!(identity.virtual_now(real), real);
        prop_assert_eq!(identity.virtual_at(7, real), real);
        prop_assert_eq!(identity.named_now(real), Named::Real(real));
        prop_assert_eq!(identity.end_of(real, (real, 9)), (real, 9));
    }

    #[test]
    fn batches_are_patched_where_they_stand(events in events(), cut in 0..80_usize) {
        let life = Life::of(&events);
        let mut run = BytesMut::new();
        for (offset, real) in life.real_log.iter().enumerate() {
            run.extend_from_slice(&batch(offset as u64, *real));
        }
        let kept = run.len().saturating_sub(cut);
        let whole = run.clone().freeze();
        run.truncate(kept);
        let expected = is_patched(&life.table, &run);
        prop_assert_eq!(patch_batches(&life.table, &mut run), expected);
        let mut patched = run.clone().freeze();
        let batches = split(&mut patched).unwrap();
        for (batch, shown) in batches.iter().zip(&life.virtual_log) {
            prop_assert_eq!(batch.header().leader_epoch.0, *shown);
        }
        let whole_ones = split(&mut whole.slice(..kept)).unwrap().len();
        prop_assert_eq!(batches.len(), whole_ones, "nothing but epochs is changed");
        if life.table.is_identity() {
            prop_assert_eq!(&run[..], &whole[..kept]);
        }
    }

    #[test]
    fn bytes_that_are_no_batches_are_looked_through_to_their_end(
        events in events(),
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let life = Life::of(&events);
        let before = is_patched(&life.table, &bytes);
        prop_assert_eq!(patch_batches(&life.table, &mut bytes), before);
    }
}

fn batch(offset: u64, epoch: i32) -> BytesMut {
    let mut bytes = BytesMut::from(one_record().as_ref());
    patch_header(&mut bytes, Offset(offset), LogEpoch(epoch));
    bytes
}

fn one_record() -> Bytes {
    let record = NewRecord { value: Some(b"v"), ..Default::default() };
    BatchSpec::default().encode(&[record]).unwrap().bytes().clone()
}

#[test]
fn messages_older_than_version_2_are_left_alone() {
    let mut table = EpochTable::default();
    table.kernel_leads(107, 0).unwrap();
    let mut run = batch(0, 5);
    run[16] = 1;
    let before = run.clone();
    run.extend_from_slice(&batch(1, 5));
    assert!(patch_batches(&table, &mut run), "the one behind it is patched");
    assert_eq!(run[..before.len()], before[..]);
    assert_eq!(run[before.len() + 12..][..4], 107_i32.to_be_bytes());
}

#[test]
fn spans_that_contradict_each_other_are_refused() {
    let mut table = EpochTable::default();
    assert_eq!(table.legacy_leads(100, 0, 7), Err(EpochError::LeadsAlready));
    assert_eq!(table.kernel_leads(0, 0), Err(EpochError::NotAbove { first: 0, last: 0 }));
    table.kernel_leads(107, 50).unwrap();
    assert_eq!(table.kernel_leads(207, 60), Err(EpochError::LeadsAlready));
    assert_eq!(table.legacy_leads(107, 60, 7), Err(EpochError::NotAbove { first: 107, last: 107 }));
    assert_eq!(table.legacy_leads(207, 49, 7), Err(EpochError::Backwards { start: 49, last: 50 }));
    assert_eq!(table.legacy_leads(207, 50, -1), Err(EpochError::RealUnknown));
    table.legacy_leads(207, 50, 9).unwrap();
    assert_eq!(table.spans().len(), 3, "what was refused left nothing behind");
}

#[test]
fn the_picture_at_the_top_of_the_module_is_true() {
    let mut table = EpochTable::default();
    table.kernel_leads(107, 100).unwrap();
    table.legacy_leads(207, 250, 9).unwrap();
    let at: Vec<i32> = [(99, 7), (100, 8), (249, 9), (250, 9), (251, 10)]
        .map(|(offset, real)| table.virtual_at(offset, real))
        .to_vec();
    assert_eq!(at, [7, 107, 107, 207, 208]);
    assert_eq!(table.named_now(208), Named::Real(10));
    assert_eq!(table.named_now(107), Named::Fenced);
    // Legacy's 9 began somewhere in the kernel's span, and ended where 10 began.
    assert_eq!(table.end_of(207, (9, 260)), (207, 260));
    assert_eq!(table.end_of(107, (9, 260)), (107, 250));
    assert_eq!(table.end_of(7, (7, 180)), (7, 100));
    assert_eq!((table.committed(100, 7), table.committed(101, 107), table.committed(300, 208)), (7, -1, -1));
}
