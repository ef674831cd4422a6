//! The reverse feed of one legacy cluster: brings legacy what the kernel writes after a cutover, byte for byte and at
//! the same offsets, so that going back loses nothing.
//!
//! Performs no IO: a driver owns one connection per [`LinkId`], hands in what it received, and carries out what
//! `poll_link` and `poll_request` want. A driver reads [`kernel_model::reply::Chunk::Cold`] chunks before it hands an
//! answer in.

mod interface;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kernel_model::{KernelError, Now};
use session::{Answer as KernelAnswer, Request, RequestId};

pub use self::interface::{
    ClosedReason, ReverseConfig, ReverseFact, ReverseLimits, ReverseOrder, ReverseStatus, WayBack,
};
use crate::feed::{LinkAction, LinkEvent, LinkId};

/// The reverse feed of one cluster.
pub struct ReverseFeed {
    config: ReverseConfig,
    partitions: BTreeMap<(String, i32), ReverseStatus>,
    facts: VecDeque<ReverseFact>,
}

impl ReverseFeed {
    /// A reverse feed that contacts nobody until its first [`ReverseOrder::Begin`].
    #[must_use]
    pub fn new(config: ReverseConfig) -> Self {
        Self { config, partitions: BTreeMap::new(), facts: VecDeque::new() }
    }

    /// Takes an order.
    pub fn order(&mut self, _now: Now, order: ReverseOrder) {
        match order {
            ReverseOrder::Begin { topic, partition, cut, closed, .. } => {
                let way_back = closed.map_or(WayBack::Lagging, WayBack::Closed);
                let status = ReverseStatus {
                    way_back: way_back.clone(),
                    cut,
                    position: None,
                    kernel_end: cut,
                    lag_records: 0,
                    behind_for: Duration::ZERO,
                    floor: cut,
                    trouble: None,
                };
                self.facts.push_back(ReverseFact::Changed { topic: topic.clone(), partition, way_back });
                self.partitions.insert((topic, partition), status);
            }
            ReverseOrder::Stop { topic, partition } => {
                self.partitions.remove(&(topic, partition));
            }
            ReverseOrder::StopAll => self.partitions.clear(),
            ReverseOrder::SettleUntil { token, .. } => {
                let reason = "legacy is not followed yet".to_owned();
                self.facts.push_back(ReverseFact::SettleFailed { token, reason });
            }
            ReverseOrder::Forget { .. } => {}
        }
    }

    /// Something happened on a connection.
    pub fn handle_link(&mut self, _now: Now, _id: LinkId, _event: LinkEvent<'_>) {}

    /// The kernel answered.
    pub fn handle_reply(&mut self, _now: Now, _id: RequestId, _answer: Result<KernelAnswer, KernelError>) {}

    /// Does what was due by `now`.
    pub fn handle_timeout(&mut self, _now: Now) {}

    /// Next thing to do on a connection.
    pub fn poll_link(&mut self) -> Option<(LinkId, LinkAction)> {
        None
    }

    /// Next request for the kernel.
    pub fn poll_request(&mut self) -> Option<(RequestId, Request)> {
        None
    }

    /// Next fact.
    pub fn poll_fact(&mut self) -> Option<ReverseFact> {
        self.facts.pop_front()
    }

    /// When `handle_timeout` is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        None
    }

    /// Where everything stands, by topic and partition.
    #[must_use]
    pub fn status(&self, _now: Now) -> BTreeMap<(String, i32), ReverseStatus> {
        self.partitions.clone()
    }

    /// Bounds.
    #[must_use]
    pub fn limits(&self) -> &ReverseLimits {
        &self.config.limits
    }
}
