//! Bytes that lie about lengths, tags and presence.

use bytes::Bytes;

use crate::codec::messages::metadata_request::MetadataRequestTopic;
use crate::codec::messages::metadata_response::MetadataResponseTopic;
use crate::codec::messages::{
    ConsumerGroupHeartbeatResponse, ConsumerGroupMemberMetadataValue, HeartbeatResponse, MetadataRequest,
    MetadataResponse, ProduceRequest, SaslHandshakeRequest,
};
use crate::codec::{ApiKey, DecodeError, EncodeError, Message, Reader, Str, frame};

fn decode<M: Message>(version: i16, bytes: &'static [u8]) -> Result<M, DecodeError> {
    M::decode_exact(Bytes::from_static(bytes), version)
}

#[test]
fn an_array_of_two_thousand_million_elements_in_four_bytes_is_refused_at_once() {
    let refused = DecodeError::Length { at: 4, claimed: i64::from(i32::MAX), remaining: 0 };
    assert_eq!(decode::<MetadataRequest>(1, &[0x7f, 0xff, 0xff, 0xff]), Err(refused));
}

#[test]
fn an_array_needs_as_many_bytes_as_its_smallest_elements() {
    // Nine bytes are left for ten topics of at least two bytes each.
    let bytes = [&[0, 0, 0, 10][..], &[0; 9]].concat();
    let refused = DecodeError::Length { at: 4, claimed: 10, remaining: 9 };
    assert_eq!(MetadataRequest::decode_exact(bytes.into(), 1), Err(refused));
}

#[test]
fn elements_that_would_take_far_more_memory_than_their_frame_are_refused() {
    // Topics without a name: two bytes each on the wire, 72 in memory.
    let topics = |count: i32| {
        let mut bytes = count.to_be_bytes().to_vec();
        bytes.resize(4 + 2 * usize::try_from(count).unwrap(), 0);
        MetadataRequest::decode_exact(bytes.into(), 1)
    };
    assert_eq!(topics(10_000).unwrap().topics.unwrap().len(), 10_000);
    assert_eq!(topics(1_000_000), Err(DecodeError::Memory { at: 4, elements: 1_000_000 }));
    let two = Bytes::from_static(&[0, 0, 0, 2, 0, 0, 0, 0]);
    let mut tight = Reader::with_memory(two, 2 * size_of::<MetadataRequestTopic>() - 1);
    assert_eq!(MetadataRequest::decode(&mut tight, 1), Err(DecodeError::Memory { at: 4, elements: 2 }));
}

#[test]
fn a_response_of_legacy_takes_no_more_memory_than_a_cluster_needs_however_large_it_is() {
    let answer = |topics: usize| {
        // Correlation id, no broker, no cluster id, controller; then topics of nine bytes each.
        let mut frame = vec![0; 4 + 4 + 2 + 4];
        frame.extend_from_slice(&u32::try_from(topics).unwrap().to_be_bytes());
        frame.resize(frame.len() + 9 * topics, 0);
        let (_, reader) = frame::read_response_header(frame.into(), ApiKey::Metadata, 2).unwrap();
        MetadataResponse::decode_rest(reader, 2).map(|response| response.topics.len())
    };
    assert_eq!(answer(1_000), Ok(1_000));
    let too_many = (256 << 20) / size_of::<MetadataResponseTopic>() + 1;
    assert_eq!(answer(too_many), Err(DecodeError::Memory { at: 18, elements: too_many }));
}

#[test]
fn negative_lengths_other_than_null_are_refused() {
    let array = decode::<MetadataRequest>(1, &[0xff, 0xff, 0xff, 0xfe]);
    assert_eq!(array, Err(DecodeError::Length { at: 4, claimed: -2, remaining: 0 }));
    let string = decode::<SaslHandshakeRequest>(1, &[0x80, 0x00]);
    assert_eq!(string, Err(DecodeError::Length { at: 2, claimed: -32_768, remaining: 0 }));
}

#[test]
fn null_is_refused_where_the_version_allows_none() {
    assert_eq!(decode::<MetadataRequest>(0, &[0xff; 4]), Err(DecodeError::Null { at: 4 }));
    assert_eq!(decode::<MetadataRequest>(1, &[0xff; 4]).unwrap().topics, None);
    assert_eq!(decode::<SaslHandshakeRequest>(1, &[0xff; 2]), Err(DecodeError::Null { at: 2 }));
}

#[test]
fn a_compact_length_of_six_bytes_or_of_33_bits_is_refused() {
    let overlong = decode::<MetadataRequest>(9, &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]);
    assert_eq!(overlong, Err(DecodeError::Varint { at: 0 }));
    let overflowing = decode::<MetadataRequest>(9, &[0xff, 0xff, 0xff, 0xff, 0x1f]);
    assert_eq!(overflowing, Err(DecodeError::Varint { at: 0 }));
    let greatest = decode::<MetadataRequest>(9, &[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(greatest, Err(DecodeError::Length { at: 5, claimed: 0xffff_fffe, remaining: 0 }));
}

#[test]
fn a_string_that_is_not_utf8_is_refused() {
    assert_eq!(decode::<SaslHandshakeRequest>(1, &[0, 2, 0xc3, 0x28]), Err(DecodeError::Utf8 { at: 2 }));
}

#[test]
fn strings_end_where_kafka_ends_them() {
    let mut long = SaslHandshakeRequest { mechanism: "x".repeat(0x7fff).into() };
    let bytes = long.to_bytes(1).unwrap();
    assert_eq!(SaslHandshakeRequest::decode_exact(bytes, 1).as_ref(), Ok(&long));
    long.mechanism = "x".repeat(0x8000).into();
    assert_eq!(long.to_bytes(1), Err(EncodeError::TooLong { length: 0x8000, max: 0x7fff }));
    // A compact length could say more, but Kafka takes no more there either.
    let claimed = [&[0x81, 0x80, 0x02][..], &[b'x'; 0x8000]].concat();
    let refused = Reader::new(claimed.into()).get::<Str>(MetadataRequest::format(9).unwrap());
    assert_eq!(refused, Err(DecodeError::Length { at: 3, claimed: 0x8000, remaining: 0x8000 }));
}

/// The body of a HeartbeatResponse v4 up to its tagged fields.
const HEARTBEAT: [u8; 6] = [0; 6];

fn heartbeat(tags: &[u8]) -> Result<HeartbeatResponse, DecodeError> {
    HeartbeatResponse::decode_exact([&HEARTBEAT, tags].concat().into(), 4)
}

#[test]
fn unknown_tags_are_kept_in_order() {
    let tags = heartbeat(&[2, 5, 1, 0xaa, 6, 0]).unwrap().unknown_tagged;
    assert_eq!(tags, [(5, Bytes::from_static(&[0xaa])), (6, Bytes::new())]);
}

#[test]
fn tags_that_repeat_or_go_down_are_refused() {
    let repeated = DecodeError::TagOrder { at: 10, tag: 5, after: 5 };
    assert_eq!(heartbeat(&[2, 5, 0, 5, 0]), Err(repeated));
    let down = DecodeError::TagOrder { at: 10, tag: 4, after: 5 };
    assert_eq!(heartbeat(&[2, 5, 0, 4, 0]), Err(down));
}

#[test]
fn a_tagged_field_cannot_reach_past_the_frame_nor_a_count_past_the_fields() {
    assert_eq!(heartbeat(&[1, 5, 9, 0]), Err(DecodeError::Length { at: 9, claimed: 9, remaining: 1 }));
    let missing = DecodeError::Truncated { at: 11, needed: 1, remaining: 0 };
    assert_eq!(heartbeat(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Err(missing));
}

#[test]
fn a_known_tagged_field_fills_its_size_exactly() {
    // ApiVersionsResponse v3 up to its tags: error 0, no APIs, throttle 0; tag 3 is a boolean.
    let body = |tail: &'static [u8]| Bytes::from([&[0, 0, 1, 0, 0, 0, 0, 1], tail].concat());
    let decode = |tail| crate::codec::messages::ApiVersionsResponse::decode_exact(body(tail), 3);
    assert!(decode(&[3, 1, 1]).unwrap().zk_migration_ready);
    assert_eq!(decode(&[3, 2, 1, 0]), Err(DecodeError::Trailing { at: 11, remaining: 1 }));
    assert_eq!(decode(&[3, 0]), Err(DecodeError::Truncated { at: 10, needed: 1, remaining: 0 }));
}

#[test]
fn what_follows_a_request_is_left_unread_as_librdkafka_needs() {
    // Metadata 13 for all topics as librdkafka 2.16 sends it: a null list, and a count of four bytes too many.
    let body = Bytes::from_static(&[0, 0, 0, 0, 1, 0, 0]);
    let request = MetadataRequest::decode_request(Reader::new(body.clone()), 13).unwrap();
    assert_eq!(request.topics, None);
    assert!(!request.allow_auto_topic_creation);
    assert_eq!(MetadataRequest::decode_exact(body, 13), Err(DecodeError::Trailing { at: 4, remaining: 3 }));
}

#[test]
fn a_struct_is_present_or_null_and_nothing_else() {
    // Throttle, error, no message, no member id, epoch, interval; then the assignment.
    let body = |presence: u8| Bytes::from([&[0; 16][..], &[presence, 1, 0, 0]].concat());
    let decode = |presence| ConsumerGroupHeartbeatResponse::decode_exact(body(presence), 0);
    assert!(decode(1).unwrap().assignment.is_some());
    assert_eq!(decode(2), Err(DecodeError::Presence { at: 17, found: 2 }));
}

#[test]
fn a_struct_in_a_tagged_field_says_in_a_varint_whether_it_is_there() {
    // Two nulls, three empty values, a null pattern, a timeout of -1, a null assignor; then the tags.
    let body =
        |tags: &'static [u8]| Bytes::from([&[0, 0, 1, 1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0], tags].concat());
    let decode = |tags| ConsumerGroupMemberMetadataValue::decode_exact(body(tags), 0);
    let null = decode(&[1, 0, 1, 0]).unwrap();
    assert_eq!(null.classic_member_metadata, None);
    assert_eq!(null.to_bytes(0).unwrap(), body(&[1, 0, 1, 0]));
    let present: &[u8] = &[1, 0, 7, 1, 0, 0, 0, 5, 1, 0];
    let member = decode(present).unwrap().classic_member_metadata.unwrap();
    assert_eq!(member.session_timeout_ms, 5);
    assert_eq!(decode(present).unwrap().to_bytes(0).unwrap(), body(present));
    assert_eq!(decode(&[1, 0, 1, 2]), Err(DecodeError::Presence { at: 15, found: 2 }));
    // A field that is not there has its default, which is no null.
    assert!(decode(&[0]).unwrap().classic_member_metadata.is_some());
}

#[test]
fn a_field_that_the_version_lacks_is_refused_unless_it_may_be_ignored() {
    let request = MetadataRequest { allow_auto_topic_creation: false, ..Default::default() };
    let lacking = EncodeError::Field { field: "AllowAutoTopicCreation", version: 3 };
    assert_eq!(request.to_bytes(3), Err(lacking));
    let response = MetadataResponse { cluster_id: Some("ignorable".into()), ..Default::default() };
    assert!(response.to_bytes(1).is_ok());
}

#[test]
fn tagged_fields_need_a_version_that_has_them_and_tags_of_their_own() {
    let mut response = HeartbeatResponse { unknown_tagged: vec![(9, Bytes::new())], ..Default::default() };
    let lacking = EncodeError::Field { field: "tagged fields", version: 3 };
    assert_eq!(response.to_bytes(3), Err(lacking));
    response.unknown_tagged.push((9, Bytes::new()));
    assert_eq!(response.to_bytes(4), Err(EncodeError::TagOrder { tag: 9, after: 9 }));
}

#[test]
fn records_are_a_slice_of_the_frame() {
    // v3: null transactional id, acks 1, timeout 0, one topic "t", partition 0, three bytes.
    let frame = Bytes::from_static(&[
        0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 7, 8, 9,
    ]);
    let request = ProduceRequest::decode_exact(frame.clone(), 3).unwrap();
    let records = request.topic_data[0].partition_data[0].records.as_ref().unwrap();
    assert_eq!(records.as_ptr(), frame[27..].as_ptr());
    assert_eq!(request.topic_data[0].name.as_bytes().as_ptr(), frame[14..].as_ptr());
}
