//! The processes of the demo and what they need: a temporary folder, free ports, configurations. Everything is the
//! same binary, started again; everything ends with the stage, by its process id.

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::line::Line;
use super::spec::ClientSpec;
use super::steer::Steering;

/// How long a server may take until it serves.
const START_WAIT: Duration = Duration::from_secs(30);
/// How long a client may take to end by itself once told.
const END_WAIT: Duration = Duration::from_secs(60);
/// Ports are taken from here up: below those that the system gives to outgoing connections.
const PORTS_FROM: u16 = 12_000;
const PORTS_UNTIL: u16 = 31_000;
/// Lines that may wait for the account; a full queue slows the clients down.
const LINES_MAX: usize = 20_000;

/// A server process.
struct Server {
    name: String,
    child: Child,
    log: PathBuf,
}

/// A client process. Dropping `input` tells it to finish.
struct Client {
    name: String,
    child: Child,
    input: Option<tokio::process::ChildStdin>,
}

/// All processes of one demo.
pub(super) struct Stage {
    program: PathBuf,
    folder: TempDir,
    servers: Vec<Server>,
    clients: Vec<Client>,
    lines: mpsc::Sender<Line>,
    histories: Vec<PathBuf>,
}

impl Stage {
    /// Nothing runs yet. What clients say comes out of the receiver.
    pub(super) fn new(program: PathBuf) -> anyhow::Result<(Self, mpsc::Receiver<Line>)> {
        let (lines, heard) = mpsc::channel(LINES_MAX);
        let folder =
            tempfile::Builder::new().prefix("sluice-demo-").tempdir().context("no temporary folder")?;
        let stage =
            Self { program, folder, servers: Vec::new(), clients: Vec::new(), lines, histories: Vec::new() };
        Ok((stage, heard))
    }

    /// The temporary folder.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Files with everything that clients said, as histories.
    pub(super) fn histories(&self) -> &[PathBuf] {
        &self.histories
    }

    /// Adds lines to the histories that no client said.
    pub(super) fn add_history(&mut self, name: &str, lines: &[String]) -> anyhow::Result<()> {
        let path = self.folder().join(format!("{name}.jsonl"));
        let mut file = File::create(&path)?;
        for line in lines {
            writeln!(file, "{line}")?;
        }
        self.histories.push(path);
        Ok(())
    }

    /// Writes a server's configuration.
    pub(super) fn configure(&self, name: &str, config: &str) -> anyhow::Result<PathBuf> {
        let path = self.folder().join(format!("{name}.toml"));
        std::fs::write(&path, config)?;
        Ok(path)
    }

    /// Starts a server with this configuration and waits until it serves.
    pub(super) async fn serve(&mut self, name: &str, config: &str, admin: u16) -> anyhow::Result<()> {
        let path = self.configure(name, config)?;
        let log = self.folder().join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(&self.program)
            .arg("run")
            .arg("--config")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        self.servers.push(Server { name: name.to_owned(), child, log });
        let steering = Steering::new(format!("127.0.0.1:{admin}"), "");
        let until = Instant::now() + START_WAIT;
        while !steering.ready().await {
            self.check_servers()?;
            ensure!(Instant::now() < until, "{name} does not serve: {}", self.last_words(name));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Fails if a server has ended by itself.
    pub(super) fn check_servers(&mut self) -> anyhow::Result<()> {
        let mut ended = None;
        for server in &mut self.servers {
            if let Some(status) = server.child.try_wait()? {
                ended = Some((server.name.clone(), status));
            }
        }
        match ended {
            Some((name, status)) => bail!("{name} ended ({status}): {}", self.last_words(&name)),
            None => Ok(()),
        }
    }

    /// The end of a server's log.
    pub(super) fn last_words(&self, name: &str) -> String {
        let log = self.servers.iter().find(|server| server.name == name).map(|server| &server.log);
        let text = log.and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join(" / ")
    }

    /// Starts a client.
    pub(super) fn client(&mut self, name: &str, spec: &ClientSpec) -> anyhow::Result<()> {
        let mut child = Command::new(&self.program)
            .arg("demo-client")
            .arg(serde_json::to_string(spec)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("no output")?;
        let path = self.folder().join(format!("client-{name}.jsonl"));
        let history = std::io::BufWriter::new(File::create(&path)?);
        self.histories.push(path);
        tokio::spawn(hear(output, history, self.lines.clone()));
        self.clients.push(Client { name: name.to_owned(), child, input });
        Ok(())
    }

    /// Tells the clients whose names begin like this to finish.
    pub(super) fn tell_to_finish(&mut self, prefix: &str) {
        for client in self.clients.iter_mut().filter(|client| client.name.starts_with(prefix)) {
            client.input = None;
        }
    }

    /// Whether every client whose name begins like this has ended; what went wrong with those that have.
    pub(super) fn finished(&mut self, prefix: &str) -> anyhow::Result<(bool, Vec<String>)> {
        let mut all = true;
        let mut wrong = Vec::new();
        for client in self.clients.iter_mut().filter(|client| client.name.starts_with(prefix)) {
            match client.child.try_wait()? {
                None => all = false,
                Some(status) if !status.success() => {
                    wrong.push(format!("{} ended with {status}", client.name))
                }
                Some(_) => {}
            }
        }
        Ok((all, wrong))
    }

    /// How long clients may take once told to finish.
    pub(super) fn patience() -> Duration {
        END_WAIT
    }

    /// Ends every process that still runs.
    pub(super) async fn end(&mut self) {
        let children = self.clients.iter_mut().map(|client| &mut client.child);
        for child in children.chain(self.servers.iter_mut().map(|server| &mut server.child)) {
            // One that has ended already is only reaped.
            let _gone_already = child.kill().await;
        }
        self.clients.clear();
        self.servers.clear();
    }
}

/// Passes a client's lines on, and writes them down as its history.
async fn hear(
    output: tokio::process::ChildStdout,
    mut history: std::io::BufWriter<File>,
    lines: mpsc::Sender<Line>,
) {
    let mut input = BufReader::new(output).lines();
    while let Ok(Some(text)) = input.next_line().await {
        let written = writeln!(history, "{text}");
        let line = serde_json::from_str(&text);
        let line = match (line, written) {
            (Ok(line), Ok(())) => line,
            (Err(error), _) => Line::Error { error: format!("a client's line cannot be read: {error}") },
            (_, Err(error)) => Line::Error { error: format!("a history cannot be written: {error}") },
        };
        let done = matches!(line, Line::Done { .. });
        if done && history.flush().is_err() {
            return;
        }
        if lines.send(line).await.is_err() {
            return;
        }
    }
}

/// A block of free ports on loopback, one after the other.
pub(super) fn free_ports(count: u16) -> anyhow::Result<Vec<u16>> {
    let span = PORTS_UNTIL - PORTS_FROM;
    let mut seed = std::process::id().wrapping_mul(2_654_435_761);
    for _ in 0..500 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let from = PORTS_FROM + u16::try_from(seed >> 16).unwrap_or(0) % span;
        let ports: Vec<u16> = (from..from + count).collect();
        let bound: Result<Vec<_>, _> =
            ports.iter().map(|port| TcpListener::bind(("127.0.0.1", *port))).collect();
        if bound.is_ok() {
            return Ok(ports);
        }
    }
    bail!("no {count} free ports in a row between {PORTS_FROM} and {PORTS_UNTIL}")
}
