//! Writes to the kernel that are slowed down.

use std::time::Duration;

use translator_kafka::codec::messages::ProduceRequest;
use translator_kafka::gateway::Role;

use super::bench::World;

#[test]
fn a_write_waits_for_its_time_and_what_follows_on_its_connection_with_it() {
    let mut world = World::new();
    world.move_part(0);
    world.shared.routes.set_pace(&world.parts[0], Duration::from_millis(200));
    let mut client = world.open(Role::Kernel);
    let mut other = world.open(Role::Kernel);
    let request = world.produce(9, -1, &[0], "slow");
    client.write(9, &request);
    client.write(9, &request);
    assert!(world.sent(&mut client).is_empty());
    assert!(client.read::<ProduceRequest>(9).is_none());
    assert_eq!(world.kernel_end(0), 0, "it is not given to the kernel either");

    world.node.pass(Duration::from_millis(199), &mut [&mut client]);
    assert_eq!(world.kernel_end(0), 0);
    world.node.pass(Duration::from_millis(1), &mut [&mut client]);
    assert_eq!(world.kernel_end(0), 1, "its time has come; the second one waits for its own");
    world.shared.routes.set_pace(&world.parts[0], Duration::ZERO);
    assert_eq!(world.without_legacy(&mut other, 9, &request).responses.len(), 1, "nothing slows it down");
    world.node.pass(Duration::from_millis(200), &mut [&mut client]);
    assert_eq!(world.kernel_end(0), 3);
    for _ in 0..2 {
        let (_, answer) = client.read::<ProduceRequest>(9).unwrap();
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
}
