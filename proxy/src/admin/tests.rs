mod hostile;

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::control::{Advance, Answering, Resume, Rollback, Verify};

const TOKEN: &str = "0123456789abcdef";

/// Remembers what it was told, and refuses what "blocked" asks.
#[derive(Default)]
struct Told(Mutex<Vec<Advance>>);

impl Control for Told {
    fn status(&self) -> Value {
        json!({ "migrations": [{ "name": "orders", "phase": "mirror" }] })
    }
    fn migrations(&self) -> Value {
        json!([{ "name": "orders" }])
    }
    fn ledger(&self, migration: &str) -> Result<Value, Refusal> {
        Err(Refusal::Unknown(migration.to_owned()))
    }
    fn advance(&self, order: Advance) -> Answering<'_> {
        let outcome = match order.migration.as_str() {
            "blocked" => Err(Refusal::Blocked { reason: "lag".to_owned(), detail: json!({ "records": 5 }) }),
            _ => Ok(json!({ "phase": order.phase })),
        };
        self.0.lock().push(order);
        Box::pin(std::future::ready(outcome))
    }
    fn rollback(&self, _: Rollback) -> Answering<'_> {
        Box::pin(std::future::ready(Ok(json!({}))))
    }
    fn resume(&self, order: Resume) -> Answering<'_> {
        let said = json!({ "unit": order.unit, "discard_copy": order.discard_copy });
        let unsound = Refusal::Blocked { reason: "type --discard-copy".to_owned(), detail: Value::Null };
        let outcome =
            if order.migration == "unsound" && !order.discard_copy { Err(unsound) } else { Ok(said) };
        Box::pin(std::future::ready(outcome))
    }
    fn verify(&self, _: Verify) -> Answering<'_> {
        Box::pin(std::future::ready(Err(Refusal::Failed("disk".to_owned()))))
    }
    fn verifying(&self, _: &str) -> Value {
        json!({ "running": false })
    }
}

struct Bench {
    address: SocketAddr,
    told: Arc<Told>,
    health: Arc<Health>,
    folder: tempfile::TempDir,
}

async fn bench(token: Option<&str>) -> Bench {
    bench_with(Tokens::one(token.map(|token| config::Secret::new(token.to_owned()))), Duration::from_secs(20))
        .await
}

async fn bench_with(tokens: Tokens, patience: Duration) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let (told, health, clock) = (Arc::new(Told::default()), Arc::new(Health::default()), Clock::start());
    let admin = Admin {
        control: Arc::clone(&told) as Arc<dyn Control>,
        inventory: Arc::new(Inventory::new(clock, 10)),
        health: Arc::clone(&health),
        metrics: crate::telemetry::start_metrics(),
        memory: Arc::new(Memory::new(1 << 20)),
        patience,
        tokens,
        audit: Arc::new(Audit::new(Some(folder.path().to_owned()), clock)),
        clock,
        serves: json!([]),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, Arc::new(admin), std::future::pending()));
    Bench { address, told, health, folder }
}

impl Bench {
    /// Status and body of a request that is written out by hand.
    async fn send(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let host = if head.contains("Host:") { String::new() } else { format!("Host: {}\r\n", self.address) };
        let text = format!(
            "{}\r\n{host}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            head.replace('\n', "\r\n"),
            body.len()
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // A refused body may end in a reset after the answer.
        let _reset = stream.read_to_string(&mut answer).await;
        let status = answer.split(' ').nth(1).unwrap_or("0").parse().unwrap();
        (status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
    }
}

const JSON: &str = "Content-Type: application/json";

#[tokio::test]
async fn requests_are_judged_before_they_are_served() {
    let bench = bench(Some(TOKEN)).await;
    let good = format!("Authorization: Bearer {TOKEN}");
    let origin = format!("Origin: http://{}", bench.address);
    let rows = [
        ("GET /healthz HTTP/1.1".to_owned(), 200),
        ("GET /v1/status HTTP/1.1".to_owned(), 401),
        ("GET /metrics HTTP/1.1".to_owned(), 401),
        ("GET /v1/status HTTP/1.1\nAuthorization: Bearer 0123456789abcdeX".to_owned(), 401),
        ("GET /v1/status HTTP/1.1\nAuthorization: Bearer ".to_owned(), 401),
        (format!("GET /v1/status?token={TOKEN} HTTP/1.1"), 401),
        (format!("GET /v1/status HTTP/1.1\n{good}"), 200),
        (format!("GET /v1/status HTTP/1.1\n{good}\nHost: evil.example"), 403),
        (format!("GET /v1/status HTTP/1.1\n{good}\nHost: localhost:1"), 200),
        (format!("GET /v1/status HTTP/1.1\n{good}\nOrigin: http://evil.example"), 403),
        (format!("GET /v1/status HTTP/1.1\n{good}\nOrigin: null"), 403),
        (format!("GET /v1/status HTTP/1.1\n{good}\n{origin}"), 200),
        (format!("GET /v1/../v1/status HTTP/1.1\n{good}"), 404),
        (format!("GET /v1/migrations/%2e%2e/ledger HTTP/1.1\n{good}"), 404),
        (format!("POST /v1/migrations/orders/advance HTTP/1.1\n{good}"), 415),
        (format!("POST /v1/migrations/orders/advance HTTP/1.1\n{good}\n{JSON}"), 200),
        (format!("POST /v1/migrations/orders/verify HTTP/1.1\n{good}\n{JSON}"), 500),
    ];
    for (head, expected) in rows {
        assert_eq!(bench.send(&head, "").await.0, expected, "{head}");
    }
}

#[tokio::test]
async fn orders_arrive_as_they_were_given() {
    let bench = bench(None).await;
    let post = |name: &str| format!("POST /v1/migrations/{name}/advance HTTP/1.1\n{JSON}");
    let body = r#"{"phase":"canary","percent":10,"wait_ms":5000,"force":true}"#;
    assert_eq!(bench.send(&post("orders"), body).await.0, 200);
    let order = bench.told.0.lock().pop().unwrap();
    assert_eq!(order.phase.as_deref(), Some("canary"));
    assert_eq!((order.percent, order.force), (Some(10), true));
    assert_eq!(order.wait, Some(Duration::from_secs(5)));

    let (status, body) = bench.send(&post("blocked"), "{}").await;
    assert_eq!((status, body.contains("\"records\":5")), (409, true));
    for wrong in ["{\"phaze\":1}", "[", "{\"percent\":1000}", &"[".repeat(10_000)] {
        assert_eq!(bench.send(&post("orders"), wrong).await.0, 400, "{wrong}");
    }
    assert_eq!(bench.send(&post("orders"), &"x".repeat(100_000)).await.0, 413);
}

#[tokio::test]
async fn an_order_to_resume_arrives_as_it_was_given_and_never_discards_unasked() {
    let bench = bench(None).await;
    let post = |name: &str| format!("POST /v1/migrations/{name}/resume HTTP/1.1\n{JSON}");
    let said = |body: String| serde_json::from_str::<Value>(&body).unwrap();
    let full = r#"{"unit":"events/t/0","discard_copy":true}"#;
    let (status, body) = bench.send(&post("orders"), full).await;
    assert_eq!((status, said(body)), (200, json!({ "unit": "events/t/0", "discard_copy": true })));
    for empty in ["", "{}"] {
        let (status, body) = bench.send(&post("orders"), empty).await;
        assert_eq!((status, said(body)), (200, json!({ "unit": null, "discard_copy": false })));
    }
    let (status, body) = bench.send(&post("unsound"), "{}").await;
    assert_eq!((status, body.contains("--discard-copy")), (409, true));
    assert_eq!(bench.send(&post("orders"), r#"{"force":true}"#).await.0, 400);
}

#[tokio::test]
async fn a_fault_is_seen_by_whoever_restarts_processes() {
    let bench = bench(None).await;
    assert_eq!(bench.send("GET /readyz HTTP/1.1", "").await.0, 503);
    bench.health.set_ready(true);
    assert_eq!(bench.send("GET /readyz HTTP/1.1", "").await.0, 200);
    bench.health.set_cluster("events", Some("legacy is not reached: refused".to_owned()));
    let (status, body) = bench.send("GET /readyz HTTP/1.1", "").await;
    assert_eq!(status, 503);
    let body: Value = serde_json::from_str(&body).unwrap();
    let waits = json!([{ "name": "events", "ready": false, "reason": "legacy is not reached: refused" }]);
    assert_eq!((&body["started"], &body["clusters"]), (&json!(true), &waits));
    assert_eq!(bench.send("GET /healthz HTTP/1.1", "").await.0, 200);
    bench.health.set_cluster("events", None);
    assert_eq!(bench.send("GET /readyz HTTP/1.1", "").await.0, 200);
    bench.health.fail("shard 0", "disk gone");
    assert_eq!(bench.send("GET /readyz HTTP/1.1", "").await.0, 503);
    assert_eq!(bench.send("GET /healthz HTTP/1.1", "").await.0, 503);
    let (status, body) = bench.send("GET /v1/status HTTP/1.1", "").await;
    assert_eq!((status, body.contains("disk gone")), (200, true));
    assert!(body.contains("\"phase\":\"mirror\""));
}

#[tokio::test]
async fn every_order_is_in_the_audit_log_with_who_gave_it_and_no_secret() {
    let tokens = Tokens::parse(&format!("{TOKEN}\nada fedcba9876543210\n")).unwrap();
    let bench = bench_with(tokens, Duration::from_secs(20)).await;
    let order = |name: &str, token: &str, who: &str| {
        format!(
            "POST /v1/migrations/{name}/advance HTTP/1.1\n{JSON}\nAuthorization: Bearer {token}\nx-sluice-operator: {who}"
        )
    };
    let body = r#"{"phase":"canary","percent":10}"#;
    assert_eq!(bench.send(&order("orders", "fedcba9876543210", "bob"), body).await.0, 200);
    assert_eq!(bench.told.0.lock().pop().unwrap().by, "ada", "the token's name counts, not what is said");
    assert_eq!(bench.send(&order("orders", TOKEN, "ada"), "{}").await.0, 200);
    assert_eq!(bench.send(&order("blocked", TOKEN, "bob@here"), "{}").await.0, 409);
    assert_eq!(bench.send(&order("orders", "wrong-wrong-wrong", "eve"), body).await.0, 401);
    assert_eq!(bench.send(&order("orders", TOKEN, "bob"), r#"{"secret":"hunter2"}"#).await.0, 400);
    let path = format!("GET /v1/audit?last=5 HTTP/1.1\nAuthorization: Bearer {TOKEN}");
    let (status, text) = bench.send(&path, "").await;
    assert_eq!(status, 200);
    let told: Value = serde_json::from_str(&text).unwrap();
    let row = |act: &Value| {
        let text = |key: &str| act[key].as_str().unwrap().to_owned();
        (text("who"), act["proved"] == true, text("what"), text("outcome"), act["done"] == true)
    };
    let acts: Vec<_> = told["acts"].as_array().unwrap().iter().map(row).collect();
    let at = |name: &str, more: &str| format!("/v1/migrations/{name}/advance{more}");
    let full = " phase=\"canary\" percent=10";
    let expected = [
        ("ada", true, at("orders", full), "ok", true),
        ("ada (not proved)", false, at("orders", ""), "ok", true),
        ("bob@here", false, at("blocked", ""), "409 Conflict", false),
        ("eve", false, at("orders", ""), "401 Unauthorized", false),
        ("bob", false, at("orders", ""), "400 Bad Request", false),
    ];
    let expected = expected
        .map(|(who, proved, what, outcome, done)| (who.to_owned(), proved, what, outcome.to_owned(), done));
    assert_eq!(acts, expected);
    assert!(told["acts"][0]["from"] == "127.0.0.1");
    let file = std::fs::read_to_string(bench.folder.path().join("audit.log")).unwrap();
    assert_eq!(file.lines().count(), 5);
    for secret in [TOKEN, "fedcba9876543210", "hunter2", "wrong-wrong-wrong"] {
        assert!(!file.contains(secret), "{secret}");
    }
    assert_eq!(bench.send(&path.replace("last=5", "last=99999"), "").await.0, 400);
}
