use serde_json::{Value, json};

use super::*;

fn requirement(name: &str, missing: &str, remedy: &str) -> Value {
    json!({ "name": name, "green": missing.is_empty(), "missing": missing, "remedy": remedy })
}

fn unit(name: &str, lag: Value) -> Value {
    json!({
        "unit": name, "kind": "log", "phase": "mirror", "primary": "legacy", "epoch": 0, "lag": lag,
        "divergences": 0, "unexplained": 0, "stopped": null,
    })
}

fn orders() -> Value {
    let mut stopped = unit("events/orders/1", json!({ "records": 0, "seconds": 0, "stopped": "deleted" }));
    stopped["stopped"] = json!("the topic was deleted");
    stopped["resume"] = json!("sluice resume orders events/orders/1 --discard-copy");
    json!({
        "name": "orders", "cluster": "events", "phase": "mirror", "wanted": null, "doing": "nothing",
        "last": "reached mirror", "handover": null, "way_back": "open",
        "gate": { "to": "dual-write", "requirements": [
            requirement("units", "", ""),
            requirement("source-intact", "events/orders/1: the topic was deleted", "look at the unit"),
            requirement("feed-lag", "events/orders/0: 12 records and 30 seconds behind", "wait"),
        ] },
        "units": [
            unit("events/orders/0", json!({ "records": 12, "seconds": 30, "stopped": null })),
            stopped,
            unit("events/group:billing", json!({ "records": u64::MAX, "seconds": 0, "stopped": null })),
        ],
    })
}

#[test]
fn a_resume_says_what_became_of_each_unit() {
    let answer = json!({
        "migration": "orders", "copy": "discarded",
        "resumed": ["events/orders/0", "events/orders/1"],
        "copied_from_the_beginning": ["events/orders/0"],
        "left_the_migration": ["events/orders/1"],
    });
    let expected = "\
orders: 2 units stopped no more
  resumed: events/orders/0, events/orders/1
  copied from the beginning: events/orders/0
  gone from legacy, left the migration: events/orders/1
  `sluice migrations` shows how far the copy is
";
    assert_eq!(resumed(&answer), expected);
}

#[test]
fn a_migration_shows_what_is_red_first_with_what_to_do() {
    let expected = "\
orders on cluster events
  phase     mirror
  primary   legacy, of 3 units
  lag       the copy of 1 unit begins; 12 records, 30 s (most: events/orders/0)
  way back  open
  last      reached mirror
  STOPPED   events/orders/1: the topic was deleted
  to resume sluice resume orders events/orders/1 --discard-copy

  gate to dual-write: RED
    RED  source-intact  events/orders/1: the topic was deleted
                        do: look at the unit
    RED  feed-lag       events/orders/0: 12 records and 30 seconds behind
                        do: wait
    ok   units

  unit                  phase   primary  epoch  records behind  seconds  diverged  unexplained
  events/orders/1       mirror  legacy       0         STOPPED        0         0            0
  events/orders/0       mirror  legacy       0              12       30         0            0
  events/group:billing  mirror  legacy       0          begins        0         0            0
";
    assert_eq!(migrations(&json!([orders()])), expected);
    assert!(migrations(&json!([])).contains("no migration is configured"));
}

#[test]
fn a_green_gate_names_the_next_command_and_a_running_step_does_not() {
    let mut migration = orders();
    migration["gate"]["requirements"] = json!([requirement("units", "", "")]);
    migration["units"] = json!([]);
    let silent = json!({ "records": 3, "seconds": 4, "unheard": "legacy was last heard 5 s ago: refused" });
    migration["units"] = json!([unit("events/orders/0", silent)]);
    let shown = migrations(&json!([migration]));
    let line = "lag       3 records, 4 s (most: events/orders/0); legacy was last heard 5 s ago: refused";
    assert!(shown.contains(line), "{shown}");
    migration["units"] = json!([]);
    let idle = migrations(&json!([migration]));
    assert!(idle.contains("gate to dual-write: green"), "{idle}");
    assert!(idle.contains("next: sluice advance orders dual-write --wait"), "{idle}");
    migration["wanted"] = json!("cutover");
    migration["doing"] = json!("handover 3");
    migration["way_back"] = json!({ "closed": "retired" });
    migration["handover"] =
        json!({ "handover": 3, "step": "drain", "units": 2, "fenced_ms": 41, "waits_for": "2 answers" });
    let moving = migrations(&json!([migration]));
    for line in [
        "phase     mirror, on its way to cutover: handover 3",
        "way back  closed: retired",
        "handover  3 of 2 units: drain, clients held for 41 ms, waits for 2 answers",
    ] {
        assert!(moving.contains(line), "{line} is missing in\n{moving}");
    }
    assert!(!moving.contains("next:"), "{moving}");
}

#[test]
fn the_status_begins_with_what_is_wrong() {
    let shown = status(&json!({
        "version": "0.1.0", "uptime_ms": 61_000, "connections": 1,
        "health": { "healthy": false, "ready": false, "faults": { "shard 0": "fsync failed" },
                    "full": ["shard 1"], "damaged": {} },
        "audit": { "waiting": 2, "left_out": 0, "trouble": "No space left on device" },
        "serves": [
            { "what": "cluster", "address": "127.0.0.1:9092", "cluster": "events",
              "brokers": "127.0.0.1:9093-9112", "kernel": "127.0.0.1:9113", "legacy": ["kafka-1:9092"] },
            { "what": "admin", "address": "127.0.0.1:8080" } ],
        "clusters": [{ "name": "events", "connected": false, "ready": false, "brokers": [], "retired": false,
            "kernel_shown": false, "groups_behind": 3, "groups_error": null, "unreached": "refused",
            "portless": [{ "broker": 7, "reason": "no port is left" }] }],
        "migrations": [orders()],
    }));
    let expected = "\
sluice 0.1.0, up 1 min 1 s: NOT HEALTHY, 1 connection
  FAILED    shard 0: fsync failed; restart the process
  FULL      shard 1 refuses writes: free or add disk space
  AUDIT     log cannot be written, 2 acts in memory only: No space left on device
  LEGACY    of events is not reached: refused
  BROKER    7 of events is out of clients' reach: no port is left
  STOPPED   events/orders/1: the topic was deleted

  cluster  legacy         brokers  kernel's node  group records behind
  events   NOT CONNECTED  -        not shown yet                     3

  migration  phase   primary              lag                                                                   way back
  orders     mirror  legacy, of 3 units   the copy of 1 unit begins; 12 records, 30 s (most: events/orders/0)  open

  listener  address
  events    127.0.0.1:9092       clients bootstrap here
  events    127.0.0.1:9093-9112  for kafka-1:9092
  events    127.0.0.1:9113       the kernel's node
  admin     127.0.0.1:8080
";
    let squeezed = |text: &str| {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(squeezed(&shown), squeezed(expected), "\n{shown}");
}

#[test]
fn of_a_retired_cluster_nothing_is_said_to_be_wrong() {
    let shown = status(&json!({
        "version": "0.1.0", "uptime_ms": 0, "connections": 0, "health": { "healthy": true, "ready": true },
        "clusters": [{ "name": "events", "connected": false, "retired": true, "kernel_shown": true,
            "brokers": [1], "groups_behind": 6, "unreached": "refused" }],
    }));
    let row = shown.lines().last().unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(row, ["events", "retired", "-", "shown", "to", "clients", "-"], "{shown}");
    assert!(!shown.contains("refused"), "{shown}");
}

#[test]
fn clients_that_hinder_a_migration_come_first_and_cannot_command_the_terminal() {
    let shown = clients(
        &json!({
            "connections": 2, "forgotten": 0, "dual_write_missed": 1,
            "clients": [{ "client_id": "billing\u{1b}[2J", "software": "librdkafka", "version": "2.12.1",
                "address": "10.0.0.7", "connections": 2, "connections_total": 9, "last_seen_ms": 1000,
                "apis": [{ "api": 0, "versions": [9] }, { "api": 1, "versions": [12] }],
                "unsupported": [{ "feature": "transactions", "unit": "events/orders/0" }] }],
        }),
        66_000,
    );
    let expected = "\
1 client seen since the start, 2 open connections
  slow      1 answers went out before the kernel held their batch
  HINDERS   billing?[2J at 10.0.0.7 uses transactions on events/orders/0: the kernel does not serve it, and the gate keeps it on legacy

  client id    software           address   open  ever  last opened or closed  APIs
  billing?[2J  librdkafka 2.12.1  10.0.0.7     2     9          1 min 5 s ago     2
";
    assert_eq!(shown, expected);
}

#[test]
fn the_ledger_tells_a_handover_and_what_explains_a_divergence() {
    let entry = |number: u64, rest: Value| {
        let mut entry = json!({ "number": number, "wall_ms": number * 1000, "by": { "operator": "ada" } });
        entry.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        entry
    };
    let evidence = json!({ "unit": "events/orders/0", "source_end": 10, "target_end": 10, "records": 9,
        "chain": "00ab", "producers": "00cd", "source_epoch": 1, "target_epoch": 2 });
    let late = json!({ "kind": "diverged", "unit": "events/orders/0", "divergence": "late_write",
        "sample": { "position": 10, "detail": "one record", "bytes_hex": "" } });
    let mut explained = late.clone();
    explained["explained_by"] = json!("group-left-behind");
    explained["explanation"] = json!("nobody reads it");
    let shown = ledger(&json!({ "migration": "orders", "entries": [
        entry(8, json!({ "kind": "gate_checked", "to": "cutover", "green": false, "missing": ["feed-lag: far"] })),
        entry(9, json!({ "kind": "committed", "handover": 1, "to": "kernel", "fence_ms": 41,
            "units": [{ "epoch": 1, "evidence": evidence }] })),
        entry(10, late),
        entry(11, explained),
    ] }));
    let expected = "\
orders: 4 entries, times are UTC
   8  1970-01-01 00:00:08.000  ada       gate to cutover: RED
        feed-lag: far
   9  1970-01-01 00:00:09.000  ada       handover 1: PRIMARY IS KERNEL NOW, after 41 ms of fence
        unit             source end  target end  records  chain  producers  epoch
        events/orders/0          10          10        9  00ab   00cd           2
  10  1970-01-01 00:00:10.000  ada       DIVERGED events/orders/0: late write at 10: one record
        NOTHING EXPLAINS THIS: look at the unit before going on
  11  1970-01-01 00:00:11.000  ada       DIVERGED events/orders/0: late write at 10: one record
        explained (group-left-behind): nobody reads it
";
    assert_eq!(shown, expected);
}

#[test]
fn a_refused_order_shows_the_gate_and_an_accepted_one_its_steps() {
    let gate =
        json!({ "to": "cutover", "requirements": [requirement("single-copy", "3 copies", "accept it")] });
    let body = json!({ "detail": { "gate": gate } });
    let shown = refused("the gate to cutover is red: single-copy: 3 copies; accept it", &body);
    let expected = "\
error: the gate to cutover is red
  gate to cutover: RED
    RED  single-copy  3 copies
                      do: accept it
";
    assert_eq!(shown, expected);
    assert_eq!(
        refused("no migration is called \"x\"", &json!({ "detail": null })),
        "error: no migration is called \"x\"\n"
    );
    let taken = json!({ "from": "observe", "to": "dual-write", "steps": ["mirror", "dual-write"], "notes": ["slow"] });
    let shown = ordered("orders", &taken);
    assert!(shown.starts_with("orders: observe -> mirror -> dual-write\n  note: slow\n"), "{shown}");
    let shown = verified(&json!({ "migration": "orders", "verified": false, "unexplained_divergences": 2,
        "explained": [{ "key": "group-left-behind", "count": 3, "reason": "nobody reads it" }],
        "committed": [], "note": "n" }));
    assert!(
        shown.contains("NOT VERIFIED") && shown.contains("3 × group-left-behind: nobody reads it"),
        "{shown}"
    );
}
