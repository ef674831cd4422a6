//! Legacy clusters that lie, each in its own way, behind one process: it lives, stays small, says which cluster it
//! waits for, lets their clients go, and serves everybody else.

use std::io::Write;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use translator_kafka::codec::ApiKey;
use translator_kafka::codec::messages::{ApiVersionsRequest, MetadataRequest};

use crate::legacy::{Legacy, Said, greeting, metadata, versions};
use crate::sluice::{Client, LONG, Sluice, free_ports};

/// How long the lies go on.
const WHILE: Duration = Duration::from_secs(6);
/// What the process may have taken at its highest. With 64 MiB for all, the answers of `endless` (100 MiB each) are
/// read one at a time, or one for each thread at the same moment, and copied as their buffers grow.
const MEMORY_KIB: u64 = 512 * 1024;
/// Connections that one lying cluster may be given meanwhile: attempts rest between one another.
const CONNECTIONS_MAX: usize = 400;
/// A Metadata request, version 0.
const METADATA: &[u8] = b"\0\0\0\x0e\0\x03\0\0\0\0\0\x01\xff\xff\0\0\0\0";
/// First frame size, in bytes, of a client that has not logged in.
const BEFORE_LOGIN: usize = 2_048;

fn liars(own_port: u16) -> Vec<(&'static str, Legacy)> {
    let huge = |_: &_, _: &[u8]| Said::Bytes(vec![0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let negative = |_: &_, _: &[u8]| Said::Bytes(vec![0xff, 0xff, 0xff, 0xff]);
    let other_correlation = |head: &translator_kafka::codec::frame::RequestHead, _: &[u8]| {
        let mut answer = versions(head);
        answer[7] ^= 0x40;
        Said::Bytes(answer)
    };
    let next = AtomicI32::new(0);
    let moving = greeting(move |head| {
        // Other brokers in every answer, as many as the proxy takes from anybody.
        let first = next.fetch_add(2_000, Ordering::Relaxed);
        let brokers: Vec<_> = (first..first + 2_000).map(|id| (id, "127.0.0.1", 1)).collect();
        Said::Bytes(metadata(head, &brokers))
    });
    let countless = greeting(|head| {
        let brokers: Vec<_> = (0..400_000).map(|id| (id, "x", 1)).collect();
        Said::Bytes(metadata(head, &brokers))
    });
    let own = greeting(move |head| match head.api() {
        Some(ApiKey::Metadata) => Said::Bytes(metadata(head, &[(1, "127.0.0.1", i32::from(own_port))])),
        _ => Said::Nothing,
    });
    vec![
        ("huge", Legacy::new(huge)),
        ("negative", Legacy::new(negative)),
        ("correlation", Legacy::new(other_correlation)),
        ("endless", Legacy::new(|_, _| Said::Endless(100 << 20))),
        ("trickle", Legacy::new(|head, _| Said::Slowly(versions(head)))),
        ("silent", Legacy::new(|_, _| Said::Nothing)),
        ("closing", Legacy::new(|_, _| Said::Close)),
        ("garbage", Legacy::new(|_, _| Said::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".repeat(1_000)))),
        ("moving", Legacy::new(moving)),
        ("countless", Legacy::new(countless)),
        ("own", Legacy::new(own)),
    ]
}

#[test]
fn a_process_in_front_of_lying_clusters_lives_and_serves_everybody_else() {
    let folder = tempfile::tempdir().unwrap();
    let first = free_ports(11 * 4);
    let listen = |index: usize| first + u16::try_from(index).unwrap() * 4;
    let liars = liars(listen(10) + 1);
    let mut config = format!(
        "[kernel]\npath = {:?}\n[kernel.kafka]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [limits]\nmemory_bytes_max = 67108864\nhandshake_ms_max = 2000\nframe_bytes_before_auth_max = {BEFORE_LOGIN}\n",
        folder.path().join("data")
    );
    for (index, (name, legacy)) in liars.iter().enumerate() {
        let port = listen(index);
        config += &format!(
            "[[cluster]]\nname = \"{name}\"\nprotocol = \"kafka\"\nlegacy = [\"{}\"]\nlisten = \"127.0.0.1:{port}\"\n\
             ports = \"{}-{}\"\nkernel_listen = \"127.0.0.1:{}\"\nsasl = \"{}\"\n",
            legacy.address,
            port + 1,
            port + 2,
            port + 3,
            if *name == "silent" { "relay" } else { "none" }
        );
    }
    let sluice = Sluice::start(folder.path(), &config);
    let begin = Instant::now();
    let mut rounds = 0;
    while begin.elapsed() < WHILE {
        for index in 0..liars.len() {
            let mut client = Client::to(&format!("127.0.0.1:{}", listen(index)));
            client.send(METADATA);
        }
        // The broker that the last one has given itself: the proxy.
        if let Ok(mut broker) = std::net::TcpStream::connect(("127.0.0.1", listen(10) + 1)) {
            broker.write_all(METADATA).unwrap();
        }
        // Whoever asks something else is served all the while.
        assert!(sluice.kafka().ask(1, &MetadataRequest::default()).is_some());
        assert!(sluice.admin("GET", "/healthz", "", "").starts_with("HTTP/1.1 200"));
        rounds += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(rounds > 5, "{rounds}");
    let ready = sluice.admin("GET", "/readyz", "", "");
    for name in ["huge", "negative", "correlation", "endless", "silent", "closing", "garbage", "countless"] {
        assert!(ready.contains(&format!("\"name\":\"{name}\"")), "{name} is waited for: {ready}");
    }
    for (name, legacy) in &liars {
        let connections = legacy.connections();
        assert!(connections < CONNECTIONS_MAX, "{name}: {connections}");
    }
    // A cluster that leads to the proxy itself makes no connection into many.
    let accepted = figure(&sluice.admin("GET", "/metrics", "", ""), "sluice_connections_accepted_total");
    assert!((rounds * 11..rounds * 14 + 100).contains(&accepted), "{accepted} in {rounds} rounds");
    let status = sluice.admin("GET", "/v1/status", "", "");
    assert!(status.len() < 4 << 20, "{} bytes", status.len());
    assert!(sluice.peak_kib() < MEMORY_KIB, "{} KiB", sluice.peak_kib());
    the_limits_of_a_client_are_those_configured(listen(5));
    let said = sluice.everything_said();
    assert!(said.len() < 8 << 20, "{} bytes of log", said.len());
    assert!(!said.contains("panicked"), "{said}");
}

/// A client in front of a legacy that says nothing.
fn the_limits_of_a_client_are_those_configured(port: u16) {
    let address = format!("127.0.0.1:{port}");
    let begin = Instant::now();
    let mut large = Client::to(&address);
    large.send(&u32::try_from(BEFORE_LOGIN + 1).unwrap().to_be_bytes());
    assert!(large.until_closed() < Duration::from_secs(2), "before its time to log in is over");
    let mut unknown = Client::to(&address);
    let hello = ApiVersionsRequest::default();
    unknown.send(&translator_kafka::codec::frame::request_frame(0, 1, None, &hello).unwrap());
    unknown.until_closed();
    assert!(begin.elapsed() < LONG / 2);
}

fn figure(metrics: &str, name: &str) -> usize {
    let line = metrics.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
    line.and_then(|line| line.split_whitespace().last()?.parse().ok()).unwrap()
}
