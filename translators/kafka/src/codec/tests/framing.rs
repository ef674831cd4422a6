//! Frames, headers, and the texts and ids inside.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use crate::codec::frame::{
    FrameError, peek_request, read_request_header, read_response_header, request_frame,
    request_header_version, response_frame, response_header_version, take_frame, take_frame_mut,
};
use crate::codec::messages::{ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, MetadataResponse};
use crate::codec::{ApiKey, DecodeError, Message, Str, Uuid, UuidTextError};

#[test]
fn frames_come_out_one_by_one_and_only_when_complete() {
    let mut input = Bytes::from_static(&[0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(take_frame(&mut input, 2), Ok(Some(Bytes::from_static(&[7, 8]))));
    assert_eq!(take_frame(&mut input, 2), Ok(Some(Bytes::new())));
    for _ in 0..2 {
        assert_eq!(take_frame(&mut input, 2), Ok(None));
    }
    assert_eq!(input, Bytes::from_static(&[0, 0, 0, 1]));
}

#[test]
fn a_growing_buffer_yields_the_same_frames() {
    let mut input = BytesMut::new();
    for byte in [0, 0, 0, 2, 7] {
        input.extend_from_slice(&[byte]);
        assert_eq!(take_frame_mut(&mut input, 2), Ok(None));
    }
    input.extend_from_slice(&[8, 0]);
    assert_eq!(take_frame_mut(&mut input, 2), Ok(Some(Bytes::from_static(&[7, 8]))));
    assert_eq!(&input[..], [0]);
}

#[test]
fn a_size_is_judged_before_the_frame_arrives() {
    let judge = |prefix: [u8; 4]| take_frame(&mut Bytes::copy_from_slice(&prefix), 100);
    assert_eq!(judge([0xff; 4]), Err(FrameError::Negative(-1)));
    assert_eq!(judge([0, 0, 0, 101]), Err(FrameError::TooLarge { size: 101, frame_bytes_max: 100 }));
    assert_eq!(judge([0, 0, 0, 100]), Ok(None));
}

#[test]
fn a_request_is_known_by_its_first_bytes_even_when_its_api_is_not() {
    let frame = Bytes::from_static(&[0x27, 0x0f, 0, 99, 0, 0, 0, 5, 0, 2, b'm', b'e', 1, 2, 3]);
    let head = peek_request(&frame).unwrap();
    assert_eq!((head.api_key, head.api_version, head.correlation_id), (9_999, 99, 5));
    assert_eq!((head.api(), head.client_id), (None, Some("me".into())));
    assert_eq!(read_request_header(frame.clone()).unwrap_err(), DecodeError::UnknownApi(9_999));
    for length in 0..12 {
        assert!(peek_request(&frame.slice(..length)).is_err());
    }
}

#[test]
fn header_versions_follow_the_body_except_before_api_versions() {
    let rows = [
        (ApiKey::Produce, 8, 1, 0),
        (ApiKey::Produce, 9, 2, 1),
        (ApiKey::SaslHandshake, 1, 1, 0),
        (ApiKey::OffsetDelete, 0, 1, 0),
        (ApiKey::ApiVersions, 2, 1, 0),
        (ApiKey::ApiVersions, 3, 2, 0),
        (ApiKey::ApiVersions, 99, 2, 0),
        (ApiKey::DescribeCluster, 0, 2, 1),
    ];
    for (api, version, request, response) in rows {
        assert_eq!(request_header_version(api, version), request, "{api:?} v{version}");
        assert_eq!(response_header_version(api, version), response, "{api:?} v{version}");
    }
}

#[test]
fn requests_and_responses_survive_their_frames() {
    let request = ApiVersionsRequest { client_software_name: "s".into(), ..Default::default() };
    let mut bytes = request_frame(3, 41, Some("me".into()), &request).unwrap();
    let frame = take_frame(&mut bytes, 1_000).unwrap().unwrap();
    assert!(bytes.is_empty());
    let (header, reader) = read_request_header(frame).unwrap();
    assert_eq!((header.correlation_id, header.client_id), (41, Some("me".into())));
    assert_eq!(ApiVersionsRequest::decode_rest(reader, 3), Ok(request));

    let response = MetadataResponse { controller_id: 3, ..Default::default() };
    let mut bytes = response_frame(12, 41, &response).unwrap();
    let frame = take_frame(&mut bytes, 1_000).unwrap().unwrap();
    let (header, reader) = read_response_header(frame, ApiKey::Metadata, 12).unwrap();
    assert_eq!(header.correlation_id, 41);
    assert_eq!(MetadataResponse::decode_rest(reader, 12), Ok(response));
}

#[test]
fn the_answer_to_api_versions_has_no_tagged_fields_in_its_header() {
    let bytes = response_frame(3, 7, &ApiVersionsResponse::default()).unwrap();
    // Size, correlation id, then at once the error code, no APIs, the throttle time and no tags.
    assert_eq!(&bytes[..], [0, 0, 0, 12, 0, 0, 0, 7, 0, 0, 1, 0, 0, 0, 0, 0]);
}

#[test]
fn versions_that_a_body_lacks_make_no_frame() {
    assert!(request_frame(99, 0, None, &MetadataRequest::default()).is_err());
}

#[test]
fn texts_are_found_by_plain_strings() {
    let map: BTreeMap<Str, i32> = [(Str::from("b"), 2), (Str::from_static("a"), 1)].into();
    assert_eq!((map.get("a"), map.get("b"), map.get("c")), (Some(&1), Some(&2), None));
    let set: std::collections::HashSet<Str> = [Str::from("é")].into();
    assert!(set.contains("é"));
    assert!(Str::try_from(Bytes::from_static(&[0xff])).is_err());
    assert_eq!(format!("{0} {0:?}", Str::from("x")), "x \"x\"");
}

#[test]
fn ids_have_kafkas_text() {
    // From `kafka-storage random-uuid`'s format: URL-safe base64 of the sixteen bytes.
    let rows = [
        ("AAAAAAAAAAAAAAAAAAAAAA", [0; 16]),
        ("AAAAAAAAAAAAAAAAAAAAAQ", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ("_____________________w", [0xff; 16]),
        ("AAECAwQFBgcICQoLDA0ODw", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
    ];
    for (text, bytes) in rows {
        assert_eq!(Uuid(bytes).to_string(), text);
        assert_eq!(text.parse(), Ok(Uuid(bytes)));
    }
    for wrong in [
        "",
        "AAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAA+",
        "AAAAAAAAAAAAAAAAAAAAAB",
    ] {
        assert_eq!(wrong.parse::<Uuid>(), Err(UuidTextError), "{wrong}");
    }
}
