//! One process of the real binary among peers that lie, and among secrets that it must keep to itself.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and waits by the clock"
)]

mod legacy;
mod lies;
mod secrets;
mod sluice;
