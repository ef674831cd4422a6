//! Ids that legacy keeps beside the kernel, and that go back to it.

use super::super::message::{
    Producer, SurveyedTransaction, Tally, TransactionMessage, TransactionReply, row_print,
};
use super::order::{Host, end, join, joined, partition};
use crate::errors::ErrorCode;

const UNIT: &str = "legacy/transactions:orders";
const FIRST: Producer = Producer { id: 7, epoch: 3 };

impl Host {
    fn ask(&mut self, message: &TransactionMessage) -> TransactionReply {
        let asked = self.send(message);
        while !self.commits.is_empty() {
            self.settle(Ok(()));
        }
        let at = self.replies.iter().position(|(id, _)| *id == asked).unwrap();
        self.replies.remove(at).1
    }

    fn adopt(&mut self, id: &str, producer: Producer) {
        let adopt = TransactionMessage::Adopt {
            id: id.into(),
            producer,
            timeout_ms: 60_000,
            committed: Some(true),
            unit: UNIT.into(),
        };
        assert_eq!(self.ask(&adopt), TransactionReply::Producer(producer));
    }

    fn tally(&mut self) -> Tally {
        match self.ask(&TransactionMessage::Tally { unit: UNIT.into() }) {
            TransactionReply::Tallied(tally) => tally,
            other => panic!("{other:?}"),
        }
    }

    fn leave(&mut self) -> Tally {
        match self.ask(&TransactionMessage::Leave { unit: UNIT.into() }) {
            TransactionReply::Tallied(tally) => tally,
            other => panic!("{other:?}"),
        }
    }

    fn begin(&mut self, current: Option<Producer>) -> TransactionReply {
        self.ask(&TransactionMessage::Init { id: "tx".into(), timeout_ms: 60_000, current, spare: None })
    }
}

fn refused(code: ErrorCode) -> TransactionReply {
    TransactionReply::Refused(code.code())
}

fn bumping(commit: bool, producer: Producer) -> TransactionMessage {
    TransactionMessage::End { id: "tx".into(), producer, commit, bumps: true, spare: None }
}

#[test]
fn what_leaves_ends_its_transaction_and_begins_none() {
    let mut host = Host::new();
    host.adopt("tx", FIRST);
    host.adopt("idle", FIRST);
    assert_eq!(host.ask(&join(FIRST, &[partition(0, 0)], &[])), joined());
    let begun_ms = host.now.wall_ms;
    let left = host.leave();
    assert_eq!((left.ids, left.open, left.open_since_ms), (2, 1, begun_ms));
    // The open one goes on to its end.
    assert_eq!(host.ask(&join(FIRST, &[partition(1, 0)], &[])), joined());
    assert_eq!(host.ask(&end(FIRST)), TransactionReply::Producer(FIRST));
    assert_eq!(host.leave().open, 0);
    let later = refused(ErrorCode::ConcurrentTransactions);
    assert_eq!(host.ask(&join(FIRST, &[partition(0, 0)], &[])), later);
    assert_eq!((host.begin(None), host.begin(Some(FIRST))), (later.clone(), later.clone()));
    // Its end repeated is still its end; an abort of nothing would only take an epoch that legacy has not.
    assert_eq!(host.ask(&end(FIRST)), TransactionReply::Producer(FIRST));
    assert_eq!(host.ask(&bumping(false, FIRST)), later);
    host.ask(&TransactionMessage::Return { unit: UNIT.into() });
    assert_eq!(host.ask(&join(FIRST, &[partition(0, 0)], &[])), joined());
}

#[test]
fn a_unit_that_leaves_keeps_no_other_from_working() {
    let mut host = Host::new();
    host.adopt("tx", FIRST);
    host.ask(&TransactionMessage::Leave { unit: "legacy/transactions:other".into() });
    assert_eq!(host.ask(&join(FIRST, &[partition(0, 0)], &[])), joined());
}

#[test]
fn what_is_being_begun_counts_as_open() {
    let mut host = Host::new();
    host.adopt("tx", FIRST);
    host.send(&join(FIRST, &[partition(0, 0)], &[]));
    let asked = host.send(&TransactionMessage::Leave { unit: UNIT.into() });
    let (_, reply) = host.replies.iter().find(|(id, _)| *id == asked).unwrap();
    assert!(matches!(reply, TransactionReply::Tallied(Tally { open: 1, .. })), "{reply:?}");
}

#[test]
fn a_tally_is_the_sum_over_what_legacy_must_have_too() {
    let mut host = Host::new();
    assert_eq!(host.tally(), Tally::none());
    host.adopt("a", FIRST);
    let one = host.tally().print;
    assert_eq!(one, row_print("a", FIRST, 60_000));
    host.adopt("b", Producer { id: 8, epoch: 0 });
    let both = host.tally();
    assert_eq!(both.print, one.wrapping_add(row_print("b", Producer { id: 8, epoch: 0 }, 60_000)));
    assert_eq!((both.ids, both.open, both.open_since_ms), (2, 0, -1));
}

#[test]
fn a_survey_names_the_ids_of_a_unit_in_pieces() {
    let mut host = Host::new();
    for number in 0..2_500 {
        host.adopt(&format!("tx-{number:04}"), FIRST);
    }
    let mut found: Vec<SurveyedTransaction> = Vec::new();
    loop {
        let after = found.last().map(|last| last.id.clone());
        let survey = TransactionMessage::Survey { unit: UNIT.into(), after };
        let TransactionReply::Surveyed { ids, more } = host.ask(&survey) else { panic!("no survey") };
        found.extend(ids);
        if !more {
            break;
        }
    }
    let ids: Vec<&str> = found.iter().map(|held| held.id.as_str()).collect();
    assert_eq!((ids.len(), ids[0], ids[2_499]), (2_500, "tx-0000", "tx-2499"));
    assert!(ids.is_sorted());
}

#[test]
fn what_legacy_has_given_replaces_the_producer_at_its_next_epoch() {
    let given = Producer { id: 90, epoch: 2 };
    let provide = TransactionMessage::Provide { id: "tx".into(), producer: given };
    // At an initialisation, repeated by a producer that lost the answer.
    let mut host = Host::new();
    host.adopt("tx", FIRST);
    assert_eq!(host.ask(&provide), TransactionReply::Producer(FIRST));
    for _ in 0..2 {
        assert_eq!(host.begin(Some(FIRST)), TransactionReply::Producer(given));
    }
    assert_eq!(host.begin(None), TransactionReply::Producer(Producer { epoch: 3, ..given }), "given once");
    assert_eq!(host.begin(Some(FIRST)), refused(ErrorCode::ProducerFenced), "long replaced");
    // At an end that takes a new epoch.
    let mut host = Host::new();
    host.adopt("tx", FIRST);
    host.ask(&join(FIRST, &[partition(0, 0)], &[]));
    host.ask(&provide);
    for _ in 0..2 {
        assert_eq!(host.ask(&bumping(true, FIRST)), TransactionReply::Producer(given));
    }
    assert_eq!(host.ask(&join(given, &[partition(0, 0)], &[])), joined());
    let next = Producer { epoch: 3, ..given };
    assert_eq!(host.ask(&bumping(true, given)), TransactionReply::Producer(next));
    assert_eq!(host.ask(&bumping(true, FIRST)), refused(ErrorCode::InvalidProducerIdMapping));
}

#[test]
fn an_id_whose_epochs_are_used_up_waits_for_what_legacy_gives() {
    let mut host = Host::new();
    let last = Producer { id: 7, epoch: i16::MAX - 1 };
    host.adopt("tx", last);
    assert_eq!(host.begin(Some(last)), TransactionReply::NeedsProducerId);
    let given = Producer { id: 90, epoch: 0 };
    host.ask(&TransactionMessage::Provide { id: "tx".into(), producer: given });
    assert_eq!(host.begin(Some(last)), TransactionReply::Producer(given));
}
