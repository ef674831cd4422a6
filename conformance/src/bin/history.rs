//! Judges recorded histories: `history FILE...` prints the report as JSON. Exit code 0: no violation; 1: some; 2: not
//! readable.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nothing is left to tell if even this cannot be written.
            let _ = writeln!(std::io::stderr(), "history: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> anyhow::Result<bool> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    ensure!(!paths.is_empty(), "usage: history FILE...");
    let report = conformance::history::check(&paths)?;
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &report).context("cannot write the report")?;
    writeln!(out).context("cannot write the report")?;
    Ok(report.is_clean())
}
