//! Dual-write: the client's answer is always legacy's, only later.

use std::time::Duration;

use session::Event;
use translator_kafka::codec::frame;
use translator_kafka::codec::messages::ProduceRequest;
use translator_kafka::errors::ErrorCode;

use super::bench::{AT_LEGACY, World, produced, request_of};

/// What a client saw, and whether it had to wait for the kernel's deadline.
struct Outcome {
    early: bool,
    same: bool,
    missed: usize,
}

fn run(hung: bool, change: impl Fn(&mut translator_kafka::codec::messages::ProduceResponse)) -> Outcome {
    let mut world = World::new();
    world.parts[0].set_dual_write(true);
    world.node.hung = hung;
    let mut client = world.open(AT_LEGACY);
    let correlation = client.write(9, &world.produce(9, -1, &[0, 1], "v"));
    let sent = world.sent(&mut client);
    let mut answer = produced(&request_of::<ProduceRequest>(&sent[0]), 0);
    change(&mut answer);
    let whole = frame::response_frame(9, correlation, &answer).unwrap();
    world.legacy_says(&mut client, &whole);
    let early = !client.output.is_empty();
    assert_eq!(world.parts[0].gate.on_the_way(), 0);
    world.node.pass(Duration::from_secs(1), &mut [&mut client]);
    assert_eq!(client.ended, None);
    let missed = client.events.iter().filter(|event| matches!(event, Event::DualWriteMissed { .. })).count();
    Outcome { early, same: client.output == whole, missed }
}

#[test]
fn an_answer_waits_for_a_slow_kernel_until_its_deadline_and_the_miss_is_told() {
    let outcome = run(true, |_| {});
    assert!(!outcome.early && outcome.same);
    assert_eq!(outcome.missed, 1);
}

#[test]
fn a_refusal_of_the_kernel_does_not_reach_the_client() {
    // The copy's log takes no mirror here: the kernel refuses.
    let outcome = run(false, |_| {});
    assert!(outcome.early && outcome.same);
    assert_eq!(outcome.missed, 1);
}

#[test]
fn what_legacy_refused_or_stamped_is_not_handed_on() {
    let refused = run(true, |answer| {
        let part = &mut answer.responses[0].partition_responses[0];
        part.error_code = ErrorCode::NotEnoughReplicas.code();
        part.base_offset = -1;
    });
    let stamped = run(true, |answer| answer.responses[0].partition_responses[0].log_append_time_ms = 5);
    for outcome in [refused, stamped] {
        assert!(outcome.early && outcome.same);
        assert_eq!(outcome.missed, 0);
    }
}
