//! Records that followers still want, and what was removed of them meanwhile.
//!
//! Retention stops at a hold. A commit that trims past it (a client may remove records) is split: the log's start moves
//! for every reader, and the bytes go once the follower has let go of them. Holds are not stored: a follower sets its
//! own again after a restart, before retention begins (see `Limits::retention_after`). What was hidden before a restart
//! goes with the next trim.

use std::collections::{BTreeMap, BTreeSet};

use kernel_model::commit::Op;
use kernel_model::error::KernelError;
use kernel_model::position::{LogId, Offset};

use super::Shard;

/// All holds of a shard.
#[derive(Default)]
pub(super) struct Holds {
    from: BTreeMap<LogId, Offset>,
    /// Logs that begin later than what is stored of them.
    hidden: BTreeSet<LogId>,
}

impl Holds {
    /// First offset of a log that is kept.
    pub(super) fn from(&self, log: LogId) -> Option<Offset> {
        self.from.get(&log).copied()
    }

    /// Whether a follower may read a record that others do not see any more.
    pub(super) fn keeps(&self, log: LogId, offset: Offset) -> bool {
        self.from(log).is_some_and(|from| offset >= from)
    }

    /// Lets trims past a hold move the start only.
    pub(super) fn hide(&mut self, mut ops: Vec<Op>) -> Vec<Op> {
        for op in &mut ops {
            if let Op::LogTrim { log, start } = *op
                && self.from(log).is_some_and(|from| start > from)
            {
                self.hidden.insert(log);
                *op = Op::LogHide { log, start };
            }
        }
        ops
    }

    /// Logs whose hidden records nobody wants any more, with their starts; they are forgotten here.
    pub(super) fn released(&mut self, start: impl Fn(LogId) -> Option<Offset>) -> Vec<(LogId, Offset)> {
        let mut free = Vec::new();
        let from = &self.from;
        self.hidden.retain(|log| {
            let Some(start) = start(*log) else { return false };
            let kept = from.get(log).is_some_and(|from| *from < start);
            if !kept {
                free.push((*log, start));
            }
            kept
        });
        free
    }
}

impl Shard {
    pub(super) fn hold(&mut self, log: LogId, from: Option<Offset>) -> Result<(), KernelError> {
        match from {
            Some(from) => {
                self.log(log)?;
                self.holds.from.insert(log, from);
                self.compacting.give_up(log);
            }
            None => {
                self.holds.from.remove(&log);
            }
        }
        Ok(())
    }
}
