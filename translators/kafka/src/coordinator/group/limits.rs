//! Every bound and default of the group coordinator.

use std::time::Duration;

/// Bounds and timings. The defaults of what Kafka also has are Kafka's (4.x broker configuration).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long the first rebalance of an empty group waits for more members
    /// (`group.initial.rebalance.delay.ms`).
    pub initial_rebalance_delay: Duration,
    /// How long a new member may wait in its first rebalance; it has no heartbeat yet.
    pub new_member_join_timeout: Duration,
    /// Shortest session time-out a member may ask for (`group.min.session.timeout.ms`).
    pub session_timeout_min: Duration,
    /// Longest session time-out a member may ask for (`group.max.session.timeout.ms`).
    pub session_timeout_max: Duration,
    /// How long a member of the consumer protocol may be silent (`group.consumer.session.timeout.ms`).
    pub consumer_session_timeout: Duration,
    /// How often it is told to be heard (`group.consumer.heartbeat.interval.ms`).
    pub consumer_heartbeat_interval: Duration,
    /// How long offsets live after their group became empty, or after a commit of a consumer that
    /// has no group (`offsets.retention.minutes`).
    pub offsets_retention: Duration,
    /// How often expired offsets are looked for (`offsets.retention.check.interval.ms`).
    pub offsets_retention_check: Duration,
    /// Bytes of an offset's metadata (`offset.metadata.max.bytes`).
    pub offset_metadata_bytes_max: usize,
    /// Groups of this shard, those that follow legacy included. At the bound no group is created.
    pub groups_max: usize,
    /// Members of a group (`group.max.size`), and as many more that were only given an id. It also
    /// bounds the parked replies: a member has at most one join and one sync waiting.
    pub group_members_max: usize,
    /// Bytes of all members' subscriptions and assignments of a group.
    pub group_bytes_max: usize,
    /// Partitions for which a group holds offsets.
    pub group_offsets_max: usize,
    /// Commits handed to the shard and not yet durable. At the bound clients are told to retry.
    pub commits_in_flight_max: usize,
    /// Offset fetches that wait for commits in flight.
    pub waiting_fetches_max: usize,
    /// Groups looked at for expired offsets before other work gets its turn.
    pub expiry_groups_per_turn: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            initial_rebalance_delay: Duration::from_secs(3),
            new_member_join_timeout: Duration::from_secs(5 * 60),
            session_timeout_min: Duration::from_secs(6),
            session_timeout_max: Duration::from_secs(30 * 60),
            consumer_session_timeout: Duration::from_secs(45),
            consumer_heartbeat_interval: Duration::from_secs(5),
            offsets_retention: 7 * DAY,
            offsets_retention_check: Duration::from_secs(10 * 60),
            offset_metadata_bytes_max: 4096,
            groups_max: 100_000,
            group_members_max: 5_000,
            group_bytes_max: 16 << 20,
            group_offsets_max: 100_000,
            commits_in_flight_max: 8_192,
            waiting_fetches_max: 8_192,
            expiry_groups_per_turn: 256,
        }
    }
}
