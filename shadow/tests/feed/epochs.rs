//! A partition that was on the kernel and is copied again: everything behind the feed counts virtual epochs.

use std::sync::Arc;

use kernel_model::batch::{BatchSpec, split};
use shadow::{Fact, FollowerState, Mode, Order, Token};
use translator_kafka::epochs::EpochTable;

use super::groups::{commit_under, held_epoch};
use crate::legacy::Legacy;
use crate::world::World;

/// The kernel led from 2 to 5 under 105; what legacy called 5 then is 205 since.
fn table() -> EpochTable {
    let mut table = EpochTable::default();
    table.kernel_leads(105, 2).unwrap();
    table.legacy_leads(205, 5, 5).unwrap();
    table
}

/// Two records from before the kernel led, three that the reverse feed wrote, and one from after.
fn legacy() -> Legacy {
    let mut legacy = Legacy::new();
    legacy.topic("t", 1, 1);
    legacy.append("t", 0, &["a", "b"]);
    legacy.append("t", 0, &["c", "d", "e"]);
    legacy.append("t", 0, &["f"]);
    legacy
}

fn order() -> Order {
    Order::SetEpochs { topic: "t".to_owned(), partition: 0, epochs: Arc::new(table()) }
}

/// Offset and epoch of each batch that the kernel holds.
fn copied(world: &mut World) -> Vec<(u64, i32)> {
    let mut bytes = world.copy(0, 0).into();
    let batches = split(&mut bytes).unwrap();
    batches.iter().map(|batch| (batch.header().base_offset.0, batch.header().leader_epoch.0)).collect()
}

fn ends(world: &mut World, token: u64) -> (i32, i32) {
    let partitions = vec![("t".to_owned(), 0)];
    world.order(Order::ReadEnds { token: Token(token), partitions, groups: vec![] });
    world.pass(100);
    let found = world.facts.iter().rev().find_map(|fact| match fact {
        Fact::Ends { partitions, .. } => partitions.values().next().copied(),
        _ => None,
    });
    let end = found.expect("legacy answers");
    (end.epoch, end.legacy_epoch)
}

#[test]
fn batches_are_stored_under_virtual_epochs_and_reported_in_them() {
    for fetch_version in [4, 9, 12, 17] {
        let mut legacy = legacy();
        legacy.fetch_version = fetch_version;
        let mut world = World::ordered(legacy, vec![order()]);
        world.pass(3000);
        assert_eq!(copied(&mut world), [(0, 5), (2, 105), (5, 205)], "fetch v{fetch_version}");
        assert_eq!(world.status(0).epoch, 205);
        assert_eq!(ends(&mut world, 1), (205, 5));
        // An election: the copy goes on, and legacy is asked under its own epoch.
        world.legacy.epoch = 8;
        world.legacy.append("t", 0, &["g"]);
        world.pass(3000);
        assert_eq!(
            copied(&mut world).last(),
            Some(&(6, 208)),
            "fetch v{fetch_version}: {:?}",
            world.status(0)
        );
        assert_eq!(world.status(0).epoch, 208);
        assert_eq!(ends(&mut world, 2), (208, 8));
        assert!(world.is_following(0));
    }
}

#[test]
fn legacy_is_only_ever_asked_under_its_own_epochs() {
    let mut world = World::ordered(legacy(), vec![order()]);
    world.pass(3000);
    world.restart_feed();
    world.legacy.append("t", 0, &["h"]);
    world.pass(3000);
    assert!(world.is_following(0), "{:?}", world.status(0));
    assert_eq!(copied(&mut world).last(), Some(&(6, 205)));
    let named = &world.legacy.named;
    assert!(named.iter().all(|(current, last)| *current == 5 && [-1, 5].contains(last)), "{named:?}");
    assert!(named.contains(&(5, 5)), "and under the last one fetched, where legacy has it");
}

#[test]
fn a_copy_goes_on_behind_what_the_kernel_wrote() {
    let mut world = World::new(legacy());
    world.pass(3000);
    assert_eq!(copied(&mut world), [(0, 5), (2, 5), (5, 5)], "before its sides ever changed");
    world.order(Order::SetMode { topic: "t".to_owned(), partition: 0, mode: Mode::Watch(6) });
    let mut table = EpochTable::default();
    table.kernel_leads(105, 6).unwrap();
    table.legacy_leads(205, 6, 5).unwrap();
    world.order(Order::SetEpochs { topic: "t".to_owned(), partition: 0, epochs: Arc::new(table) });
    assert_eq!(world.status(0).state, FollowerState::Watching);
    world.order(Order::SetMode { topic: "t".to_owned(), partition: 0, mode: Mode::Follow });
    world.legacy.append("t", 0, &["g"]);
    world.pass(3000);
    assert_eq!(copied(&mut world), [(0, 5), (2, 5), (5, 5), (6, 205)]);
    assert!(world.is_following(0));
}

#[test]
fn while_the_kernel_leads_legacys_epoch_counts_below_its_own() {
    let mut world = World::new(legacy());
    let mut table = EpochTable::default();
    table.kernel_leads(105, 6).unwrap();
    world.order(Order::SetEpochs { topic: "t".to_owned(), partition: 0, epochs: Arc::new(table) });
    world.pass(3000);
    assert_eq!(ends(&mut world, 1), (5, 5));
    world.legacy.epoch = 300;
    world.pass(3000);
    assert_eq!(ends(&mut world, 2), (104, 300));
}

#[test]
fn a_topic_made_anew_counts_legacys_own_again() {
    let identity = Arc::new(EpochTable::default());
    let anew = Order::SetEpochs { topic: "t".to_owned(), partition: 0, epochs: identity };
    let mut world = World::ordered(legacy(), vec![order(), anew]);
    world.pass(3000);
    assert_eq!(copied(&mut world), [(0, 5), (2, 5), (5, 5)]);
}

#[test]
fn a_commit_past_the_proxy_brings_no_epoch_that_means_another_here() {
    for (offset, epoch, stored) in [(2, 5, 5), (3, 5, -1), (6, 5, -1), (1, -1, -1)] {
        let mut legacy = legacy();
        legacy.topic("__consumer_offsets", 3, 1);
        commit_under(&mut legacy, &BatchSpec::default(), "g", Some(offset), epoch);
        let mut world = World::ordered(legacy, vec![order()]);
        world.pass(3000);
        assert_eq!(held_epoch(&mut world, "g"), Some((offset, stored)));
    }
}
