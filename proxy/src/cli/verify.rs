//! `sluice verify`: its options, and how far it is while it runs.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::http::Api;
use super::path;

/// How often it is asked how far it is.
const LOOK: Duration = Duration::from_secs(1);

pub(super) const ABOUT: &str = "\
Read both sides again, compare them batch by batch, and print the fidelity report.

Legacy is read over connections of its own, the kernel's copy from its log: what the feeds believe plays no part.
Compared are offsets, checksums, producer ids, epochs and sequences, timestamps, transaction markers, leader epochs (as
clients see them), the hashes that the feeds have kept, where each log begins and ends, topic ids, partitions,
settings, and the groups' offsets. A difference is written to the ledger, with a sample, before it is shown; what
explains one stands in one table.

It works in every phase but `retired`, changes nothing, and ends when it is interrupted. One that was interrupted or
would take too long is done in pieces, with --topics and --from.

Exit status: 0 when nothing differs without an explanation, 1 otherwise.

Examples:
  sluice verify orders
  sluice verify orders --topics 'orders.eu.*' --rate 8
  sluice verify orders --json";

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Name of the migration
    migration: String,
    /// Only topics with such a name (a pattern as in the configuration; can be repeated), and no groups
    #[arg(long, value_name = "PATTERN")]
    topics: Vec<String>,
    /// First offset that is compared, in every partition
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    from: u64,
    /// How fast legacy is read, in MiB a second; 0: as fast as it answers
    #[arg(long, value_name = "MIB", default_value_t = 32)]
    rate: u32,
}

/// Asks, and says meanwhile how far it is where a person looks.
pub(super) async fn ask(api: &Api, args: &VerifyArgs) -> Result<Value> {
    let at = path(&args.migration, "verify");
    let order = json!({
        "topics": args.topics,
        "from": args.from,
        "bytes_per_second": u64::from(args.rate) << 20,
    });
    let asked = api.call(&at, Some(order));
    tokio::pin!(asked);
    loop {
        tokio::select! {
            answer = &mut asked => return answer,
            () = tokio::time::sleep(LOOK) => {
                if std::io::stderr().is_terminal() && let Ok(told) = api.call(&at, None).await {
                    tell(&told);
                }
            }
        }
    }
}

fn tell(told: &Value) {
    let of =
        |key: &str| told.pointer(&format!("/progress/{key}")).and_then(Value::as_u64).unwrap_or_default();
    if told.get("running").and_then(Value::as_bool).unwrap_or_default() {
        let line = format!(
            "{} of {} units, {} offsets compared, {} MiB read, {} differences",
            of("units_done"),
            of("units"),
            of("offsets_compared"),
            of("bytes_read") >> 20,
            of("differing")
        );
        let _unheard = writeln!(std::io::stderr(), "{line}");
    }
}
