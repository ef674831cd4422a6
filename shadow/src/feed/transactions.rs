//! Asking legacy, now, for the transactional ids that are to move: which producer each has, and whether a transaction
//! of it is open. When they have moved, legacy is made to fence those producers.

use std::collections::BTreeMap;

use kernel_model::Now;
use translator_kafka::codec::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, InitProducerIdRequest, InitProducerIdResponse,
    ListTransactionsRequest, ListTransactionsResponse,
};
use translator_kafka::codec::{ApiKey, Str};
use translator_kafka::errors::ErrorCode;

use super::{Fact, Feed, LinkId, Tag, Token};

/// Ids that one request describes.
const DESCRIBED_AT_ONCE: usize = 1_000;
/// Requests that fence producers, on their way at once.
const SHUT_AT_ONCE: usize = 100;

/// A transactional id of legacy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyTransaction {
    /// Legacy's name of the state (`Ongoing`, `CompleteCommit`, ...).
    pub state: String,
    /// Transaction time-out, in milliseconds.
    pub timeout_ms: i32,
    /// When its open transaction began, on legacy's clock; −1 without one.
    pub started_ms: i64,
    /// Producer id.
    pub producer_id: i64,
    /// Producer epoch.
    pub producer_epoch: i16,
    /// The broker that coordinates it.
    pub coordinator: i32,
}

/// Ids that are being asked for.
#[derive(Debug, Default)]
pub(super) struct AskingTransactions {
    found: BTreeMap<String, LegacyTransaction>,
    outstanding: usize,
}

/// Ids whose producers are being fenced.
#[derive(Debug, Default)]
pub(super) struct ShuttingOut {
    left: BTreeMap<String, (i32, i32)>,
    refused: BTreeMap<String, i16>,
    outstanding: usize,
}

impl Feed {
    /// Asks every broker: each knows the ids that it coordinates. It fails as a whole, and is asked again as a whole.
    pub(super) fn read_transactions(&mut self, now: Now, token: Token) {
        let nodes: Vec<i32> = self.view.iter().flat_map(|view| view.nodes.keys().copied()).collect();
        self.asking_transactions.insert(token, AskingTransactions::default());
        if nodes.is_empty() {
            return self.transactions_failed(token, "no broker of legacy is known yet".to_owned());
        }
        for node in nodes {
            let all = ListTransactionsRequest { duration_filter: -1, ..Default::default() };
            let tag = Tag::ListTransactions(token, node);
            if !self.call(now, LinkId::Questions(node), ApiKey::ListTransactions, &all, tag) {
                let reason = format!("broker {node} of legacy cannot be asked for its transactions");
                return self.transactions_failed(token, reason);
            }
            self.expect_transactions(token);
        }
    }

    fn expect_transactions(&mut self, token: Token) {
        if let Some(asking) = self.asking_transactions.get_mut(&token) {
            asking.outstanding += 1;
        }
    }

    pub(super) fn see_listed(
        &mut self,
        now: Now,
        token: Token,
        node: i32,
        answer: &ListTransactionsResponse,
    ) {
        if !self.asking_transactions.contains_key(&token) {
            return;
        }
        if answer.error_code != 0 {
            let reason = format!("broker {node} does not list its transactions (code {})", answer.error_code);
            return self.transactions_failed(token, reason);
        }
        let ids = answer.transaction_states.iter().map(|one| &one.transactional_id);
        let ids: Vec<Str> = ids.filter(|id| (self.config.transactions)(id)).map(Str::detached).collect();
        for some in ids.chunks(DESCRIBED_AT_ONCE) {
            let request =
                DescribeTransactionsRequest { transactional_ids: some.to_vec(), ..Default::default() };
            let tag = Tag::DescribeTransactions(token, node);
            if !self.call(now, LinkId::Questions(node), ApiKey::DescribeTransactions, &request, tag) {
                let reason = format!("broker {node} of legacy cannot be asked about its transactions");
                return self.transactions_failed(token, reason);
            }
            self.expect_transactions(token);
        }
        self.transactions_answered(token);
    }

    pub(super) fn see_described(&mut self, token: Token, node: i32, answer: &DescribeTransactionsResponse) {
        for one in &answer.transaction_states {
            // It has expired since it was listed.
            if one.error_code == ErrorCode::TransactionalIdNotFound.code() {
                continue;
            }
            if one.error_code != 0 {
                let reason = format!("{} has another coordinator", one.transactional_id);
                return self.transactions_failed(token, reason);
            }
            let found = LegacyTransaction {
                state: one.transaction_state.as_str().to_owned(),
                timeout_ms: one.transaction_timeout_ms,
                started_ms: one.transaction_start_time_ms,
                producer_id: one.producer_id,
                producer_epoch: one.producer_epoch,
                coordinator: node,
            };
            if let Some(asking) = self.asking_transactions.get_mut(&token) {
                asking.found.insert(one.transactional_id.as_str().to_owned(), found);
            }
        }
        self.transactions_answered(token);
    }

    fn transactions_answered(&mut self, token: Token) {
        let Some(asking) = self.asking_transactions.get_mut(&token) else { return };
        asking.outstanding = asking.outstanding.saturating_sub(1);
        if asking.outstanding == 0
            && let Some(asking) = self.asking_transactions.remove(&token)
        {
            self.facts.push_back(Fact::Transactions { token, found: asking.found });
        }
    }

    /// A producer that legacy initialises under an id fences whoever had it. What we are given is used by nobody.
    pub(super) fn shut_out(&mut self, now: Now, token: Token, ids: BTreeMap<String, (i32, i32)>) {
        self.shutting_out.insert(token, ShuttingOut { left: ids, ..ShuttingOut::default() });
        self.shut_next(now, token);
    }

    fn shut_next(&mut self, now: Now, token: Token) {
        while let Some(shutting) = self.shutting_out.get_mut(&token) {
            if shutting.outstanding >= SHUT_AT_ONCE {
                return;
            }
            let Some((id, (node, timeout_ms))) = shutting.left.pop_first() else { break };
            shutting.outstanding += 1;
            let request = InitProducerIdRequest {
                transactional_id: Some(Str::from(id.as_str())),
                transaction_timeout_ms: timeout_ms,
                ..Default::default()
            };
            let tag = Tag::ShutOut(token, id);
            if !self.call(now, LinkId::Questions(node), ApiKey::InitProducerId, &request, tag) {
                let reason = format!("broker {node} of legacy cannot be asked to fence producers");
                return self.transactions_failed(token, reason);
            }
        }
        if self.shutting_out.get(&token).is_some_and(|shutting| shutting.outstanding == 0)
            && let Some(shut) = self.shutting_out.remove(&token)
        {
            self.facts.push_back(Fact::Shut { token, refused: shut.refused });
        }
    }

    pub(super) fn see_shut(&mut self, now: Now, token: Token, id: &str, answer: &InitProducerIdResponse) {
        let Some(shutting) = self.shutting_out.get_mut(&token) else { return };
        shutting.outstanding = shutting.outstanding.saturating_sub(1);
        if answer.error_code != 0 {
            shutting.refused.insert(id.to_owned(), answer.error_code);
        }
        self.shut_next(now, token);
    }

    fn transactions_failed(&mut self, token: Token, reason: String) {
        let asked = self.asking_transactions.remove(&token).is_some();
        if self.shutting_out.remove(&token).is_some() || asked {
            self.facts.push_back(Fact::EndsFailed { token, reason });
        }
    }

    /// A connection broke: whatever was asked is asked again by whoever wants it.
    pub(super) fn fail_asking_transactions(&mut self, reason: &str) {
        let asking = self.asking_transactions.keys().chain(self.shutting_out.keys());
        for token in asking.copied().collect::<Vec<_>>() {
            self.transactions_failed(token, reason.to_owned());
        }
    }
}
