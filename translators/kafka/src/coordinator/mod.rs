//! State that many connections share: the catalog of topics (one, on shard 0) and the groups (one on each
//! shard).

pub mod catalog;
pub mod group;
pub mod message;
