//! Orders, as they come over HTTP.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::guard::Caller;
use super::{Shared, answer, refused};
use crate::control::{Advance, Resume, Rollback, Verify};

/// Longest that a caller can wait for a phase.
const WAIT_MAX: Duration = Duration::from_secs(3600);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Order {
    phase: Option<String>,
    percent: Option<u8>,
    wait_ms: Option<u64>,
    force: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ResumeBody {
    unit: Option<String>,
    discard_copy: bool,
}

/// How fast a verification reads legacy, unless told otherwise.
const BYTES_PER_SECOND: u64 = 32 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct VerifyBody {
    topics: Vec<String>,
    from: Option<u64>,
    bytes_per_second: Option<u64>,
}

impl Order {
    fn wait(&self) -> Option<Duration> {
        self.wait_ms.map(|wait_ms| Duration::from_millis(wait_ms).min(WAIT_MAX))
    }
}

fn read<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Box<Response>> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| Box::new(refused(StatusCode::BAD_REQUEST, &error.to_string(), Value::Null)))
}

pub(super) async fn advance(
    State(admin): Shared,
    Path(migration): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    let by = caller.name;
    let order: Order = match read(&body) {
        Ok(order) => order,
        Err(refusal) => return *refusal,
    };
    let wait = order.wait();
    let Order { phase, percent, force, .. } = order;
    if percent.is_some_and(|percent| percent > 100) {
        return refused(StatusCode::BAD_REQUEST, "`percent` is 0 to 100", Value::Null);
    }
    answer(admin.control.advance(Advance { migration, phase, percent, wait, force, by }).await)
}

pub(super) async fn rollback(
    State(admin): Shared,
    Path(migration): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    let by = caller.name;
    let order: Order = match read(&body) {
        Ok(order) => order,
        Err(refusal) => return *refusal,
    };
    if order.percent.is_some() {
        return refused(StatusCode::BAD_REQUEST, "a rollback takes no percentage", Value::Null);
    }
    if order.force {
        return refused(StatusCode::BAD_REQUEST, "a rollback cannot be forced", Value::Null);
    }
    let wait = order.wait();
    answer(admin.control.rollback(Rollback { migration, phase: order.phase, wait, by }).await)
}

pub(super) async fn resume(
    State(admin): Shared,
    Path(migration): Path<String>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Response {
    let by = caller.name;
    let ResumeBody { unit, discard_copy } = match read(&body) {
        Ok(order) => order,
        Err(refusal) => return *refusal,
    };
    answer(admin.control.resume(Resume { migration, unit, discard_copy, by }).await)
}

pub(super) async fn verify(State(admin): Shared, Path(migration): Path<String>, body: Bytes) -> Response {
    let VerifyBody { topics, from, bytes_per_second } = match read(&body) {
        Ok(order) => order,
        Err(refusal) => return *refusal,
    };
    let from = from.unwrap_or(0);
    let bytes_per_second = bytes_per_second.unwrap_or(BYTES_PER_SECOND);
    answer(admin.control.verify(Verify { migration, topics, from, bytes_per_second }).await)
}
