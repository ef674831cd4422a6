//! Writes to the kernel that are slowed down, so that legacy keeps up with what it is brought.
//!
//! A write waits before the kernel is given it, and nothing more is read from its connection meanwhile: producers that
//! wait for answers, as all do at some number of requests in flight, come down to what legacy takes. How long is
//! decided outside ([`Unit::pace`](super::Unit::pace)); it is far below every client's request time-out.

use std::time::Duration;

use kernel_model::Now;
use session::Violation;

use super::relay::Incoming;
use super::route::TopicRef;
use super::session::GatewaySession;
use crate::codec::messages::ProduceRequest;

/// A write that waits for its time.
pub(super) struct Paced {
    pub(super) until: Duration,
    request: Incoming,
}

impl Paced {
    /// Size of the write.
    pub(super) fn bytes(&self) -> usize {
        self.request.whole.len()
    }
}

impl GatewaySession {
    /// A write on the kernel's node: served now, or once the slowest of its partitions lets it.
    pub(super) fn serve_at_pace(&mut self, now: Now, request: Incoming) -> Result<(), Violation> {
        let pace = self.pace_of(&request)?;
        if pace.is_zero() {
            return self.produce_to_kernel(now, request);
        }
        self.paced = Some(Paced { until: now.deadline(pace), request });
        Ok(())
    }

    /// Serves the write whose time has come.
    pub(super) fn serve_paced(&mut self, now: Now) -> Result<(), Violation> {
        match self.paced.take_if(|paced| paced.until <= now.elapsed) {
            Some(paced) => self.produce_to_kernel(now, paced.request),
            None => Ok(()),
        }
    }

    fn pace_of(&self, request: &Incoming) -> Result<Duration, Violation> {
        if !self.shared.routes.any_paced() {
            return Ok(Duration::ZERO);
        }
        let produce: ProduceRequest = request.decode()?;
        let routes = self.shared.routes.table();
        let units = produce.topic_data.iter().flat_map(|topic| {
            let named = TopicRef::of(&topic.name, topic.topic_id);
            topic.partition_data.iter().map(move |data| (named, data.index))
        });
        let paces = units.filter_map(|(named, index)| Some(routes.partition(named, index)?.pace()));
        Ok(paces.max().unwrap_or_default())
    }
}
