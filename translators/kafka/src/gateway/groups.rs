//! Requests about groups, split by side and put together again: as `trim` for partitions.

use crate::codec::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest,
    DescribeGroupsResponse, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest, SyncGroupResponse,
    consumer_group_describe_response, delete_groups_response, describe_groups_response,
    offset_commit_response, offset_fetch_response,
};
use crate::errors::ErrorCode;

use super::owner::{LeaderOf, Owned, Owner, Select};

/// Requests that name exactly one group: all of it or nothing is taken.
macro_rules! one_group {
    ($request:ident, $response:ident, |$this:ident, $error:ident| $refusal:expr) => {
        impl Owned for $request {
            fn take(&mut self, select: Select<'_>) -> Self {
                if select(Owner::Group(&self.group_id)) { std::mem::take(self) } else { Self::default() }
            }

            fn is_empty(&self) -> bool {
                // A request without its group is the default that `take` leaves behind, or the empty group
                // id, which no migration can own and which goes to legacy unread.
                self.group_id.is_empty()
            }

            fn refuse(&self, _version: i16, error: ErrorCode, _leader: LeaderOf<'_>) -> $response {
                let ($this, $error) = (self, error.code());
                $refusal
            }

            fn merge(into: &mut $response, other: $response) {
                *into = other;
            }
        }
    };
}

one_group!(JoinGroupRequest, JoinGroupResponse, |this, error_code| JoinGroupResponse {
    error_code,
    generation_id: -1,
    protocol_name: Some("".into()),
    member_id: this.member_id.clone(),
    ..Default::default()
});
one_group!(SyncGroupRequest, SyncGroupResponse, |_this, error_code| SyncGroupResponse {
    error_code,
    ..Default::default()
});
one_group!(HeartbeatRequest, HeartbeatResponse, |_this, error_code| HeartbeatResponse {
    error_code,
    ..Default::default()
});
one_group!(LeaveGroupRequest, LeaveGroupResponse, |_this, error_code| LeaveGroupResponse {
    error_code,
    ..Default::default()
});
one_group!(ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, |_this, error_code| {
    ConsumerGroupHeartbeatResponse { error_code, ..Default::default() }
});
one_group!(OffsetDeleteRequest, OffsetDeleteResponse, |_this, error_code| OffsetDeleteResponse {
    error_code,
    ..Default::default()
});
one_group!(OffsetCommitRequest, OffsetCommitResponse, |this, error_code| OffsetCommitResponse {
    topics: this
        .topics
        .iter()
        .map(|topic| offset_commit_response::OffsetCommitResponseTopic {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .map(|partition| offset_commit_response::OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        })
        .collect(),
    ..Default::default()
});

/// First version of OffsetFetch that asks for several groups.
const OFFSET_FETCH_GROUPS: i16 = 8;

impl Owned for OffsetFetchRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        if self.groups.is_empty() {
            return if select(Owner::Group(&self.group_id)) { std::mem::take(self) } else { Self::default() };
        }
        let all = std::mem::take(&mut self.groups);
        let (taken, kept) = all.into_iter().partition(|group| select(Owner::Group(&group.group_id)));
        self.groups = kept;
        Self { groups: taken, require_stable: self.require_stable, ..Default::default() }
    }

    fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.group_id.is_empty()
    }

    fn refuse(&self, version: i16, error: ErrorCode, _leader: LeaderOf<'_>) -> OffsetFetchResponse {
        if version < OFFSET_FETCH_GROUPS {
            return refuse_one_offset_fetch(self, version, error);
        }
        let refused = |group: &crate::codec::messages::offset_fetch_request::OffsetFetchRequestGroup| {
            offset_fetch_response::OffsetFetchResponseGroup {
                group_id: group.group_id.clone(),
                error_code: error.code(),
                ..Default::default()
            }
        };
        OffsetFetchResponse { groups: self.groups.iter().map(refused).collect(), ..Default::default() }
    }

    fn merge(into: &mut OffsetFetchResponse, other: OffsetFetchResponse) {
        into.groups.extend(other.groups);
    }
}

/// The form of the older versions: the error at the top, before version 2 at each partition only.
fn refuse_one_offset_fetch(
    request: &OffsetFetchRequest,
    version: i16,
    error: ErrorCode,
) -> OffsetFetchResponse {
    let topics = request.topics.iter().flatten().filter(|_| version < 2);
    let topics = topics.map(|topic| offset_fetch_response::OffsetFetchResponseTopic {
        name: topic.name.clone(),
        partitions: topic
            .partition_indexes
            .iter()
            .map(|index| offset_fetch_response::OffsetFetchResponsePartition {
                partition_index: *index,
                committed_offset: -1,
                committed_leader_epoch: -1,
                metadata: Some("".into()),
                error_code: error.code(),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    let error_code = if version < 2 { 0 } else { error.code() };
    OffsetFetchResponse { error_code, topics: topics.collect(), ..Default::default() }
}

impl Owned for DescribeGroupsRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        let all = std::mem::take(&mut self.groups);
        let (taken, kept) = all.into_iter().partition(|group| select(Owner::Group(group)));
        self.groups = kept;
        Self { groups: taken, ..Default::default() }
    }

    fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    fn refuse(&self, _version: i16, error: ErrorCode, _leader: LeaderOf<'_>) -> DescribeGroupsResponse {
        let refused = |group: &crate::codec::Str| describe_groups_response::DescribedGroup {
            error_code: error.code(),
            group_id: group.clone(),
            ..Default::default()
        };
        DescribeGroupsResponse { groups: self.groups.iter().map(refused).collect(), ..Default::default() }
    }

    fn merge(into: &mut DescribeGroupsResponse, other: DescribeGroupsResponse) {
        into.groups.extend(other.groups);
    }
}

impl Owned for ConsumerGroupDescribeRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        let all = std::mem::take(&mut self.group_ids);
        let (taken, kept) = all.into_iter().partition(|group| select(Owner::Group(group)));
        self.group_ids = kept;
        Self { group_ids: taken, ..self.clone() }
    }

    fn is_empty(&self) -> bool {
        self.group_ids.is_empty()
    }

    fn refuse(
        &self,
        _version: i16,
        error: ErrorCode,
        _leader: LeaderOf<'_>,
    ) -> ConsumerGroupDescribeResponse {
        let refused = |group: &crate::codec::Str| consumer_group_describe_response::DescribedGroup {
            error_code: error.code(),
            group_id: group.clone(),
            ..Default::default()
        };
        ConsumerGroupDescribeResponse {
            groups: self.group_ids.iter().map(refused).collect(),
            ..Default::default()
        }
    }

    fn merge(into: &mut ConsumerGroupDescribeResponse, other: ConsumerGroupDescribeResponse) {
        into.groups.extend(other.groups);
    }
}

impl Owned for DeleteGroupsRequest {
    fn take(&mut self, select: Select<'_>) -> Self {
        let all = std::mem::take(&mut self.groups_names);
        let (taken, kept) = all.into_iter().partition(|group| select(Owner::Group(group)));
        self.groups_names = kept;
        Self { groups_names: taken, ..Default::default() }
    }

    fn is_empty(&self) -> bool {
        self.groups_names.is_empty()
    }

    fn refuse(&self, _version: i16, error: ErrorCode, _leader: LeaderOf<'_>) -> DeleteGroupsResponse {
        let refused = |group: &crate::codec::Str| delete_groups_response::DeletableGroupResult {
            error_code: error.code(),
            group_id: group.clone(),
            ..Default::default()
        };
        DeleteGroupsResponse {
            results: self.groups_names.iter().map(refused).collect(),
            ..Default::default()
        }
    }

    fn merge(into: &mut DeleteGroupsResponse, other: DeleteGroupsResponse) {
        into.results.extend(other.results);
    }
}
