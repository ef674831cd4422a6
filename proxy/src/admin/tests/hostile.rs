//! Callers that lie about lengths, or take their time.

use super::super::serving::CONNECTIONS_MAX;
use super::*;

const PATIENCE: Duration = Duration::from_millis(300);
/// Far longer than what is waited for; only a failure takes so long.
const LONG: Duration = Duration::from_secs(20);

impl Bench {
    /// All that comes back until the connection is closed, which it must be.
    async fn raw(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let _refused_meanwhile = stream.write_all(text.as_bytes()).await;
        until_closed(&mut stream).await
    }
}

async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "it is left open");
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn lengths_that_lie_are_refused_or_waited_for_no_longer_than_allowed() {
    let bench = bench_with(Tokens::one(None), PATIENCE).await;
    let host = format!("Host: {}", bench.address);
    let post = |lengths: &str, body: &str| {
        format!("POST /v1/migrations/orders/advance HTTP/1.1\r\n{host}\r\n{JSON}\r\n{lengths}\r\n\r\n{body}")
    };
    let rows = [
        (post("Content-Length: 100", "{}"), 408),
        (post("Content-Length: 99999999999999999999", "{}"), 400),
        (post("Content-Length: -1", "{}"), 400),
        (post("Content-Length: 2\r\nContent-Length: 3", "{}"), 400),
        (post("Transfer-Encoding: chunked", "ffffffffffffffffff\r\n"), 413),
        (post("Transfer-Encoding: chunked", "2\r\n{}"), 408),
        (post("Content-Length: 1000000", &"x".repeat(20_000)), 413),
    ];
    for (request, expected) in rows {
        assert_eq!(status(&bench.raw(&request).await), expected, "{request:?}");
    }
    assert!(bench.told.0.lock().is_empty(), "none of them was an order");
}

#[tokio::test]
async fn a_head_that_does_not_end_or_is_no_http_is_let_go() {
    let bench = bench_with(Tokens::one(None), PATIENCE).await;
    assert_eq!(bench.raw("").await, "");
    assert_eq!(status(&bench.raw("GET /v1/status HTTP/1.1\r\nHost: ").await), 0);
    let large = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert_eq!(status(&bench.raw(&large).await), 431);
    let many = "X: y\r\n".repeat(1_000);
    assert_eq!(status(&bench.raw(&format!("GET /healthz HTTP/1.1\r\n{many}\r\n")).await), 431);
    assert_eq!(status(&bench.raw("\0\0\0\x14\0\x12\0\0\0\0\0\x01\r\n\r\n").await), 400);
    let mut trickling = TcpStream::connect(bench.address).await.unwrap();
    for byte in b"GET /healthz" {
        let _closed_meanwhile = trickling.write_all(&[*byte]).await;
        tokio::time::sleep(PATIENCE / 8).await;
    }
    assert_eq!(status(&until_closed(&mut trickling).await), 0);
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_and_those_that_say_nothing_make_room() {
    let bench = bench_with(Tokens::one(None), Duration::from_secs(2)).await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        silent.push(TcpStream::connect(bench.address).await.unwrap());
    }
    let mut beyond = TcpStream::connect(bench.address).await.unwrap();
    assert_eq!(until_closed(&mut beyond).await, "", "no place is left");
    for stream in &mut silent {
        until_closed(stream).await;
    }
    assert_eq!(bench.send("GET /healthz HTTP/1.1", "").await.0, 200);
}
