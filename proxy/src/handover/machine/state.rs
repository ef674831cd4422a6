//! Where a handover is, and what may still be done there.

use super::super::compare::Round;
use crate::ledger::{Evidence, Step};

/// Where the machine is; each state holds only its own data.
#[derive(Debug)]
pub(super) enum State {
    Begin,
    Gather,
    Prepare(Round),
    RecordFence,
    Fence,
    Close,
    Verify(Round),
    RecordVerified(Vec<Evidence>),
    RecordCommit,
    Switch,
    Publish,
    Release,
    RecordReleased,
    Follow,
    RecordFollowing,
    Undo,
    ReleaseOld,
    RecordAborted,
    Done,
}

impl State {
    /// The step that it belongs to; none once it goes back.
    pub(super) fn step(&self) -> Option<Step> {
        Some(match self {
            Self::Begin | Self::Gather | Self::Prepare(_) => Step::Prepare,
            Self::RecordFence | Self::Fence => Step::Fence,
            Self::Close => Step::Drain,
            Self::Verify(_) | Self::RecordVerified(_) => Step::Verify,
            Self::RecordCommit => Step::Commit,
            Self::Switch | Self::Publish | Self::Release | Self::RecordReleased => Step::Release,
            Self::Follow | Self::RecordFollowing => Step::Follow,
            Self::Undo | Self::ReleaseOld | Self::RecordAborted | Self::Done => return None,
        })
    }

    /// Whether the old primary is still to be had: not once the commit entry may be on disk.
    pub(super) fn may_abort(&self) -> bool {
        match self {
            Self::Gather | Self::Prepare(_) | Self::Fence | Self::Close | Self::Verify(_) => true,
            // An entry is being written: what follows it judges the limit again.
            Self::Begin | Self::RecordFence | Self::RecordVerified(_) => false,
            Self::RecordCommit
            | Self::Switch
            | Self::Publish
            | Self::Release
            | Self::RecordReleased
            | Self::Follow
            | Self::RecordFollowing
            | Self::Undo
            | Self::ReleaseOld
            | Self::RecordAborted
            | Self::Done => false,
        }
    }

    /// Whether the commit entry is known to be durable.
    pub(super) fn is_committed(&self) -> bool {
        match self {
            Self::Switch
            | Self::Publish
            | Self::Release
            | Self::RecordReleased
            | Self::Follow
            | Self::RecordFollowing => true,
            Self::Begin
            | Self::Gather
            | Self::Prepare(_)
            | Self::RecordFence
            | Self::Fence
            | Self::Close
            | Self::Verify(_)
            | Self::RecordVerified(_)
            | Self::RecordCommit
            | Self::Undo
            | Self::ReleaseOld
            | Self::RecordAborted
            | Self::Done => false,
        }
    }
}
