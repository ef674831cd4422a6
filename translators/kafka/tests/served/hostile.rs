//! Input that no honest client sends: each ends the connection or gets an error, in bounded memory.

use std::time::Duration;

use session::Violation;
use translator_kafka::codec::frame;
use translator_kafka::codec::messages::fetch_request::{FetchPartition, FetchTopic};
use translator_kafka::codec::messages::{
    ApiVersionsRequest, FetchRequest, HeartbeatRequest, MetadataRequest,
};

use crate::node::{Client, Node, batch, produce_request};

fn end_of(input: &[u8]) -> (Node, Client) {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.input.extend_from_slice(input);
    node.turn(&mut [&mut client]);
    (node, client)
}

#[test]
fn impossible_frame_sizes_end_the_connection_at_once() {
    for size in [i32::MAX, -1, i32::MIN, 100 * 1024 * 1024 + 1] {
        let (_, client) = end_of(&size.to_be_bytes());
        assert!(matches!(client.ended, Some(Violation::Limit(_))), "{size}: {:?}", client.ended);
    }
}

#[test]
fn frames_that_are_no_request_end_the_connection() {
    let framed = |body: &[u8]| {
        let mut frame = i32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        frame
    };
    let table: [&[u8]; 10] = [
        b"",
        b"\0",
        b"\0\x12\0",
        // API keys that do not exist, or are not served.
        b"\0\x5f\0\0\0\0\0\x01\xff\xff",
        b"\x27\x0f\0\0\0\0\0\x01\xff\xff",
        b"\0\x1a\0\0\0\0\0\x01\xff\xff",
        b"\0\x34\0\0\0\0\0\x01\xff\xff",
        // A version of Metadata that does not exist; a client id that reaches beyond the frame.
        b"\0\x03\0\x63\0\0\0\x01\xff\xff",
        b"\0\x03\0\0\0\0\0\x01\x7f\xff",
        // Metadata for 2^31 - 1 topics.
        b"\0\x03\0\x01\0\0\0\x01\xff\xff\x7f\xff\xff\xff",
    ];
    for body in table {
        let (_, client) = end_of(&framed(body));
        assert!(matches!(client.ended, Some(Violation::Protocol(_))), "{body:?}: {:?}", client.ended);
        assert!(client.output.is_empty());
    }
}

#[test]
fn http_tls_and_proxy_headers_on_the_wrong_port_end_the_connection() {
    let inputs = [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        // No address is believed on the word of a proxy.
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 9092\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\x23\x84",
    ];
    for input in inputs {
        let (_, client) = end_of(input);
        assert!(client.ended.is_some(), "{input:?}");
    }
}

#[test]
fn requests_before_a_bad_frame_are_still_answered() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.write(1, &MetadataRequest::default());
    client.input.extend_from_slice(&[0xff; 8]);
    node.turn(&mut [&mut client]);
    assert!(client.read::<MetadataRequest>(1).is_some());
    assert!(matches!(client.ended, Some(Violation::Limit(_))));
}

#[test]
fn every_prefix_of_a_request_waits_for_the_rest_and_bytes_may_come_one_by_one() {
    let mut node = Node::new(1);
    let whole = frame::request_frame(
        4,
        9,
        Some("c".into()),
        &ApiVersionsRequest {
            client_software_name: "a".into(),
            client_software_version: "1".into(),
            ..Default::default()
        },
    )
    .unwrap();
    let mut client = node.client();
    for (at, byte) in whole.iter().enumerate() {
        client.input.extend_from_slice(&[*byte]);
        node.turn(&mut [&mut client]);
        assert_eq!(client.output.is_empty(), at + 1 < whole.len(), "byte {at}");
    }
    assert_eq!(client.ended, None);
}

#[test]
fn a_truncated_or_flipped_request_never_panics() {
    let node = Node::new(1);
    let produce = produce_request(&node, 9, -1, "t", 0, batch(&["abc"]).bytes().clone());
    let whole = frame::request_frame(9, 9, Some("c".into()), &produce).unwrap();
    for cut in 4..whole.len() {
        let mut short = whole[..cut].to_vec();
        short[..4].copy_from_slice(&i32::try_from(cut - 4).unwrap().to_be_bytes());
        let (_, client) = end_of(&short);
        assert!(client.ended.is_some(), "cut at {cut}");
    }
    for bit in 32..whole.len() * 8 {
        let mut flipped = whole.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (_, client) = end_of(&flipped);
        let answered = !client.output.is_empty();
        assert!(answered || client.ended.is_some() || bit / 8 < 24, "bit {bit}");
    }
}

#[test]
fn a_client_that_says_nothing_or_trickles_is_let_go() {
    let mut node = Node::new(1);
    let mut silent = node.client();
    let mut trickling = node.client();
    for byte in [0, 0, 1, 0, 0, 0, 0, 0, 0, 0] {
        assert_eq!((silent.ended.as_ref(), trickling.ended.as_ref()), (None, None));
        trickling.input.extend_from_slice(&[byte]);
        node.pass(Duration::from_secs(1), &mut [&mut silent, &mut trickling]);
    }
    assert!(matches!(silent.ended, Some(Violation::TimedOut(_))));
    assert!(matches!(trickling.ended, Some(Violation::TimedOut(_))));
}

#[test]
fn an_idle_client_is_let_go_but_not_one_that_waits() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.ask(&mut node, 1, &MetadataRequest::default());
    node.pass(Duration::from_secs(599), &mut [&mut client]);
    assert_eq!(client.ended, None);
    client.ask(&mut node, 1, &MetadataRequest::default());
    node.pass(Duration::from_secs(599), &mut [&mut client]);
    assert_eq!(client.ended, None);
    node.hung = true;
    client.write(1, &HeartbeatRequest::default());
    node.turn(&mut [&mut client]);
    node.pass(Duration::from_secs(900), &mut [&mut client]);
    assert_eq!(client.ended, None, "its answer is owed");
}

#[test]
fn requests_that_are_not_answered_stop_the_reading() {
    let mut node = Node::with(1, |settings| settings.limits.in_flight_max = 3);
    let mut client = node.client();
    node.hung = true;
    for _ in 0..5 {
        client.write(1, &HeartbeatRequest::default());
    }
    node.turn(&mut [&mut client]);
    assert!(!client.session.wants_input());
    assert!(!client.input.is_empty(), "the rest stays where it is");
}

#[test]
fn large_requests_and_fetches_that_are_not_answered_stop_the_reading_early() {
    let mut node = Node::with(1, |settings| settings.limits.in_flight_bytes_max = 100);
    node.hung = true;
    let mut large = node.client();
    let group_id = "g".repeat(200).as_str().into();
    large.write(1, &HeartbeatRequest { group_id, ..Default::default() });
    node.turn(&mut [&mut large]);
    assert!(!large.session.wants_input());

    let topics = vec![FetchTopic {
        topic: "t".into(),
        partitions: vec![FetchPartition::default()],
        ..Default::default()
    }];
    let fetch = FetchRequest { max_wait_ms: 1000, min_bytes: 1, topics, ..Default::default() };
    let mut writer = Node::new(1);
    let mut client = writer.client();
    client.create(&mut writer, "t", 1, &[]);
    writer.hung = true;
    for _ in 0..3 {
        client.write(4, &fetch);
    }
    writer.turn(&mut [&mut client]);
    assert!(!client.session.wants_input());
    assert!(!client.input.is_empty(), "the third fetch stays where it is");
}

#[test]
fn answers_that_nobody_takes_stop_the_reading() {
    let mut node = Node::with(1, |settings| settings.limits.queued_bytes_max = 100);
    let mut client = node.client();
    let mut input = bytes::BytesMut::new();
    for _ in 0..50 {
        let framed = frame::request_frame(1, 1, None, &MetadataRequest::default()).unwrap();
        input.extend_from_slice(&framed);
    }
    client.session.handle_input(node.now, &mut input).unwrap();
    assert!(!client.session.wants_input());
    assert!(!input.is_empty());
    while client.session.poll_transmit().is_some() {}
    assert!(client.session.wants_input());
    node.turn(&mut [&mut client]);
}

#[test]
fn a_large_frame_of_a_small_request_is_refused() {
    let mut node = Node::with(1, |settings| settings.limits.plain_frame_bytes_max = 1000);
    let mut client = node.client();
    let group_id = "g".repeat(2000);
    client.write(1, &HeartbeatRequest { group_id: group_id.as_str().into(), ..Default::default() });
    node.turn(&mut [&mut client]);
    assert!(matches!(client.ended, Some(Violation::Limit(_))));
}

#[test]
fn a_request_may_name_as_many_partitions_as_a_broker_leads_and_not_as_many_as_fit_into_a_frame() {
    let mut node = Node::new(1);
    let mut client = node.client();
    client.create(&mut node, "t", 1, &[]);
    let partition = |partition| FetchPartition { partition, ..Default::default() };
    let naming = |count: i32| {
        let partitions = (0..count).map(partition).collect();
        let topics = vec![FetchTopic { topic: "t".into(), partitions, ..Default::default() }];
        FetchRequest { replica_id: -1, topics, ..Default::default() }
    };
    let response = client.ask(&mut node, 4, &naming(100_000));
    assert_eq!(response.responses[0].partitions.len(), 100_000);
    client.write(4, &naming(900_000));
    node.turn(&mut [&mut client]);
    assert!(client.ended.is_some(), "14 MB that would take hundreds");
}
