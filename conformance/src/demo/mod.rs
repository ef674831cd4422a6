//! A whole migration with live traffic, and an account at its end.
//!
//! Producers and consumer groups run in their own processes and say what they saw ([`mod@line`]); the account judges it
//! value by value ([`account`]). The proxy under test and the stand-in for legacy are processes, too. This module
//! starts everything, walks through the phases by the admin API and shows progress; it opens no door of its own into
//! the proxy.
//!
//! ```text
//!   writer-1 … writer-3 ──┐                   ┌── legacy (stand-in kernel, or a real cluster)
//!   reader-… (2 groups) ──┴──► sluice run ────┤
//!            │ lines               ▲          └── its own kernel
//!            ▼                     │ admin API
//!         account ◄──────────── script
//! ```

pub mod account;
pub mod client;
pub mod line;
mod screen;
mod script;
pub mod spec;
mod stage;
mod steer;
mod steps;
pub mod summary;
pub mod timeline;

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use summary::Summary;

/// What the demo is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The `sluice` binary; it must know `run --config FILE` and `demo-client SPEC`.
    pub program: PathBuf,
    /// A real cluster (`host:port`) in place of the stand-in.
    pub legacy: Option<String>,
    /// Seconds of traffic.
    pub seconds: Option<u64>,
    /// Clients connect to legacy itself and nothing migrates: shows that clients and account are right.
    pub rehearsal: bool,
    /// Progress goes to standard error, standard output stays free.
    pub json: bool,
}

/// Runs the demo. Every process that it started has ended when it returns, and its folder is gone.
///
/// # Errors
///
/// What kept it from reaching its end: a process that failed, a phase that was not reached, an interruption. What
/// the account found is no error but in the [`Summary`].
pub async fn run(options: &Options) -> anyhow::Result<Summary> {
    let mut terminate = signal(SignalKind::terminate())?;
    let (mut stage, heard) = stage::Stage::new(options.program.clone())?;
    let outcome = tokio::select! {
        outcome = script::run(options, &mut stage, heard) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
    };
    stage.end().await;
    outcome
}
