//! What a Fetch does otherwise for copies of partitions that legacy leads.

use std::time::Duration;

use super::partition::Part;
use super::{Cx, Fetch};

/// Longest wait of a fetch that reads a copy: whether it may be read is looked at again after that.
pub(super) const COPY_WAIT_MAX: Duration = Duration::from_millis(500);
/// How long a shard may owe an answer about a copy behind that: the leader has the records too.
const PATIENCE: Duration = Duration::from_secs(1);

impl Fetch {
    /// Looks again in time, answers or not.
    pub(super) fn watch_over_copies(&self, cx: &mut Cx<'_>) {
        cx.wake_at(self.deadline.saturating_add(PATIENCE));
    }

    /// Whether nothing but copies is waited for, and for too long.
    pub(super) fn is_stuck(&self, now: Duration) -> bool {
        let mut asked = self.parts.iter().filter(|part| part.asked).peekable();
        now >= self.deadline.saturating_add(PATIENCE) && asked.peek().is_some() && asked.all(Part::is_copy)
    }

    /// Looks once more whether the copies may be read, and says what becomes of them.
    pub(super) fn settle_copies(&mut self, cx: &Cx<'_>) {
        let Some(copies) = cx.copies.filter(|_| self.parts.iter().any(Part::is_copy)) else { return };
        let client_id = self.head.client_id.as_deref().unwrap_or_default();
        let late = cx.now.elapsed >= self.deadline;
        let (mut back, mut served, mut bytes) = (None, false, 0_usize);
        for part in self.parts.iter_mut().filter(|part| part.is_copy()) {
            if part.asked {
                part.send_back("the kernel does not answer");
            } else if part.goes_back().is_none() {
                part.ask_admission(copies, client_id);
            }
            if late && part.is_ahead() {
                part.send_back("the copy is behind");
            }
            match part.goes_back() {
                Some(why) => back = back.or(Some(why)),
                None => {
                    served = true;
                    bytes = bytes.saturating_add(part.bytes());
                }
            }
        }
        if served {
            copies.served(client_id, bytes);
        }
        if let Some(why) = back {
            copies.sent_back(client_id, why, cx.now.elapsed);
        }
    }
}
