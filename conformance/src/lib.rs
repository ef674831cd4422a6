//! Suites that run a scenario against any endpoint, and the judgement of what clients saw.
//!
//! Speaks raw bytes and drives stock clients; shares no code with the translators, which would hide shared bugs. The
//! real peers lie under `conformance/peers/`.

pub mod demo;
pub mod history;
pub mod kafka;
