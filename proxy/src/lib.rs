//! Everything behind the `sluice` binary: sockets, TLS, routing, handover, ledger, administration. Holds no
//! protocol rules and interprets no payload; sessions and coordinators do.
//!
//! The handover and the ledger read no clock and own no socket, so that the simulation can run them.

pub mod admin;
pub mod announce;
#[cfg(test)]
mod architecture;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod control;
pub mod data_folder;
pub mod demo;
pub mod driver;
pub mod failpoint;
pub mod handover;
pub mod health;
pub mod holds;
pub mod inventory;
pub mod ledger;
pub mod legacy;
pub mod listener;
mod long_work;
pub mod migrate;
pub mod node;
pub mod room;
pub mod run;
pub mod shards;
pub mod telemetry;
pub mod tls;
pub mod verify;
