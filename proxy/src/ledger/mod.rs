//! The durable record of every phase change with its evidence.
