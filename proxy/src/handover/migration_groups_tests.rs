//! Groups that go back: all are waited for at the same time, and none waits for another's members.

use super::*;

fn shipping() -> UnitId {
    UnitId::new("events/group/shipping")
}

fn billing() -> UnitId {
    UnitId::new("events/group/billing")
}

fn way_back(desk: &mut Desk, of_shipping: WayBack) {
    let mut situation = all_open();
    situation.lag.insert(shipping(), Lag::default());
    situation.way_back.insert(shipping(), of_shipping);
    desk.control.handle_situation(desk.now(), desk.ledger.book(), "orders", situation);
}

fn discover(desk: &mut Desk) {
    let found = [(shipping(), UnitKind::Group)];
    desk.control.handle_discovered(desk.now(), desk.ledger.book(), "orders", &found);
    desk.run(10);
    way_back(desk, WayBack::Open);
}

fn two_groups_at_cutover() -> Desk {
    let mut desk = Desk::open(MemoryStore::default());
    discover(&mut desk);
    desk.advance(Some(Phase::Cutover), false).unwrap();
    desk.run(4_000);
    assert_eq!(desk.phase(), Phase::Cutover);
    desk
}

fn side(desk: &Desk, unit: &UnitId) -> Primary {
    desk.ledger.book().owner(unit).side
}

#[test]
fn groups_are_gathered_together_and_go_back_each_when_its_own_members_are_there() {
    let mut desk = two_groups_at_cutover();
    desk.rebalancing = Some(billing());
    desk.rollback(Some(Phase::DualWrite)).unwrap();
    while desk.gathered.is_empty() {
        desk.step();
    }
    while desk.gathered.len() < 2 {
        desk.step();
        assert_eq!(side(&desk, &shipping()), Primary::Kernel, "both are asked before one goes");
    }
    desk.run(5_000);
    assert_eq!((side(&desk, &shipping()), side(&desk, &billing())), (Primary::Legacy, Primary::Kernel));
    assert_eq!(desk.ledger.book().phase(&shipping()), Phase::DualWrite, "it is written at once");
    assert_eq!(side(&desk, &units()[0].0), Primary::Kernel, "partitions wait for every group");
    let status = desk.control.status(desk.now(), desk.ledger.book());
    let waits_for = &status[0].handover.as_ref().unwrap().waits_for;
    assert_eq!(waits_for, "events/group/billing: the group is rebalancing");
    assert_eq!(desk.gathered, BTreeSet::from([billing()]));
    desk.rebalancing = None;
    desk.run(200);
    assert_eq!((desk.phase(), desk.gathered.len()), (Phase::DualWrite, 0));
    assert_eq!(moved_to(&mut desk, Primary::Legacy)[..2], [shipping().to_string(), billing().to_string()]);
}

#[test]
fn a_rollback_that_is_given_up_lets_the_members_of_every_group_go_on() {
    let mut desk = two_groups_at_cutover();
    desk.rebalancing = Some(billing());
    desk.unequal = true;
    desk.rollback(Some(Phase::DualWrite)).unwrap();
    desk.run(5);
    assert_eq!(desk.gathered, BTreeSet::from([billing(), shipping()]));
    way_back(&mut desk, WayBack::Closed("a bypass write".to_owned()));
    desk.run(60_000);
    let status = desk.control.status(desk.now(), desk.ledger.book());
    assert_eq!((status[0].wanted, status[0].doing.as_str()), (None, "nothing"));
    assert!(status[0].last.as_deref().unwrap().contains("a bypass write"), "{:?}", status[0].last);
    assert_eq!((side(&desk, &shipping()), side(&desk, &billing())), (Primary::Kernel, Primary::Kernel));
    assert_eq!(desk.gathered, BTreeSet::new(), "nobody waits for a rollback that has ended");
    assert!(desk.ledger.book().open().next().is_none());
    // It can be asked for again.
    (desk.unequal, desk.rebalancing) = (false, None);
    way_back(&mut desk, WayBack::Open);
    desk.rollback(Some(Phase::DualWrite)).unwrap();
    desk.run(1_000);
    assert_eq!(desk.phase(), Phase::DualWrite);
}

#[test]
fn a_start_while_groups_go_back_ends_each_on_one_side_and_goes_on() {
    for stop_at in 1..90 {
        let mut desk = two_groups_at_cutover();
        desk.rollback(Some(Phase::Mirror)).unwrap();
        for _ in 0..stop_at {
            desk.step();
        }
        let decided = desk.ledger.book().migrations()["orders"].intent.is_some();
        let reached = desk.phase() == Phase::Mirror;
        let found: Vec<_> = units().into_iter().chain([(shipping(), UnitKind::Group)]).collect();
        let mut desk = Desk::open_with(desk.ledger.into_store(), &found);
        way_back(&mut desk, WayBack::Open);
        desk.run(6_000);
        let expected = if decided || reached { Phase::Mirror } else { Phase::Cutover };
        assert_eq!(desk.phase(), expected, "stopped after {stop_at} orders");
        assert!(desk.ledger.book().open().next().is_none());
        assert_eq!(desk.gathered, BTreeSet::new());
    }
}

#[test]
fn transactional_ids_go_back_in_one_handover_with_all_that_they_write_to() {
    let ids = UnitId::new("events/transactions:orders");
    let mut desk = Desk::open(MemoryStore::default());
    desk.control.limits.handover.units_max = units().len() + 1;
    desk.control.handle_discovered(
        desk.now(),
        desk.ledger.book(),
        "orders",
        &[(ids.clone(), UnitKind::Transactions)],
    );
    desk.run(10);
    let mut situation = all_open();
    situation.lag.insert(ids.clone(), Lag::default());
    situation.way_back.insert(ids.clone(), WayBack::Open);
    desk.control.handle_situation(desk.now(), desk.ledger.book(), "orders", situation);
    desk.advance(Some(Phase::Cutover), false).unwrap();
    desk.run(4_000);
    assert_eq!(desk.phase(), Phase::Cutover);
    desk.rollback(Some(Phase::DualWrite)).unwrap();
    desk.run(5_000);
    assert_eq!((desk.phase(), side(&desk, &ids)), (Phase::DualWrite, Primary::Legacy));
    let handovers = moved_to(&mut desk, Primary::Legacy);
    assert_eq!(handovers.len(), units().len() + 1);
    let commits = desk.ledger.book().next_handover();
    assert_eq!(commits, HandoverId(3), "one there, one back");
}
