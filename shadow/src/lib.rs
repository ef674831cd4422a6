//! The kernel's shadow of a legacy cluster: feeds that copy it, and what they find.
//!
//! Everything here is a client-side state machine without IO: bytes and time in, bytes, kernel requests and facts
//! out. The proxy owns the sockets.

mod feed;
mod follower;
mod link;
mod offsets;
mod reverse;
mod view;

pub use feed::{
    Address, Fact, Feed, FeedConfig, FeedStatus, GroupEnd, LinkAction, LinkEvent, LinkId, Mode, Order,
    PartitionEnd, Token,
};
pub use follower::{FollowerState, FollowerStatus, StopReason};
pub use link::{Credentials, LinkError};
pub use offsets::OffsetsStatus;
pub use reverse::{
    ClosedReason, ReverseConfig, ReverseFact, ReverseFeed, ReverseLimits, ReverseOrder, ReverseStatus,
    WayBack,
};
pub use view::{ClusterView, LegacyTopic};
