//! Identifiers and positions.
//!
//! A log, view, cursor or router id carries its shard in the upper sixteen bits, so that every holder of
//! an id knows who to ask. Whoever creates the object chooses the shard.

use std::fmt;

/// One shard: a deterministic state machine with one owner and one write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ShardId(pub u16);

/// Bits of an id that number the object inside its shard.
const LOCAL_BITS: u32 = 48;

macro_rules! sharded_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);

        impl $name {
            /// The object number `local` (below 2^48) of `shard`.
            #[must_use]
            pub const fn new(shard: ShardId, local: u64) -> Self {
                Self(((shard.0 as u64) << LOCAL_BITS) | (local & ((1 << LOCAL_BITS) - 1)))
            }

            /// The shard that owns this object.
            #[must_use]
            pub const fn shard(self) -> ShardId {
                // The shift leaves exactly sixteen bits.
                #[allow(clippy::cast_possible_truncation, reason = "sixteen bits remain after the shift")]
                ShardId((self.0 >> LOCAL_BITS) as u16)
            }
        }
    };
}

sharded_id!(
    /// An ordered sequence of batches.
    LogId
);
sharded_id!(
    /// An ordered sequence of references into logs.
    ViewId
);
sharded_id!(
    /// A reading position with leases and acknowledgements.
    CursorId
);
sharded_id!(
    /// A set of routes from patterns to targets.
    RouterId
);

/// Position of a record in its log. Dense in a log that the kernel leads; a mirrored log has its source's
/// gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(pub u64);

impl Offset {
    /// The offset `count` records further.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// The offset as the signed 64-bit integer that batch headers carry.
    #[must_use]
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// Reads the signed form; negative values have no meaning here.
    #[must_use]
    pub fn from_i64(value: i64) -> Option<Self> {
        u64::try_from(value).ok().map(Self)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a commit in its shard, from 1, without gaps. 0 is "before the first".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

/// Fencing number of a shard's owner; a store opened with a higher one refuses every lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OwnerEpoch(pub u64);

/// Epoch of a log's leadership, as the partition leader epoch of record batch v2 (−1: none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogEpoch(pub i32);
