//! A small Kafka client of the demo's own: it shares no code with the translators, so that a fault of the codec or
//! of the sessions cannot hide behind itself. The wire comes from crate `kafka-protocol`, which trusts its peer; all
//! behaviour (leaders, retries, sequence numbers, membership) is written here after what stock clients do.
//!
//! ```text
//! producer ─ outbox ─┐
//!                    ├─ cluster ─ connection ─ socket
//! member ─ fetch ────┤
//!        └ group ────┘
//! ```
//!
//! What stock clients retry by themselves is retried in silence; what they would tell their application becomes an
//! error line. Not here: sessions of fetches, TLS, SASL, transactions.

pub(in crate::demo) mod admin;
mod batch;
mod cluster;
mod connection;
mod fetch;
mod group;
mod member;
mod outbox;
mod producer;
mod versions;
mod voice;

use super::line::Line;
use super::spec::ClientSpec;

/// A value as producers of the demo write it: its name, and the bytes that readers check.
#[must_use]
pub fn value(client: &str, sequence: u64) -> (String, Vec<u8>) {
    let name = batch::value_name(client, sequence);
    let bytes = batch::whole_value(&name);
    (name, bytes)
}

/// Runs one client process until standard input ends (or its records are written). Lines go to standard output.
///
/// # Errors
///
/// What ended it early; it is also the last error line.
pub async fn run(spec: ClientSpec) -> anyhow::Result<()> {
    let outcome = match spec {
        ClientSpec::Produce(spec) => producer::run(spec).await,
        ClientSpec::Consume(spec) => member::run(spec).await,
        ClientSpec::Past(_) => Err(anyhow::anyhow!("a past is written by a kernel, not by a client")),
    };
    if let Err(error) = &outcome {
        let mut voice = voice::Voice::new();
        voice.say(&Line::Error { error: error.to_string() });
        voice.flush();
    }
    outcome
}
