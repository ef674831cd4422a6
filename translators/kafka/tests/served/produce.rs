//! Produce.

use bytes::Bytes;
use kernel_model::batch::{BatchSpec, Codec};
use kernel_model::{Reply, Request};
use session::Violation;
use translator_kafka::codec::messages::ProduceRequest;
use translator_kafka::errors::ErrorCode;

use crate::node::{Node, START_MS, batch, batch_as, batch_with, produce_request};

fn code(code: ErrorCode) -> i16 {
    code.code()
}

#[test]
fn records_get_dense_offsets_in_every_version() {
    let mut node = Node::new(2);
    let mut client = node.client();
    client.create(&mut node, "t", 3, &[]);
    for (count, version) in (0_i64..).zip(3..=13) {
        let part = client.produce_at(&mut node, version, "t", 2, batch(&["a", "b"]).bytes().clone());
        assert_eq!((part.error_code, part.base_offset), (0, count * 2), "version {version}");
        assert_eq!(part.log_append_time_ms, -1);
    }
}

#[test]
fn every_codec_is_taken_and_zstd_only_from_version_7_on() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let records = batch_with(codec, &["a", "b"]).bytes().clone();
        let part = client.produce_at(&mut node, 7, "t", 0, records.clone());
        assert_eq!(part.error_code, 0, "{codec:?}");
        let old = client.produce_at(&mut node, 6, "t", 0, records);
        let expected = if codec == Codec::Zstd { code(ErrorCode::UnsupportedCompressionType) } else { 0 };
        assert_eq!(old.error_code, expected, "{codec:?}");
    }
}

#[test]
fn a_log_that_stamps_says_its_time() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let part = client.produce(&mut node, "t", batch(&["a"]).bytes().clone());
    assert_eq!((part.error_code, part.log_append_time_ms), (0, START_MS));
}

#[test]
fn what_kafka_refuses_is_refused_with_its_code() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[("max.message.bytes", "200"), ("segment.bytes", "1000")]);
    let good = batch(&["a"]).bytes().clone();
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.to_vec();
        change(&mut bytes);
        Bytes::from(bytes)
    };
    let spec = BatchSpec::default();
    let control = batch_as(&BatchSpec { control: true, ..spec }, &["a"]).bytes().clone();
    let transactional = batch_as(
        &BatchSpec { transactional: true, producer_id: 4, producer_epoch: 0, base_sequence: 0, ..spec },
        &["a"],
    );
    let large = batch(&["x".repeat(300).as_str()]).bytes().clone();
    let huge = batch(&["x".repeat(2000).as_str()]).bytes().clone();
    let table = [
        (changed(&|b| b[65] ^= 1), ErrorCode::CorruptMessage),
        (changed(&|b| b.truncate(40)), ErrorCode::InvalidRecord),
        (changed(&|b| b[16] = 1), ErrorCode::InvalidRecord),
        (changed(&|b| b[16] = 3), ErrorCode::CorruptMessage),
        (changed(&|b| b[8] = 0x80), ErrorCode::CorruptMessage),
        (changed(&|b| b[16] = 1), ErrorCode::InvalidRecord),
        (changed(&|b| b[7] = 9), ErrorCode::InvalidRecord),
        (changed(&|b| b.extend_from_within(..)), ErrorCode::InvalidRecord),
        (Bytes::new(), ErrorCode::InvalidRecord),
        (control, ErrorCode::InvalidRecord),
        (transactional.bytes().clone(), ErrorCode::InvalidTxnState),
        (large, ErrorCode::MessageTooLarge),
        (huge, ErrorCode::RecordListTooLarge),
    ];
    for (at, (records, expected)) in table.into_iter().enumerate() {
        let part = client.produce(&mut node, "t", records);
        assert_eq!((part.error_code, part.base_offset), (code(expected), -1), "row {at}: {part:?}");
    }
    assert_eq!(client.produce(&mut node, "t", good).base_offset, 0, "nothing was appended before");
}

#[test]
fn a_timestamp_out_of_bounds_names_its_record() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[("message.timestamp.before.max.ms", "1000")]);
    node.now.wall_ms += 5000;
    let part = client.produce(&mut node, "t", batch(&["a", "b"]).bytes().clone());
    assert_eq!(part.error_code, code(ErrorCode::InvalidTimestamp));
    let named: Vec<i32> = part.record_errors.iter().map(|error| error.batch_index).collect();
    assert_eq!(named, [0, 1]);
    assert_ne!(
        part.record_errors[0].batch_index_error_message,
        part.record_errors[1].batch_index_error_message
    );
    assert!(part.error_message.is_some());
}

#[test]
fn a_batch_that_its_log_refuses_is_told_where_the_log_begins() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[("message.timestamp.before.max.ms", "1000")]);
    let idempotent = |base_sequence| {
        let spec = BatchSpec { producer_id: 4, producer_epoch: 0, base_sequence, ..BatchSpec::default() };
        batch_as(&spec, &["a"]).bytes().clone()
    };
    assert_eq!(client.produce(&mut node, "t", idempotent(0)).error_code, 0);
    let gap = client.produce(&mut node, "t", idempotent(9));
    assert_eq!((gap.error_code, gap.log_start_offset), (code(ErrorCode::OutOfOrderSequenceNumber), 0));
    let mut shifted = idempotent(1).to_vec();
    shifted[7] = 9;
    let shifted = client.produce(&mut node, "t", shifted.into());
    assert_eq!((shifted.error_code, shifted.log_start_offset), (code(ErrorCode::InvalidRecord), 0));
    node.now.wall_ms += 5000;
    let late = client.produce(&mut node, "t", batch(&["a"]).bytes().clone());
    assert_eq!((late.error_code, late.log_start_offset), (code(ErrorCode::InvalidTimestamp), 0));
    // What is refused before a log is looked for.
    let none = client.produce(&mut node, "t", Bytes::new());
    assert_eq!((none.error_code, none.log_start_offset), (code(ErrorCode::InvalidRecord), -1));
    let unknown = client.produce(&mut node, "none", batch(&["a"]).bytes().clone());
    assert_eq!(
        (unknown.error_code, unknown.log_start_offset),
        (code(ErrorCode::UnknownTopicOrPartition), -1)
    );
}

#[test]
fn a_decompression_bomb_is_refused_before_it_is_inflated() {
    let mut node = Node::with(1, |settings| settings.limits.inflated_bytes_max = 1 << 20);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[("max.message.bytes", "100000")]);
    let bomb = batch_with(Codec::Zstd, &["\0".repeat(8 << 20).as_str()]);
    assert!(bomb.bytes().len() < 100_000);
    let part = client.produce(&mut node, "t", bomb.bytes().clone());
    assert_eq!(part.error_code, code(ErrorCode::MessageTooLarge));
}

#[test]
fn an_idempotent_producer_is_deduplicated_and_gaps_are_refused() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    let spec = |base_sequence, producer_epoch| BatchSpec {
        producer_id: 4,
        producer_epoch,
        base_sequence,
        ..BatchSpec::default()
    };
    let mut send = |sequence, epoch| {
        let records = batch_as(&spec(sequence, epoch), &["a", "b"]).bytes().clone();
        let part = client.produce(&mut node, "t", records);
        (part.error_code, part.base_offset)
    };
    assert_eq!(send(0, 1), (0, 0));
    assert_eq!(send(2, 1), (0, 2));
    assert_eq!(send(2, 1), (0, 2), "a repeat is answered with the original offset");
    assert_eq!(send(9, 1).0, code(ErrorCode::OutOfOrderSequenceNumber));
    assert_eq!(send(4, 0).0, code(ErrorCode::InvalidProducerEpoch));
    assert_eq!(send(4, 1), (0, 4));
}

#[test]
fn unknown_topics_partitions_ids_and_acks_have_their_codes() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    let records = batch(&["a"]).bytes().clone();
    let unknown = code(ErrorCode::UnknownTopicOrPartition);
    assert_eq!(client.produce_at(&mut node, 9, "u", 0, records.clone()).error_code, unknown);
    assert_eq!(client.produce_at(&mut node, 9, "t", 1, records.clone()).error_code, unknown);
    assert_eq!(client.produce_at(&mut node, 9, "t", -1, records.clone()).error_code, unknown);
    let no_id = client.produce_at(&mut node, 13, "u", 0, records.clone()).error_code;
    assert_eq!(no_id, code(ErrorCode::UnknownTopicId));
    let request = produce_request(&node, 9, 2, "t", 0, records.clone());
    let response = client.ask(&mut node, 9, &request);
    let part = &response.responses[0].partition_responses[0];
    assert_eq!(part.error_code, code(ErrorCode::InvalidRequiredAcks));
    let request = ProduceRequest {
        transactional_id: Some("tx".into()),
        ..produce_request(&node, 9, -1, "t", 0, records)
    };
    let response = client.ask(&mut node, 9, &request);
    assert_eq!(response.responses[0].partition_responses[0].error_code, code(ErrorCode::InvalidTxnState));
}

#[test]
fn acks_0_gets_no_response_and_a_refusal_closes_the_connection() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    let records = batch(&["a"]).bytes().clone();
    client.write(9, &produce_request(&node, 9, 0, "t", 0, records.clone()));
    node.turn(&mut [&mut client]);
    assert!(client.output.is_empty());
    assert_eq!(client.produce(&mut node, "t", records.clone()).base_offset, 1);
    let before = client.write(9, &produce_request(&node, 9, 1, "t", 0, records.clone()));
    client.write(9, &produce_request(&node, 9, 0, "u", 0, records));
    node.turn(&mut [&mut client]);
    let answered = client.read::<ProduceRequest>(9).map(|(correlation, _)| correlation);
    assert_eq!(answered, Some(before), "what came before is still answered");
    assert!(client.output.is_empty());
    assert!(matches!(client.ended, Some(Violation::Protocol(_))), "{:?}", client.ended);
}

#[test]
fn responses_leave_in_the_order_of_the_requests() {
    let mut node = Node::new(4);
    let mut client = node.client();
    client.create(&mut node, "t", 8, &[]);
    let mut sent = Vec::new();
    for partition in 0..8 {
        let records = batch(&["a"]).bytes().clone();
        sent.push(client.write(9, &produce_request(&node, 9, 1, "t", partition, records)));
    }
    node.turn(&mut [&mut client]);
    let received: Vec<i32> =
        std::iter::from_fn(|| client.read::<ProduceRequest>(9)).map(|(correlation, _)| correlation).collect();
    assert_eq!(received, sent);
}

#[test]
fn of_a_partition_that_is_named_twice_the_last_batch_is_written_and_answered_once() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 2, &[]);
    for version in [8, 13] {
        let data = |partition, values: &[&str]| {
            produce_request(&node, version, -1, "t", partition, batch(values).bytes().clone())
                .topic_data
                .remove(0)
        };
        let mut first = data(0, &["a"]);
        first.partition_data.extend(data(0, &["b", "c"]).partition_data);
        first.partition_data.extend(data(1, &["d"]).partition_data);
        let topic_data = vec![first, data(0, &["e", "f", "g"]), data(7, &["h"])];
        let request = ProduceRequest { acks: -1, topic_data, ..Default::default() };
        let response = client.ask(&mut node, version, &request);
        assert_eq!(response.responses.len(), 1);
        let parts = response.responses[0].partition_responses.iter();
        let codes: Vec<(i32, i16)> = parts.map(|part| (part.index, part.error_code)).collect();
        assert_eq!(codes, [(0, 0), (1, 0), (7, ErrorCode::UnknownTopicOrPartition.code())]);
    }
    let next = client.produce(&mut node, "t", batch(&["z"]).bytes().clone());
    assert_eq!(next.base_offset, 6, "three records of each request");
}

#[test]
fn what_takes_long_to_inflate_is_given_away_and_refused_for_now_when_nobody_takes_it() {
    let large = "x".repeat(3 << 20);
    for (long_work, expected) in [
        ((|_| false) as translator_kafka::server::LongWork, ErrorCode::RequestTimedOut),
        (
            |work| {
                work();
                true
            },
            ErrorCode::None,
        ),
    ] {
        let mut node = Node::with(1, |settings| settings.long_work = long_work);
        let mut client = node.client();
        client.create(&mut node, "t", 1, &[]);
        let records = |value| batch_with(Codec::Gzip, &[value]).bytes().clone();
        assert_eq!(client.produce(&mut node, "t", records("small")).error_code, 0);
        assert_eq!(client.produce(&mut node, "t", records(&large)).error_code, code(expected));
    }
}

#[test]
fn a_header_that_lies_about_its_largest_timestamp_is_put_right() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    let honest = batch(&["a", "b"]);
    let far = START_MS + 100 * 86_400_000;
    let lying = honest.clone().with_max_timestamp(far);
    assert_eq!(lying.header().max_timestamp_ms, far);
    assert_eq!(client.produce(&mut node, "t", lying.bytes().clone()).error_code, 0);
    let log = node.settings.catalog.load().topic("t").unwrap().partitions[0].log;
    let reply = node.kernel(log.shard(), Request::Describe { log }).unwrap();
    let Reply::Described(log) = reply else { panic!("{reply:?}") };
    assert_eq!(log.max_timestamp_ms, Some(honest.header().max_timestamp_ms));
}
