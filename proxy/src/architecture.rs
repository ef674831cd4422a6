//! Tests of the shape: which crate may know which.

use std::collections::BTreeMap;
use std::path::Path;

/// Each crate of the workspace, and the crates of it that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("kernel/model", &[]),
    ("kernel/engine", &["kernel-model"]),
    ("translators/session", &["kernel-model"]),
    ("translators/kafka", &["kernel-model", "session"]),
    ("shadow", &["kernel-model", "session", "translator-kafka"]),
    ("config", &[]),
    ("conformance", &[]),
];

/// What the layers below the proxy must do without: sockets, clocks and runtimes are arguments there.
const FORBIDDEN: &[&str] = &["tokio", "mio", "async-std", "smol", "hyper", "rand", "getrandom"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Names under `[dependencies]`; tests may know more (the engine, to run a session over it).
fn dependencies(folder: &str) -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let mut section = "";
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if section == "[dependencies]" && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn crates_know_only_what_lies_below_them() {
    let own: BTreeMap<&str, &str> = [
        ("kernel-model", "kernel/model"),
        ("kernel-engine", "kernel/engine"),
        ("session", "translators/session"),
        ("translator-kafka", "translators/kafka"),
        ("shadow", "shadow"),
        ("config", "config"),
        ("conformance", "conformance"),
        ("proxy", "proxy"),
    ]
    .into();
    for (folder, allowed) in ALLOWED {
        for name in dependencies(folder) {
            let inside = own.contains_key(name.as_str());
            assert!(!inside || allowed.contains(&name.as_str()), "{folder} must not know {name}");
        }
    }
}

#[test]
fn layers_below_the_proxy_have_no_runtime_no_clock_and_no_randomness() {
    for (folder, _) in ALLOWED.iter().filter(|(folder, _)| !matches!(*folder, "conformance" | "config")) {
        for name in dependencies(folder) {
            assert!(!FORBIDDEN.contains(&name.as_str()), "{folder} must not know {name}");
        }
    }
}
