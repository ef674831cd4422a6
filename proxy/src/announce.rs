//! What `sluice run` says when it starts: where everything is, what an acknowledgement means, what is risky.

use std::fmt::Write;
use std::net::SocketAddr;

use config::{Cluster, Config, Sasl, Store, Sync};
use serde_json::{Value, json};

use crate::room::Room;

/// Addresses that are known only once they are bound.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// Admin API.
    pub admin: SocketAddr,
    /// Kafka listener of a kernel that stands alone.
    pub kafka: Option<SocketAddr>,
}

/// The announcement for people. `room` is that of the data folder's disk (`None`: nothing is on disk).
#[must_use]
pub fn text(config: &Config, bound: Bound, room: Option<Room>) -> String {
    let mut out = format!("sluice {} is running\n\n", env!("CARGO_PKG_VERSION"));
    row(&mut out, "admin", &format!("http://{}  (/readyz, /metrics; the commands talk to it)", bound.admin));
    if let Some(kafka) = bound.kafka {
        row(&mut out, "kafka", &format!("{kafka}  (the kernel alone, no legacy cluster)"));
    }
    data(&mut out, config, room);
    for cluster in &config.clusters {
        describe(&mut out, config, cluster);
    }
    let warnings = warnings(config, room);
    if !warnings.is_empty() {
        out.push_str("\nwarnings\n");
        for warning in &warnings {
            line(&mut out, &format!("  ! {warning}"));
        }
    }
    line(&mut out, "\nCtrl-C stops it; `sluice status` shows what it does");
    out
}

/// What is served, and where: `[{"what", "address", ..}]`.
#[must_use]
pub fn serves(config: &Config, bound: Bound) -> Value {
    let mut all = Vec::new();
    if let Some(kafka) = bound.kafka {
        all.push(json!({ "what": "kafka", "address": kafka.to_string(), "cluster": null }));
    }
    for cluster in &config.clusters {
        all.push(json!({
            "what": "cluster",
            "address": cluster.listen.to_string(),
            "cluster": cluster.name,
            "brokers": brokers(cluster),
            "kernel": cluster.kernel_listen.to_string(),
            "legacy": legacy(cluster),
        }));
    }
    all.push(json!({ "what": "admin", "address": bound.admin.to_string() }));
    Value::Array(all)
}

/// What is legal and risky, one sentence each.
#[must_use]
pub fn warnings(config: &Config, room: Option<Room>) -> Vec<String> {
    let mut all: Vec<String> = config
        .warnings
        .iter()
        .map(|problem| {
            let help = problem.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
            format!("`{}`: {}{help}", problem.key, problem.message)
        })
        .collect();
    if config.kernel.store == Store::Local && config.kernel.sync == Sync::PageCache {
        all.push("`kernel.sync`: what is acknowledged may be lost when the machine stops".to_owned());
    }
    if let Some(room) = room {
        if room.in_memory {
            all.push(
                "`kernel.path`: the folder is in memory (tmpfs), and gone when the machine stops".to_owned(),
            );
        }
        let reserve = crate::room::reserve_bytes(config);
        if room.free_bytes < reserve {
            let (free, reserve) = (bytes(room.free_bytes), bytes(reserve));
            all.push(format!(
                "`kernel.path`: {free} free on the disk; below {reserve} nothing is let forward"
            ));
        }
    }
    for cluster in &config.clusters {
        let name = &cluster.name;
        if cluster.listen.ip().is_loopback() {
            all.push(format!("cluster {name} listens on loopback: only clients of this machine reach it"));
        }
        if config.migrations.iter().all(|migration| migration.cluster != *name) {
            all.push(format!("cluster {name} has no migration: it is only passed through"));
        }
    }
    all
}

fn data(out: &mut String, config: &Config, room: Option<Room>) {
    let kernel = &config.kernel;
    if kernel.store == Store::Memory {
        row(out, "store", "memory: nothing survives a restart");
        return;
    }
    let path = std::path::absolute(&kernel.path).unwrap_or_else(|_| kernel.path.clone());
    let room = room.map(|room| format!(", {} free", bytes(room.free_bytes))).unwrap_or_default();
    row(out, "data", &format!("{}{room}", path.display()));
    let promise = match kernel.sync {
        Sync::Fsync => "acknowledged means on this machine's disk (fsync), one copy",
        Sync::PageCache => "acknowledged survives a crash of sluice, not of the machine (page-cache)",
    };
    row(out, "store", &format!("local, {} shards; {promise}", kernel.shards));
}

fn describe(out: &mut String, config: &Config, cluster: &Cluster) {
    line(out, &format!("\ncluster {} (kafka)", cluster.name));
    let tls = if cluster.tls.is_some() { ", TLS" } else { "" };
    row(out, "clients", &format!("{}{tls}  (they bootstrap here)", cluster.listen));
    row(out, "brokers", &format!("{}  (one port for each legacy broker)", brokers(cluster)));
    row(out, "kernel", &format!("{}  (named to clients once something has moved)", cluster.kernel_listen));
    if let Some(host) = &cluster.advertise {
        row(out, "told", &format!("clients are told to connect to {host}"));
    }
    let tls = if cluster.legacy_tls.is_some() { ", TLS" } else { "" };
    row(out, "legacy", &format!("{}{tls}", legacy(cluster).join(", ")));
    if cluster.sasl == Sasl::Relay {
        row(out, "sasl", "legacy checks the clients' credentials");
    }
    if let Some(link) = &cluster.link {
        row(out, "link", &format!("its own connections to legacy log in as {}", link.user));
    }
    for migration in config.migrations.iter().filter(|migration| migration.cluster == cluster.name) {
        let topics: Vec<String> = migration.topics.iter().map(ToString::to_string).collect();
        let groups: Vec<String> = migration.groups.iter().map(ToString::to_string).collect();
        let groups = if groups.is_empty() { "none".to_owned() } else { groups.join(", ") };
        row(out, "moves", &format!("{}: topics {}; groups {groups}", migration.name, topics.join(", ")));
    }
}

fn brokers(cluster: &Cluster) -> String {
    let first = SocketAddr::new(cluster.listen.ip(), cluster.ports.first);
    format!("{first}-{}", cluster.ports.last)
}

fn legacy(cluster: &Cluster) -> Vec<String> {
    cluster.legacy.iter().map(ToString::to_string).collect()
}

/// A number of bytes as people read it.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut whole, mut rest, mut unit) = (count, 0, "B");
    for next in UNITS {
        if whole < 1024 {
            break;
        }
        (whole, rest, unit) = (whole / 1024, whole % 1024, next);
    }
    // One digit behind the point, cut and not rounded: room is never shown larger than it is.
    format!("{whole}.{} {unit}", rest * 10 / 1024)
}

fn row(out: &mut String, key: &str, value: &str) {
    line(out, &format!("  {key:<8} {value}"));
}

fn line(out: &mut String, text: &str) {
    // Writing into a string cannot fail.
    let _infallible = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = r#"
[kernel]
path = "/var/lib/sluice"
[[cluster]]
name = "events"
protocol = "kafka"
legacy = ["kafka-1:9092", "kafka-2:9092"]
listen = "127.0.0.1:19092"
[[migration]]
name = "orders"
cluster = "events"
topics = ["orders.*"]
groups = ["billing"]
"#;

    fn bound() -> Bound {
        Bound { admin: ([127, 0, 0, 1], 8080).into(), kafka: None }
    }

    fn room(free_bytes: u64) -> Option<Room> {
        Some(Room { free_bytes, in_memory: false })
    }

    #[test]
    fn everything_that_clients_and_operators_connect_to_is_announced() {
        let config = config::parse(BOTH).unwrap();
        let shown = text(&config, bound(), room(60 << 30));
        let expected = "
  admin    http://127.0.0.1:8080  (/readyz, /metrics; the commands talk to it)
  data     /var/lib/sluice, 60.0 GiB free
  store    local, 2 shards; acknowledged means on this machine's disk (fsync), one copy

cluster events (kafka)
  clients  127.0.0.1:19092  (they bootstrap here)
  brokers  127.0.0.1:19093-19112  (one port for each legacy broker)
  kernel   127.0.0.1:19113  (named to clients once something has moved)
  legacy   kafka-1:9092, kafka-2:9092
  moves    orders: topics orders.*; groups billing

warnings
  ! cluster events listens on loopback: only clients of this machine reach it

Ctrl-C stops it; `sluice status` shows what it does
";
        assert_eq!(shown.split_once('\n').unwrap().1, expected);
    }

    #[test]
    fn what_is_risky_is_said() {
        let risky = format!("{BOTH}[log]\n").replace("[[cluster]]", "sync = \"page-cache\"\n[[cluster]]");
        let config = config::parse(&risky).unwrap();
        let room = Some(Room { free_bytes: 1 << 20, in_memory: true });
        let all = warnings(&config, room).join("\n");
        for word in ["may be lost when the machine stops", "tmpfs", "1.0 MiB free", "loopback"] {
            assert!(all.contains(word), "{word} is missing in\n{all}");
        }
        let memory = config::parse("[kernel]\nstore = \"memory\"\n[kernel.kafka]\n").unwrap();
        let kafka = Some(([127, 0, 0, 1], 9092).into());
        let shown = text(&memory, Bound { kafka, ..bound() }, None);
        assert!(shown.contains("nothing survives a restart") && shown.contains("127.0.0.1:9092"), "{shown}");
    }

    #[test]
    fn bytes_are_read_by_people_and_never_rounded_up() {
        let rows =
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (2047, "1.9 KiB"), (60 << 30, "60.0 GiB")];
        for (count, shown) in rows {
            assert_eq!(bytes(count), shown);
        }
    }
}
