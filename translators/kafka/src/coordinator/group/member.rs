//! One member of a group.

use std::time::Duration;

use bytes::Bytes;
use kernel_model::coordinator::MessageId;

use crate::codec::Str;
use crate::codec::messages::join_group_request::JoinGroupRequestProtocol;

/// A request that is being answered, now or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    /// Whom the answer goes to.
    pub(super) message: MessageId,
    /// Version of the request, and so of its answer.
    pub(super) version: i16,
}

/// A way to share partitions out that a member can follow, with what it has to say for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// Name, such as that of an assignor.
    pub name: Str,
    /// The member's subscription, opaque but for the consumers' protocol type.
    pub metadata: Bytes,
}

impl From<&JoinGroupRequestProtocol> for Protocol {
    fn from(request: &JoinGroupRequestProtocol) -> Self {
        // State outlives the request's frame.
        Self { name: request.name.detached(), metadata: Bytes::copy_from_slice(&request.metadata) }
    }
}

/// A member, from its first accepted join to its end.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) id: Str,
    /// Set for static members (KIP-345).
    pub(super) instance_id: Option<Str>,
    pub(super) client_id: Str,
    pub(super) client_host: Str,
    pub(super) session_timeout_ms: i32,
    pub(super) rebalance_timeout_ms: i32,
    /// In the member's order of preference.
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    /// The join that waits for the rebalance.
    pub(super) join: Option<Caller>,
    /// The sync that waits for the leader's.
    pub(super) sync: Option<Caller>,
    /// It has not seen a generation yet, so it is not known to the client and cannot heartbeat.
    pub(super) is_new: bool,
    /// When the session ends, on the monotonic clock; `None` while a parked reply keeps it alive.
    pub(super) session_deadline: Option<Duration>,
}

impl Member {
    pub(super) fn session_timeout(&self) -> Duration {
        millis(self.session_timeout_ms)
    }

    pub(super) fn rebalance_timeout(&self) -> Duration {
        millis(self.rebalance_timeout_ms)
    }

    /// What the member has to say for a protocol; empty when it does not support it.
    pub(super) fn metadata(&self, protocol: Option<&Str>) -> Bytes {
        let found = self.protocols.iter().find(|candidate| Some(&candidate.name) == protocol);
        found.map(|candidate| candidate.metadata.clone()).unwrap_or_default()
    }

    /// Whether a join brings the same protocols, in the same order, with the same content.
    pub(super) fn matches(&self, protocols: &[JoinGroupRequestProtocol]) -> bool {
        self.protocols.len() == protocols.len()
            && self
                .protocols
                .iter()
                .zip(protocols)
                .all(|(mine, theirs)| mine.name == theirs.name && mine.metadata == theirs.metadata)
    }

    /// A parked reply keeps a session alive, except the first join's: its client may be long gone.
    pub(super) fn is_kept_alive(&self) -> bool {
        !self.is_new && (self.join.is_some() || self.sync.is_some())
    }

    /// Bytes that the client decides on.
    pub(super) fn bytes(&self) -> usize {
        let protocols: usize =
            self.protocols.iter().map(|one| one.name.as_bytes().len() + one.metadata.len()).sum();
        protocols + self.assignment.len()
    }
}

/// A time-out as clients send it; a negative one counts as none.
pub(super) fn millis(value: i32) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}
