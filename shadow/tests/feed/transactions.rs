//! Transactional ids on legacy: which there are, and fencing the producers that they have there.

use std::collections::BTreeMap;

use shadow::{Fact, Order, Token};
use translator_kafka::codec::ApiKey;
use translator_kafka::codec::messages::describe_transactions_response::TransactionState;
use translator_kafka::codec::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, InitProducerIdRequest, InitProducerIdResponse,
    ListTransactionsResponse, list_transactions_response,
};
use translator_kafka::errors::ErrorCode;

use crate::legacy::Legacy;
use crate::world::World;

/// The transactional ids of the stand-in.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// State, producer id and epoch of each.
    ids: BTreeMap<String, (&'static str, i64, i16)>,
    /// One for which a producer cannot be initialised now.
    busy: Option<&'static str>,
}

impl Transactions {
    /// What it offers of them.
    pub(crate) const OFFERED: [(ApiKey, i16); 3] =
        [(ApiKey::ListTransactions, 1), (ApiKey::DescribeTransactions, 0), (ApiKey::InitProducerId, 4)];

    pub(crate) fn list(&self) -> ListTransactionsResponse {
        let state = |id: &String| list_transactions_response::TransactionState {
            transactional_id: id.as_str().into(),
            ..Default::default()
        };
        ListTransactionsResponse {
            transaction_states: self.ids.keys().map(state).collect(),
            ..Default::default()
        }
    }

    pub(crate) fn describe(&self, request: &DescribeTransactionsRequest) -> DescribeTransactionsResponse {
        let known = |id: &translator_kafka::codec::Str| {
            let (state, producer_id, producer_epoch) = self.ids[id.as_str()];
            TransactionState {
                transactional_id: id.clone(),
                transaction_state: state.into(),
                transaction_timeout_ms: 9000,
                producer_id,
                producer_epoch,
                ..Default::default()
            }
        };
        let transaction_states = request.transactional_ids.iter().map(known).collect();
        DescribeTransactionsResponse { transaction_states, ..Default::default() }
    }

    pub(crate) fn init(&mut self, request: &InitProducerIdRequest) -> InitProducerIdResponse {
        let id = request.transactional_id.as_deref().unwrap();
        let named = (request.producer_id, request.producer_epoch, request.transaction_timeout_ms);
        assert_eq!(named, (-1, -1, 9000), "a producer that begins anew, with the id's own time-out");
        let mut answer = InitProducerIdResponse::default();
        if self.busy == Some(id) {
            answer.error_code = ErrorCode::ConcurrentTransactions.code();
        } else {
            self.ids.get_mut(id).unwrap().2 += 1;
        }
        answer
    }
}

fn legacy() -> Legacy {
    let mut legacy = Legacy::new();
    legacy.topic("t", 1, 1);
    let ids = &mut legacy.transactions.ids;
    ids.insert("other".to_owned(), ("Empty", 1, 0));
    for (number, state) in [(10, "CompleteCommit"), (11, "Ongoing")] {
        ids.insert(format!("tx-{number}"), (state, number, 3));
    }
    legacy
}

#[test]
fn the_ids_that_are_to_move_are_told_with_their_producers() {
    let mut world = World::new(legacy());
    world.order(Order::ReadTransactions { token: Token(7) });
    world.pass(1000);
    let found = world.facts.iter().find_map(|fact| match fact {
        Fact::Transactions { token: Token(7), found } => Some(found),
        _ => None,
    });
    let rows = found.unwrap().iter().map(|(id, one)| {
        (
            id.as_str(),
            one.state.as_str(),
            one.producer_id,
            one.producer_epoch,
            one.timeout_ms,
            one.coordinator,
        )
    });
    let wanted = [("tx-10", "CompleteCommit", 10, 3, 9000, 1), ("tx-11", "Ongoing", 11, 3, 9000, 1)];
    assert_eq!(rows.collect::<Vec<_>>(), wanted);
}

#[test]
fn legacy_fences_the_producers_that_are_named_and_says_of_which_it_does_not() {
    let mut world = World::new(legacy());
    for number in 0..300 {
        world.legacy.transactions.ids.insert(format!("tx-many-{number}"), ("Empty", number, 3));
    }
    world.legacy.transactions.busy = Some("tx-11");
    let mut ids: BTreeMap<String, (i32, i32)> =
        (0..300).map(|number| (format!("tx-many-{number}"), (1, 9000))).collect();
    ids.insert("tx-11".to_owned(), (1, 9000));
    world.order(Order::ShutOut { token: Token(8), ids });
    world.pass(1000);
    let refused = [("tx-11".to_owned(), ErrorCode::ConcurrentTransactions.code())].into();
    assert!(world.facts.contains(&Fact::Shut { token: Token(8), refused }));
    let ids = &world.legacy.transactions.ids;
    assert!(ids.iter().all(|(id, (_, _, epoch))| (*epoch == 4) == id.starts_with("tx-many")));
}

#[test]
fn a_broken_connection_is_told_and_nothing_is_answered_twice() {
    let mut world = World::new(legacy());
    world.pass(100);
    world.legacy.down = true;
    world.order(Order::ReadTransactions { token: Token(7) });
    world.order(Order::ShutOut { token: Token(8), ids: [("tx-10".to_owned(), (1, 9000))].into() });
    world.break_links();
    world.pass(1000);
    for wanted in [7, 8] {
        let told = world.facts.iter().filter(|fact| match fact {
            Fact::EndsFailed { token, .. } | Fact::Shut { token, .. } | Fact::Transactions { token, .. } => {
                *token == Token(wanted)
            }
            _ => false,
        });
        assert_eq!(told.count(), 1, "{:?}", world.facts);
    }
}
