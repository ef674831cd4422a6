//! The admin API of the running proxy, asked over plain HTTP like any operator's script: phases forward and back, and what
//! only the proxy knows (divergences, the gate, its verification). No count of the account comes from here.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Largest answer taken, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How long an answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(30);
/// How often the state is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What the proxy says of the migration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shown {
    /// Its phase.
    pub(super) phase: String,
    /// Where it is going, if it is.
    pub(super) wanted: Option<String>,
    /// What it is doing.
    pub(super) doing: String,
    /// How long clients have been held by the handover that runs.
    pub(super) fenced_ms: Option<u64>,
    /// Requirements of the gate that do not hold.
    pub(super) red: Vec<String>,
    /// Largest lag of a unit, in records.
    pub(super) lag_records: Option<u64>,
    /// Divergences on disk.
    pub(super) divergences: u64,
    /// Those that nothing explains.
    pub(super) unexplained: u64,
    /// Units.
    pub(super) units: usize,
}

/// The canary as the proxy shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Canary {
    /// Consumers that have read from the kernel.
    pub(super) reading: u64,
    /// Their fetches there.
    pub(super) served: u64,
    /// Fetches that were sent back to legacy.
    pub(super) sent_back: u64,
}

/// Where the API is.
#[derive(Debug, Clone)]
pub(super) struct Steering {
    address: String,
    migration: String,
}

impl Steering {
    pub(super) fn new(address: String, migration: &str) -> Self {
        Self { address, migration: migration.to_owned() }
    }

    /// Whether the process says that it serves.
    pub(super) async fn ready(&self) -> bool {
        self.ask("GET", "/readyz", None).await.is_ok_and(|(status, _)| status == 200)
    }

    /// The migration as it stands.
    pub(super) async fn look(&self) -> anyhow::Result<Shown> {
        let (status, answer) = self.ask("GET", "/v1/migrations", None).await?;
        ensure!(status == 200, "{}", refusal(&answer));
        let list = answer.as_array().or_else(|| answer.get("migrations").and_then(Value::as_array));
        let named = |one: &&Value| one.get("name").and_then(Value::as_str) == Some(&self.migration);
        let found = list.and_then(|list| list.iter().find(named));
        found.map(shown).with_context(|| format!("the proxy knows no migration {}", self.migration))
    }

    /// Keeps looking; the latest is in the channel. Ends with its receivers.
    pub(super) fn watch(&self) -> watch::Receiver<Shown> {
        let (latest, seen) = watch::channel(Shown::default());
        let steering = self.clone();
        tokio::spawn(async move {
            while !latest.is_closed() {
                if let Ok(shown) = steering.look().await {
                    latest.send_replace(shown);
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        seen
    }

    /// Orders the migration forward; a red gate is asked again until `patience` is over.
    pub(super) async fn advance(
        &self,
        phase: &str,
        percent: Option<u8>,
        patience: Duration,
    ) -> anyhow::Result<()> {
        self.order("advance", phase, json!({ "phase": phase, "percent": percent }), patience).await
    }

    /// Orders the migration back, as soon as the way is open.
    pub(super) async fn rollback(&self, phase: &str, patience: Duration) -> anyhow::Result<()> {
        self.order("rollback", phase, json!({ "phase": phase }), patience).await
    }

    async fn order(&self, order: &str, phase: &str, body: Value, patience: Duration) -> anyhow::Result<()> {
        let until = tokio::time::Instant::now() + patience;
        let path = format!("/v1/migrations/{}/{order}", self.migration);
        loop {
            let (status, answer) = self.ask("POST", &path, Some(body.clone())).await?;
            if status == 200 || status == 202 {
                return Ok(());
            }
            let blocked = status == 409 && tokio::time::Instant::now() < until;
            ensure!(blocked, "the way to {phase} is barred: {}", refusal(&answer));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Who reads from the kernel in canary.
    pub(super) async fn canary(&self) -> anyhow::Result<Canary> {
        let (status, answer) = self.ask("GET", "/v1/status", None).await?;
        ensure!(status == 200, "{}", refusal(&answer));
        let canary = answer.pointer("/clusters/0/canary").context("a status without the canary")?;
        let number = |name: &str| canary.get(name).and_then(Value::as_u64).unwrap_or_default();
        Ok(Canary { reading: number("reading"), served: number("served"), sent_back: number("sent_back") })
    }

    /// Asks for a comparison of both sides: what came of it, or why there is none.
    pub(super) async fn verify(&self) -> anyhow::Result<bool> {
        let path = format!("/v1/migrations/{}/verify", self.migration);
        let (status, answer) = self.ask("POST", &path, Some(json!({}))).await?;
        ensure!(status == 200, "{}", refusal(&answer));
        answer.get("verified").and_then(Value::as_bool).context("an answer without `verified`")
    }

    /// Longest fence in the migration's ledger.
    pub(super) async fn longest_fence_ms(&self) -> anyhow::Result<u64> {
        let path = format!("/v1/migrations/{}/ledger", self.migration);
        let (status, answer) = self.ask("GET", &path, None).await?;
        ensure!(status == 200, "{}", refusal(&answer));
        let entries = answer.get("entries").and_then(Value::as_array).context("a ledger without entries")?;
        Ok(entries
            .iter()
            .filter_map(|entry| entry.get("fence_ms").and_then(Value::as_u64))
            .max()
            .unwrap_or(0))
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> anyhow::Result<(u16, Value)> {
        tokio::time::timeout(ANSWER_WAIT, self.exchange(method, path, body))
            .await
            .context("no answer in time")?
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<Value>) -> anyhow::Result<(u16, Value)> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        read_answer(&answer)
    }
}

fn read_answer(answer: &[u8]) -> anyhow::Result<(u16, Value)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("no end of the headers")?;
    let (head, body) = answer.split_at(end);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    let body = body.get(4..).unwrap_or_default();
    let body = if head.contains("transfer-encoding: chunked") { unchunked(body)? } else { body.to_vec() };
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

fn unchunked(mut body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let Some(end) = body.windows(2).position(|two| two == b"\r\n") else { bail!("a torn chunk") };
        let (size, rest) = body.split_at(end);
        let size = usize::from_str_radix(String::from_utf8_lossy(size).trim(), 16)?;
        if size == 0 {
            return Ok(whole);
        }
        let chunk = rest.get(2..2 + size).context("a torn chunk")?;
        whole.extend_from_slice(chunk);
        body = rest.get(2 + size + 2..).context("a torn chunk")?;
    }
}

fn refusal(answer: &Value) -> String {
    answer.get("error").and_then(Value::as_str).map_or_else(|| answer.to_string(), str::to_owned)
}

fn shown(migration: &Value) -> Shown {
    let word = |name: &str| migration.get(name).and_then(Value::as_str).map(str::to_owned);
    let units = migration.get("units").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of_units = |name: &str| units.iter().filter_map(|unit| unit.get(name).and_then(Value::as_u64)).sum();
    let lag = |unit: &Value| unit.pointer("/lag/records").and_then(Value::as_u64);
    let requirements = migration.pointer("/gate/requirements").and_then(Value::as_array);
    let red = |one: &Value| {
        let named = one.get("name").and_then(Value::as_str).map(str::to_owned);
        named.filter(|_| one.get("green").and_then(Value::as_bool) == Some(false))
    };
    Shown {
        phase: word("phase").unwrap_or_default(),
        wanted: word("wanted"),
        doing: word("doing").unwrap_or_default(),
        fenced_ms: migration.pointer("/handover/fenced_ms").and_then(Value::as_u64),
        red: requirements.into_iter().flatten().filter_map(red).collect(),
        lag_records: units.iter().filter_map(lag).max(),
        divergences: of_units("divergences"),
        unexplained: of_units("unexplained"),
        units: units.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_plain_and_chunked() {
        let plain = b"HTTP/1.1 409 Conflict\r\ncontent-length: 13\r\n\r\n{\"error\":\"x\"}";
        assert_eq!(read_answer(plain).unwrap(), (409, json!({ "error": "x" })));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n";
        assert_eq!(read_answer(chunked).unwrap(), (200, json!([1])));
        assert!(read_answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n[1").is_err());
    }

    #[test]
    fn what_the_proxy_shows_is_read() {
        let migration = json!({
            "name": "demo", "phase": "mirror", "wanted": "dual-write", "doing": "waiting for its gate",
            "handover": { "fenced_ms": 12 },
            "gate": { "requirements": [
                { "name": "units", "green": true }, { "name": "feed-lag", "green": false } ] },
            "units": [
                { "lag": { "records": 3 }, "divergences": 2, "unexplained": 1 },
                { "lag": null, "divergences": 1, "unexplained": 0 } ]
        });
        let expected = Shown {
            phase: "mirror".to_owned(),
            wanted: Some("dual-write".to_owned()),
            doing: "waiting for its gate".to_owned(),
            fenced_ms: Some(12),
            red: vec!["feed-lag".to_owned()],
            lag_records: Some(3),
            divergences: 3,
            unexplained: 1,
            units: 2,
        };
        assert_eq!(shown(&migration), expected);
    }
}
