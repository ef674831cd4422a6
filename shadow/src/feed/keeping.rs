//! What keeps the way back of transactional ids open: legacy gives their producers the ids and epochs that they have in the
//! kernel, and it is known whether legacy takes batches of transactions that its own coordinator does not lead.
//!
//! Legacy's coordinator raises an id's epoch by one with each InitProducerId, and gives it another producer id when the
//! epochs are used up, by the same rule as the kernel's.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_model::Now;
use translator_kafka::codec::messages::describe_configs_request::DescribeConfigsResource;
use translator_kafka::codec::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, FindCoordinatorRequest, FindCoordinatorResponse,
    InitProducerIdRequest, InitProducerIdResponse,
};
use translator_kafka::codec::{ApiKey, Str};
use translator_kafka::errors::ErrorCode;

use super::{Fact, Feed, LinkId, Tag, Token};
use crate::reverse::ClosedReason;

/// DescribeConfigs: a broker.
const BROKER_RESOURCE: i8 = 4;
const VERIFICATION: &str = "transaction.partition.verification.enable";
/// How often brokers are asked for it, and how soon where one has not been reached yet.
const VERIFICATION_INTERVAL: Duration = Duration::from_secs(15);
const VERIFICATION_SOON: Duration = Duration::from_millis(500);
/// FindCoordinator: of a transactional id; the newest version that asks for one at a time.
const OF_TRANSACTIONAL_ID: i8 = 1;
const ONE_COORDINATOR_UNTIL: i16 = 3;

/// A producer as legacy has given it to an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenProducer {
    /// Producer id.
    pub id: i64,
    /// Producer epoch.
    pub epoch: i16,
    /// The broker that coordinates the id.
    pub coordinator: i32,
}

/// Why legacy has not given one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotGiven {
    /// It refuses, with this error code.
    Refused(i16),
    /// Nobody knows whether it did: what legacy has is to be asked before it is tried again.
    Unknown(String),
}

/// An id that is being given a producer.
#[derive(Debug)]
pub(super) struct Giving {
    id: String,
    timeout_ms: i32,
    coordinator: i32,
}

/// What a broker says of its verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It verifies, or it does not.
    Verifies(bool),
    /// It does not say.
    Refused(i16),
}

impl Feed {
    /// Has legacy give an id's producer its next epoch, or its first.
    pub(super) fn init_producer(
        &mut self,
        now: Now,
        token: Token,
        id: String,
        timeout_ms: i32,
        coordinator: Option<i32>,
    ) {
        let key = Str::from(id.as_str());
        self.giving.insert(token, Giving { id, timeout_ms, coordinator: coordinator.unwrap_or(-1) });
        if coordinator.is_some() {
            return self.send_init(now, token);
        }
        let request = FindCoordinatorRequest { key, key_type: OF_TRANSACTIONAL_ID, ..Default::default() };
        let how = (ApiKey::FindCoordinator, ONE_COORDINATOR_UNTIL);
        if !self.call_until(now, LinkId::Bootstrap, how, &request, Tag::FindCoordinator(token)) {
            self.not_given(token, NotGiven::Unknown("legacy cannot be asked for the coordinator".to_owned()));
        }
    }

    pub(super) fn see_coordinator(&mut self, now: Now, token: Token, answer: &FindCoordinatorResponse) {
        let Some(giving) = self.giving.get_mut(&token) else { return };
        giving.coordinator = answer.node_id;
        if answer.error_code == 0 {
            self.send_init(now, token);
        } else {
            self.not_given(token, NotGiven::Refused(answer.error_code));
        }
    }

    fn send_init(&mut self, now: Now, token: Token) {
        let Some(giving) = self.giving.get(&token) else { return };
        let node = giving.coordinator;
        let request = InitProducerIdRequest {
            transactional_id: Some(Str::from(giving.id.as_str())),
            transaction_timeout_ms: giving.timeout_ms,
            ..Default::default()
        };
        if !self.call(now, LinkId::Questions(node), ApiKey::InitProducerId, &request, Tag::Init(token)) {
            self.not_given(token, NotGiven::Unknown(format!("broker {node} of legacy cannot be reached")));
        }
    }

    pub(super) fn see_given(&mut self, token: Token, answer: &InitProducerIdResponse) {
        let Some(giving) = self.giving.get(&token) else { return };
        if answer.error_code != 0 {
            return self.not_given(token, NotGiven::Refused(answer.error_code));
        }
        let (id, epoch) = (answer.producer_id, answer.producer_epoch);
        let given = GivenProducer { id, epoch, coordinator: giving.coordinator };
        self.giving.remove(&token);
        self.facts.push_back(Fact::Given { token, outcome: Ok(given) });
    }

    fn not_given(&mut self, token: Token, why: NotGiven) {
        if self.giving.remove(&token).is_some() {
            self.facts.push_back(Fact::Given { token, outcome: Err(why) });
        }
    }

    /// A connection broke: nobody knows what legacy did.
    pub(super) fn fail_giving(&mut self, reason: &str) {
        for token in self.giving.keys().copied().collect::<Vec<_>>() {
            self.not_given(token, NotGiven::Unknown(reason.to_owned()));
        }
    }

    /// Asks every broker whether it verifies transactions: each answers for itself.
    pub(super) fn ask_verification(&mut self, now: Now) {
        if !self.config.moves_transactions || self.verification_due > now.elapsed {
            return;
        }
        let nodes: Vec<i32> = self.view.iter().flat_map(|view| view.nodes.keys().copied()).collect();
        let mut all = !nodes.is_empty();
        self.verification.retain(|node, _| nodes.contains(node));
        for node in nodes {
            let resource = DescribeConfigsResource {
                resource_type: BROKER_RESOURCE,
                resource_name: node.to_string().as_str().into(),
                configuration_keys: Some(vec![VERIFICATION.into()]),
                ..Default::default()
            };
            let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
            let tag = Tag::Verification(node);
            all &= self.call(now, LinkId::Questions(node), ApiKey::DescribeConfigs, &request, tag);
        }
        self.verification_due = now.deadline(if all { VERIFICATION_INTERVAL } else { VERIFICATION_SOON });
    }

    pub(super) fn see_verification(&mut self, node: i32, answer: &DescribeConfigsResponse) {
        for result in &answer.results {
            let may_not = [ErrorCode::ClusterAuthorizationFailed, ErrorCode::TopicAuthorizationFailed];
            let told = if result.error_code == 0 {
                // A broker that does not have the setting does not verify (KIP-890 began with 3.6).
                let set = result.configs.iter().find(|config| config.name.as_str() == VERIFICATION);
                Told::Verifies(set.is_some_and(|config| config.value.as_deref() != Some("false")))
            } else if may_not.iter().any(|known| known.code() == result.error_code) {
                Told::Refused(result.error_code)
            } else {
                // Not now: what it said before stays.
                continue;
            };
            self.verification.insert(node, told);
        }
    }

    /// Whether legacy takes batches of transactions that its own coordinator does not lead; `None` while it is not known.
    ///
    /// # Errors
    ///
    /// Why it does not.
    #[must_use]
    pub fn takes_transactions(&self) -> Option<Result<(), ClosedReason>> {
        let view = self.view.as_ref()?;
        let told: BTreeMap<i32, Option<Told>> =
            view.nodes.keys().map(|node| (*node, self.verification.get(node).copied())).collect();
        for (broker, told) in &told {
            let broker = *broker;
            match told {
                Some(Told::Verifies(true)) => return Some(Err(ClosedReason::Verified { broker })),
                Some(Told::Refused(code)) => {
                    return Some(Err(ClosedReason::VerificationUntold { broker, code: *code }));
                }
                Some(Told::Verifies(false)) | None => {}
            }
        }
        let known = !told.is_empty() && told.values().all(Option::is_some);
        known.then_some(Ok(()))
    }
}
