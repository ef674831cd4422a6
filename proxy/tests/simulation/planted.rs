//! Mistakes to be caught: each breaks one promise of the executor's contract, or of what lies around it.

/// A planted mistake, with the invariant that must catch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// G2: the ledger's sync does nothing.
    NoSync,
    /// G3: the kernel acknowledges before it is durable.
    EarlyAck,
    /// G4: what is on its way is not waited for.
    NoDrain,
    /// G5: a write is refused to the client and kept.
    RefuseWritten,
    /// G6, K1: the feed brings other bytes, and hashes them.
    FeedCorrupts,
    /// G7, K4: a retry is not recognised behind the cut.
    NoProducerState,
    /// G8: the switch cannot be repeated.
    SwitchOnce,
    /// G9: a forwarder acts without its lease.
    NoLease,
    /// G9: a revoked lease is not waited for.
    RevokeAtOnce,
    /// G11: a fence has no limit.
    NoFenceLimit,
    /// G12: a lost release is never repeated.
    NoTable,
    /// G13: divergences are dropped.
    DropDivergences,
    /// G14: a shadow read changes legacy.
    FeedWrites,
    /// G15: what is held has no bound.
    UnboundedHeld,
    /// K2: the feed confirms above legacy's high watermark.
    AboveWatermark,
    /// K3: an open transaction is not seen.
    TransactionIgnored,
    /// K5: the kernel leads under an old epoch.
    LowEpoch,
    /// K5: consumers of a held partition see what legacy takes behind the fence.
    ReadsHeld,
    /// K6: metadata of committed offsets is lost.
    LoseMetadata,
    /// K7: group requests are not fenced.
    GroupNotFenced,
    /// K11: the feed does not look at epochs and topic ids.
    NoSourceCheck,
    /// G4: the kernel goes on taking writes while legacy is compared with it.
    NoClose,
    /// G4: the way back does not look whether legacy has everything.
    BackUnverified,
    /// G10: the reverse feed does not look at what else legacy has taken.
    ReverseTrusts,
    /// K5: clients see legacy's own epochs again.
    LowShift,
    /// K6: metadata of offsets is lost on the way back.
    CopyLosesMetadata,
    /// K7: the kernel goes on taking a group's commits while they are copied.
    GroupStaysOpen,
    /// K7: a group goes back while its members are at work.
    NoGather,
    /// G12: members go on waiting for a handover that has ended on the kernel.
    StaysGathered,
    /// K7: a group that goes back takes the members of the others from where they wait.
    DismissesEverybody,
    /// Not a mistake that may be seen: dual-write brings wrong bytes, and the feed must correct them (D2).
    WrongAhead,
}

impl Plant {
    /// Shows only in the last handover of a run, which moves the groups.
    pub fn waits_for_groups(self) -> bool {
        matches!(self, Self::NoTable | Self::GroupNotFenced)
    }
}
