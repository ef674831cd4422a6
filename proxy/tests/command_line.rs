//! What the binary answers, and with which exit status.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

fn sluice(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.args(args).env_remove("SLUICE_ADMIN").env_remove("SLUICE_TOKEN");
    command
}

fn output(args: &[&str]) -> Output {
    sluice(args).output().unwrap()
}

fn status(args: &[&str]) -> i32 {
    output(args).status.code().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running sluice that is killed when the test is over.
struct Running {
    child: Child,
    admin: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _already_gone = self.child.wait();
    }
}

fn run(config: &str) -> Running {
    run_with(config, Stdio::null())
}

fn run_with(config: &str, stderr: Stdio) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sluice.toml");
    std::fs::write(&file, config).unwrap();
    let mut child = sluice(&["run", "--json", "--config"])
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let serves: serde_json::Value = serde_json::from_str(&line).unwrap();
    let rows = serves["serves"].as_array().unwrap().clone();
    let admin = rows.iter().find(|row| row["what"] == "admin").unwrap();
    Running { child, admin: admin["address"].as_str().unwrap().to_owned() }
}

const ALONE: &str = "[kernel]\nstore = \"memory\"\n[kernel.kafka]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let nobody = ["--admin", "127.0.0.1:1"];
    for (args, expected) in [
        (vec![], 2),
        (vec!["nonsense"], 2),
        (vec!["advance"], 2),
        (vec!["advance", "m", "sideways"], 2),
        (vec!["advance", "m", "canary", "--percent", "101"], 2),
        (vec!["rollback", "m", "--force"], 2),
        (vec!["check"], 2),
        (vec!["run", "--config", "x", "--memory"], 2),
        (vec!["check", "/no/such/file"], 1),
        (vec!["run", "--config", "/no/such/file"], 1),
        ([&nobody[..], &["status"]].concat(), 1),
        (vec!["--help"], 0),
        (vec!["--version"], 0),
    ] {
        assert_eq!(status(&args), expected, "{args:?}");
    }
}

#[test]
fn help_teaches_the_phases() {
    let help = text(&output(&["--help"]).stdout);
    for word in
        ["observe", "mirror", "dual-write", "canary", "cutover", "retired", "sluice demo", "Exit status"]
    {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
}

#[test]
fn help_teaches_what_a_resume_deletes_and_when_it_is_refused() {
    let help = text(&output(&["resume", "--help"]).stdout);
    for word in ["--discard-copy", "deletes", "from its beginning", "refused", "ledger", "sluice migrations"]
    {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
}

#[test]
fn check_reports_every_problem_in_both_forms() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sluice.toml");
    std::fs::write(&file, "[kernel]\nshards = 0\nbogus = 1\n").unwrap();
    let path = file.to_str().unwrap();
    let output = output(&["check", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains(":2:10") && text(&output.stdout).contains(":3:1"));
    let json: serde_json::Value =
        serde_json::from_slice(&sluice(&["check", path, "--json"]).output().unwrap().stdout).unwrap();
    assert_eq!((json["ok"].as_bool(), json["problems"].as_array().unwrap().len()), (Some(false), 2));
    std::fs::write(&file, ALONE).unwrap();
    assert_eq!(status(&["check", path]), 0);
}

#[test]
fn a_running_sluice_is_asked_and_stops_when_told() {
    let mut running = run(ALONE);
    let admin = running.admin.clone();
    let ask = |args: &[&str]| output(&[&["--admin", &admin, "--json"], args].concat());
    let status = ask(&["status"]);
    assert_eq!(status.status.code(), Some(0), "{}", text(&status.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(answer["health"]["ready"], true);
    for command in ["migrations", "clients"] {
        assert_eq!(ask(&[command]).status.code(), Some(0));
    }
    for command in ["advance", "rollback", "resume", "verify", "ledger"] {
        assert_eq!(ask(&[command, "nobody"]).status.code(), Some(2), "{command}");
    }
    let pid = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(wait(&mut running.child), Some(0));
}

#[test]
fn a_token_is_asked_for_and_taken_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a-token-of-some-length\n").unwrap();
    let config = format!("{ALONE}token_file = {:?}\n", token.to_str().unwrap());
    let running = run(&config);
    assert_eq!(status(&["--admin", &running.admin, "status"]), 1);
    let with = ["--admin", &running.admin, "--token-file", token.to_str().unwrap(), "status"];
    assert_eq!(status(&with), 0);
}

#[test]
fn a_secret_is_found_nowhere() {
    let secret = "planted-secret-0123456789";
    let config = format!("{ALONE}token = \"{secret}\"\n[log]\nformat = \"json\"\nlevel = \"debug\"\n");
    let mut running = run_with(&config, Stdio::piped());
    let mut ask = sluice(&["--admin", &running.admin, "--json", "status"]);
    let status = ask.env("SLUICE_TOKEN", secret).output().unwrap();
    assert_eq!(status.status.code(), Some(0));
    let wrong = output(&["--admin", &running.admin, "--json", "status"]);
    let pid = running.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut log = String::new();
    std::io::Read::read_to_string(&mut running.child.stderr.take().unwrap(), &mut log).unwrap();
    assert!(log.contains("\"listening\""), "{log}");
    for shown in [log, text(&status.stdout), text(&status.stderr), text(&wrong.stdout), text(&wrong.stderr)] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

fn wait(child: &mut Child) -> Option<i32> {
    for _ in 0..600 {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "a process cannot be waited for with a deadline otherwise"
        )]
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it does not stop")
}

/// Ports that are free, below those that the system hands out by itself: between this look and their use nobody who
/// binds port 0 or connects is given one of them.
fn free_ports() -> [u16; 3] {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = || 20_000 + (std::process::id() * 37 + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
    std::array::from_fn(|_| {
        let mut ports = std::iter::repeat_with(|| u16::try_from(next()).unwrap()).take(10_000);
        ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
    })
}

fn in_front_of_nobody(data: &std::path::Path) -> String {
    let [listen, broker, kernel] = free_ports();
    let path = data.to_str().unwrap();
    format!(
        "[kernel]\npath = {path:?}\n[admin]\nlisten = \"127.0.0.1:0\"\n[[cluster]]\nname = \"events\"\n\
         protocol = \"kafka\"\nlegacy = [\"127.0.0.1:1\"]\nlisten = \"127.0.0.1:{listen}\"\n\
         ports = \"{broker}-{broker}\"\nkernel_listen = \"127.0.0.1:{kernel}\"\n\
         [[migration]]\nname = \"orders\"\ncluster = \"events\"\ntopics = [\"orders\"]\n"
    )
}

#[test]
fn a_cluster_that_is_not_reached_is_named_with_the_reason_and_the_process_runs_on() {
    let folder = tempfile::tempdir().unwrap();
    let running = run(&in_front_of_nobody(&folder.path().join("data")));
    let mut seen = String::new();
    for _ in 0..600 {
        seen = readyz(&running.admin);
        if seen.contains("127.0.0.1:1: ") {
            break;
        }
        pause();
    }
    assert!(seen.starts_with("HTTP/1.1 503") && seen.contains("\"name\":\"events\""), "{seen}");
    assert!(seen.contains("legacy is not reached: 127.0.0.1:1: "), "{seen}");
    assert_eq!(status(&["--admin", &running.admin, "status"]), 0);
}

#[test]
fn a_port_that_is_taken_ends_the_start_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = in_front_of_nobody(&folder.path().join("data"));
    let taken =
        config.lines().find_map(|line| line.strip_prefix("kernel_listen = ")).unwrap().trim_matches('"');
    let _holder = std::net::TcpListener::bind(taken).unwrap();
    let mut running = run_with(&config, Stdio::piped());
    assert_eq!(wait(&mut running.child), Some(1));
    let mut log = String::new();
    std::io::Read::read_to_string(&mut running.child.stderr.take().unwrap(), &mut log).unwrap();
    assert!(log.contains("cluster events") && log.contains(taken), "{log}");
}

fn readyz(admin: &str) -> String {
    let mut stream = std::net::TcpStream::connect(admin).unwrap();
    let head = format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    answer
}

#[allow(clippy::disallowed_methods, reason = "another process is waited for")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}
