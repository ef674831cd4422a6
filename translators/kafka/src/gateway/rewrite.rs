//! What legacy says about its nodes and leaders, as clients may hear it.
//!
//! Every answer that carries an address, a node id or a leader passes here: legacy's nodes get the proxy's
//! addresses, moved partitions and groups the kernel's node. A node that has no address here (it has just
//! joined) is left out: clients ask again, and no legacy address ever leaves.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "`apis` looks at every API; here the ones that differ are named"
)]

use bytes::Bytes;

use crate::codec::frame;
use crate::codec::messages::{
    ApiVersionsResponse, DescribeClusterResponse, DescribeQuorumResponse, DescribeShareGroupOffsetsResponse,
    DescribeTopicPartitionsResponse, FetchResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    ListGroupsResponse, ListOffsetsResponse, ListTransactionsResponse, MetadataResponse, OffsetFetchResponse,
    OffsetForLeaderEpochResponse, ProduceResponse, ShareAcknowledgeResponse, ShareFetchResponse,
    describe_cluster_response, metadata_response,
};
use crate::codec::{ApiKey, DecodeError, EncodeError, Response, Str};
use crate::errors::ErrorCode;

use super::canary::Viewer;
use super::epochs::{AskedEpochs, HoldsBatches, TellsEpochs, patch, tell_ends};
use super::nodes::NodeTable;
use super::route::{RouteTable, TopicRef, Unit};
use super::versions;

/// Why an answer of legacy could not be rewritten. It is not forwarded then.
#[derive(Debug, thiserror::Error)]
pub(super) enum RewriteError {
    /// Legacy's bytes are not the answer they should be.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The rewritten answer does not fit the version.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// What rewriting needs to know.
pub(super) struct Rewriter<'a> {
    pub(super) nodes: &'a NodeTable,
    pub(super) routes: &'a RouteTable,
    pub(super) any_moved: bool,
    /// Whether clients know the kernel's node.
    pub(super) kernel_shown: bool,
    /// Whether clients see other leader epochs than legacy's own.
    pub(super) any_translated: bool,
    /// On the kernel's own node fewer APIs are offered.
    pub(super) at_kernel_node: bool,
    /// The client, while a canary is on.
    pub(super) viewer: Option<Viewer<'a>>,
}

/// First version of FindCoordinator that asks for several keys.
const FIND_COORDINATOR_KEYS: i16 = 4;

/// What a client asked, where its answer alone does not say.
#[derive(Debug, Clone, Default)]
pub(super) enum Asked {
    /// Nothing more.
    #[default]
    Plain,
    /// The key of an older FindCoordinator, and what it is the key of.
    Coordinator(Str, KeyKind),
    /// The virtual epochs of an OffsetForLeaderEpoch.
    Ends(AskedEpochs),
    /// A version of ApiVersions that we do not know: answered in the oldest form with an error.
    UnknownApiVersions,
}

/// What a coordinator is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Group,
    Transaction,
    Other,
}

impl Rewriter<'_> {
    /// Rewrites one answer. `whole` is the frame with its size prefix, `version` the request's.
    pub(super) fn rewrite(
        &self,
        api: ApiKey,
        version: i16,
        asked: &Asked,
        whole: Bytes,
    ) -> Result<Bytes, RewriteError> {
        match api {
            ApiKey::Metadata => change(whole, version, |answer| self.metadata(answer)),
            ApiKey::FindCoordinator => {
                change(whole, version, |answer| self.coordinator(answer, version, asked))
            }
            ApiKey::DescribeCluster => change(whole, version, |answer| self.cluster(answer)),
            ApiKey::DescribeTopicPartitions => change(whole, version, |answer| self.topic_partitions(answer)),
            ApiKey::DescribeQuorum => change(whole, version, |answer: &mut DescribeQuorumResponse| {
                // Controllers are no business of a client that is to leave this cluster.
                answer.nodes.clear();
            }),
            ApiKey::ListGroups => change(whole, version, |answer: &mut ListGroupsResponse| {
                answer.groups.retain(|group| !self.group_moved(&group.group_id));
            }),
            ApiKey::ListTransactions if self.any_moved => {
                change(whole, version, |answer: &mut ListTransactionsResponse| {
                    answer.transaction_states.retain(|one| !self.transaction_moved(&one.transactional_id));
                })
            }
            ApiKey::ApiVersions => self.api_versions(version, asked, whole),
            ApiKey::Produce if version >= 10 => self.leaders::<ProduceResponse>(whole, version),
            ApiKey::Fetch if self.any_translated => self.batches::<FetchResponse>(whole, version),
            ApiKey::Fetch if version >= 16 => self.leaders::<FetchResponse>(whole, version),
            ApiKey::ShareFetch => self.batches::<ShareFetchResponse>(whole, version),
            ApiKey::ShareAcknowledge => self.leaders::<ShareAcknowledgeResponse>(whole, version),
            ApiKey::OffsetForLeaderEpoch => self.ends(asked, version, whole),
            ApiKey::ListOffsets => self.epochs::<ListOffsetsResponse>(whole, version),
            ApiKey::OffsetFetch => self.epochs::<OffsetFetchResponse>(whole, version),
            ApiKey::DescribeShareGroupOffsets => {
                self.epochs::<DescribeShareGroupOffsetsResponse>(whole, version)
            }
            _ => Ok(whole),
        }
    }

    fn group_moved(&self, group: &str) -> bool {
        self.any_moved && self.routes.group(group).is_some_and(|unit| unit.is_moved())
    }

    fn transaction_moved(&self, id: &str) -> bool {
        self.any_moved && self.routes.transaction(id).is_some_and(|route| route.unit.is_moved())
    }

    fn partition_moved(&self, topic: TopicRef<'_>, partition: i32) -> Option<&Unit> {
        let unit = if self.any_moved { self.routes.partition(topic, partition) } else { None };
        unit.map(AsRef::as_ref).filter(|unit| unit.is_moved())
    }

    fn metadata(&self, answer: &mut MetadataResponse) {
        if self.any_translated {
            answer.translate(self.routes);
        }
        answer.brokers.retain_mut(|broker| match self.nodes.legacy.get(&broker.node_id) {
            Some(endpoint) => {
                broker.host = endpoint.host.clone();
                broker.port = endpoint.port;
                true
            }
            None => false,
        });
        let shown = self.kernel_shown || self.viewer.is_some();
        let kernel = shown.then(|| self.nodes.kernel_node()).flatten();
        if let Some((node_id, endpoint)) = kernel {
            answer.brokers.push(metadata_response::MetadataResponseBroker {
                node_id,
                host: endpoint.host.clone(),
                port: endpoint.port,
                ..Default::default()
            });
            for topic in &mut answer.topics {
                let name = topic.name.clone().unwrap_or_default();
                for partition in &mut topic.partitions {
                    let topic = TopicRef::of(&name, topic.topic_id);
                    if let Some(unit) = self.partition_moved(topic, partition.partition_index) {
                        partition.error_code = ErrorCode::None.code();
                        partition.leader_id = node_id;
                        partition.leader_epoch = unit.kernel_epoch();
                        partition.replica_nodes = vec![node_id];
                        partition.isr_nodes = vec![node_id];
                        partition.offline_replicas.clear();
                    }
                    if let (Some(viewer), Some(unit)) =
                        (self.viewer, self.routes.partition(topic, partition.partition_index))
                    {
                        viewer.show(unit, node_id, partition);
                    }
                }
            }
            if let Some(viewer) = self.viewer {
                viewer.readers.told(viewer.id);
            }
        }
    }

    fn topic_partitions(&self, answer: &mut DescribeTopicPartitionsResponse) {
        if self.any_translated {
            answer.translate(self.routes);
        }
        let Some((node_id, _)) = self.nodes.kernel_node() else { return };
        for topic in &mut answer.topics {
            let name = topic.name.clone().unwrap_or_default();
            for partition in &mut topic.partitions {
                let topic = TopicRef::of(&name, topic.topic_id);
                if let Some(unit) = self.partition_moved(topic, partition.partition_index) {
                    partition.error_code = ErrorCode::None.code();
                    partition.leader_id = node_id;
                    partition.leader_epoch = unit.kernel_epoch();
                    partition.replica_nodes = vec![node_id];
                    partition.isr_nodes = vec![node_id];
                    // Java's admin client takes no null here, though the descriptor allows it.
                    partition.eligible_leader_replicas = Some(Vec::new());
                    partition.last_known_elr = Some(Vec::new());
                    partition.offline_replicas.clear();
                }
            }
        }
    }

    fn cluster(&self, answer: &mut DescribeClusterResponse) {
        if answer.endpoint_type == 2 {
            // Controllers, asked for by tools that bootstrap from them: they are not proxied.
            answer.brokers.clear();
            return;
        }
        answer.brokers.retain_mut(|broker| match self.nodes.legacy.get(&broker.broker_id) {
            Some(endpoint) => {
                broker.host = endpoint.host.clone();
                broker.port = endpoint.port;
                true
            }
            None => false,
        });
        if let (true, Some((broker_id, endpoint))) = (self.kernel_shown, self.nodes.kernel_node()) {
            answer.brokers.push(describe_cluster_response::DescribeClusterBroker {
                broker_id,
                host: endpoint.host.clone(),
                port: endpoint.port,
                ..Default::default()
            });
        }
    }

    fn coordinator(&self, answer: &mut FindCoordinatorResponse, version: i16, asked: &Asked) {
        let Asked::Coordinator(key, kind) = asked else { return };
        let kind = *kind;
        if version < FIND_COORDINATOR_KEYS {
            let (id, endpoint, error) = self.place(kind, key, answer.node_id, answer.error_code);
            answer.node_id = id;
            answer.error_code = error;
            (answer.host, answer.port) = endpoint;
            if error == 0 {
                answer.error_message = None;
            }
        }
        for coordinator in &mut answer.coordinators {
            let (id, endpoint, error) =
                self.place(kind, &coordinator.key, coordinator.node_id, coordinator.error_code);
            coordinator.node_id = id;
            coordinator.error_code = error;
            (coordinator.host, coordinator.port) = endpoint;
            if error == 0 {
                coordinator.error_message = None;
            }
        }
    }

    /// Node, address and error of a coordinator.
    fn place(&self, kind: KeyKind, key: &str, node_id: i32, error: i16) -> (i32, (Str, i32), i16) {
        // A transactional id may be called as a group is.
        let moved = match kind {
            KeyKind::Group => self.group_moved(key),
            KeyKind::Transaction => self.transaction_moved(key),
            KeyKind::Other => false,
        };
        if let (true, Some((id, endpoint))) = (moved, self.nodes.kernel_node()) {
            return (id, (endpoint.host.clone(), endpoint.port), ErrorCode::None.code());
        }
        if error != 0 {
            return (-1, (Str::default(), -1), error);
        }
        match self.nodes.legacy.get(&node_id) {
            Some(endpoint) => (node_id, (endpoint.host.clone(), endpoint.port), error),
            None => (-1, (Str::default(), -1), ErrorCode::CoordinatorNotAvailable.code()),
        }
    }

    fn api_versions(&self, version: i16, asked: &Asked, whole: Bytes) -> Result<Bytes, RewriteError> {
        let unknown = matches!(asked, Asked::UnknownApiVersions);
        // A broker older than the client answers in the oldest form that it does not know the client's, and
        // the client asks again: 3.9 knows version 4, clients of 4.4 begin with 5.
        let version = if unknown || refuses_version(&whole) { 0 } else { version };
        change(whole, version, |answer: &mut ApiVersionsResponse| {
            versions::restrict(answer, self.at_kernel_node);
            if unknown {
                answer.error_code = ErrorCode::UnsupportedVersion.code();
            }
        })
    }

    /// Rewrites the node endpoints and leaders that newer answers carry with an error. Without any, the frame goes out
    /// as it came.
    fn leaders<R: Response + HasEndpoints + TellsEpochs>(
        &self,
        whole: Bytes,
        version: i16,
    ) -> Result<Bytes, RewriteError> {
        change_if(whole, version, |answer: &mut R| {
            let translated = self.any_translated && answer.translate(self.routes);
            answer.rewrite_endpoints(self.nodes) || translated
        })
    }

    /// The same of an answer that carries batches: their headers tell leader epochs too.
    fn batches<R: Response + HasEndpoints + TellsEpochs + HoldsBatches>(
        &self,
        whole: Bytes,
        version: i16,
    ) -> Result<Bytes, RewriteError> {
        if !self.any_translated {
            return self.leaders::<R>(whole, version);
        }
        let (_, answer) = decode::<R>(&whole, version)?;
        self.leaders::<R>(patch(whole, &answer, self.routes), version)
    }

    /// Rewrites an answer in which nothing but leader epochs may differ.
    fn epochs<R: Response + TellsEpochs>(&self, whole: Bytes, version: i16) -> Result<Bytes, RewriteError> {
        if !self.any_translated {
            return Ok(whole);
        }
        change_if(whole, version, |answer: &mut R| answer.translate(self.routes))
    }

    fn ends(&self, asked: &Asked, version: i16, whole: Bytes) -> Result<Bytes, RewriteError> {
        let Asked::Ends(asked) = asked else { return Ok(whole) };
        change(whole, version, |answer: &mut OffsetForLeaderEpochResponse| {
            tell_ends(answer, self.routes, asked);
        })
    }
}

/// Answers with node endpoints.
trait HasEndpoints {
    /// Replaces the endpoints; says whether there were any.
    fn rewrite_endpoints(&mut self, nodes: &NodeTable) -> bool;
}

macro_rules! has_endpoints {
    ($($response:ty),*) => {
        $(impl HasEndpoints for $response {
            fn rewrite_endpoints(&mut self, nodes: &NodeTable) -> bool {
                let any = !self.node_endpoints.is_empty();
                self.node_endpoints.retain_mut(|endpoint| match nodes.endpoint(endpoint.node_id) {
                    Some(address) => {
                        endpoint.host = address.host.clone();
                        endpoint.port = address.port;
                        true
                    }
                    None => false,
                });
                any
            }
        })*
    };
}
has_endpoints!(ProduceResponse, FetchResponse, ShareFetchResponse, ShareAcknowledgeResponse);

/// Whether an answer to ApiVersions (size prefix included) says that its version is unknown.
fn refuses_version(whole: &Bytes) -> bool {
    const ERROR_AT: usize = 8;
    let code = whole.get(ERROR_AT..).and_then(|rest| rest.first_chunk()).copied().map(i16::from_be_bytes);
    code == Some(ErrorCode::UnsupportedVersion.code())
}

/// Decodes a response frame (size prefix included).
pub(super) fn decode<R: Response>(whole: &Bytes, version: i16) -> Result<(i32, R), DecodeError> {
    let body = whole.slice(4.min(whole.len())..);
    let (header, reader) = frame::read_response_header(body, R::API, version)?;
    Ok((header.correlation_id, R::decode_rest(reader, version)?))
}

/// Decodes, and encodes again if something was changed.
fn change_if<R: Response>(
    whole: Bytes,
    version: i16,
    edit: impl FnOnce(&mut R) -> bool,
) -> Result<Bytes, RewriteError> {
    let (correlation, mut answer) = decode::<R>(&whole, version)?;
    if !edit(&mut answer) {
        return Ok(whole);
    }
    Ok(frame::response_frame(version, correlation, &answer)?)
}

/// Decodes, changes and encodes again.
fn change<R: Response>(whole: Bytes, version: i16, edit: impl FnOnce(&mut R)) -> Result<Bytes, RewriteError> {
    let (correlation, mut answer) = decode::<R>(&whole, version)?;
    edit(&mut answer);
    Ok(frame::response_frame(version, correlation, &answer)?)
}

/// What a FindCoordinator asks for, as far as its answer will not repeat it.
pub(super) fn asked_coordinator(request: &FindCoordinatorRequest) -> Asked {
    let kind = match request.key_type {
        0 => KeyKind::Group,
        1 => KeyKind::Transaction,
        _ => KeyKind::Other,
    };
    Asked::Coordinator(request.key.clone(), kind)
}
