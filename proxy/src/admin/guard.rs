//! Who may call: token, host and origin; and every order's way into the audit log.
//!
//! A browser on the operator's machine can be made to call loopback addresses. So on loopback only loopback
//! host names are answered (which ends name rebinding), a request from another origin is refused, and orders
//! need a content type that no form can send.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;

use super::tokens::Shown;
use super::{Admin, BODY_BYTES_MAX, refused};
use crate::audit::{Act, Audit};

/// What is checked before any route.
pub(super) struct Guard {
    loopback: bool,
    admin: Arc<Admin>,
}

/// Who gives an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The operator.
    pub(super) name: String,
    /// The name is that of a token; otherwise it is only what the caller says.
    proved: bool,
}

/// Longest name of an operator that is kept, in characters.
const OPERATOR_CHARS_MAX: usize = 128;

impl Guard {
    pub(super) fn new(address: SocketAddr, admin: Arc<Admin>) -> Self {
        Self { loopback: address.ip().is_loopback(), admin }
    }

    fn judge(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, (StatusCode, &'static str)> {
        let host = text(headers, &header::HOST);
        if self.loopback && !host.is_some_and(is_loopback) {
            return Err((StatusCode::FORBIDDEN, "this address answers to loopback names only"));
        }
        let origin = text(headers, &header::ORIGIN);
        if headers.contains_key(header::ORIGIN) && !same_origin(origin, host) {
            return Err((StatusCode::FORBIDDEN, "requests from other origins are refused"));
        }
        let json =
            text(headers, &header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
        if method == Method::POST && !json {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "send application/json"));
        }
        let shown = text(headers, &header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        match self.admin.tokens.judge(shown.unwrap_or_default()) {
            Some(Shown::Operator(name)) => Ok(Caller { name, proved: true }),
            Some(Shown::Anybody) => Ok(Caller { name: self.said(headers), proved: false }),
            None => Err((StatusCode::UNAUTHORIZED, "show the token")),
        }
    }

    /// Who asks, as far as the request says: it is kept, nothing is decided by it.
    fn said(&self, headers: &HeaderMap) -> String {
        let said = headers.get("x-sluice-operator").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let name: String = said.chars().filter(char::is_ascii_graphic).take(OPERATOR_CHARS_MAX).collect();
        match name.as_str() {
            "" => "operator".to_owned(),
            taken if self.admin.tokens.names(taken) => format!("{taken} (not proved)"),
            _ => name,
        }
    }
}

pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let judged = guard.judge(request.method(), request.headers());
    if request.method() != Method::POST {
        let (head, body) = request.into_parts();
        let body = match judged {
            Ok(_) => guard.whole(body).await,
            Err(refusal) => Err(refusal),
        };
        return match body {
            Ok(body) => next.run(Request::from_parts(head, Body::from(body))).await,
            Err((status, error)) => refused(status, error, Value::Null),
        };
    }
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let (mut parts, body) = request.into_parts();
    let caller = match &judged {
        Ok(caller) => caller.clone(),
        Err(_) => Caller { name: guard.said(&parts.headers), proved: false },
    };
    let from = from.map(|ip| ip.to_string()).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let mut order = Order { audit: &guard.admin.audit, caller, from, what: path, outcome: None };
    if let Err((status, error)) = judged {
        return order.end(refused(status, error, Value::Null));
    }
    let body = match guard.whole(body).await {
        Ok(body) => body,
        Err((status, error)) => return order.end(refused(status, error, Value::Null)),
    };
    order.what.push_str(&particulars(&body));
    parts.extensions.insert(order.caller.clone());
    let answer = next.run(Request::from_parts(parts, Body::from(body))).await;
    order.end(answer)
}

/// An order that is written down when it is over, also where its caller did not wait for that.
struct Order<'a> {
    audit: &'a Audit,
    caller: Caller,
    from: String,
    what: String,
    outcome: Option<StatusCode>,
}

impl Order<'_> {
    fn end(mut self, answer: Response) -> Response {
        self.outcome = Some(answer.status());
        answer
    }
}

impl Drop for Order<'_> {
    fn drop(&mut self) {
        let outcome = match self.outcome {
            Some(StatusCode::OK) => "ok".to_owned(),
            Some(status) => status.to_string(),
            None => "the caller went before the answer".to_owned(),
        };
        // An order that failed, or was not waited for, may have done something.
        let done = self.outcome.is_none_or(|status| status.is_success() || status.is_server_error());
        let Caller { name, proved } = &self.caller;
        let (from, what) = (&self.from, &self.what);
        self.audit.note(Act {
            via: "admin-api",
            who: name,
            proved: *proved,
            from,
            what,
            outcome: &outcome,
            done,
        });
    }
}

/// What an order says, as far as its fields are known: nothing else is kept.
fn particulars(body: &Bytes) -> String {
    const KNOWN: [&str; 9] = [
        "phase",
        "percent",
        "force",
        "wait_ms",
        "unit",
        "discard_copy",
        "topics",
        "from",
        "bytes_per_second",
    ];
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    // What is not of the right kind is refused, and may hold anything.
    let fits = |key: &str, value: &Value| {
        if key == "topics" { value.is_array() } else { !value.is_array() && !value.is_object() }
    };
    let known = KNOWN.iter().filter_map(|key| Some((key, said.get(key).filter(|value| fits(key, value))?)));
    known.map(|(key, value)| format!(" {key}={value}")).collect()
}

impl Guard {
    /// A body, which must be small and must come in time.
    async fn whole(&self, body: Body) -> Result<Bytes, (StatusCode, &'static str)> {
        match tokio::time::timeout(self.admin.patience, to_bytes(body, BODY_BYTES_MAX)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is too large, or does not end")),
            Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn same_origin(origin: Option<&str>, host: Option<&str>) -> bool {
    origin.and_then(|origin| origin.strip_prefix("http://")).is_some_and(|origin| Some(origin) == host)
}
