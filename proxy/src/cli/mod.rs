//! The command line.
//!
//! Exit status: 0 when it holds, 1 when it does not, 2 for wrong usage (which includes names that do not
//! exist).

mod conformance;
mod http;
mod show;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::conformance::kafka::RunError;
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use config::{Config, Problem, Secret, Severity};
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::demo::{self, Demo};
use crate::run;
use conformance::ConformanceArgs;
use http::{Api, Refused};
use verify::VerifyArgs;

/// Waits at the most this long for a phase, unless told otherwise.
const WAIT_SECONDS: u64 = 600;

/// Moves live Kafka traffic onto one message kernel, without stopping a client.
///
/// Clients connect to sluice instead of their broker. Sluice forwards them to the old cluster (legacy), copies
/// it, and then moves one set of topics and groups at a time to its own kernel, and keeps account of it. Before the
/// cutover a migration can go back at any time.
#[derive(Debug, Parser)]
#[command(name = "sluice", version = VERSION, after_help = EXAMPLES)]
struct Cli {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Admin API of the running sluice; `run` without a configuration serves it there
    #[arg(
        long,
        global = true,
        env = "SLUICE_ADMIN",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:8080"
    )]
    admin: String,
    /// File with the token of the admin API (or set SLUICE_TOKEN)
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// The version, and how it was built: a figure of a debug build must not pass for one of a release.
const VERSION: &str = if cfg!(debug_assertions) {
    concat!(env!("CARGO_PKG_VERSION"), " (debug)")
} else {
    concat!(env!("CARGO_PKG_VERSION"), " (release)")
};

const EXAMPLES: &str = "\
Phases of a migration, in order:
  observe     bytes pass; who connects, with what
  mirror      the kernel follows the old cluster
  dual-write  answers wait until the kernel has the bytes too
  canary      some consumers read from the kernel
  cutover     the kernel leads; the old cluster gets what it writes, so that a rollback loses nothing
  retired     the old cluster is no longer contacted; nothing leads back

Examples:
  sluice run                                   the kernel alone, at 127.0.0.1:9092
  sluice demo                                  watch a migration from beginning to end
  sluice check sluice.toml                     find every mistake before it runs
  sluice run --config sluice.toml
  sluice status
  sluice advance orders                        the next phase
  sluice advance orders cutover --wait         up to that phase, and wait until it is reached
  sluice rollback orders
  sluice verify orders                         both sides read again, and compared
  sluice ledger orders --output orders.json
  sluice audit                                 who ordered what

Exit status: 0 when it holds, 1 when it does not, 2 for wrong usage.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy and the kernel; without a file, the kernel alone on loopback
    Run(RunArgs),
    /// Validate a configuration: every problem at once, with line and column
    Check {
        /// The configuration
        config: PathBuf,
    },
    #[command(flatten)]
    Ask(Ask),
    /// A whole migration with live traffic, from a stand-in or a real broker
    Demo(DemoArgs),
    /// One client process of the demo
    #[command(hide = true)]
    DemoClient {
        /// What it does, as JSON
        spec: String,
    },
    /// Ask two Kafka endpoints the same and compare the answers: HTML, JUnit and JSON
    Conformance(ConformanceArgs),
}

/// Commands that a running sluice answers.
#[derive(Debug, Subcommand)]
enum Ask {
    /// What a running sluice does, and whether it is well
    Status,
    /// Every migration: phase, gate, lag, way back
    Migrations,
    /// Who connects, with what, using what
    Clients,
    /// Move a migration forward; its gate must be green
    Advance(AdvanceArgs),
    /// Move a migration back, where its way back is not closed
    Rollback(RollbackArgs),
    /// Let a stopped unit go on, once you know why it was stopped
    #[command(long_about = RESUME)]
    Resume(ResumeArgs),
    /// Read both sides again, compare them batch by batch, and print the fidelity report
    #[command(long_about = verify::ABOUT)]
    Verify(VerifyArgs),
    /// Who ordered what, from where, and what came of it: the audit log
    #[command(long_about = AUDIT)]
    Audit(AuditArgs),
    /// Every phase change of a migration, with its evidence; with --json or --output, as an account to be checked
    #[command(long_about = LEDGER)]
    Ledger(LedgerArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The configuration (see config/examples)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Without a configuration: where Kafka clients connect (port 0: any free one)
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "config")]
    listen: Option<std::net::SocketAddr>,
    /// Without a configuration: the data folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    data: Option<PathBuf>,
    /// Without a configuration: keep everything in memory
    #[arg(long, conflicts_with_all = ["config", "data"])]
    memory: bool,
}

#[derive(Debug, Args)]
struct AdvanceArgs {
    /// Name of the migration
    migration: String,
    /// Up to this phase (default: the next one)
    phase: Option<Phase>,
    /// Share of the consumers that read from the kernel, 0 to 100 (canary)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    percent: Option<u8>,
    /// Wait until the phase is reached [default when given: 600 seconds]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "600")]
    wait: Option<u64>,
    /// Go on although the gate is not green; the ledger says so
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct RollbackArgs {
    /// Name of the migration
    migration: String,
    /// Back to this phase (default: the one before)
    phase: Option<Phase>,
    /// Wait until the phase is reached [default when given: 600 seconds]
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "600")]
    wait: Option<u64>,
}

const RESUME: &str = "\
Let a stopped unit go on, once you know why it was stopped.

A unit stops when the old cluster shows something that cannot be copied truly: its log was truncated, its topic deleted
or created again, a batch is damaged or in an old format. A stopped unit keeps its migration from going on;
`sluice migrations` says why it was stopped, and which command lets it go on.

Without --discard-copy copying goes on behind what the kernel has. That is refused where the kernel's copy is no longer
what the old cluster has (truncated, deleted, created again).

With --discard-copy the kernel deletes its copy of the unit's whole topic, writes so into the ledger, and copies the
topic again from its beginning. Clients notice nothing: the old cluster answers them. A topic that the old cluster has
no more leaves the migration. It is refused as soon as the kernel leads any partition of the topic, because what the
kernel leads exists nowhere else.

Examples:
  sluice migrations
  sluice resume orders events/orders/3
  sluice resume orders events/orders/3 --discard-copy
  sluice resume orders                         every stopped unit of the migration";

#[derive(Debug, Args)]
struct ResumeArgs {
    /// Name of the migration
    migration: String,
    /// Name of the unit, as `sluice migrations` shows it (default: every stopped unit)
    unit: Option<String>,
    /// Delete the kernel's copy of the unit's topic first, and copy the topic from its beginning
    #[arg(long)]
    discard_copy: bool,
}

const LEDGER: &str = "\
Every phase change of a migration, with its evidence.

With --json, or --output, it is an account that stands by itself: the text of every entry, chained, and for each
handover its units, what clients were told is safe, what the new side held, the hashes, how long clients were held, who
decided, what was forced, and the differences that are explained. docs/ledger.md describes it; conformance/ledger-check
recomputes it from the two clusters without any code of sluice.

Examples:
  sluice ledger orders
  sluice ledger orders --output orders.json";

#[derive(Debug, Args)]
struct LedgerArgs {
    /// Name of the migration
    migration: String,
    /// Write the account into this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const AUDIT: &str = "\
Who ordered what, from where, and what came of it.

Every order at the admin API (which these commands use) and every administrative request of a Kafka client: topics,
settings, rules, users, quotas, groups, offsets and records. The lines are also in audit.log in the data folder;
docs/audit.md describes them. A name in brackets was said, not proved.

Examples:
  sluice audit
  sluice audit --last 1000 --json";

#[derive(Debug, Args)]
struct AuditArgs {
    /// How many acts, the newest ones
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    last: u16,
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// What to show
    #[arg(default_value = "kafka", value_parser = ["kafka", "mqtt", "amqp", "bridge"])]
    protocol: String,
    /// A real broker in place of the one in this process
    #[arg(long, value_name = "HOST:PORT")]
    legacy: Option<String>,
    /// Seconds of traffic, shared by the phases [default: 40]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Nothing migrates: the same clients and account at legacy itself
    #[arg(long, hide = true)]
    rehearsal: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Phase {
    Observe,
    Mirror,
    DualWrite,
    Canary,
    Cutover,
    Retired,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Mirror => "mirror",
            Self::DualWrite => "dual-write",
            Self::Canary => "canary",
            Self::Cutover => "cutover",
            Self::Retired => "retired",
        }
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match dispatch(cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error, json),
    }
}

fn fail(error: &anyhow::Error, json: bool) -> ExitCode {
    let refused = error.downcast_ref::<Refused>();
    let wrong_usage = refused
        .is_some_and(|refused| matches!(refused.status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND))
        || error.downcast_ref::<RunError>().is_some_and(RunError::wrong_usage);
    let mut err = std::io::stderr().lock();
    // Where not even standard error takes a line, the exit status still says it.
    let _unheard = match refused {
        Some(refused) if json => writeln!(err, "{}", refused.body),
        Some(refused) => err.write_all(show::refused(&refused.to_string(), &refused.body).as_bytes()),
        None if json => writeln!(err, "{}", json!({ "error": format!("{error:#}") })),
        None => writeln!(err, "error: {error:#}"),
    };
    ExitCode::from(if wrong_usage { 2 } else { 1 })
}

fn dispatch(cli: Cli) -> Result<bool> {
    let json = cli.json;
    match cli.command {
        Command::Run(args) => run_command(&args, &cli.admin, json),
        Command::Check { config } => check(&config, json),
        Command::Demo(DemoArgs { protocol, legacy, seconds, rehearsal }) => {
            demo::run(&Demo { protocol, legacy, seconds, rehearsal, json })
        }
        Command::DemoClient { spec } => demo::client(&spec),
        Command::Conformance(args) => conformance::run(args, json),
        Command::Ask(question) => {
            let token = token(cli.token_file.as_deref())?;
            let api = Api { address: cli.admin, token };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(ask(&api, &question, json))
        }
    }
}

fn token(file: Option<&Path>) -> Result<Option<Secret>> {
    if let Some(file) = file {
        let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        return Ok(Some(Secret::new(own_token(&text).to_owned())));
    }
    Ok(std::env::var("SLUICE_TOKEN").ok().map(Secret::new))
}

/// The first token of a file; before it may stand whose it is.
fn own_token(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
    first.rsplit(char::is_whitespace).next().unwrap_or_default()
}

fn run_command(args: &RunArgs, admin: &str, json: bool) -> Result<bool> {
    let config = match &args.config {
        Some(path) => match config::load(path) {
            Ok(config) => config,
            Err(problems) => {
                write!(std::io::stderr(), "{}", config::render(&path.to_string_lossy(), &problems))?;
                return Ok(false);
            }
        },
        None => stand_alone(args, admin)?,
    };
    run::run(&config, json)?;
    Ok(true)
}

fn stand_alone(args: &RunArgs, admin: &str) -> Result<Config> {
    let mut config = Config::stand_alone();
    config.admin.listen = admin.parse().with_context(|| format!("--admin {admin}"))?;
    // Beyond loopback a configuration has to say who may give orders.
    anyhow::ensure!(
        config.admin.listen.ip().is_loopback(),
        "--admin {admin}: only loopback without a configuration"
    );
    if let (Some(listen), Some(kafka)) = (args.listen, &mut config.kernel.kafka) {
        kafka.listen = loopback("--listen", &listen.to_string())?;
    }
    if let Some(data) = &args.data {
        config.kernel.path.clone_from(data);
    }
    if args.memory {
        config.kernel.store = config::Store::Memory;
    }
    Ok(config)
}

/// Beyond loopback a configuration has to say who may connect, and how clients reach this machine.
fn loopback(option: &str, text: &str) -> Result<std::net::SocketAddr> {
    let address: std::net::SocketAddr = text.parse().with_context(|| format!("{option} {text}"))?;
    anyhow::ensure!(address.ip().is_loopback(), "{option} {text}: without a configuration only loopback");
    Ok(address)
}

fn check(path: &Path, json: bool) -> Result<bool> {
    let (ok, problems) = match config::load(path) {
        Ok(config) => (true, config.warnings),
        Err(problems) => (false, problems),
    };
    let mut out = std::io::stdout().lock();
    if json {
        let problems: Vec<_> = problems.iter().map(problem_json).collect();
        writeln!(out, "{}", json!({ "ok": ok, "problems": problems }))?;
    } else {
        write!(out, "{}", config::render(&path.to_string_lossy(), &problems))?;
        let count = problems.len();
        match (ok, count) {
            (true, 0) => writeln!(out, "{}: no problems", path.display())?,
            (true, _) => writeln!(out, "{}: usable, {count} warnings", path.display())?,
            (false, _) => writeln!(out, "{}: {count} problems", path.display())?,
        }
    }
    Ok(ok)
}

fn problem_json(problem: &Problem) -> Value {
    json!({
        "severity": match problem.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "key": problem.key,
        "message": problem.message,
        "help": problem.help,
        "line": problem.line,
        "column": problem.column,
    })
}

/// Asks, prints the answer, and says whether what it tells is as it should be.
async fn ask(api: &Api, question: &Ask, json: bool) -> Result<bool> {
    let answer = match question {
        Ask::Status => api.call("/v1/status", None).await?,
        Ask::Migrations => api.call("/v1/migrations", None).await?,
        Ask::Clients => api.call("/v1/clients", None).await?,
        Ask::Audit(args) => api.call(&format!("/v1/audit?last={}", args.last), None).await?,
        Ask::Ledger(args) => api.call(&path(&args.migration, "ledger"), None).await?,
        Ask::Verify(args) => verify::ask(api, args).await?,
        Ask::Advance(args) => api.call(&path(&args.migration, "advance"), Some(advance_order(args))).await?,
        Ask::Rollback(args) => {
            api.call(&path(&args.migration, "rollback"), Some(rollback_order(args))).await?
        }
        Ask::Resume(args) => {
            let order = json!({ "unit": args.unit, "discard_copy": args.discard_copy });
            api.call(&path(&args.migration, "resume"), Some(order)).await?
        }
    };
    let mut out = std::io::stdout().lock();
    if let Ask::Ledger(LedgerArgs { output: Some(file), .. }) = question {
        std::fs::write(file, format!("{answer:#}\n")).with_context(|| format!("{}", file.display()))?;
        let head = answer.pointer("/seal/head").and_then(Value::as_str).unwrap_or_default();
        let entries = answer.pointer("/seal/entries").and_then(Value::as_u64).unwrap_or_default();
        writeln!(out, "{}: {entries} entries, sealed {head}", file.display())?;
    } else if json {
        writeln!(out, "{answer}")?;
    } else {
        write!(out, "{}", shown(question, &answer))?;
    }
    Ok(holds(question, &answer))
}

/// An answer for people.
fn shown(question: &Ask, answer: &Value) -> String {
    match question {
        Ask::Status => show::status(answer),
        Ask::Migrations => show::migrations(answer),
        Ask::Clients => show::clients(answer, Clock::start().now().wall_ms),
        Ask::Audit(_) => show::audit(answer),
        Ask::Ledger(_) => show::ledger(answer),
        Ask::Verify(_) => show::verified(answer),
        Ask::Advance(AdvanceArgs { migration, .. }) | Ask::Rollback(RollbackArgs { migration, .. }) => {
            show::ordered(migration, answer)
        }
        Ask::Resume(_) => show::resumed(answer),
    }
}

fn holds(question: &Ask, answer: &Value) -> bool {
    let is = |pointer: &str| answer.pointer(pointer).and_then(Value::as_bool);
    match question {
        Ask::Status => is("/health/healthy").unwrap_or_default(),
        Ask::Verify(_) => is("/verified").unwrap_or_default(),
        // An order with --wait says whether the phase was reached.
        Ask::Advance(_) | Ask::Rollback(_) => is("/reached").unwrap_or(true),
        Ask::Migrations | Ask::Clients | Ask::Audit(_) | Ask::Ledger(_) | Ask::Resume(_) => true,
    }
}

fn path(migration: &str, what: &str) -> String {
    let mut name = String::new();
    for byte in migration.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("/v1/migrations/{name}/{what}")
}

fn wait_ms(seconds: Option<u64>) -> Option<u64> {
    seconds.map(|seconds| seconds.min(WAIT_SECONDS * 6).saturating_mul(1000))
}

fn advance_order(args: &AdvanceArgs) -> Value {
    json!({
        "phase": args.phase.map(Phase::word),
        "percent": args.percent,
        "wait_ms": wait_ms(args.wait),
        "force": args.force,
    })
}

fn rollback_order(args: &RollbackArgs) -> Value {
    json!({ "phase": args.phase.map(Phase::word), "wait_ms": wait_ms(args.wait) })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wait_takes_an_optional_number() {
        let wait = |args: &[&str]| {
            let cli = Cli::try_parse_from([&["sluice", "advance", "m"], args].concat()).unwrap();
            let Command::Ask(Ask::Advance(args)) = cli.command else { panic!("{cli:?}") };
            (args.wait, args.phase.map(Phase::word))
        };
        assert_eq!(wait(&[]), (None, None));
        assert_eq!(wait(&["cutover", "--wait"]), (Some(600), Some("cutover")));
        assert_eq!(wait(&["--wait=5", "dual-write"]), (Some(5), Some("dual-write")));
    }

    #[test]
    fn a_copy_is_discarded_only_when_it_is_said() {
        let resume = |args: &[&str]| {
            let cli = Cli::try_parse_from([&["sluice", "resume", "m"], args].concat()).unwrap();
            let Command::Ask(Ask::Resume(args)) = cli.command else { panic!("{cli:?}") };
            (args.unit, args.discard_copy)
        };
        assert_eq!(resume(&[]), (None, false));
        assert_eq!(resume(&["events/t/0"]), (Some("events/t/0".to_owned()), false));
        assert_eq!(resume(&["--discard-copy"]), (None, true));
    }

    #[test]
    fn a_token_is_found_behind_its_operators_name() {
        for text in
            ["0123456789abcdef\n", "ada 0123456789abcdef\n", "# mine\n\nada\t0123456789abcdef\nbob x\n"]
        {
            assert_eq!(own_token(text), "0123456789abcdef");
        }
        assert_eq!(own_token(""), "");
    }

    #[test]
    fn names_cannot_leave_their_place_in_a_path() {
        assert_eq!(path("a/../b?x", "ledger"), "/v1/migrations/a%2F%2E%2E%2Fb%3Fx/ledger");
    }
}
