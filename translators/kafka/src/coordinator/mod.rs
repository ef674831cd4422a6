//! State that many connections share: the catalog of topics (one, on shard 0) and the groups and
//! the transactional ids (one of each on each
//! shard).

pub mod catalog;
pub mod group;
pub mod message;
pub mod transaction;
