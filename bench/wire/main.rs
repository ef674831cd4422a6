//! Raw Kafka frames for measuring: a null sink, a producer and a reader that cost little themselves.
//!
//! Standard library only, compiled by `bench/run` with rustc. One thread a connection, a fixed window of requests
//! in flight (closed loop); `paced` sends at a fixed rate whatever is answered (open loop), and counts from the moment
//! at which a batch was due. Every batch is built once; only the correlation id changes, so the generator's work
//! is its system calls. Answers are read and checked; each command prints one JSON object. With `stay=1` connections go to
//! the address that is given, not to the leader that metadata names: for proxies that do not change addresses.

mod frames;
mod load;
mod paced;
mod sink;
mod topics;

use std::collections::BTreeMap;

use load::{fetch, produce};
use paced::paced;
use sink::sink;
use topics::{commit, create, delete, ends, idle};

pub(crate) struct Args(BTreeMap<String, String>);

impl Args {
    pub(crate) fn text(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
    }
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str, or: T) -> T {
        self.0.get(name).and_then(|text| text.parse().ok()).unwrap_or(or)
    }
}

fn main() {
    let mut given = std::env::args().skip(1);
    let command = given.next().unwrap_or_default();
    let pairs =
        given.filter_map(|pair| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())));
    let args = Args(pairs.collect());
    let outcome = match command.as_str() {
        "produce" => produce(&args),
        "paced" => paced(&args),
        "fetch" => fetch(&args),
        "ends" => ends(&args),
        "create" => create(&args),
        "delete" => delete(&args),
        "commit" => commit(&args),
        "idle" => idle(&args),
        "sink" => sink(&args),
        _ => Err("usage: wire produce|paced|fetch|ends|create|delete|commit|idle|sink KEY=VALUE...".into()),
    };
    if let Err(error) = outcome {
        eprintln!("wire: {error}");
        std::process::exit(1);
    }
}
