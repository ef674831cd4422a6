//! Answers that no broker should give: the connection ends and is made again; nothing panics.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kernel_model::Now;
use shadow::{Credentials, Fact, Link, LinkError};
use translator_kafka::codec::frame::response_frame;
use translator_kafka::codec::messages::{
    ApiVersionsResponse, SaslAuthenticateResponse, SaslHandshakeResponse,
};

use crate::legacy::Legacy;
use crate::world::World;

fn legacy() -> Legacy {
    let mut legacy = Legacy::new();
    legacy.topic("t", 1, 1);
    legacy.append("t", 0, &["a", "b"]);
    legacy
}

fn resized(mut frame: Vec<u8>) -> Vec<u8> {
    let size = i32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&size.to_be_bytes());
    frame
}

fn failures(world: &World) -> usize {
    let failed = |fact: &&Fact| {
        matches!(fact, Fact::LinkFailed { error: LinkError::Protocol(_) | LinkError::NoVersion(_), .. })
    };
    world.facts.iter().filter(failed).count()
}

/// Answers of every kind spoilt in this way fail the connection, and once legacy has come to its senses the
/// copy is made.
fn recovers(tamper: fn(i16, Bytes) -> Vec<u8>) {
    let mut world = World::new(legacy());
    world.tamper = Some(tamper);
    world.break_links();
    world.pass(3000);
    assert!(failures(&world) > 0, "{:?}", world.facts);
    assert!(world.facts.len() < 500, "it rests between attempts");
    world.tamper = None;
    world.pass(5000);
    assert!(world.has_copy() && world.is_following(0));
    assert_eq!(world.described(0).durable_end.0, 2);
}

#[test]
fn an_answer_to_another_request_ends_the_link() {
    recovers(|_, answer| {
        let mut answer = answer.to_vec();
        answer[7] ^= 0x40;
        answer
    });
}

#[test]
fn truncated_answers_end_the_link() {
    recovers(|_, answer| resized(answer[..answer.len() - 1].to_vec()));
    recovers(|_, answer| resized(answer[..8].to_vec()));
    // Of fetches and metadata alone.
    recovers(
        |api, answer| if api == 3 { resized(answer[..answer.len() / 2].to_vec()) } else { answer.to_vec() },
    );
}

#[test]
fn sizes_and_counts_that_cannot_be_end_the_link() {
    recovers(|_, _| vec![0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    recovers(|_, _| vec![0xff, 0xff, 0xff, 0xff]);
    recovers(|api, answer| {
        let mut answer = answer.to_vec();
        if api == 18 {
            answer[10..14].copy_from_slice(&i32::MAX.to_be_bytes());
        }
        answer
    });
}

#[test]
fn an_answer_that_nobody_asked_for_ends_the_link() {
    recovers(|_, answer| [answer.as_ref(), answer.as_ref()].concat());
}

#[test]
fn flipped_bits_never_panic_and_keep_nothing_busy() {
    for seed in 0..200_usize {
        let mut legacy = legacy();
        legacy.topic("__consumer_offsets", 3, 1);
        let mut world = World::new(legacy);
        world.flip = Some(seed);
        world.break_links();
        world.pass(400);
        world.flip = None;
        world.pass(500);
        assert!(world.facts.len() < 500, "seed {seed}");
    }
}

#[test]
fn what_legacy_says_of_a_refused_login_is_short_on_one_line_and_without_the_password() {
    let credentials = Credentials { user: "u".to_owned(), password: "planted-secret".to_owned() };
    let mut link: Link<()> = Link::new(Some(credentials));
    let now = Now::new(Duration::from_secs(1), 0);
    link.connected(now).unwrap();
    let said = format!("no planted-secret here\r\nforged line: {}", "x".repeat(20_000));
    let refused = SaslAuthenticateResponse {
        error_code: 58,
        error_message: Some(said.as_str().into()),
        ..Default::default()
    };
    let mut input = BytesMut::new();
    input.extend_from_slice(&response_frame(0, 0, &ApiVersionsResponse::default()).unwrap());
    input.extend_from_slice(&response_frame(1, 1, &SaslHandshakeResponse::default()).unwrap());
    input.extend_from_slice(&response_frame(1, 2, &refused).unwrap());
    let Err(LinkError::Refused(words)) = link.take(now, &mut input) else { panic!("it was taken") };
    assert!(words.starts_with("no *** here  forged line: xxx"), "{words}");
    assert!(words.len() <= 300 && !words.contains("planted") && !words.contains('\n'));
}

#[test]
fn answers_that_never_come_end_the_link() {
    for part in [|_: i16, _: Bytes| Vec::new(), |_: i16, answer: Bytes| answer[..5].to_vec()] {
        let mut world = World::new(legacy());
        world.tamper = Some(part);
        world.break_links();
        world.pass(29_000);
        let late = |fact: &Fact| matches!(fact, Fact::LinkFailed { error: LinkError::TimedOut(_), .. });
        assert!(!world.facts.iter().any(late), "legacy has its time");
        world.pass(5_000);
        assert!(world.facts.iter().any(late), "{:?}", world.facts);
    }
}
