//! Kafka's requests, served by the kernel: whole request frames in, whole responses out, by ticket and out
//! of order. Two fronts use it: a session of a stand-alone node, and the gateway for what the kernel serves
//! beside a legacy cluster.
//!
//! Knows no connection and no order: framing, authentication and the order of responses belong to the
//! fronts. Groups' own rules belong to the coordinator that each shard hosts; here their requests are only
//! sent to the right one.

mod access;
mod admin;
mod api_versions;
mod authorize;
mod cluster;
mod configs;
mod copies;
mod fetch;
mod forgetting;
mod groups;
mod inspect;
mod metadata;
mod offsets;
mod operation;
mod produce;
mod spares;
mod throttle;
mod transactions;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kernel_model::{KernelError, Now};
use session::{Answer, Request, RequestId, Violation};

use self::api_versions::offered;
pub use self::api_versions::{SERVED, served};
use self::authorize::{Amend, Guard, Judge, Verdict};
pub use self::cluster::{ClusterView, Node};
pub use self::copies::{Admission, CopyReaders};
use self::fetch::FetchSessions;
pub(crate) use self::metadata::NO_TRANSACTIONS;
use self::operation::{Asks, Begin, Cx, Finished, Head, Operation, Step};
pub use self::spares::{Spare, SpareIds};
use self::throttle::Throttle;
use crate::access::{AccessHandle, Meters, QuotaKind, Who};
use crate::catalog::CatalogHandle;
use crate::codec::messages::{ApiVersionsRequest, InitProducerIdRequest};
use crate::codec::{ApiKey, DecodeError, Message, Reader, frame};
use crate::limits::Limits;

/// Names a request; chosen by the caller, each one once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What all connections share.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where the topics are found.
    pub catalog: CatalogHandle,
    /// Where it is found who may do what.
    pub access: AccessHandle,
    /// How fast clients with a quota write and read.
    pub meters: Arc<Meters>,
    /// How many shards there are.
    pub shards: u16,
    /// Whether a Metadata request that allows it creates the topics it names.
    pub auto_create_topics: bool,
    /// Whether clients know topics that the catalog does not (a legacy cluster's): their offsets may then be
    /// committed by name.
    pub topics_elsewhere: bool,
    /// Runs what may take a thread for long.
    pub long_work: LongWork,
    /// Whether transactions are served.
    pub transactions: bool,
    /// Bounds.
    pub limits: Limits,
}

/// Runs work that may take a tenth of a second (inflating a large batch) so that other connections need not wait
/// for it. `false`, without running it, when too much of it waits already.
pub type LongWork = fn(&mut dyn FnMut()) -> bool;

/// Serves the requests of one connection. See the module.
pub struct Server {
    settings: Arc<ServerSettings>,
    cluster: Arc<ClusterView>,
    client_host: String,
    running: BTreeMap<Ticket, Box<dyn Operation>>,
    asks: Asks,
    done: VecDeque<(Ticket, Option<Vec<Bytes>>)>,
    violation: Option<Violation>,
    sessions: FetchSessions,
    seed: u64,
    /// In whose rules the client is looked up.
    realm: Arc<str>,
    who: Arc<Who>,
    /// What answers are amended with before they leave.
    amends: BTreeMap<Ticket, Amend>,
    copies: Option<Box<dyn CopyReaders>>,
    spares: Option<Box<dyn SpareIds>>,
    logins: bool,
    throttle: Throttle,
}

impl Server {
    /// A server for one client. `client_host` is its address, as group coordinators show it; `seed` are bits
    /// that differ between connections.
    #[must_use]
    pub fn new(
        settings: Arc<ServerSettings>,
        cluster: Arc<ClusterView>,
        client_host: &str,
        seed: u64,
    ) -> Self {
        let sessions = FetchSessions::new(&settings.limits, seed);
        Self {
            settings,
            cluster,
            client_host: client_host.to_owned(),
            running: BTreeMap::new(),
            asks: Asks::default(),
            done: VecDeque::new(),
            violation: None,
            sessions,
            seed,
            realm: Arc::from(""),
            who: Arc::new(Who::anonymous(client_host)),
            amends: BTreeMap::new(),
            copies: None,
            spares: None,
            logins: false,
            throttle: Throttle::default(),
        }
    }

    /// Bits that differ between connections.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Names the realm whose rules hold for this client.
    pub fn set_realm(&mut self, realm: &str) {
        self.realm = Arc::from(realm);
    }

    /// Tells clients that they log in here. Whoever uses this server takes the logins.
    pub fn offer_logins(&mut self) {
        self.logins = true;
    }

    /// The client has shown who it is; `None`: it has, but its name is not known here.
    pub fn set_principal(&mut self, principal: Option<String>) {
        let host = self.who.host.clone();
        self.who = Arc::new(Who { principal, host });
    }

    /// Who the client is.
    #[must_use]
    pub fn who(&self) -> &Who {
        &self.who
    }

    fn guard(&self) -> Guard {
        Guard { realm: self.settings.access.realm(&self.realm), who: Arc::clone(&self.who) }
    }

    /// From now on copies of what the kernel does not lead are read by those only that `readers` admits.
    pub fn guard_copies(&mut self, readers: Box<dyn CopyReaders>) {
        self.copies = Some(readers);
    }

    /// From now on transactional ids that want a producer id get it from there.
    pub fn take_spares_from(&mut self, spares: Box<dyn SpareIds>) {
        self.spares = Some(spares);
    }

    /// The client's address, as group coordinators show it.
    #[must_use]
    pub fn client_host(&self) -> &str {
        &self.client_host
    }

    /// Replaces what clients are told of the cluster.
    pub fn set_cluster(&mut self, cluster: Arc<ClusterView>) {
        self.cluster = cluster;
    }

    /// Takes one request frame, without its size prefix. Its response comes out of [`Self::poll_done`], at
    /// once or later.
    ///
    /// # Errors
    ///
    /// A [`Violation`] when the frame is no request, or one that is not served: the connection has to be
    /// closed, after what was answered before.
    pub fn submit(&mut self, now: Now, ticket: Ticket, request: Bytes) -> Result<(), Violation> {
        let begin = self.begin(now, ticket, request)?;
        match begin {
            Begin::Done(finished) => self.finish(ticket, finished),
            Begin::Run(operation) => drop(self.running.insert(ticket, operation)),
        }
        Ok(())
    }

    fn begin(&mut self, now: Now, ticket: Ticket, request: Bytes) -> Result<Begin, Violation> {
        let peeked = frame::peek_request(&request).map_err(unreadable)?;
        let api = peeked.api().ok_or_else(|| not_served(peeked.api_key, peeked.api_version))?;
        if api != ApiKey::Produce && request.len() > self.settings.limits.plain_frame_bytes_max {
            return Err(Violation::Limit(format!("{} bytes of {}", request.len(), api.spec().name)));
        }
        let versions = offered(api, self.settings.transactions)
            .ok_or_else(|| not_served(peeked.api_key, peeked.api_version))?;
        let known = versions.contains(&peeked.api_version);
        if !known && api != ApiKey::ApiVersions {
            return Err(not_served(peeked.api_key, peeked.api_version));
        }
        if !known {
            let head =
                Head { api, version: 0, correlation_id: peeked.correlation_id, client_id: peeked.client_id };
            return Ok(api_versions::unknown_version(&head));
        }
        let (header, reader) = frame::read_request_header(request.clone()).map_err(unreadable)?;
        let head = Head::new(api, header);
        let guard = self.guard();
        let judge = Judge {
            guard: &guard,
            catalog: &self.settings.catalog.load(),
            head: &head,
            request: &request,
            creates_topics: self.settings.auto_create_topics,
        };
        match judge.judge().map_err(unreadable)? {
            Verdict::Pass => self.dispatch(now, ticket, head, reader, request).map_err(unreadable),
            Verdict::Refuse(finished) => Ok(Begin::Done(finished)),
            Verdict::Amend(rest, amend) => {
                self.amends.insert(ticket, amend);
                let request = rest.unwrap_or(request);
                let (_, reader) = frame::read_request_header(request.clone()).map_err(unreadable)?;
                self.dispatch(now, ticket, head, reader, request).map_err(unreadable)
            }
        }
    }

    fn dispatch(
        &mut self,
        now: Now,
        ticket: Ticket,
        head: Head,
        reader: Reader,
        request: Bytes,
    ) -> Result<Begin, DecodeError> {
        let client_host = std::mem::take(&mut self.client_host);
        let mut cx = self.cx(now, ticket);
        let begin = start(&mut cx, head, reader, request, &client_host);
        self.client_host = client_host;
        begin
    }

    fn cx(&mut self, now: Now, ticket: Ticket) -> Cx<'_> {
        Cx {
            now,
            ticket,
            settings: &self.settings,
            cluster: &self.cluster,
            sessions: &mut self.sessions,
            asks: &mut self.asks,
            guard: Guard { realm: self.settings.access.realm(&self.realm), who: Arc::clone(&self.who) },
            realm: &self.realm,
            copies: self.copies.as_deref(),
            spares: self.spares.as_deref(),
            logins: self.logins,
            throttle: &mut self.throttle,
        }
    }

    /// Answers a request that [`Self::poll_request`] returned. Stored chunks arrive in memory.
    pub fn handle_reply(&mut self, now: Now, id: RequestId, answer: Result<Answer, KernelError>) {
        let Some((ticket, slot)) = self.asks.take(id) else { return };
        let answer = answer.and_then(|answer| match answer {
            Answer::Kernel(reply) => Ok(reply),
            Answer::Released => Err(KernelError::Invalid("no unit was held")),
        });
        self.step(now, ticket, |operation, cx| operation.answered(cx, slot, answer));
    }

    /// Does what was due by `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        self.throttle.ends(now.elapsed);
        while let Some(ticket) = self.asks.take_due(now.elapsed) {
            self.step(now, ticket, |operation, cx| operation.due(cx));
        }
    }

    fn step(
        &mut self,
        now: Now,
        ticket: Ticket,
        advance: impl FnOnce(&mut Box<dyn Operation>, &mut Cx<'_>) -> Step,
    ) {
        let Some(mut operation) = self.running.remove(&ticket) else { return };
        match advance(&mut operation, &mut self.cx(now, ticket)) {
            Step::Wait => drop(self.running.insert(ticket, operation)),
            Step::Done(finished) => self.finish(ticket, finished),
        }
    }

    fn finish(&mut self, ticket: Ticket, finished: Finished) {
        self.asks.forget(ticket);
        let finished = match (self.amends.remove(&ticket), finished) {
            (Some(amend), Finished::Frame(parts)) => match amend(joined(parts)) {
                Some(whole) => Finished::Frame(vec![whole]),
                None => Finished::Close("a response could not be amended"),
            },
            (_, finished) => finished,
        };
        match finished {
            Finished::Frame(parts) => self.done.push_back((ticket, Some(parts))),
            Finished::Silent => self.done.push_back((ticket, None)),
            Finished::Close(why) => {
                self.done.push_back((ticket, None));
                self.violation.get_or_insert_with(|| Violation::Protocol(why.to_owned()));
            }
        }
    }

    /// Next request for a shard.
    pub fn poll_request(&mut self) -> Option<(RequestId, Request)> {
        self.asks.requests.pop_front()
    }

    /// Next finished request: the parts of its response frame, size prefix included, or `None` when the
    /// client expects no response (acks 0).
    pub fn poll_done(&mut self) -> Option<(Ticket, Option<Vec<Bytes>>)> {
        self.done.pop_front()
    }

    /// Why the connection has to be closed, once: a request could be answered in no other way (a refused
    /// produce with acks 0). Requests before it are still owed their answers.
    pub fn poll_violation(&mut self) -> Option<Violation> {
        self.violation.take()
    }

    /// When [`Self::handle_timeout`] is next due, on the monotonic clock.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        [self.asks.next_due(), self.throttle.until()].into_iter().flatten().min()
    }

    /// Whether the client is above its quota: nothing is to be read from it until [`Self::handle_timeout`] has ended
    /// that (KIP-219). What it has asked already is answered.
    #[must_use]
    pub fn is_muted(&self) -> bool {
        self.throttle.until().is_some()
    }

    /// Next wait that the client was given, and for what; each is told once.
    pub fn poll_throttled(&mut self) -> Option<(QuotaKind, Duration)> {
        self.throttle.poll()
    }

    /// How many requests wait for answers.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }
}

fn joined(parts: Vec<Bytes>) -> Bytes {
    let mut whole = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    whole.freeze()
}

fn unreadable(error: DecodeError) -> Violation {
    Violation::Protocol(error.to_string())
}

fn not_served(api: i16, version: i16) -> Violation {
    Violation::Protocol(format!("version {version} of API key {api} is not served"))
}

/// Begins a request whose API and version are served.
fn start(
    cx: &mut Cx<'_>,
    head: Head,
    reader: Reader,
    request: Bytes,
    client_host: &str,
) -> Result<Begin, DecodeError> {
    let v = head.version;
    macro_rules! decoded {
        ($start:path) => {
            Ok($start(cx, head, Message::decode_request(reader, v)?))
        };
    }
    #[allow(clippy::wildcard_enum_match_arm, reason = "`served` names the APIs; each of them is tested")]
    match head.api {
        ApiKey::ApiVersions => {
            let request = ApiVersionsRequest::decode_request(reader, v)?;
            Ok(api_versions::start(cx, &head, &request))
        }
        ApiKey::Produce => {
            let bytes = request.len();
            Ok(produce::start(cx, head, Message::decode_request(reader, v)?, bytes))
        }
        ApiKey::Fetch => decoded!(fetch::start),
        ApiKey::ListOffsets => decoded!(offsets::list),
        ApiKey::OffsetForLeaderEpoch => decoded!(offsets::leader_epochs),
        ApiKey::DeleteRecords => decoded!(offsets::delete_records),
        ApiKey::Metadata => decoded!(metadata::start),
        ApiKey::DescribeTopicPartitions => decoded!(metadata::topic_partitions),
        ApiKey::DescribeCluster => decoded!(metadata::cluster),
        ApiKey::FindCoordinator => decoded!(metadata::find_coordinator),
        ApiKey::DescribeConfigs => decoded!(configs::describe),
        ApiKey::ListConfigResources => decoded!(configs::list),
        ApiKey::DescribeProducers => decoded!(inspect::producers),
        ApiKey::DescribeLogDirs => decoded!(inspect::log_dirs),
        ApiKey::ElectLeaders => decoded!(inspect::elect_leaders),
        ApiKey::DescribeAcls => decoded!(access::describe_acls),
        ApiKey::CreateAcls => decoded!(access::create_acls),
        ApiKey::DeleteAcls => decoded!(access::delete_acls),
        ApiKey::DescribeUserScramCredentials => decoded!(access::describe_users),
        ApiKey::AlterUserScramCredentials => decoded!(access::alter_users),
        ApiKey::DescribeClientQuotas => decoded!(access::describe_quotas),
        ApiKey::AlterClientQuotas => decoded!(access::alter_quotas),
        ApiKey::ListPartitionReassignments => decoded!(inspect::reassignments),
        ApiKey::InitProducerId => {
            let decoded = InitProducerIdRequest::decode_request(reader.clone(), v)?;
            if cx.settings.transactions && decoded.transactional_id.is_some() {
                return Ok(transactions::init(cx, head, &decoded));
            }
            admin::start(cx, head, reader, request)
        }
        ApiKey::AddPartitionsToTxn => decoded!(transactions::add_partitions),
        ApiKey::AddOffsetsToTxn => {
            Ok(transactions::add_offsets(cx, head, &Message::decode_request(reader, v)?))
        }
        ApiKey::TxnOffsetCommit => decoded!(transactions::commit_offsets),
        ApiKey::EndTxn => Ok(transactions::end(cx, head, &Message::decode_request(reader, v)?)),
        ApiKey::DescribeTransactions => {
            Ok(transactions::describe(cx, head, &Message::decode_request(reader, v)?))
        }
        ApiKey::ListTransactions => Ok(transactions::list(cx, head, &Message::decode_request(reader, v)?)),
        ApiKey::WriteTxnMarkers => decoded!(transactions::write_markers),
        ApiKey::CreateTopics
        | ApiKey::CreatePartitions
        | ApiKey::DeleteTopics
        | ApiKey::AlterConfigs
        | ApiKey::IncrementalAlterConfigs => admin::start(cx, head, reader, request),
        _ => groups::start(cx, head, reader, &request, client_host),
    }
}
