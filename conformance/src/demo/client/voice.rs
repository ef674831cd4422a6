//! A client process's standard output and input: lines out, the order to stop in.

use std::io::Write;

use tokio::io::AsyncReadExt;

use crate::demo::line::{Line, now_ms};

/// Writes lines. They leave the process with [`Voice::flush`], at the latest when a buffer is full.
pub(crate) struct Voice {
    out: std::io::BufWriter<std::io::Stdout>,
}

impl Voice {
    /// Over standard output.
    pub(crate) fn new() -> Self {
        Self { out: std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout()) }
    }

    /// Writes one line. A parent that is gone ends this process by its closed input, so nothing is made of errors
    /// here.
    pub(crate) fn say(&mut self, line: &Line) {
        if let Ok(text) = serde_json::to_string(line) {
            let _parent_gone = writeln!(self.out, "{text}");
        }
    }

    /// What a stock client would tell its application.
    pub(crate) fn error(&mut self, who: &str, what: &str) {
        self.say(&Line::Error { error: format!("{who}: {what}") });
    }

    /// What a stock client keeps to itself.
    pub(crate) fn note(&mut self, who: &str, what: &str) {
        self.say(&Line::Note { note: format!("{who}: {what}"), t_ms: now_ms() });
    }

    /// Hands over what was written.
    pub(crate) fn flush(&mut self) {
        let _parent_gone = self.out.flush();
    }
}

/// Ends when standard input does: the parent wants this client to finish, or is gone.
pub(crate) async fn told_to_stop() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 64];
    while input.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}
