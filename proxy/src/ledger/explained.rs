//! The one table of differences between the sides that are known, harmless and explained.
//!
//! A divergence without an entry of this table is unexplained: it turns the gate red, and nothing but an
//! operator's decision turns it green again. Who adds an entry says in words why nobody loses anything by it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Explanation {
    /// Compaction has rewritten batches.
    Compacted,
    /// The kernel missed its deadline in dual-write.
    DualWriteMissed,
    /// Legacy's coordinator wrote to a group that has moved.
    GroupLeftBehind,
    /// Legacy keeps the offsets that a group had when it moved.
    GroupOffsetsStay,
    /// Somebody wrote past the fence, before the commit.
    MirroredBeforeCommit,
    /// Retention has removed old records on one side only.
    RemovedOnOneSide,
}

impl Explanation {
    /// The whole table.
    pub const ALL: [Self; 6] = [
        Self::Compacted,
        Self::DualWriteMissed,
        Self::GroupLeftBehind,
        Self::GroupOffsetsStay,
        Self::MirroredBeforeCommit,
        Self::RemovedOnOneSide,
    ];

    /// Short stable word, as the ledger keeps it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Compacted => "compacted",
            Self::DualWriteMissed => "dual-write-missed",
            Self::GroupLeftBehind => "group-left-behind",
            Self::GroupOffsetsStay => "group-offsets-stay",
            Self::MirroredBeforeCommit => "mirrored-before-commit",
            Self::RemovedOnOneSide => "removed-on-one-side",
        }
    }

    /// Why nobody loses anything by it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Compacted => {
                "the topic is compacted: each side removes superseded records in its own time, so that batches differ; \
                 the newest record of each key was compared, and is the same on both sides"
            }
            Self::DualWriteMissed => {
                "nothing differs: legacy's answer went out before the kernel held the batch, and the feed brings \
                 it; the partition is only mirrored for a few seconds"
            }
            Self::GroupLeftBehind => {
                "when a group moves, the members that legacy still lists die there by their session timeouts, and \
                 legacy's coordinator writes that down; no client reads it any more"
            }
            Self::GroupOffsetsStay => {
                "a group that has moved commits to the kernel alone; legacy keeps what was committed when it moved, \
                 and is brought up to date before the group goes back"
            }
            Self::RemovedOnOneSide => {
                "each side removes old records by its own clock, and the side that serves them has every record that \
                 its own retention keeps"
            }
            Self::MirroredBeforeCommit => {
                "somebody wrote to legacy past the proxy while the unit was fenced; the feed copied it before both \
                 sides were compared and the primary changed, so nothing is missing"
            }
        }
    }

    /// The entry of this key; there may be none.
    #[must_use]
    pub fn of(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entry| entry.key() == key)
    }
}

impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

/// Reads the key of an explanation. A key that the table does not have explains nothing.
pub(super) fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Explanation>, D::Error> {
    let key = Option::<String>::deserialize(deserializer)?;
    Ok(key.as_deref().and_then(Explanation::of))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use session::UnitId;

    use super::*;
    use crate::ledger::{Book, Entry};

    fn entry(explained_by: Option<&str>) -> Entry {
        let mut text = json!({
            "number": 1, "wall_ms": 0, "by": "sluice", "kind": "diverged", "unit": "events/orders/0",
            "divergence": "late_write", "sample": { "position": 7, "detail": "x", "bytes_hex": "" },
        });
        if let Some(key) = explained_by {
            text["explained_by"] = json!(key);
        }
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn only_entries_of_the_table_explain_a_divergence() {
        let unit = UnitId::new("events/orders/0");
        for key in Explanation::ALL.map(Explanation::key) {
            let mut book = Book::default();
            book.apply(&entry(Some(key))).unwrap();
            assert_eq!(book.divergences(&unit), (1, 0), "{key}");
            let again = serde_json::to_value(entry(Some(key))).unwrap();
            assert_eq!(again["explained_by"], key, "it is written as it was read");
        }
        for other in [None, Some(""), Some("because"), Some("dual-write-missed "), Some("DualWriteMissed")] {
            let mut book = Book::default();
            book.apply(&entry(other)).unwrap();
            assert_eq!(book.divergences(&unit), (1, 1), "{other:?}");
        }
    }

    #[test]
    fn every_entry_has_a_key_of_its_own_and_a_reason_in_words() {
        for entry in Explanation::ALL {
            assert_eq!(Explanation::of(entry.key()), Some(entry));
            assert!(entry.reason().split(' ').count() > 10, "{entry:?}");
            assert!(!entry.reason().contains('\n') && !entry.reason().contains("  "), "{entry:?}");
        }
    }
}
