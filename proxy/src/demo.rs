//! `sluice demo`: a whole migration with live traffic.

use anyhow::{Result, bail};

/// What the demo is asked to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demo {
    /// `kafka`, `mqtt`, `amqp` or `bridge`.
    pub protocol: String,
    /// A real broker (`host:port`) in place of the one in this process.
    pub legacy: Option<String>,
    /// About how long it takes.
    pub seconds: Option<u64>,
    /// End with one JSON object on standard output.
    pub json: bool,
}

/// Runs it; true if everything was proven.
///
/// # Errors
///
/// It could not be run.
pub fn run(demo: &Demo) -> Result<bool> {
    bail!("the {} demo is not built yet", demo.protocol)
}
