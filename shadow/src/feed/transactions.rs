//! Asking legacy, now, for the transactional ids that are to move: which producer each has, and whether a transaction
//! of it is open.

use std::collections::BTreeMap;

use kernel_model::Now;
use translator_kafka::codec::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, ListTransactionsRequest,
    ListTransactionsResponse,
};
use translator_kafka::codec::{ApiKey, Str};
use translator_kafka::errors::ErrorCode;

use super::{Fact, Feed, LinkId, Tag, Token};

/// Ids that one request describes.
const DESCRIBED_AT_ONCE: usize = 1_000;

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
}

/// Ids that are being asked for.
#[derive(Debug, Default)]
pub(super) struct AskingTransactions {
    found: BTreeMap<String, LegacyTransaction>,
    outstanding: usize,
}

impl Feed {
    /// Asks every broker: each knows the ids that it coordinates. It fails as a whole, and is asked again as a whole.
    pub(super) fn read_transactions(&mut self, now: Now, token: Token) {
        let nodes: Vec<i32> = self.view.iter().flat_map(|view| view.nodes.keys().copied()).collect();
        if nodes.is_empty() {
            return self.transactions_failed(token, "no broker of legacy is known yet".to_owned());
        }
        self.asking_transactions.insert(token, AskingTransactions::default());
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
            let tag = Tag::DescribeTransactions(token);
            if !self.call(now, LinkId::Questions(node), ApiKey::DescribeTransactions, &request, tag) {
                let reason = format!("broker {node} of legacy cannot be asked about its transactions");
                return self.transactions_failed(token, reason);
            }
            self.expect_transactions(token);
        }
        self.transactions_answered(token);
    }

    pub(super) fn see_described(&mut self, token: Token, answer: &DescribeTransactionsResponse) {
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

    fn transactions_failed(&mut self, token: Token, reason: String) {
        self.asking_transactions.remove(&token);
        self.facts.push_back(Fact::EndsFailed { token, reason });
    }

    /// A connection broke: whatever was asked is asked again by whoever wants it.
    pub(super) fn fail_asking_transactions(&mut self, reason: &str) {
        for token in self.asking_transactions.keys().copied().collect::<Vec<_>>() {
            self.transactions_failed(token, reason.to_owned());
        }
    }
}
