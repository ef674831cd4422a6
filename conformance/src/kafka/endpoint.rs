//! One side of a run: what it advertises, where its leaders and coordinators are, and the connections to them.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, FindCoordinatorRequest, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes};
use tokio::time::Instant;

use super::tree::Tree;
use super::wire::{Ask, Wire, WireError, codec_knows};

/// Pause before a transient refusal is asked again.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// How long leaders and coordinators may take to appear.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// Why a step of the suite's own could not be done.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum StepError {
    /// No answer.
    #[error("{0}: {1}")]
    Wire(String, WireError),
    /// The endpoint refused.
    #[error("{0}: {1}")]
    Refused(String, String),
    /// The endpoint does not advertise what the step needs.
    #[error("{0} is not advertised")]
    NotServed(String),
}

/// Who has to answer a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    /// Any node.
    Any,
    /// The leader of partition 0 of this topic, any node if there is none.
    Leader(String),
    /// The coordinator of this group.
    Group(String),
    /// The coordinator of this transactional id.
    Transaction(String),
}

/// An endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    bootstrap: String,
    versions: BTreeMap<i16, (i16, i16)>,
    wires: BTreeMap<String, Wire>,
    places: BTreeMap<String, String>,
}

impl Endpoint {
    /// Connects and asks for the versions.
    pub(super) async fn open(bootstrap: &str) -> Result<Self, WireError> {
        let mut wire = Wire::open(bootstrap).await?;
        let answer = wire.call(&ApiVersionsRequest::default(), 0).await?;
        let versions =
            answer.api_keys.iter().map(|key| (key.api_key, (key.min_version, key.max_version))).collect();
        let wires = BTreeMap::from([(bootstrap.to_owned(), wire)]);
        Ok(Self { bootstrap: bootstrap.to_owned(), versions, wires, places: BTreeMap::new() })
    }

    /// What it advertises, by API key.
    pub(super) fn versions(&self) -> &BTreeMap<i16, (i16, i16)> {
        &self.versions
    }

    /// Whether it advertises this version.
    pub(super) fn serves(&self, key: i16, version: i16) -> bool {
        self.versions.get(&key).is_some_and(|(oldest, newest)| (*oldest..=*newest).contains(&version))
    }

    /// Refuses unless each of these APIs is advertised.
    pub(super) fn needs(&self, apis: &[ApiKey]) -> Result<(), StepError> {
        match apis.iter().find(|api| !self.versions.contains_key(&(**api as i16))) {
            Some(missing) => Err(StepError::NotServed(format!("{missing:?}"))),
            None => Ok(()),
        }
    }

    /// Newest version of `R` that the endpoint and the stock codec share, at the most `newest`.
    pub(super) fn version_at_most<R: Request>(&self, newest: i16) -> Result<i16, StepError> {
        let (ours_min, ours_max) = codec_knows::<R>();
        let missing = || StepError::NotServed(super::manifest::name(R::KEY));
        let (min, max) = self.versions.get(&R::KEY).copied().ok_or_else(missing)?;
        let version = ours_max.min(max).min(newest);
        if version < ours_min.max(min) { Err(missing()) } else { Ok(version) }
    }

    /// Sends one request of a case; every field of the answer comes back.
    pub(super) async fn ask(&mut self, at: &At, ask: &dyn Ask, version: i16) -> Result<Tree, StepError> {
        let address = self.place(at).await?;
        let outcome = match self.wire(&address).await {
            Ok(wire) => wire.ask(ask, version).await,
            Err(error) => Err(error),
        };
        self.kept(&address, outcome).map_err(|error| StepError::Wire(super::manifest::name(ask.key()), error))
    }

    /// Sends a request of the suite's own in the newest shared version.
    pub(super) async fn call<R: Request>(&mut self, at: &At, request: &R) -> Result<R::Response, StepError> {
        let version = self.version_at_most::<R>(i16::MAX)?;
        self.call_in(at, request, version).await
    }

    /// Sends a request of the suite's own in one version.
    pub(super) async fn call_in<R: Request>(
        &mut self,
        at: &At,
        request: &R,
        version: i16,
    ) -> Result<R::Response, StepError> {
        let address = self.place(at).await?;
        self.call_at(&address, request, version).await
    }

    async fn call_at<R: Request>(
        &mut self,
        address: &str,
        request: &R,
        version: i16,
    ) -> Result<R::Response, StepError> {
        let outcome = match self.wire(address).await {
            Ok(wire) => wire.call(request, version).await,
            Err(error) => Err(error),
        };
        self.kept(address, outcome).map_err(|error| StepError::Wire(super::manifest::name(R::KEY), error))
    }

    /// A connection of its own to whoever has to answer.
    pub(super) async fn connect(&mut self, at: &At) -> Result<Wire, StepError> {
        let address = self.place(at).await?;
        Wire::open(&address).await.map_err(|error| StepError::Wire("connection".to_owned(), error))
    }

    /// Forgets where `at` was, after it moved.
    pub(super) fn forget(&mut self, at: &At) {
        self.places.remove(&place_name(at));
    }

    async fn wire(&mut self, address: &str) -> Result<&mut Wire, WireError> {
        if !self.wires.contains_key(address) {
            let wire = Wire::open(address).await?;
            self.wires.insert(address.to_owned(), wire);
        }
        self.wires.get_mut(address).ok_or(WireError::Closed)
    }

    /// A connection whose answer did not come is of no more use.
    fn kept<T>(&mut self, address: &str, outcome: Result<T, WireError>) -> Result<T, WireError> {
        if outcome.is_err() {
            self.wires.remove(address);
        }
        outcome
    }

    async fn place(&mut self, at: &At) -> Result<String, StepError> {
        let name = place_name(at);
        if let Some(known) = self.places.get(&name) {
            return Ok(known.clone());
        }
        let found = match at {
            At::Any => Some(self.bootstrap.clone()),
            At::Leader(topic) => self.leader(topic).await?,
            At::Group(group) => self.coordinator(group, 0).await?,
            At::Transaction(id) => self.coordinator(id, 1).await?,
        };
        if let Some(address) = &found {
            self.places.insert(name, address.clone());
        }
        Ok(found.unwrap_or_else(|| self.bootstrap.clone()))
    }

    /// Metadata of one topic.
    pub(super) async fn metadata(&mut self, topic: &str) -> Result<MetadataResponse, StepError> {
        let entry = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
        let request =
            MetadataRequest::default().with_topics(Some(vec![entry])).with_allow_auto_topic_creation(false);
        let version = self.version_at_most::<MetadataRequest>(12)?;
        let bootstrap = self.bootstrap.clone();
        self.call_at(&bootstrap, &request, version).await
    }

    async fn leader(&mut self, topic: &str) -> Result<Option<String>, StepError> {
        let answer = self.metadata(topic).await?;
        let found = answer.topics.first().and_then(|topic| topic.partitions.first());
        let Some(leader) = found.map(|partition| partition.leader_id) else { return Ok(None) };
        let node = answer.brokers.iter().find(|broker| broker.node_id == leader);
        Ok(node.map(|node| format!("{}:{}", node.host.as_str(), node.port)))
    }

    /// Where a coordinator is. One that is refused for good is looked for no further: whatever the bootstrap node then
    /// answers in its place is what a client would get.
    async fn coordinator(&mut self, key: &str, kind: i8) -> Result<Option<String>, StepError> {
        let until = Instant::now() + PATIENCE;
        let request = FindCoordinatorRequest::default().with_key(text(key)).with_key_type(kind);
        let version = self.version_at_most::<FindCoordinatorRequest>(3)?;
        let bootstrap = self.bootstrap.clone();
        loop {
            let answer = self.call_at(&bootstrap, &request, version).await?;
            match ResponseError::try_from_code(answer.error_code) {
                None => return Ok(Some(format!("{}:{}", answer.host.as_str(), answer.port))),
                Some(error) if Instant::now() > until || !error.is_retriable() => return Ok(None),
                Some(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

fn place_name(at: &At) -> String {
    match at {
        At::Any => "any".to_owned(),
        At::Leader(topic) => format!("leader of {topic}"),
        At::Group(group) => format!("group {group}"),
        At::Transaction(id) => format!("transaction {id}"),
    }
}

/// A text of the stock codec.
pub(super) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// A topic name of the stock codec.
pub(super) fn topic_name(value: &str) -> TopicName {
    TopicName(text(value))
}
