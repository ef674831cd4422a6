#![allow(clippy::unwrap_used, reason = "a test that cannot write its file should stop")]

use std::fs;

use super::{HistoryError, Kind, Report, check};

/// The lines of one producer's file.
struct Writing {
    client: &'static str,
    lines: Vec<String>,
    sent: u64,
}

impl Writing {
    fn new(client: &'static str, acks: &str, idempotent: bool) -> Self {
        let start = format!(
            r#"{{"op":"start","role":"produce","client":"{client}","topic":"t","acks":"{acks}","idempotent":{idempotent},"first":0}}"#
        );
        Self { client, lines: vec![start], sent: 0 }
    }

    /// Acknowledges `seq` at `offset` of partition 0, in transaction `txn` if that is a number.
    fn ack(mut self, seq: u64, offset: i64, txn: &str) -> Self {
        let client = self.client;
        self.lines.push(format!(
            r#"{{"op":"ack","client":"{client}","topic":"t","seq":{seq},"value":"{client}:{seq:06}","partition":0,"offset":{offset},"txn":{txn},"sent_ms":10,"t_ms":15}}"#
        ));
        self.sent = self.sent.max(seq + 1);
        self
    }

    /// Acknowledges each number in `seqs` at the offset of the same number.
    fn acks(self, seqs: std::ops::Range<u32>) -> Self {
        seqs.fold(self, |writing, seq| writing.ack(seq.into(), seq.into(), "null"))
    }

    fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    fn done(mut self) -> String {
        self.lines.push(format!(
            r#"{{"op":"done","role":"produce","client":"{}","topic":"t","first":0,"sent":{}}}"#,
            self.client, self.sent
        ));
        self.lines.join("\n") + "\n"
    }
}

/// The lines of one reader's file.
struct Reading {
    group: String,
    member: &'static str,
    lines: Vec<String>,
}

impl Reading {
    fn new(group: Option<&str>, member: &'static str) -> Self {
        let group = group.map_or("null".to_owned(), |group| format!("\"{group}\""));
        let start = format!(
            r#"{{"op":"start","role":"consume","topic":"t","group":{group},"member":"{member}","isolation":"read_committed"}}"#
        );
        Self { group, member, lines: vec![start] }.assigned()
    }

    fn assigned(mut self) -> Self {
        let (group, member) = (&self.group, self.member);
        self.lines.push(format!(
            r#"{{"op":"rebalance","topic":"t","group":{group},"member":"{member}","event":"assigned","partitions":[0]}}"#
        ));
        self
    }

    fn read(mut self, offset: i64, value: &str) -> Self {
        let (group, member) = (&self.group, self.member);
        self.lines.push(format!(
            r#"{{"op":"read","topic":"t","group":{group},"member":"{member}","partition":0,"offset":{offset},"key":null,"value":"{value}"}}"#
        ));
        self
    }

    /// Reads what producer p wrote with [`Writing::acks`].
    fn reads(self, seqs: std::ops::Range<u32>) -> Self {
        seqs.fold(self, |reading, seq| reading.read(seq.into(), &format!("p:{seq:06}")))
    }

    fn done(mut self) -> String {
        self.lines.push(r#"{"op":"done","role":"consume","read":0}"#.to_owned());
        self.lines.join("\n") + "\n"
    }
}

fn judged(files: &[String]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (number, text) in files.iter().enumerate() {
        let path = folder.path().join(format!("{number}.jsonl"));
        fs::write(&path, text).unwrap();
        paths.push(path);
    }
    check(&paths).unwrap()
}

/// The report holds `kind` exactly `count` times and no other violation.
#[track_caller]
fn assert_only(report: &Report, kind: Kind, count: u64) {
    let found: Vec<_> = report.violations.iter().map(|(kind, found)| (*kind, found.count)).collect();
    assert_eq!(found, [(kind, count)], "{report:#?}");
}

fn writing() -> Writing {
    Writing::new("p", "all", true)
}

#[test]
fn a_whole_history_is_clean() {
    let report = judged(&[writing().acks(0..5).done(), Reading::new(Some("g"), "m").reads(0..5).done()]);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.acknowledged, report.delivered, report.reads), (5, 5, 5));
    assert_eq!((report.ack_ms_max, report.unfinished.len()), (5, 0));
}

#[test]
fn an_acknowledged_value_that_nobody_read_below_the_highest_read_is_lost() {
    let reader = Reading::new(Some("g"), "m").reads(0..2).assigned().reads(3..5).done();
    assert_only(&judged(&[writing().acks(0..5).done(), reader]), Kind::Lost, 1);
}

#[test]
fn an_acknowledged_value_above_all_reads_is_unseen() {
    let reader = Reading::new(Some("g"), "m").reads(0..3).done();
    assert_only(&judged(&[writing().acks(0..5).done(), reader]), Kind::Unseen, 2);
}

#[test]
fn an_acknowledged_value_without_offset_that_nobody_read_is_unseen() {
    let writer = writing().acks(0..2).ack(2, -1, "null").done();
    let reader = Reading::new(Some("g"), "m").reads(0..2).done();
    assert_only(&judged(&[writer, reader]), Kind::Unseen, 1);
}

#[test]
fn a_group_that_leaves_out_what_another_read_has_skipped_it() {
    let hasty = Reading::new(Some("g"), "m").reads(0..2).assigned().reads(4..5).done();
    let whole = Reading::new(Some("h"), "m").reads(0..5).done();
    assert_only(&judged(&[writing().acks(0..5).done(), hasty, whole]), Kind::SkippedByGroup, 2);
}

#[test]
fn one_value_at_two_offsets_is_a_duplicate() {
    let reader = Reading::new(Some("g"), "m").reads(0..2).read(2, "p:000001").done();
    assert_only(&judged(&[writing().acks(0..2).done(), reader.clone()]), Kind::Duplicate, 1);
    let careless = Writing::new("p", "all", false).acks(0..2).done();
    let report = judged(&[careless, reader]);
    assert!(report.is_clean(), "a producer that is not idempotent may: {report:#?}");
    assert_eq!(report.duplicated_allowed, 1);
}

#[test]
fn two_values_at_one_offset_are_inconsistent() {
    let writer = writing().acks(0..3).done();
    let reader = Reading::new(Some("g"), "m").reads(0..3).done();
    let other = Reading::new(Some("h"), "m").reads(0..2).read(2, "foreign").done();
    assert_only(&judged(&[writer, reader, other]), Kind::InconsistentOffset, 1);
}

#[test]
fn a_member_that_goes_back_without_a_rebalance_is_caught() {
    let reader = Reading::new(Some("g"), "m").reads(0..3).reads(1..5).done();
    assert_only(&judged(&[writing().acks(0..5).done(), reader]), Kind::NonMonotonicPoll, 1);
}

#[test]
fn a_second_read_across_a_rebalance_is_a_redelivery() {
    let reader = Reading::new(Some("g"), "m").reads(0..3).assigned().reads(1..5).done();
    let report = judged(&[writing().acks(0..5).done(), reader]);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.reads, report.redelivered, report.delivered), (7, 2, 5));
}

#[test]
fn readers_without_a_group_do_not_redeliver_to_each_other() {
    let (one, two) = (Reading::new(None, "m").reads(0..5).done(), Reading::new(None, "m").reads(0..5).done());
    let report = judged(&[writing().acks(0..5).done(), one, two]);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.reads, report.redelivered), (10, 0));
}

#[test]
fn a_member_that_jumps_over_a_value_is_caught_even_if_it_comes_later() {
    let reader = Reading::new(Some("g"), "m").reads(0..2).reads(3..5).assigned().reads(2..3).done();
    assert_only(&judged(&[writing().acks(0..5).done(), reader]), Kind::SkippedPoll, 1);
}

#[test]
fn a_gap_that_never_held_a_value_may_be_jumped() {
    let writer = writing().ack(0, 0, "null").ack(1, 4, "null").done();
    let reader = Reading::new(Some("g"), "m").read(0, "p:000000").read(4, "p:000001").done();
    let report = judged(&[writer, reader]);
    assert!(report.is_clean(), "{report:#?}");
}

#[test]
fn a_later_send_at_a_lower_offset_is_caught() {
    let reader =
        Reading::new(Some("g"), "m").read(0, "p:000001").read(1, "p:000000").read(2, "p:000002").done();
    let swapped = |writer: Writing| writer.ack(1, 0, "null").ack(0, 1, "null").ack(2, 2, "null").done();
    assert_only(&judged(&[swapped(writing()), reader.clone()]), Kind::NonMonotonicSend, 1);
    let report = judged(&[swapped(Writing::new("p", "all", false)), reader]);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!(report.reordered_allowed, 1);
}

#[test]
fn a_read_of_a_refused_send_is_caught() {
    let refused = r#"{"op":"fail","client":"p","topic":"t","seq":2,"value":"p:000002","definite":true}"#;
    let unsure = refused.replace("true", "false");
    let reader = Reading::new(Some("g"), "m").reads(0..3).done();
    let mut writer = writing().acks(0..2).line(refused);
    writer.sent = 3;
    assert_only(&judged(&[writer.done(), reader.clone()]), Kind::AbortedRead, 1);
    let mut writer = writing().acks(0..2).line(&unsure);
    writer.sent = 3;
    assert!(judged(&[writer.done(), reader]).is_clean());
}

#[test]
fn an_aborted_transaction_need_not_be_read_and_must_not() {
    let ended = |txn: u32, how: &str| {
        format!(r#"{{"op":"txn","client":"p","topic":"t","txn":{txn},"outcome":"{how}"}}"#)
    };
    let writer = || {
        writing()
            .ack(0, 0, "1")
            .line(&ended(1, "commit"))
            .ack(1, 2, "2")
            .line(&ended(2, "abort"))
            .ack(2, 4, "3")
            .line(&ended(3, "commit"))
            .done()
    };
    let reader = Reading::new(Some("g"), "m").read(0, "p:000000");
    let honest = Reading { lines: reader.lines.clone(), ..reader }.read(4, "p:000002").done();
    assert!(judged(&[writer(), honest]).is_clean());
    let eager =
        Reading::new(Some("g"), "m").read(0, "p:000000").read(2, "p:000001").read(4, "p:000002").done();
    assert_only(&judged(&[writer(), eager]), Kind::AbortedRead, 1);
}

#[test]
fn a_value_nobody_sent_or_a_damaged_one_is_a_phantom() {
    let reader = Reading::new(Some("g"), "m").reads(0..3).read(3, "p:000007").read(4, "p:000001:xyx").done();
    let writer = writing().acks(0..3).done();
    assert_only(&judged(&[writer, reader]), Kind::Phantom, 2);
}

#[test]
fn deleted_records_need_no_reader() {
    let admin = r#"{"op":"result","command":"delete-records","topic":"t","partition":0,"low_watermark":2}"#
        .to_owned()
        + "\n";
    let reader = Reading::new(Some("g"), "m").reads(2..5).done();
    let report = judged(&[writing().acks(0..5).done(), reader, admin]);
    assert!(report.is_clean(), "{report:#?}");
}

#[test]
fn sends_without_acks_are_counted_and_never_lost() {
    let writer = Writing::new("p", "0", false).ack(0, -1, "null").ack(1, -1, "null").done();
    let report = judged(&[writer, Reading::new(Some("g"), "m").read(0, "p:000001").done()]);
    assert!(report.is_clean(), "{report:#?}");
    assert_eq!((report.acknowledged, report.unconfirmed, report.delivered), (0, 2, 1));
}

#[test]
fn a_killed_client_leaves_a_torn_line_and_is_named() {
    let whole = writing().acks(0..2).done();
    let cut = whole.find(r#"{"op":"done""#).unwrap() + 5;
    let report = judged(&[whole[..cut].to_owned(), Reading::new(Some("g"), "m").reads(0..3).done()]);
    assert!(report.is_clean(), "a killed producer may have sent more than it told: {report:#?}");
    assert_eq!((report.torn_lines, report.unfinished.len()), (1, 1));
}

#[test]
fn a_malformed_line_is_an_error_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h");
    fs::write(&path, "{\"op\":\"error\",\"error\":\"x\"}\n{\"op\":\"ack\"}\n").unwrap();
    let error = check(&[path]).unwrap_err();
    assert!(matches!(error, HistoryError::Line { number: 2, .. }), "{error}");
}
