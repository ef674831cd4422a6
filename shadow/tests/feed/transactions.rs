//! Transactional ids on legacy: which there are, and fencing the producers that they have there.

use std::collections::BTreeMap;

use shadow::{ClosedReason, Fact, GivenProducer, NotGiven, Order, Token};
use translator_kafka::codec::ApiKey;
use translator_kafka::codec::messages::describe_transactions_response::TransactionState;
use translator_kafka::codec::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse, ListTransactionsResponse,
    list_transactions_response,
};
use translator_kafka::errors::ErrorCode;

use crate::legacy::Legacy;
use crate::world::World;

/// The transactional ids of the stand-in.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    /// State, producer id and epoch of each.
    ids: BTreeMap<String, (&'static str, i64, i16)>,
    /// How often the coordinator of one was asked for.
    found: usize,
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

    pub(crate) fn find(&mut self, request: &FindCoordinatorRequest) -> FindCoordinatorResponse {
        assert_eq!((request.key_type, request.key.is_empty()), (1, false), "one, by its name");
        self.found += 1;
        FindCoordinatorResponse { node_id: 1, ..Default::default() }
    }

    pub(crate) fn init(&mut self, request: &InitProducerIdRequest) -> InitProducerIdResponse {
        let id = request.transactional_id.as_deref().unwrap();
        let named = (request.producer_id, request.producer_epoch, request.transaction_timeout_ms);
        assert_eq!(named, (-1, -1, 9000), "a producer that begins anew, with the id's own time-out");
        let mut answer = InitProducerIdResponse::default();
        if self.busy == Some(id) {
            answer.error_code = ErrorCode::ConcurrentTransactions.code();
        } else {
            let held = self.ids.entry(id.to_owned()).or_insert(("Empty", 70, -1));
            held.2 += 1;
            (answer.producer_id, answer.producer_epoch) = (held.1, held.2);
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

fn give(world: &mut World, token: u64, id: &str, coordinator: Option<i32>) {
    world.order(Order::InitProducer {
        token: Token(token),
        id: id.to_owned(),
        timeout_ms: 9000,
        coordinator,
    });
}

fn given(world: &World, wanted: u64) -> Option<Result<GivenProducer, NotGiven>> {
    let mut told = world.facts.iter().filter_map(|fact| match fact {
        Fact::Given { token, outcome } if *token == Token(wanted) => Some(outcome.clone()),
        _ => None,
    });
    let first = told.next();
    assert!(told.next().is_none(), "told twice");
    first
}

#[test]
fn legacy_gives_an_id_its_next_epoch_and_a_new_one_its_first_producer() {
    let mut world = World::new(legacy());
    world.pass(1000);
    give(&mut world, 1, "tx-10", Some(1));
    give(&mut world, 2, "tx-new", None);
    world.pass(1000);
    assert_eq!(given(&world, 1), Some(Ok(GivenProducer { id: 10, epoch: 4, coordinator: 1 })));
    assert_eq!(given(&world, 2), Some(Ok(GivenProducer { id: 70, epoch: 0, coordinator: 1 })));
    assert_eq!(world.legacy.transactions.found, 1, "where the coordinator is known nobody asks for it");
}

#[test]
fn what_legacy_refuses_is_told_apart_from_what_nobody_knows() {
    let mut world = World::new(legacy());
    world.pass(1000);
    world.legacy.transactions.busy = Some("tx-11");
    give(&mut world, 1, "tx-11", Some(1));
    world.pass(1000);
    let busy = ErrorCode::ConcurrentTransactions.code();
    assert_eq!(given(&world, 1), Some(Err(NotGiven::Refused(busy))));
    world.legacy.down = true;
    world.break_links();
    give(&mut world, 2, "tx-10", Some(1));
    world.pass(1000);
    assert!(matches!(given(&world, 2), Some(Err(NotGiven::Unknown(_)))), "{:?}", given(&world, 2));
}

#[test]
fn brokers_tell_whether_they_take_transactions_of_others() {
    let cases = [
        (Ok(Some(false)), Some(Ok(()))),
        (Ok(None), Some(Ok(()))),
        (Ok(Some(true)), Some(Err(ClosedReason::Verified { broker: 1 }))),
        (
            Err(ErrorCode::ClusterAuthorizationFailed),
            Some(Err(ClosedReason::VerificationUntold { broker: 1, code: 31 })),
        ),
    ];
    for (verifies, wanted) in cases {
        let mut world = World::new(legacy());
        assert_eq!(world.feed.takes_transactions(), None, "not known yet");
        world.legacy.verifies = verifies;
        world.pass(2000);
        assert_eq!(world.feed.takes_transactions(), wanted);
    }
    // Whoever changes it need not begin anything anew.
    let mut world = World::new(legacy());
    world.legacy.verifies = Ok(Some(true));
    world.pass(2000);
    world.legacy.verifies = Ok(Some(false));
    world.pass(20_000);
    assert_eq!(world.feed.takes_transactions(), Some(Ok(())));
}
