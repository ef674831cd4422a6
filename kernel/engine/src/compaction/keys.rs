//! The newest offset of each key in a stretch of a log.

use std::collections::BTreeMap;

use kernel_model::position::Offset;

/// What an entry takes beside its key, about.
const ENTRY_BYTES: usize = 64;

/// Keys as they are, not hashed: two keys are never taken for one.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    newest: BTreeMap<Box<[u8]>, Offset>,
    bytes: usize,
}

impl Keys {
    /// Notes a record. Later calls have greater offsets.
    pub(crate) fn note(&mut self, key: &[u8], at: Offset) {
        if let Some(newest) = self.newest.get_mut(key) {
            *newest = at;
        } else {
            self.bytes += key.len() + ENTRY_BYTES;
            self.newest.insert(key.into(), at);
        }
    }

    /// Whether a record at `at` is the newest one known of its key.
    pub(crate) fn is_newest(&self, key: &[u8], at: Offset) -> bool {
        self.newest.get(key).is_none_or(|newest| *newest <= at)
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}
