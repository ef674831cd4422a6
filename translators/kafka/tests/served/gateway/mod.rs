//! A connection that has a legacy cluster behind it: transcripts of both its ends, in virtual time.

mod addresses;
mod authentication;
mod bench;
mod canary;
mod dual_write;
mod epochs;
mod fence;
mod forward;
mod groups;
mod hostile;
mod kernel_node;
mod moved;
mod pace;
mod retired;
mod transactions;
