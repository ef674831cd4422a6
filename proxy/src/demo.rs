//! `sluice demo`: a whole migration with live traffic, and the account of it.
//!
//! The demo itself lives in `conformance`, which shares no code with what it judges; this is its command. The binary
//! starts itself again for every process of the demo: servers by `run`, clients by the hidden `demo-client`.

mod past;

use std::io::Write;

use anyhow::{Context, Result, bail};
use conformance::demo::spec::ClientSpec;
use conformance::demo::{self, Options};

/// What the demo is asked to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demo {
    /// `kafka`, `mqtt`, `amqp` or `bridge`.
    pub protocol: String,
    /// A real broker (`host:port`) in place of the stand-in.
    pub legacy: Option<String>,
    /// Seconds of traffic.
    pub seconds: Option<u64>,
    /// Nothing migrates: the same clients and account at legacy itself.
    pub rehearsal: bool,
    /// End with one JSON object on standard output.
    pub json: bool,
}

/// Runs it; true if everything was proven.
///
/// # Errors
///
/// It could not be run to its end.
pub fn run(demo: &Demo) -> Result<bool> {
    if demo.protocol != "kafka" {
        bail!("the {} demo is not built yet; `sluice demo kafka` is", demo.protocol);
    }
    let options = Options {
        program: std::env::current_exe().context("where is this program?")?,
        legacy: demo.legacy.clone(),
        seconds: demo.seconds,
        rehearsal: demo.rehearsal,
        json: demo.json,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let summary = runtime.block_on(demo::run(&options))?;
    let mut out = std::io::stdout().lock();
    if demo.json {
        write!(std::io::stderr(), "{}", summary.table())?;
        writeln!(out, "{}", serde_json::to_string(&summary)?)?;
    } else {
        write!(out, "{}", summary.table())?;
    }
    Ok(summary.proven())
}

/// One client process of the demo; its lines go to standard output.
///
/// # Errors
///
/// What ended it early.
pub fn client(spec: &str) -> Result<bool> {
    let spec: ClientSpec = serde_json::from_str(spec).context("what the client is to do")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = match spec {
        ClientSpec::Past(spec) => runtime.block_on(past::run(&spec)),
        ClientSpec::Produce(_) | ClientSpec::Consume(_) => runtime.block_on(demo::client::run(spec)),
    };
    // The thread that waits for the end of standard input cannot be joined.
    runtime.shutdown_background();
    outcome.map(|()| true)
}
