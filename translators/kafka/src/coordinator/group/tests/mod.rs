//! The coordinator in virtual time, over keys in a map.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "test code"
)]

mod administration;
mod consumers;
mod host;
mod membership;
mod migration;
mod offsets;
mod records;
mod restart;
mod static_members;
mod storm;

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use self::host::{Host, Member, code};
use crate::errors::ErrorCode;

const GROUP: &str = "billing";

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(60);

/// A consumer's subscription, version 0, with bytes of its own at the end.
fn subscription(topics: &[&str], own: &str) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(0);
    out.put_i32(i32::try_from(topics.len()).unwrap());
    for topic in topics {
        out.put_i16(i16::try_from(topic.len()).unwrap());
        out.put_slice(topic.as_bytes());
    }
    out.put_i32(i32::try_from(own.len()).unwrap());
    out.put_slice(own.as_bytes());
    out.freeze()
}

/// A stable group of `count` members, the first of which leads.
fn stable(host: &mut Host, count: usize) -> Vec<Member> {
    let mut members: Vec<Member> = (0..count).map(|n| Member::new(&format!("c{n}"))).collect();
    for member in &mut members {
        member.obtain_id(host);
    }
    let joins: Vec<u64> = members.iter().map(|member| member.send_join(host)).collect();
    host.advance(Duration::from_secs(6));
    complete_join(host, &mut members, &joins);
    sync_all(host, &mut members);
    members
}

/// Takes the answers to joins.
fn complete_join(host: &mut Host, members: &mut [Member], joins: &[u64]) {
    for (member, join) in members.iter_mut().zip(joins) {
        let response = member.joined(host, *join);
        assert_eq!(response.error_code, 0, "{} joins", member.id);
    }
}

/// Followers sync first, then the leader; everybody ends with the assignment that bears its id.
fn sync_all(host: &mut Host, members: &mut [Member]) {
    let assignments: Vec<(String, String)> =
        members.iter().map(|member| (member.id.clone(), format!("for {}", member.id))).collect();
    let (leaders, followers): (Vec<_>, Vec<_>) = members.iter().partition(|member| member.is_leader());
    assert_eq!(leaders.len(), 1, "one member leads");
    let parked: Vec<u64> = followers.iter().map(|member| member.send_sync(host, &[])).collect();
    for sync in &parked {
        assert!(!host.is_answered(*sync), "a follower waits for the leader");
    }
    let leader = leaders[0].send_sync(host, &assignments);
    for (member, sync) in followers.iter().zip(parked).chain([(&leaders[0], leader)]) {
        let response = member.synced(host, sync);
        assert_eq!(response.error_code, 0, "{} syncs", member.id);
        assert_eq!(response.assignment, format!("for {}", member.id).into_bytes());
    }
}

fn is(found: i16, expected: ErrorCode) -> bool {
    assert_eq!(code(found), expected);
    true
}
