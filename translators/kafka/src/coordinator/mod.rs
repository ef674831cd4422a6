//! State that many connections share: the catalog of topics and the access rules (one each, on shard 0), the groups
//! and the transactional ids (one of each on each shard).

pub mod access;
pub mod catalog;
pub mod group;
pub mod message;
pub mod transaction;
