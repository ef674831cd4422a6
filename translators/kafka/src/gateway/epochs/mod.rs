//! Leader epochs between clients, who see virtual ones, and legacy, which counts its own ([`crate::epochs`]).
//!
//! Only partitions that have changed sides have a table. What names no such partition goes on as the bytes that came,
//! in both directions; while there is none at all, nothing is looked at.

mod answers;
mod requests;

use std::sync::Arc;

pub(super) use answers::{HoldsBatches, TellsEpochs, patch, tell_ends};
pub(super) use requests::{AskedEpochs, NamesEpochs, StoresEpochs};

use super::route::{RouteTable, TopicRef};
use crate::epochs::EpochTable;

/// The epochs of one partition; `None` where they are legacy's own.
fn table(routes: &RouteTable, topic: TopicRef<'_>, partition: i32) -> Option<Arc<EpochTable>> {
    routes.partition(topic, partition)?.epochs()
}
