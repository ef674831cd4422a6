//! Every kind of wrong is planted once and must be found; the same traffic without it must be clean.

use super::*;

fn ack(client: &str, seq: u64, partition: i32, offset: i64) -> Line {
    Line::Ack {
        client: client.to_owned(),
        topic: "t".to_owned(),
        seq,
        value: format!("{client}:{seq:06}"),
        partition,
        offset,
        node: 1,
        sent_ms: 1_000,
        t_ms: 1_000 + seq,
    }
}

fn read(group: &str, value: &str, partition: i32, offset: i64) -> Line {
    Line::Read {
        topic: "t".to_owned(),
        group: group.to_owned(),
        member: "m".to_owned(),
        partition,
        offset,
        value: value.to_owned(),
        t_ms: 0,
    }
}

fn start(client: &str, idempotent: bool) -> Line {
    Line::Start {
        role: "produce".to_owned(),
        client: client.to_owned(),
        member: String::new(),
        group: None,
        acks: "all".to_owned(),
        idempotent,
        first: 0,
    }
}

/// Ten values of one idempotent producer, alternately in two partitions, read by both groups.
fn good() -> Vec<Line> {
    let mut lines = vec![start("p", true)];
    for seq in 0..10 {
        let (partition, offset) = (i32::try_from(seq % 2).unwrap(), 100 + i64::try_from(seq / 2).unwrap());
        lines.push(ack("p", seq, partition, offset));
        for group in ["g", "h"] {
            lines.push(read(group, &format!("p:{seq:06}"), partition, offset));
        }
    }
    lines
}

fn judge(lines: &[Line]) -> Verdict {
    let mut account = Account::new(&["g".to_owned(), "h".to_owned()]);
    lines.iter().for_each(|line| account.take(line));
    assert_eq!(account.drained(), account.verdict().lost == 0);
    account.verdict()
}

#[test]
fn clean_traffic_is_clean_whether_read_before_or_after_its_acknowledgement() {
    let verdict = judge(&good());
    assert_eq!((verdict.acknowledged, verdict.delivered), (10, 10));
    assert_eq!(verdict, Verdict { acknowledged: 10, delivered: 10, ..Verdict::default() });
    let mut late = good();
    late.sort_by_key(|line| matches!(line, Line::Ack { .. }));
    assert_eq!(judge(&late), verdict);
}

#[test]
fn a_value_that_one_group_never_read_is_lost() {
    let mut lines = good();
    lines.retain(
        |line| !matches!(line, Line::Read { group, value, .. } if group == "h" && value == "p:000003"),
    );
    let verdict = judge(&lines);
    assert_eq!((verdict.lost, verdict.delivered), (1, 9));
    assert!(verdict.examples[0].starts_with("p:000003"), "{:?}", verdict.examples);
}

#[test]
fn a_value_at_two_offsets_is_a_duplicate_unless_its_producer_promised_nothing() {
    let mut lines = good();
    lines.push(read("g", "p:000004", 0, 200));
    lines.push(read("h", "p:000004", 0, 200));
    let verdict = judge(&lines);
    assert_eq!((verdict.duplicated, verdict.redelivered, verdict.lost), (1, 0, 0));
    lines[0] = start("p", false);
    let verdict = judge(&lines);
    assert_eq!((verdict.duplicated, verdict.duplicated_allowed), (0, 1));
}

#[test]
fn a_second_read_of_the_same_offset_is_redelivery_and_no_duplicate() {
    let mut lines = good();
    lines.push(read("g", "p:000004", 0, 102));
    let verdict = judge(&lines);
    assert_eq!((verdict.redelivered, verdict.duplicated), (1, 0));
}

#[test]
fn a_later_value_at_a_lower_offset_is_reordered() {
    let mut lines = vec![start("p", true)];
    for (seq, offset) in [(0, 5), (1, 7), (2, 6)] {
        lines.push(ack("p", seq, 0, offset));
        for group in ["g", "h"] {
            lines.push(read(group, &format!("p:{seq:06}"), 0, offset));
        }
    }
    assert_eq!(judge(&lines).reordered, 1);
}

#[test]
fn two_values_at_one_offset_and_values_that_nobody_sent_are_contradictions() {
    let mut lines = good();
    lines.push(ack("p", 10, 0, 100));
    lines.extend(["g", "h"].map(|group| read(group, "p:000010", 0, 100)));
    assert_eq!(judge(&lines).contradictions, 3);
    let mut lines = good();
    lines.push(read("g", "x:000001", 0, 300));
    assert_eq!(judge(&lines).contradictions, 1);
}

#[test]
fn seeds_must_be_read_but_are_not_counted() {
    let mut account = Account::new(&["g".to_owned()]);
    account.seed("p");
    account.take(&start("p", true));
    account.take(&ack("p", 0, 0, 0));
    assert_eq!((account.verdict().acknowledged, account.verdict().lost), (0, 1));
    account.take(&read("g", "p:000000", 0, 0));
    assert_eq!((account.verdict().delivered, account.verdict().lost), (0, 0));
}

#[test]
fn a_change_of_leader_is_a_fence_and_other_partitions_go_on_in_it() {
    let mut account = Account::new(&[]);
    account.begin_phase("observe", 1_000);
    let mut at = |seq: u64, partition: i32, node: i32, t_ms: u64| {
        let mut line = ack("p", seq, partition, i64::try_from(seq).unwrap());
        if let Line::Ack { node: of, t_ms: when, .. } = &mut line {
            (*of, *when) = (node, t_ms);
        }
        account.take(&line);
    };
    at(0, 0, 1, 1_000);
    at(1, 0, 1, 1_100);
    at(2, 1, 1, 1_110);
    at(3, 1, 1, 1_120);
    at(4, 0, 9, 1_150);
    account.begin_phase("mirror", 1_200);
    let fences = account.fences();
    assert_eq!(fences, [Fence { from_ms: 1_100, until_ms: 1_150, partitions: 1, acknowledged: 2 }]);
    assert_eq!(account.timeline().longest_pause_ms(1_000, 1_150), 99);
    assert_eq!(account.timeline().phases()[0].acknowledged, 5);
}

#[test]
fn a_leader_that_leads_again_makes_two_fences_and_a_late_report_none() {
    let mut account = Account::new(&[]);
    account.begin_phase("observe", 1_000);
    let mut seq = 0;
    let mut at = |node: i32, t_ms: u64| {
        let mut line = ack("p", seq, 0, i64::try_from(seq).unwrap());
        if let Line::Ack { node: of, t_ms: when, .. } = &mut line {
            (*of, *when) = (node, t_ms);
        }
        account.take(&line);
        seq += 1;
    };
    for (node, t_ms) in [(1, 1_000), (1, 1_100), (9, 1_150), (1, 1_110), (9, 2_000), (1, 2_030), (1, 3_000)] {
        at(node, t_ms);
    }
    let spans: Vec<_> = account.fences().iter().map(|fence| (fence.from_ms, fence.until_ms)).collect();
    assert_eq!(spans, [(1_110, 1_150), (2_000, 2_030)]);
}
