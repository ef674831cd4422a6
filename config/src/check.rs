//! Contradictions between sections, and what is legal but probably not meant.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use crate::cluster::{ClientTls, Cluster, LinkPassword, Sasl};
use crate::migration::Migration;
use crate::pattern::Pattern;
use crate::reader::Report;
use crate::{Config, Store};

pub(crate) fn check(config: &Config, report: &Report<'_>) {
    for (at, cluster) in config.clusters.iter().enumerate() {
        check_cluster(cluster, &format!("cluster[{at}]"), report);
    }
    check_kernel(config, report);
    check_admin(config, report);
    check_ports(config, report);
    check_names(config, report);
    check_migrations(config, report);
}

fn check_cluster(cluster: &Cluster, key: &str, report: &Report<'_>) {
    if cluster.listen.port() == 0 || cluster.ports.first == 0 || cluster.ports.last == u16::MAX {
        let message = "leaves no room for the ports of the brokers behind it".to_owned();
        report.error(&format!("{key}.listen"), message, Some("set `ports` and `kernel_listen`".to_owned()));
    }
    if cluster.listen.ip().is_unspecified() && cluster.advertise.is_none() {
        let message = "clients cannot connect to an unspecified address".to_owned();
        let help = "set `advertise` to the host name by which clients reach this machine".to_owned();
        report.error(&format!("{key}.listen"), message, Some(help));
    }
    exposed(&format!("{key}.listen"), cluster.listen, cluster.tls.as_ref(), report);
    check_client_tls(&format!("{key}.tls"), cluster.tls.as_ref(), report);
    if let Some(tls) = &cluster.legacy_tls {
        readable(&format!("{key}.legacy_tls.ca"), &tls.ca, report);
        if let Some((cert, private)) = &tls.identity {
            readable(&format!("{key}.legacy_tls.cert"), cert, report);
            readable(&format!("{key}.legacy_tls.key"), private, report);
        }
    } else if cluster.sasl == Sasl::Relay {
        let message = "credentials travel to legacy without TLS".to_owned();
        report.warn(&format!("{key}.sasl"), message, Some("set [cluster.legacy_tls]".to_owned()));
    }
    check_link(cluster, key, report);
}

fn check_link(cluster: &Cluster, key: &str, report: &Report<'_>) {
    let Some(link) = &cluster.link else {
        if cluster.sasl == Sasl::Relay {
            let message =
                "legacy asks clients who they are, and the proxy's own connections have no answer".to_owned();
            let help = "set [cluster.link] with a user of its own, or nothing can be mirrored".to_owned();
            report.warn(&format!("{key}.sasl"), message, Some(help));
        }
        return;
    };
    if let LinkPassword::File(file) = &link.password {
        readable(&format!("{key}.link.password_file"), file, report);
    }
    if cluster.legacy_tls.is_none() {
        let message = "the password travels to legacy without TLS".to_owned();
        report.warn(&format!("{key}.link"), message, Some("set [cluster.legacy_tls]".to_owned()));
    }
}

fn check_kernel(config: &Config, report: &Report<'_>) {
    if let Some(kafka) = &config.kernel.kafka {
        exposed("kernel.kafka.listen", kafka.listen, kafka.tls.as_ref(), report);
        check_client_tls("kernel.kafka.tls", kafka.tls.as_ref(), report);
        if kafka.listen.ip().is_unspecified() && kafka.advertise.is_none() {
            let message = "clients cannot connect to an unspecified address".to_owned();
            report.error("kernel.kafka.listen", message, Some("set `advertise` to host:port".to_owned()));
        }
    }
    if config.kernel.store == Store::Memory && !config.migrations.is_empty() {
        let message = "what migrates into memory is gone after a restart".to_owned();
        report.warn("kernel.store", message, Some("use store = \"local\"".to_owned()));
    }
}

fn check_admin(config: &Config, report: &Report<'_>) {
    let admin = &config.admin;
    if !admin.listen.ip().is_loopback() && admin.token.is_none() && admin.token_file.is_none() {
        let message = "listens beyond loopback, where anybody could give orders".to_owned();
        report.error("admin.listen", message, Some("set `token_file`, or listen on 127.0.0.1".to_owned()));
    }
    if let Some(file) = &admin.token_file {
        readable("admin.token_file", file, report);
    }
}

fn exposed(key: &str, listen: SocketAddr, tls: Option<&ClientTls>, report: &Report<'_>) {
    if !listen.ip().is_loopback() && tls.is_none() {
        let message = "listens beyond loopback without TLS".to_owned();
        report.warn(key, message, Some("add a tls table with `cert` and `key`".to_owned()));
    }
}

fn check_client_tls(key: &str, tls: Option<&ClientTls>, report: &Report<'_>) {
    let Some(tls) = tls else { return };
    readable(&format!("{key}.cert"), &tls.cert, report);
    readable(&format!("{key}.key"), &tls.key, report);
    if let Some(ca) = &tls.ca {
        readable(&format!("{key}.ca"), ca, report);
    }
}

fn readable(key: &str, path: &Path, report: &Report<'_>) {
    if let Err(error) = std::fs::File::open(path) {
        report.error(key, format!("{} cannot be opened: {error}", path.display()), None);
    }
}

/// Every port that the configuration takes, with the key that takes it.
fn check_ports(config: &Config, report: &Report<'_>) {
    let mut taken: Vec<(SocketAddr, u16, String)> = Vec::new();
    let mut wanted = vec![(config.admin.listen, config.admin.listen.port(), "admin.listen".to_owned())];
    if let Some(kafka) = &config.kernel.kafka {
        wanted.push((kafka.listen, kafka.listen.port(), "kernel.kafka.listen".to_owned()));
    }
    for (at, cluster) in config.clusters.iter().enumerate() {
        let key = |name: &str| format!("cluster[{at}].{name}");
        let first = SocketAddr::new(cluster.listen.ip(), cluster.ports.first);
        wanted.push((cluster.listen, cluster.listen.port(), key("listen")));
        wanted.push((first, cluster.ports.last, key("ports")));
        wanted.push((cluster.kernel_listen, cluster.kernel_listen.port(), key("kernel_listen")));
    }
    for (from, last, key) in wanted {
        let clash = taken.iter().find(|(other, other_last, _)| {
            let same_ip =
                from.ip() == other.ip() || from.ip().is_unspecified() || other.ip().is_unspecified();
            // Port 0 takes a free one, so it clashes with nothing.
            same_ip && from.port() != 0 && from.port() <= *other_last && other.port() <= last
        });
        if let Some((_, _, other)) = clash {
            report.error(&key, format!("takes a port that `{other}` has already"), None);
        }
        taken.push((from, last, key));
    }
}

fn check_names(config: &Config, report: &Report<'_>) {
    let clusters = config.clusters.iter().map(|cluster| cluster.name.as_str());
    unique("cluster", clusters, report);
    unique("migration", config.migrations.iter().map(|migration| migration.name.as_str()), report);
}

fn unique<'a>(kind: &str, names: impl Iterator<Item = &'a str>, report: &Report<'_>) {
    let mut seen = BTreeMap::new();
    for (at, name) in names.enumerate() {
        if let Some(first) = seen.insert(name, at) {
            let message = format!("{name:?} is the name of {kind}[{first}] already");
            report.error(&format!("{kind}[{at}].name"), message, None);
        }
    }
}

fn check_migrations(config: &Config, report: &Report<'_>) {
    for (at, migration) in config.migrations.iter().enumerate() {
        let key = format!("migration[{at}]");
        if config.cluster(&migration.cluster).is_none() {
            let known: Vec<_> = config.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
            let message = format!("no cluster is called {:?}", migration.cluster);
            report.error(&format!("{key}.cluster"), message, Some(format!("known: {}", known.join(", "))));
        }
        if migration.limits.lease_ms >= migration.limits.fence_ms_max {
            let message = "a fence waits for a lease to end, so the lease must be shorter".to_owned();
            report.error(&format!("{key}.limits.lease_ms"), message, None);
        }
        for (earlier_at, earlier) in config.migrations.iter().enumerate().take(at) {
            if earlier.cluster == migration.cluster {
                check_overlap(&key, migration, earlier_at, earlier, report);
            }
        }
    }
}

fn check_overlap(key: &str, migration: &Migration, other_at: usize, other: &Migration, report: &Report<'_>) {
    let kinds = [
        ("topics", &migration.topics, &other.topics),
        ("groups", &migration.groups, &other.groups),
        ("transactional_ids", &migration.transactional_ids, &other.transactional_ids),
    ];
    for (kind, mine, theirs) in kinds {
        for (at, pattern) in mine.iter().enumerate() {
            overlap(
                &format!("{key}.{kind}[{at}]"),
                pattern,
                &format!("migration[{other_at}].{kind}"),
                theirs,
                report,
            );
        }
    }
}

fn overlap(key: &str, pattern: &Pattern, other_key: &str, others: &[Pattern], report: &Report<'_>) {
    for (at, other) in others.iter().enumerate() {
        match pattern.overlaps(other) {
            Some(false) => {}
            Some(true) => {
                let message = format!("matches what \"{other}\" of `{other_key}[{at}]` matches too");
                report.error(
                    key,
                    message,
                    Some("a topic, group or transactional id belongs to one migration".to_owned()),
                );
            }
            None => {
                let message = format!("may match what \"{other}\" of `{other_key}[{at}]` matches");
                report.warn(key, message, None);
            }
        }
    }
}
