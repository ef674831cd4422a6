//! A connection whose legacy cluster is retired: it leaves legacy by itself, and only once nothing is owed on it.

use std::time::Duration;

use session::{LegacyAction, LegacyEvent, Side, Violation};
use translator_kafka::codec::messages::{ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest};
use translator_kafka::gateway::Role;

use super::bench::{ANYWHERE, AT_LEGACY, World};
use crate::node::Client;

/// A client whose connection to legacy stands, with nothing owed on it.
fn connected(role: Role) -> (World, Client) {
    let mut world = World::new();
    let mut client = world.open(role);
    world.through(&mut client, 0, &ApiVersionsRequest::default(), &ApiVersionsResponse::default());
    (world, client)
}

/// Everything has moved, and the operator has retired the cluster.
fn retire(world: &World) {
    for unit in &world.parts {
        world.shared.routes.release(unit, Side::Kernel);
    }
    world.shared.routes.retire();
}

fn tell(world: &mut World, client: &mut Client) {
    let outcome = client.session.handle_legacy(world.node.now, LegacyEvent::Retired);
    client.note(outcome.map(drop));
}

/// Whether the connection to legacy has been closed since the last look.
fn has_left(world: &mut World, client: &mut Client) -> bool {
    world.node.turn(&mut [client]);
    let actions = std::mem::take(&mut client.legacy);
    assert!(actions.iter().all(|action| matches!(action, LegacyAction::Close)), "{actions:?}");
    !actions.is_empty()
}

fn served(world: &mut World, client: &mut Client) -> bool {
    let answer = world.without_legacy(client, 9, &world.produce(9, -1, &[0], "v"));
    answer.responses[0].partition_responses[0].error_code == 0
}

#[test]
fn a_silent_connection_leaves_legacy_and_is_served_by_the_kernel() {
    for role in [AT_LEGACY, ANYWHERE] {
        let (mut world, mut client) = connected(role);
        retire(&world);
        assert!(!has_left(&mut world, &mut client));
        tell(&mut world, &mut client);
        assert!(has_left(&mut world, &mut client), "{role:?}");
        assert!(served(&mut world, &mut client), "{role:?}");
        assert_eq!(client.ended, None);
    }
}

#[test]
fn a_client_that_asks_twice_in_one_breath_leaves_legacy_too() {
    let (mut world, mut client) = connected(AT_LEGACY);
    retire(&world);
    // Both come before the connection is told, and each of them finds the cluster retired.
    for value in ["first", "second"] {
        client.write(9, &world.produce(9, -1, &[0], value));
    }
    assert!(has_left(&mut world, &mut client));
    assert_eq!(client.ended, None);
}

#[test]
fn what_legacy_owes_is_answered_before_the_connection_is_left() {
    let mut world = World::new();
    let mut client = world.open(AT_LEGACY);
    let first = client.write(7, &CreateTopicsRequest::default());
    let second = client.write(7, &CreateTopicsRequest::default());
    let sent = world.sent(&mut client);
    retire(&world);
    tell(&mut world, &mut client);
    assert!(!has_left(&mut world, &mut client));
    world.legacy_answers::<CreateTopicsRequest>(&mut client, &sent[0], &Default::default());
    assert!(!has_left(&mut world, &mut client));
    world.legacy_answers::<CreateTopicsRequest>(&mut client, &sent[1], &Default::default());
    assert!(has_left(&mut world, &mut client));
    let answered = [(); 2].map(|()| client.read::<CreateTopicsRequest>(7).map(|(of, _)| of));
    assert_eq!(answered, [Some(first), Some(second)]);
    assert_eq!(client.ended, None);
}

#[test]
fn a_silent_write_arrives_before_the_connection_is_left() {
    let mut world = World::new();
    let mut client = world.open(AT_LEGACY);
    client.write(9, &world.produce(9, 0, &[0], "v"));
    let sent = world.sent(&mut client);
    assert_eq!(sent.len(), 2, "the write, and the barrier behind it");
    retire(&world);
    tell(&mut world, &mut client);
    assert!(!has_left(&mut world, &mut client));
    world.legacy_answers::<ApiVersionsRequest>(&mut client, &sent[1], &Default::default());
    assert!(has_left(&mut world, &mut client));
    assert_eq!(client.ended, None);
}

#[test]
fn a_legacy_that_never_answers_is_left_after_a_while() {
    let mut world = World::new();
    let mut client = world.open(AT_LEGACY);
    client.write(7, &CreateTopicsRequest::default());
    world.sent(&mut client);
    retire(&world);
    tell(&mut world, &mut client);
    let patience = world.shared.limits.last_answers;
    world.node.pass(patience - Duration::from_millis(1), &mut [&mut client]);
    assert_eq!((client.ended.clone(), has_left(&mut world, &mut client)), (None, false));
    world.node.pass(Duration::from_millis(1), &mut [&mut client]);
    // It may have acted: only the end of the connection tells the client to ask again.
    assert!(matches!(client.ended, Some(Violation::Legacy(_))), "{:?}", client.ended);
    assert!(has_left(&mut world, &mut client));
}

#[test]
fn a_retired_legacy_that_closes_first_is_no_end_for_the_client() {
    let (mut world, mut client) = connected(AT_LEGACY);
    retire(&world);
    world.legacy_closes(&mut client);
    assert_eq!(client.ended, None);
    assert!(served(&mut world, &mut client));
}
