//! What all connections to one proxied cluster share, and their bounds.

use std::time::Duration;

use arc_swap::ArcSwap;
use session::LegacyNode;

use super::nodes::Nodes;
use super::route::Routes;
use crate::access::AccessHandle;
use crate::canary::Readers;
use crate::server::ClusterView;

/// Bounds of a proxied connection.
#[derive(Debug, Clone, Copy)]
pub struct GatewayLimits {
    /// Largest frame before the client is authenticated, in bytes.
    pub frame_bytes_before_auth_max: usize,
    /// Largest frame, in bytes.
    pub frame_bytes_max: usize,
    /// Requests without an answer.
    pub in_flight_max: usize,
    /// Bytes of requests that are served here and have no answer; a single request may be larger.
    pub in_flight_bytes_max: usize,
    /// Fetches that are served here and have no answer.
    pub fetches_in_flight_max: usize,
    /// Bytes that wait for the connection to legacy.
    pub unsent_bytes_max: usize,
    /// Longest wait for the first complete request.
    pub handshake: Duration,
    /// Longest silence.
    pub idle: Duration,
    /// How long an answer waits for the kernel in dual-write.
    pub dual_write: Duration,
    /// How long a retired legacy has for what it still owes.
    pub last_answers: Duration,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            frame_bytes_before_auth_max: 512 << 10,
            frame_bytes_max: 100 << 20,
            in_flight_max: 256,
            in_flight_bytes_max: 32 << 20,
            fetches_in_flight_max: 2,
            unsent_bytes_max: 8 << 20,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            dual_write: Duration::from_secs(1),
            last_answers: Duration::from_secs(10),
        }
    }
}

/// Which node of the cluster a connection stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A legacy broker, or any of them for the bootstrap address.
    Legacy(LegacyNode),
    /// The kernel's node.
    Kernel,
}

/// What all connections to one proxied cluster share.
#[derive(Debug)]
pub struct ClusterShared {
    /// Who serves what.
    pub routes: Routes,
    /// Where clients reach the nodes.
    pub nodes: Nodes,
    /// What the kernel tells of the cluster where it answers in legacy's place.
    pub view: ArcSwap<ClusterView>,
    /// Consumers that the canary has met.
    pub readers: Readers,
    /// Bounds.
    pub limits: GatewayLimits,
    /// Clients authenticate (relayed to legacy) before anything else is served.
    pub sasl: bool,
    /// In whose rules and users clients are looked up.
    pub realm: String,
    /// Where those are found.
    pub access: AccessHandle,
    /// Whether users are kept, salted, once legacy has taken their plain password.
    pub learn_users: bool,
    /// What nobody outside this process knows: nonces and salts come from it.
    pub secret: LoginSecret,
}

/// Bits that are this process's alone.
#[derive(Clone, Copy)]
pub struct LoginSecret(pub [u8; 32]);

impl std::fmt::Debug for LoginSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LoginSecret")
    }
}
