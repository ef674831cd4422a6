//! Which shard owns what: partitions by topic id and number, groups and transactional ids by themselves.

use kernel_model::{CoordinatorKind, ShardId};

/// The coordinator that owns topics, configuration and producer ids; only shard 0 hosts one.
pub const CATALOG: CoordinatorKind = CoordinatorKind(b'c');
/// The coordinator of the groups of a shard.
pub const GROUPS: CoordinatorKind = CoordinatorKind(b'g');
/// The coordinator of the transactional ids of a shard.
pub const TRANSACTIONS: CoordinatorKind = CoordinatorKind(b't');
/// The coordinator that owns rules, users and quotas; only shard 0 hosts one.
pub const ACCESS: CoordinatorKind = CoordinatorKind(b'a');
/// The shard that hosts the catalog.
pub const CATALOG_SHARD: ShardId = ShardId(0);

/// The shard of a group among `shards`, by its id.
#[must_use]
pub fn group_shard(group_id: &str, shards: u16) -> ShardId {
    pick(hash(&[group_id.as_bytes()]), shards)
}

/// The shard of a transactional id among `shards`.
#[must_use]
pub fn transaction_shard(transactional_id: &str, shards: u16) -> ShardId {
    pick(hash(&[b"transaction", transactional_id.as_bytes()]), shards)
}

/// The shard in which a new partition's log is placed, among `shards`. Where it once was placed the catalog
/// remembers: the number of shards may change.
#[must_use]
pub fn partition_shard(topic_id: [u8; 16], partition: i32, shards: u16) -> ShardId {
    pick(hash(&[&topic_id, &partition.to_be_bytes()]), shards)
}

fn pick(hash: u64, shards: u16) -> ShardId {
    let shard = hash % u64::from(shards.max(1));
    ShardId(u16::try_from(shard).unwrap_or(0))
}

/// FNV-1a with a final mix: stable over versions, as placement must be, and spread over small moduli.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().copied().flatten() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placement_never_changes_for_a_given_number_of_shards() {
        assert_eq!(group_shard("billing", 1), ShardId(0));
        assert_eq!(group_shard("billing", 0), ShardId(0));
        let placed: Vec<u16> = (0..8).map(|partition| partition_shard([7; 16], partition, 4).0).collect();
        assert_eq!(
            placed,
            (0..8).map(|partition| partition_shard([7; 16], partition, 4).0).collect::<Vec<_>>()
        );
    }

    #[test]
    fn partitions_spread_over_the_shards() {
        let mut counts = [0_u32; 4];
        for partition in 0..400 {
            counts[usize::from(partition_shard([1; 16], partition, 4).0)] += 1;
        }
        assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
    }
}
