//! The demo's clients and account against the kernel alone: everything of the demo but the migration.

#![allow(missing_docs, reason = "a test")]

use std::process::Command;

#[test]
fn the_demos_clients_lose_duplicate_and_reorder_nothing_at_the_kernel() {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["demo", "--rehearsal", "--seconds", "5", "--json"])
        .output()
        .expect("the demo starts");
    let told = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.lines().count(), 1, "one object on standard output: {text}\n{told}");
    let summary: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let count = |name: &str| summary.get(name).and_then(serde_json::Value::as_u64).expect(name);
    for name in ["lost", "duplicated", "reordered", "redelivered", "client_errors"] {
        assert_eq!(count(name), 0, "{name}: {told}");
    }
    // How many depends on the machine; that all of them arrive does not.
    assert!(count("acknowledged") > 1_000, "{told}");
    assert_eq!(count("acknowledged"), count("delivered"), "{told}");
    assert!(told.lines().all(|line| !line.contains("the log checks found")), "{told}");
}
