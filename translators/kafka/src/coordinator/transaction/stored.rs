//! Where transactional ids lie in the shard's keys, and which timers they have.
//!
//! ```text
//! keys     t s ID     state of an id (JSON, behind a version byte)
//! timers   t x ID     its open transaction has run out of time
//!          t a JSON   somebody has been told of its end          t r JSON   the same, to be passed on
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use kernel_model::commit::Op;
use kernel_model::coordinator::CoordinatorKind;

use super::state::Transaction;

/// The coordinator's kind: `t`.
pub const KIND: CoordinatorKind = CoordinatorKind(b't');

/// Prefix of every stored id.
pub(super) const PREFIX: &[u8] = b"ts";
const VERSION: u8 = 1;
/// Second byte of a time-out's key.
pub(super) const TIMEOUT: u8 = b'x';

fn key(which: u8, id: &str) -> Bytes {
    let mut out = BytesMut::with_capacity(2 + id.len());
    out.put_slice(&[KIND.0, which]);
    out.put_slice(id.as_bytes());
    out.freeze()
}

/// The id that a stored key or a time-out's key names.
pub(super) fn id_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(2..)?).ok()
}

pub(super) fn put(id: &str, transaction: &Transaction) -> Op {
    let mut value = vec![VERSION];
    value.extend(serde_json::to_vec(transaction).unwrap_or_default());
    Op::KvPut { key: key(b's', id), value: value.into(), expires_ms: None }
}

pub(super) fn delete(id: &str) -> Op {
    Op::KvDelete { key: key(b's', id) }
}

pub(super) fn read(value: &[u8]) -> Option<Transaction> {
    let (&version, json) = value.split_first()?;
    (version == VERSION).then(|| serde_json::from_slice(json).ok()).flatten()
}

pub(super) fn set_timeout(id: &str, deadline_ms: i64) -> Op {
    Op::TimerSet { key: key(TIMEOUT, id), deadline_ms, action: Bytes::new() }
}

pub(super) fn cancel_timeout(id: &str) -> Op {
    Op::TimerCancel { key: key(TIMEOUT, id) }
}
