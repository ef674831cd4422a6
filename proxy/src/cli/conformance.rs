//! `sluice conformance`: its options; the suites themselves live in `conformance`, which shares no code with what it judges.

use std::io::Write;
use std::path::PathBuf;

use ::conformance::kafka::{self, Options};
use anyhow::{Result, bail};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct ConformanceArgs {
    /// What is spoken
    #[arg(value_parser = ["kafka", "mqtt", "amqp"])]
    protocol: String,
    /// The endpoint that is right (default: none; what is documented judges)
    #[arg(long, value_name = "HOST:PORT")]
    reference: Option<String>,
    /// The endpoint that is judged
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "list")]
    candidate: Option<String>,
    /// Folder for report.html, junit.xml and report.json
    #[arg(long, value_name = "FOLDER", required_unless_present = "list")]
    report: Option<PathBuf>,
    /// Only what has this in its id, such as Fetch or KS7 (can be repeated)
    #[arg(long, value_name = "FILTER")]
    only: Vec<String>,
    /// Show what would be asked, and ask nobody
    #[arg(long)]
    list: bool,
}

/// Runs the suite; true if nothing failed and nothing differs without an explanation.
pub(super) fn run(args: ConformanceArgs, json: bool) -> Result<bool> {
    if args.protocol != "kafka" {
        bail!("the {} suites are not built yet; `sluice conformance kafka` is", args.protocol);
    }
    if args.list {
        return list(&args.only, json);
    }
    let options = Options {
        reference: args.reference,
        candidate: args.candidate.unwrap_or_default(),
        only: args.only,
        report: args.report.unwrap_or_default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(kafka::run(&options))?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(report.holds())
}

fn list(only: &[String], json: bool) -> Result<bool> {
    let listed = kafka::list(only);
    if listed.is_empty() {
        return Err(kafka::RunError::NothingMatches(only.to_vec()).into());
    }
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(&listed)?)?;
        return Ok(true);
    }
    for each in listed {
        let versions = each.versions.map(|(from, to)| format!("v{from}–{to}")).unwrap_or_default();
        writeln!(out, "{:70} {versions:8} {}", each.id, each.expected)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: ConformanceArgs,
    }

    #[test]
    fn a_run_needs_a_candidate_and_a_folder_and_a_list_needs_nothing() {
        let parse = |words: &[&str]| Line::try_parse_from([&["x"], words].concat());
        assert!(parse(&["kafka", "--list"]).is_ok());
        assert!(parse(&["kafka", "--candidate", "a:1", "--report", "r"]).is_ok());
        assert!(parse(&["kafka", "--candidate", "a:1"]).is_err());
        assert!(parse(&["kafka", "--reference", "a:1", "--report", "r"]).is_err());
        assert!(parse(&["http", "--list"]).is_err());
    }

    #[test]
    fn a_filter_that_leaves_nothing_is_wrong_usage() {
        let error = list(&["no such case".to_owned()], false).unwrap_err();
        let error = error.downcast_ref::<kafka::RunError>().unwrap();
        assert!(error.wrong_usage());
    }
}
