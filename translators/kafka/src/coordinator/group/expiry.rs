//! Offsets that nobody has used for long, and groups of which nothing is left.

use super::desk::{Pending, Turn};
use super::snapshot::{CommittedOffset, OffsetKey};
use super::state::{Group, Phase};
use super::stored;

/// From when the retention of a group's offsets is counted.
#[derive(Debug, Clone, Copy)]
enum Since {
    /// From when the group became empty.
    Emptied(i64),
    /// From each offset's own commit.
    Committed,
}

impl Group {
    /// Removes what is past its retention, in one commit. A group that follows legacy is left to
    /// legacy, and one with a rebalance under way to the next time.
    pub(super) fn expire_offsets(&mut self, turn: &mut Turn<'_>) {
        if self.admission().is_err() {
            return;
        }
        let Some(since) = self.retention_since() else { return };
        let keys: Vec<OffsetKey> = self
            .offsets
            .iter()
            .filter(|(key, offset)| {
                !self.is_subscribed(&key.topic)
                    && !self.in_flight.contains_key(key)
                    && !self.is_unstable(key)
                    && is_expired(turn, since, offset)
            })
            .map(|(key, _)| key.clone())
            .collect();
        let none_left = keys.len() == self.offsets.len() && self.in_flight.is_empty() && self.open.is_empty();
        let whole = none_left && self.is_empty() && self.pending_members.is_empty();
        if keys.is_empty() && !whole {
            return;
        }
        let mut ops: Vec<_> = keys.iter().map(|key| stored::delete_offset(&self.id, key)).collect();
        if whole {
            ops.push(stored::delete_group(&self.id));
            self.hold = Some(super::state::Hold::Busy);
        }
        let group = self.id.clone();
        turn.desk.commit(ops, Pending::Expired { group, keys, whole });
    }

    fn retention_since(&self) -> Option<Since> {
        if self.consumer.is_some() {
            // Topics that nobody reads (any more) expire one by one.
            return Some(Since::Committed);
        }
        if self.protocol_type.is_none() {
            return self.is_empty().then_some(Since::Committed);
        }
        match self.phase {
            Phase::Empty => Some(self.state_timestamp_ms.map_or(Since::Committed, Since::Emptied)),
            // Topics that no member reads any more expire one by one, where that can be known.
            Phase::Stable { .. } if self.uses_consumer_protocol() && self.subscribed.is_some() => {
                Some(Since::Committed)
            }
            Phase::Preparing { .. } | Phase::Completing { .. } | Phase::Stable { .. } => None,
        }
    }
}

fn is_expired(turn: &Turn<'_>, since: Since, offset: &CommittedOffset) -> bool {
    let now_ms = turn.now.wall_ms;
    if let Some(expire_ms) = offset.expire_timestamp_ms {
        return now_ms >= expire_ms;
    }
    let since_ms = match since {
        Since::Emptied(emptied_ms) => emptied_ms,
        Since::Committed => offset.commit_timestamp_ms,
    };
    let retention_ms = i64::try_from(turn.limits.offsets_retention.as_millis()).unwrap_or(i64::MAX);
    now_ms.saturating_sub(since_ms) >= retention_ms
}
