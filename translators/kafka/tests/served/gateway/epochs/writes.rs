//! Writes at the kernel's node while their partition goes back, and once it has gone.

use session::Side;
use translator_kafka::codec::messages::ProduceRequest;
use translator_kafka::epochs::EpochTable;
use translator_kafka::errors::ErrorCode;
use translator_kafka::gateway::Role;

use super::super::bench::World;
use super::{give_back, versions};

/// The kernel leads partition 0, and gives it back: it is fenced.
fn leaving() -> World {
    let world = World::new();
    let mut table = EpochTable::default();
    table.kernel_leads(107, 100).unwrap();
    world.parts[0].set_epochs(table);
    world.parts[0].see_legacy_leader(1, 9);
    world.move_part(0);
    world.shared.routes.fence(world.parts[..1].iter());
    world
}

#[test]
fn a_write_waits_for_the_fence_and_is_sent_to_legacys_leader_by_name() {
    for version in versions::<ProduceRequest>(9) {
        let mut world = leaving();
        let mut client = world.open(Role::Kernel);
        let request = world.produce(version, -1, &[0], "late");
        client.write(version, &request);
        assert!(world.sent(&mut client).is_empty());
        assert!(client.read::<ProduceRequest>(version).is_none(), "it waits");
        give_back(&world, 0);
        world.released(&mut client);
        let (_, answer) = client.read::<ProduceRequest>(version).unwrap();
        let part = &answer.responses[0].partition_responses[0];
        assert_eq!(part.error_code, ErrorCode::NotLeaderOrFollower.code());
        if version >= 10 {
            assert_eq!((part.current_leader.leader_id, part.current_leader.leader_epoch), (1, 207));
            let named: Vec<_> = answer.node_endpoints.iter().map(|node| (node.node_id, node.port)).collect();
            assert_eq!(named, [(1, 9001)]);
        }
        assert_eq!(world.kernel_end(0), 0, "the kernel took nothing");
    }
}

#[test]
fn a_write_is_served_when_the_handover_is_undone_and_others_are_not_asked_to_wait() {
    let mut world = leaving();
    world.move_part(1);
    let mut client = world.open(Role::Kernel);
    let both = world.produce(9, -1, &[0, 1], "kept");
    client.write(9, &both);
    assert!(world.sent(&mut client).is_empty());
    assert_eq!(world.kernel_end(1), 0, "a request is not torn apart");
    let mut other = world.open(Role::Kernel);
    let request = world.produce(9, -1, &[1], "free");
    let answer = world.without_legacy(&mut other, 9, &request);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    world.shared.routes.release(&world.parts[0], Side::Kernel);
    world.released(&mut client);
    let (_, answer) = client.read::<ProduceRequest>(9).unwrap();
    let codes: Vec<_> = answer.responses[0].partition_responses.iter().map(|part| part.error_code).collect();
    assert_eq!((codes, world.kernel_end(0), world.kernel_end(1)), (vec![0, 0], 1, 2));
}

#[test]
fn what_has_gone_is_refused_and_the_rest_of_the_request_served() {
    let mut world = leaving();
    world.move_part(1);
    give_back(&world, 0);
    let mut client = world.open(Role::Kernel);
    let request = world.produce(11, -1, &[0, 1], "both");
    let answer = world.without_legacy(&mut client, 11, &request);
    let mut said: Vec<_> = answer.responses.iter().flat_map(|topic| &topic.partition_responses).collect();
    said.sort_by_key(|part| part.index);
    let said: Vec<_> = said.iter().map(|part| (part.index, part.error_code)).collect();
    assert_eq!(said, [(0, ErrorCode::NotLeaderOrFollower.code()), (1, 0)]);
    assert_eq!((world.kernel_end(0), world.kernel_end(1)), (0, 1));
}
