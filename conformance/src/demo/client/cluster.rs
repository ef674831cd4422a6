//! What a client knows of the cluster: addresses, leaders with their epochs, open connections.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::fetch_request::FetchTopic;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponse, MetadataResponseTopic};
use kafka_protocol::messages::{MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::connection::{Connection, WireError};

/// Pause between two attempts (`retry.backoff.ms` of stock clients).
pub(crate) const BACKOFF: Duration = Duration::from_millis(100);

/// Who leads a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leader {
    /// Node id.
    pub(crate) node: i32,
    /// Leader epoch, -1 when the broker did not say.
    pub(crate) epoch: i32,
}

/// A topic as the cluster describes it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Topic {
    /// Name and id, ready for a fetch.
    pub(crate) for_fetch: FetchTopic,
    /// Leaders by partition; a partition without one is absent.
    pub(crate) leaders: BTreeMap<i32, Leader>,
}

/// The cluster from one client's point of view.
pub(crate) struct Cluster {
    client_id: String,
    bootstrap: Vec<String>,
    wanted: Vec<String>,
    addresses: BTreeMap<i32, String>,
    connections: BTreeMap<i32, Connection>,
    topics: BTreeMap<String, Topic>,
}

/// A leader that a broker named beside an error (KIP-951).
#[derive(Debug, Clone)]
pub(crate) struct Hint {
    /// The leader.
    pub(crate) leader: Leader,
    /// Its address, if it came along.
    pub(crate) address: Option<String>,
}

impl Cluster {
    /// Nothing is contacted yet.
    pub(crate) fn new(client_id: &str, bootstrap: Vec<String>, topics: Vec<String>) -> Self {
        Self {
            client_id: client_id.to_owned(),
            bootstrap,
            wanted: topics,
            addresses: BTreeMap::new(),
            connections: BTreeMap::new(),
            topics: BTreeMap::new(),
        }
    }

    /// Refreshes until every wanted topic has a leader for each of its partitions, or `patience` is over.
    pub(crate) async fn settle(&mut self, patience: Duration) -> Result<(), WireError> {
        let until = Instant::now() + patience;
        loop {
            let outcome = self.refresh().await;
            if outcome.is_ok() && self.wanted.iter().all(|name| self.topics.contains_key(name)) {
                return Ok(());
            }
            if Instant::now() >= until {
                return outcome.and(Err(WireError::Connect("topics".to_owned(), "not there".to_owned())));
            }
            tokio::time::sleep(BACKOFF).await;
        }
    }

    /// Asks any reachable broker for the state of the wanted topics.
    pub(crate) async fn refresh(&mut self) -> Result<(), WireError> {
        let topic = |name: &String| MetadataRequestTopic::default().with_name(Some(topic_name(name)));
        let request = MetadataRequest::default()
            .with_topics(Some(self.wanted.iter().map(topic).collect()))
            .with_allow_auto_topic_creation(false);
        let mut last = WireError::Closed;
        for node in self.addresses.keys().copied().collect::<Vec<_>>() {
            match self.ask(node, &request).await {
                Ok(answer) => return self.learn(&answer),
                Err(error) => last = error,
            }
        }
        for address in &self.bootstrap {
            match ask_once(address, &self.client_id, &request).await {
                Ok(answer) => return self.learn(&answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn ask(&mut self, node: i32, request: &MetadataRequest) -> Result<MetadataResponse, WireError> {
        self.connection(node).await?.call(request).await
    }

    /// The connection to a node, opened if need be.
    pub(crate) async fn connection(&mut self, node: i32) -> Result<Connection, WireError> {
        if let Some(connection) = self.connections.get(&node).filter(|connection| !connection.ended()) {
            return Ok(connection.clone());
        }
        let unknown = || WireError::Connect(format!("node {node}"), "its address is not known".to_owned());
        let address = self.addresses.get(&node).ok_or_else(unknown)?;
        let connection = Connection::open(address, &self.client_id).await?;
        self.connections.insert(node, connection.clone());
        Ok(connection)
    }

    /// A connection of the caller's own.
    pub(crate) async fn dial(&self, address: &str) -> Result<Connection, WireError> {
        Connection::open(address, &self.client_id).await
    }

    /// Any reachable broker.
    pub(crate) async fn any(&mut self) -> Result<Connection, WireError> {
        let mut last = WireError::Closed;
        for node in self.addresses.keys().copied().collect::<Vec<_>>() {
            match self.connection(node).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        self.refresh().await?;
        Err(last)
    }

    /// The leader of a partition, if it has one.
    pub(crate) fn leader(&self, topic: &str, partition: i32) -> Option<Leader> {
        self.topics.get(topic)?.leaders.get(&partition).copied()
    }

    /// A topic as last described.
    pub(crate) fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    /// All wanted partitions, in order.
    pub(crate) fn partitions(&self) -> Vec<(String, i32)> {
        let of = |(name, topic): (&String, &Topic)| {
            topic.leaders.keys().map(|partition| (name.clone(), *partition)).collect::<Vec<_>>()
        };
        self.topics.iter().flat_map(of).collect()
    }

    /// How many nodes are known.
    pub(crate) fn nodes(&self) -> usize {
        self.addresses.len()
    }

    /// Remembers where a node is.
    pub(crate) fn meet(&mut self, node: i32, address: String) {
        if self.addresses.insert(node, address.clone()).is_some_and(|before| before != address) {
            self.connections.remove(&node);
        }
    }

    /// Follows a hint; says whether it was news.
    pub(crate) fn follow(&mut self, topic: &str, partition: i32, hint: &Hint) -> bool {
        if let Some(address) = &hint.address {
            self.meet(hint.leader.node, address.clone());
        }
        let known = self.addresses.contains_key(&hint.leader.node);
        let Some(leader) = self.topics.get_mut(topic).and_then(|topic| topic.leaders.get_mut(&partition))
        else {
            return false;
        };
        let news = known && hint.leader.node >= 0 && hint.leader.epoch > leader.epoch;
        if news {
            *leader = hint.leader;
        }
        news
    }

    fn learn(&mut self, answer: &MetadataResponse) -> Result<(), WireError> {
        for broker in &answer.brokers {
            self.meet(broker.node_id.0, format!("{}:{}", broker.host.as_str(), broker.port));
        }
        for topic in answer.topics.iter().filter(|topic| topic.error_code == 0) {
            self.learn_topic(topic);
        }
        if answer.brokers.is_empty() { Err(WireError::Codec("no brokers".to_owned())) } else { Ok(()) }
    }

    fn learn_topic(&mut self, described: &MetadataResponseTopic) {
        let Some(name) = &described.name else { return };
        let topic = self.topics.entry(name.as_str().to_owned()).or_default();
        topic.for_fetch = FetchTopic::default().with_topic(name.clone()).with_topic_id(described.topic_id);
        for partition in &described.partitions {
            let told = Leader { node: partition.leader_id.0, epoch: partition.leader_epoch };
            let before = topic.leaders.get(&partition.partition_index);
            // A broker that has not heard of the latest election must not undo it.
            if told.node >= 0 && before.is_none_or(|before| told.epoch < 0 || told.epoch >= before.epoch) {
                topic.leaders.insert(partition.partition_index, told);
            }
        }
    }
}

async fn ask_once(
    address: &str,
    client_id: &str,
    request: &MetadataRequest,
) -> Result<MetadataResponse, WireError> {
    Connection::open(address, client_id).await?.call(request).await
}

/// A topic's name on the wire.
pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
