//! Hostile bytes for every decoder that a network peer can reach.
//!
//! A target is a function that must come back, whatever bytes it is given: no panic, no growth beyond a bound.
//! `tests/replay.rs` runs the seeds, the corpus and a fixed set of mutations of both through every target, as a
//! normal test. `run` looks for new ones with libFuzzer, guided by coverage; what it finds goes into `corpus/`.
#![allow(clippy::panic, reason = "a finding is a panic")]

mod batches;
mod login;
mod message;
mod sessions;
mod settings;
mod stored;

/// Something that takes bytes from outside.
pub struct Target {
    /// As in `corpus/NAME` and `run NAME`.
    pub name: &'static str,
    /// Panics when the bytes find a fault.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 10] = [
    Target { name: "message", run: message::run, seeds: message::seeds },
    Target { name: "batch", run: batches::batch, seeds: batches::seeds },
    Target { name: "inflate", run: batches::inflate, seeds: batches::inflate_seeds },
    Target { name: "listener", run: sessions::listener, seeds: sessions::client_seeds },
    Target { name: "relay-client", run: sessions::relay_client, seeds: sessions::client_seeds },
    Target { name: "relay-legacy", run: sessions::relay_legacy, seeds: sessions::legacy_seeds },
    Target { name: "link", run: sessions::link, seeds: sessions::link_seeds },
    Target { name: "login", run: login::run, seeds: login::seeds },
    Target { name: "stored", run: stored::run, seeds: stored::seeds },
    Target { name: "config", run: settings::run, seeds: settings::seeds },
];
