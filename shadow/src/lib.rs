//! The kernel's shadow of a legacy cluster: feeds that copy it, and what they find.
//!
//! Everything here is a client-side state machine without IO: bytes and time in, bytes, kernel requests and facts
//! out. The proxy owns the sockets.

mod chain;
mod compare;
mod feed;
mod follower;
mod keyed;
mod link;
mod offsets;
mod open_offsets;
mod reverse;
mod view;

pub use chain::ChainStatus;
pub use compare::{Comparison, DIFFERENCES_MAX, Difference, Found, Print, Side};
pub use feed::{
    AccessFact, Address, Fact, Feed, FeedConfig, FeedStatus, GivenProducer, GroupEnd, GroupOffset,
    GroupOffsets, LegacyTransaction, LinkAction, LinkEvent, LinkId, Mode, NotGiven, Order, PartitionEnd,
    Token,
};
pub use follower::{FollowerState, FollowerStatus, StopReason};
pub use keyed::{KeyComparison, KeyDifference, KeysFound};
pub use link::{ANSWER_BYTES_MAX, Answer, Credentials, Link, LinkError};
pub use offsets::OffsetsStatus;
pub use reverse::{
    ClosedReason, ReverseConfig, ReverseFact, ReverseFeed, ReverseLimits, ReverseOrder, ReverseStatus,
    WayBack,
};
pub use view::{ClusterView, LegacyTopic};
