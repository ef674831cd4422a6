//! A state goes through its stored form and comes back the same; what does not fit is refused.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use bytes::Bytes;
use kernel_model::KernelError;

use super::{Pieces, changes};
use crate::invariants::tests::sound;
use crate::state::State;

/// What recovery makes of a state, for comparison: everything is durable, nothing is under way.
fn settled(mut state: State) -> State {
    for log in state.logs.values_mut() {
        log.recovered(0);
    }
    for queue in state.outbox.queues.values_mut() {
        queue.entries.iter_mut().for_each(|(seq, _)| seq.0 = 0);
    }
    state.dirty.clear();
    state
}

fn put_together(pairs: Vec<(Bytes, Option<Bytes>)>) -> Result<State, KernelError> {
    let mut pieces = Pieces::default();
    let mut pairs: Vec<(Bytes, Bytes)> =
        pairs.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    pairs.sort();
    for (key, value) in pairs {
        pieces.take(&key, value);
    }
    pieces.finish()
}

#[test]
fn a_state_comes_back_as_it_was() {
    let state = sound();
    let back = put_together(changes(&state)).unwrap();
    assert_eq!(settled(back), settled(state));
}

#[test]
fn an_unknown_form_is_not_read() {
    let mut pairs = changes(&sound());
    pairs.retain(|(key, _)| key != "F");
    assert!(matches!(put_together(pairs.clone()), Err(KernelError::Stopped(_))));
    pairs.push((Bytes::from_static(b"F"), Some(Bytes::from_static(&[99]))));
    assert!(matches!(put_together(pairs), Err(KernelError::Stopped(_))));
}

#[test]
fn a_cut_value_is_damage_and_never_a_panic() {
    let whole = changes(&sound());
    for (index, (_, value)) in whole.iter().enumerate().skip(1) {
        let value = value.clone().unwrap_or_default();
        for len in 0..value.len() {
            let mut pairs = whole.clone();
            pairs[index].1 = Some(value.slice(..len));
            let outcome = put_together(pairs);
            // Bytes of a timer's action are its own affair.
            assert!(outcome.is_err() || whole[index].0.first() == Some(&b'T'), "{:?}", whole[index].0);
        }
    }
}
