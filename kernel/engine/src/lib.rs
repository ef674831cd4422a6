//! The engine of the kernel: shards and the stores that make their commits durable.

pub mod store;
