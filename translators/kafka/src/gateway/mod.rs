//! A client connection that has a legacy cluster behind it.
//!
//! Clients see legacy's brokers under their own node ids at proxied addresses, and the kernel as one more node.
//! A [`GatewaySession`] stands for one of them. On a legacy node untouched frames are forwarded as bytes;
//! what names a moved partition or group is trimmed and answered as a broker does that is no longer leader
//! or coordinator. On the kernel's node what has moved is served by [`crate::server::Server`], and what no
//! partition or group owns is relayed to legacy while it lives.
//!
//! ```text
//!              ┌──────────── slots: answers in the order of requests ────────────┐
//!  client ───► │ dispatch ─┬─ gate held ──► Hold request, reading stops          │ ───► client
//!              │           ├─ legacy ─────► upstream ──► rewrite, merge, note ───│
//!              │           ├─ moved ──────► NOT_LEADER / NOT_COORDINATOR ────────│
//!              │           └─ kernel node ► (pace) ► Server ─────────────────────│
//!              └─────────────────────────────────────────────────────────────────┘
//! ```

mod answers;
mod apis;
mod canary;
mod dispatch;
mod epochs;
mod fetch;
mod groups;
mod kept;
mod login;
pub mod nodes;
pub(crate) mod owner;
mod pace;
mod produce;
mod relay;
mod returned;
mod rewrite;
pub mod route;
mod session;
mod shared;
mod slots;
mod transactions;
mod trim;
mod upstream;
mod versions;

pub use kept::KeptIds;
pub use nodes::{Endpoint, KERNEL_NODE_BASE, NodeTable, Nodes};
pub use route::{RouteTable, Routes, TopicRef, TopicRoute, Unit};
pub use session::GatewaySession;
pub use shared::{ClusterShared, GatewayLimits, LoginSecret, Role};
pub use transactions::{OpenTransactions, Stray, TransactionRoute, TransactionScope};
