//! A partition that was on the kernel and is on legacy again: clients name and read virtual leader epochs, legacy its
//! own, in every version of every API that carries one.
//!
//! ```text
//!  offsets   0 ─────────── 100 ─────────── 250 ───────────►
//!  virtual   0 … 7         107             207, 208, …
//!  real      0 … 7         (7, 8, 9)       9, 10, …
//! ```

mod commits;
mod leaders;
mod reads;
mod shares;
mod writes;

use session::Side;
use translator_kafka::codec::{Request as KafkaRequest, Str, Uuid};
use translator_kafka::epochs::EpochTable;
use translator_kafka::errors::ErrorCode;

use super::bench::World;

/// Partition 0 of topic `t` has been on the kernel; 1 and 2 have not.
fn returned() -> World {
    let world = World::new();
    give_back(&world, 0);
    world
}

fn give_back(world: &World, partition: usize) {
    let mut table = EpochTable::default();
    table.kernel_leads(107, 100).unwrap();
    table.legacy_leads(207, 250, 9).unwrap();
    world.parts[partition].set_epochs(table);
    world.shared.routes.release(&world.parts[partition], Side::Legacy);
}

fn versions<R: KafkaRequest>(from: i16) -> impl Iterator<Item = i16> {
    from..=*R::API.spec().versions().end()
}

/// Name and id of the topic, as a version that goes by id from `since` on names it.
fn naming(world: &World, version: i16, since: i16) -> (Str, Uuid) {
    if version >= since { ("".into(), world.id) } else { ("t".into(), Uuid::ZERO) }
}

fn fenced() -> i16 {
    ErrorCode::FencedLeaderEpoch.code()
}
