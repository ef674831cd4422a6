//! Places where a test can kill the process: the edges of a handover's actions, of other entries of the ledger
//! (`RecordOther`), of phases being applied (`Apply`) and of copies being deleted (`Discard`). What takes answers of
//! others is over when the last of them has come, and so is its edge.
//!
//! `SLUICE_FAILPOINT=before:Fence` ends the process, as `kill -9` would, before the first action of that kind;
//! `after:RecordCommit:2` after the second one. Unset, nothing is checked but one pointer.

use std::fmt::Debug;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

struct Armed {
    place: String,
    left: AtomicU32,
}

fn armed() -> Option<&'static Armed> {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    ARMED.get_or_init(|| std::env::var("SLUICE_FAILPOINT").ok().map(|text| parse(&text))).as_ref()
}

fn parse(text: &str) -> Armed {
    let mut parts = text.splitn(3, ':');
    let (edge, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let times = parts.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    Armed { place: format!("{edge}:{kind}"), left: AtomicU32::new(times) }
}

/// A named place was reached.
pub fn reached(edge: &str, kind: impl Debug) {
    let Some(armed) = armed() else { return };
    if armed.place == format!("{edge}:{kind:?}") && armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        // No destructor, no flush: what a power cut leaves is what is tested.
        std::process::abort();
    }
}
