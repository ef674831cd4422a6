//! Everything behind the `sluice` binary: sockets, routing, handover, ledger, administration.
//!
//! The handover and the ledger read no clock and own no socket, so that the simulation can run them.

pub mod handover;
pub mod ledger;
