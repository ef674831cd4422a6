//! The admin API: plain HTTP, meant for loopback or a private network.
//!
//! | method and path | answer |
//! |---|---|
//! | `GET /healthz` | 200 or 503, for whoever restarts processes; no token |
//! | `GET /readyz` | 200 or 503, for whoever sends clients here: which cluster waits for what; no token |
//! | `GET /metrics` | Prometheus text |
//! | `GET /v1/status`, `/v1/migrations`, `/v1/clients` | JSON |
//! | `GET /v1/audit` | `{"acts": [..], "condition"}`, the last hundred, or with `?last=` as many as that |
//! | `GET /v1/migrations/{name}/ledger` | JSON |
//! | `POST /v1/migrations/{name}/advance` | `{"phase", "percent", "wait_ms", "force"}`, each optional |
//! | `POST /v1/migrations/{name}/rollback` | `{"phase", "wait_ms"}`, each optional |
//! | `POST /v1/migrations/{name}/resume` | `{"unit", "discard_copy"}`, each optional |
//! | `POST /v1/migrations/{name}/verify` | `{"topics", "from", "bytes_per_second"}`, each optional; ends when the caller goes |
//! | `GET /v1/migrations/{name}/verify` | how far that is |
//!
//! Orders may name who gives them in the header `x-sluice-operator` (`user@host`); the ledger and the audit log keep it.
//! Where a token has a name, that counts and nothing else. Every order is written into the audit log (docs/audit.md).
//!
//! Refusals are `{"error", "detail"}` with 400, 401, 403, 404, 408, 409, 413 or 500.

mod guard;
mod orders;
mod serving;
#[cfg(test)]
mod tests;
mod tokens;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

pub use self::tokens::Tokens;
use crate::audit::Audit;
use crate::clock::Clock;
use crate::control::{Control, Refusal};
use crate::driver::Memory;
use crate::health::Health;
use crate::inventory::Inventory;

/// Largest request body; orders are a few dozen bytes.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// What the API shows and does.
pub struct Admin {
    /// The migrations.
    pub control: Arc<dyn Control>,
    /// The clients.
    pub inventory: Arc<Inventory>,
    /// The process.
    pub health: Arc<Health>,
    /// The metrics.
    pub metrics: PrometheusHandle,
    /// What requests and answers of all connections hold.
    pub memory: Arc<Memory>,
    /// How long a caller may take to send a request.
    pub patience: Duration,
    /// What callers must show.
    pub tokens: Tokens,
    /// Where orders are written down.
    pub audit: Arc<Audit>,
    /// Time.
    pub clock: Clock,
    /// What this process serves, and where: part of the status.
    pub serves: Value,
}

pub use serving::serve;

type Shared = State<Arc<Admin>>;

/// All routes. `address` is where they are served: on loopback only loopback names are answered.
pub fn router(admin: Arc<Admin>, address: SocketAddr) -> Router {
    let guard = Arc::new(guard::Guard::new(address, Arc::clone(&admin)));
    Router::new()
        .route("/metrics", get(metrics))
        .route("/v1/status", get(status))
        .route("/v1/migrations", get(migrations))
        .route("/v1/clients", get(clients))
        .route("/v1/audit", get(audit))
        .route("/v1/migrations/{name}/ledger", get(ledger))
        .route("/v1/migrations/{name}/advance", post(orders::advance))
        .route("/v1/migrations/{name}/rollback", post(orders::rollback))
        .route("/v1/migrations/{name}/resume", post(orders::resume))
        .route("/v1/migrations/{name}/verify", post(orders::verify).get(verifying))
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(admin)
}

fn verdict(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn healthz(State(admin): Shared) -> impl IntoResponse {
    let good = admin.health.is_healthy();
    (verdict(good), Json(json!({ "ok": good })))
}

async fn readyz(State(admin): Shared) -> impl IntoResponse {
    let shown = admin.health.readiness();
    (verdict(shown.get("ok").and_then(Value::as_bool).unwrap_or_default()), Json(shown))
}

async fn metrics(State(admin): Shared) -> impl IntoResponse {
    metrics::gauge!("sluice_connections")
        .set(f64::from(u32::try_from(admin.inventory.connections()).unwrap_or(u32::MAX)));
    metrics::gauge!("sluice_memory_held_bytes").set(admin.memory.held() as f64);
    admin.metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], admin.metrics.render())
}

async fn status(State(admin): Shared) -> Json<Value> {
    let mut status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_ms": u64::try_from(admin.clock.now().elapsed.as_millis()).unwrap_or(u64::MAX),
        "health": admin.health.to_json(),
        "connections": admin.inventory.connections(),
        "serves": admin.serves,
        "audit": admin.audit.condition(),
    });
    if let (Some(status), Value::Object(more)) = (status.as_object_mut(), admin.control.status()) {
        status.extend(more);
    }
    Json(status)
}

async fn migrations(State(admin): Shared) -> Json<Value> {
    Json(admin.control.migrations())
}

async fn clients(State(admin): Shared) -> Json<Value> {
    Json(admin.inventory.to_json())
}

/// Acts that are told unless the caller wants more.
const ACTS: usize = 100;
/// Most acts that are told at once.
const ACTS_MAX: usize = 10_000;

async fn audit(State(admin): Shared, uri: Uri) -> Response {
    let wanted = uri.query().and_then(|query| query.strip_prefix("last="));
    let count = match wanted.map(str::parse::<usize>) {
        None => ACTS,
        Some(Ok(count)) if count <= ACTS_MAX => count,
        Some(_) => {
            let why = format!("`last` is 0 to {ACTS_MAX}");
            return refused(StatusCode::BAD_REQUEST, &why, Value::Null);
        }
    };
    let condition = admin.audit.condition();
    let read = tokio::task::spawn_blocking(move || admin.audit.last(count)).await;
    let acts = read.map_err(io::Error::other).flatten();
    answer(
        acts.map(|acts| json!({ "acts": acts, "condition": condition }))
            .map_err(|error| Refusal::Failed(error.to_string())),
    )
}

async fn ledger(State(admin): Shared, Path(name): Path<String>) -> Response {
    answer(admin.control.ledger(&name))
}

async fn verifying(State(admin): Shared, Path(name): Path<String>) -> Json<Value> {
    Json(admin.control.verifying(&name))
}

/// An answer or a refusal in their HTTP forms.
fn answer(outcome: Result<Value, Refusal>) -> Response {
    let refusal = match outcome {
        Ok(value) => return Json(value).into_response(),
        Err(refusal) => refusal,
    };
    let (why, status, detail) = match &refusal {
        Refusal::Unknown(_) => ("unknown", StatusCode::NOT_FOUND, Value::Null),
        Refusal::Invalid(_) => ("invalid", StatusCode::BAD_REQUEST, Value::Null),
        Refusal::Blocked { detail, .. } => ("blocked", StatusCode::CONFLICT, detail.clone()),
        Refusal::Failed(_) => ("failed", StatusCode::INTERNAL_SERVER_ERROR, Value::Null),
    };
    metrics::counter!("sluice_orders_refused_total", "why" => why).increment(1);
    refused(status, &refusal.to_string(), detail)
}

fn refused(status: StatusCode, error: &str, detail: Value) -> Response {
    (status, Json(json!({ "error": error, "detail": detail }))).into_response()
}
