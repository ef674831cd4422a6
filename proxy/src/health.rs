//! Whether the process can do its work, and what keeps it from it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};

/// Faults by part, and whether everything has started.
#[derive(Debug, Default)]
pub struct Health {
    ready: AtomicBool,
    faults: Mutex<BTreeMap<String, String>>,
}

impl Health {
    /// Everything is started (or is being stopped).
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::SeqCst);
    }

    /// A part has failed and stays so: what the operator needs to know.
    pub fn fail(&self, part: &str, reason: &str) {
        tracing::error!(part, reason, "failed");
        self.faults.lock().insert(part.to_owned(), reason.to_owned());
        metrics::gauge!("sluice_faults").set(1.0);
    }

    /// Whether nothing has failed.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.faults.lock().is_empty()
    }

    /// Whether it serves: started, and nothing has failed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst) && self.is_healthy()
    }

    /// For the admin API.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "healthy": self.is_healthy(), "ready": self.is_ready(), "faults": *self.faults.lock() })
    }
}
