//! What a request is about: partitions and groups, each with one primary.

use crate::codec::Request;
use crate::errors::ErrorCode;

use super::nodes::Endpoint;
use super::route::TopicRef;

/// What has a primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner<'a> {
    /// A partition.
    Partition(TopicRef<'a>, i32),
    /// A consumer group.
    Group(&'a str),
    /// A transactional id.
    Transaction(&'a str),
}

/// Says for each owner whether it is meant.
pub(crate) type Select<'a> = &'a mut dyn FnMut(Owner<'_>) -> bool;

/// Where a moved partition is led now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leader {
    /// The kernel's node and its address, unless there is none to be told of.
    pub(crate) node: Option<(i32, Endpoint)>,
    /// Its epoch.
    pub(crate) epoch: i32,
}

/// Tells of a partition where it is led now.
pub(crate) type LeaderOf<'a> = &'a dyn Fn(TopicRef<'_>, i32) -> Leader;

/// A request about owners, each of which one side serves.
pub(crate) trait Owned: Request<Response: Send + 'static> {
    /// Takes out what `select` names, as a request of the same form.
    fn take(&mut self, select: Select<'_>) -> Self;
    /// Whether nothing is left.
    fn is_empty(&self) -> bool;
    /// An answer that gives every owner the same error.
    fn refuse(&self, version: i16, error: ErrorCode, leader: LeaderOf<'_>) -> Self::Response;
    /// Adds what another answer says.
    fn merge(into: &mut Self::Response, other: Self::Response);
}
