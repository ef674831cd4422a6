//! Held writes, what is on its way, and the lease.

use std::time::Duration;

use session::{Side, UnitId, Violation};
use translator_kafka::codec::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchResponse, ProduceRequest,
};

use super::bench::{ANYWHERE, AT_LEGACY, World, head, produced, request_of};

#[test]
fn a_held_produce_waits_and_keeps_its_place_and_goes_to_the_side_that_is_released() {
    for side in [Side::Legacy, Side::Kernel] {
        let mut world = World::new();
        let mut client = world.open(AT_LEGACY);
        world.parts[0].gate.fence();
        let held = client.write(9, &world.produce(9, -1, &[0], "held"));
        let behind = client.write(9, &world.produce(9, -1, &[2], "behind"));
        assert!(world.sent(&mut client).is_empty());
        assert_eq!(client.holds.len(), 1);
        assert_eq!(client.holds[0].1, UnitId::new("c/t/0"));
        assert!(!client.session.wants_input() && !client.input.is_empty(), "nothing overtakes it");
        world.shared.routes.release(&world.parts[0], side);
        world.released(&mut client);
        let sent = world.sent(&mut client);
        let values: Vec<i32> = sent
            .iter()
            .map(|frame| request_of::<ProduceRequest>(frame).topic_data[0].partition_data[0].index)
            .collect();
        assert_eq!(values, if side == Side::Legacy { vec![0, 2] } else { vec![2] });
        for frame in &sent {
            let answer = produced(&request_of(frame), 4);
            world.legacy_answers::<ProduceRequest>(&mut client, frame, &answer);
        }
        let order: Vec<i32> = std::iter::from_fn(|| client.read::<ProduceRequest>(9))
            .map(|(correlation, _)| correlation)
            .collect();
        assert_eq!(order, [held, behind]);
    }
}

#[test]
fn a_unit_that_is_fenced_again_is_waited_for_again() {
    let mut world = World::new();
    let mut client = world.open(AT_LEGACY);
    world.parts[0].gate.fence();
    client.write(9, &world.produce(9, -1, &[0], "held"));
    assert!(world.sent(&mut client).is_empty());
    world.released(&mut client);
    assert_eq!(client.holds.len(), 1, "the gate is what counts, not the word");
    assert!(world.sent(&mut client).is_empty());
}

#[test]
fn reads_pass_a_fence() {
    let mut world = World::new();
    let mut client = world.open(AT_LEGACY);
    world.parts[0].gate.fence();
    world.through(&mut client, 4, &FetchRequest::default(), &FetchResponse::default());
    assert!(client.holds.is_empty());
}

#[test]
fn what_is_on_its_way_is_counted_until_its_answer() {
    let mut world = World::new();
    let mut client = world.open(AT_LEGACY);
    client.write(9, &world.produce(9, -1, &[0, 1], "a"));
    client.write(9, &world.produce(9, -1, &[0], "b"));
    let sent = world.sent(&mut client);
    let count = |world: &World| [0, 1, 2].map(|part| world.parts[part].gate.on_the_way());
    assert_eq!(count(&world), [2, 1, 0]);
    world.legacy_answers::<ProduceRequest>(&mut client, &sent[0], &produced(&request_of(&sent[0]), 1));
    assert_eq!(count(&world), [1, 0, 0]);
    world.legacy_answers::<ProduceRequest>(&mut client, &sent[1], &produced(&request_of(&sent[1]), 2));
    assert_eq!(count(&world), [0, 0, 0]);
}

#[test]
fn what_is_on_its_way_is_counted_down_once_however_the_connection_ends() {
    for end in 0..3 {
        let mut world = World::new();
        let mut client = world.open(AT_LEGACY);
        client.write(9, &world.produce(9, -1, &[0], "a"));
        client.write(9, &world.produce(9, 0, &[0], "b"));
        world.sent(&mut client);
        assert_eq!(world.parts[0].gate.on_the_way(), 2);
        match end {
            0 => world.legacy_closes(&mut client),
            1 => world.legacy_says(&mut client, &[0, 0, 0, 4, 1, 2, 3, 4]),
            _ => {}
        }
        assert_eq!(client.ended.is_some(), end < 2);
        drop(client);
        assert_eq!(world.parts[0].gate.on_the_way(), 0, "end {end}");
    }
}

#[test]
fn a_silent_produce_is_counted_until_the_barrier_behind_it_is_answered() {
    let mut world = World::new();
    let mut client = world.open(AT_LEGACY);
    client.write(9, &world.produce(9, 0, &[0], "a"));
    client.write(9, &world.produce(9, 0, &[0], "b"));
    let sent = world.sent(&mut client);
    let apis: Vec<i16> = sent.iter().map(|frame| head(frame).api_key).collect();
    assert_eq!(apis, [0, 18, 0], "one barrier at a time");
    assert_eq!(world.parts[0].gate.on_the_way(), 2);
    let none = ApiVersionsResponse::default();
    world.legacy_answers::<ApiVersionsRequest>(&mut client, &sent[1], &none);
    assert_eq!(world.parts[0].gate.on_the_way(), 1, "the second came after the barrier");
    let sent = world.sent(&mut client);
    assert_eq!(sent.len(), 1, "another barrier for it");
    world.legacy_answers::<ApiVersionsRequest>(&mut client, &sent[0], &none);
    assert_eq!(world.parts[0].gate.on_the_way(), 0);
    assert!(client.output.is_empty(), "the client never hears of barriers");
    assert_eq!(client.ended, None);
}

#[test]
fn without_the_lease_no_write_passes_and_no_answer_to_one() {
    let mut world = World::new();
    let mut before = world.open(AT_LEGACY);
    before.write(9, &world.produce(9, -1, &[0], "a"));
    let sent = world.sent(&mut before);
    world.shared.routes.lease().renew(Duration::ZERO);
    world.legacy_answers::<ProduceRequest>(&mut before, &sent[0], &produced(&request_of(&sent[0]), 1));
    assert_eq!(before.ended, Some(Violation::LeaseLost));
    assert!(before.output.is_empty(), "another primary may exist by now");

    let mut after = world.open(ANYWHERE);
    world.through(&mut after, 4, &FetchRequest::default(), &FetchResponse::default());
    after.write(9, &world.produce(9, -1, &[0], "a"));
    world.node.turn(&mut [&mut after]);
    assert_eq!(after.ended, Some(Violation::LeaseLost));
    assert!(after.output.is_empty());
    let closes = |action: &session::LegacyAction| matches!(action, session::LegacyAction::Close);
    assert!(after.legacy.len() == 1 && closes(&after.legacy[0]), "{:?}", after.legacy);
    drop((before, after));
    assert_eq!(world.parts[0].gate.on_the_way(), 0);
}

#[test]
fn a_client_that_sends_without_reading_is_stopped_at_the_limit() {
    let limits = translator_kafka::gateway::GatewayLimits { in_flight_max: 4, ..Default::default() };
    let mut world = World::with(false, limits);
    let mut client = world.open(AT_LEGACY);
    for _ in 0..9 {
        client.write(9, &world.produce(9, -1, &[0], "a"));
    }
    assert_eq!(world.sent(&mut client).len(), 4);
    assert!(!client.session.wants_input() && !client.input.is_empty());
}
