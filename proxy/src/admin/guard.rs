//! Who may call: token, host and origin.
//!
//! A browser on the operator's machine can be made to call loopback addresses. So on loopback only loopback
//! host names are answered (which ends name rebinding), a request from another origin is refused, and orders
//! need a content type that no form can send.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use config::Secret;
use serde_json::Value;

use super::refused;

/// What is checked before any route.
pub(super) struct Guard {
    loopback: bool,
    token: Option<Secret>,
}

impl Guard {
    pub(super) fn new(address: SocketAddr, token: Option<Secret>) -> Self {
        Self { loopback: address.ip().is_loopback(), token }
    }

    fn judge(&self, method: &Method, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
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
        match &self.token {
            Some(token) if !shows(headers, token) => Err((StatusCode::UNAUTHORIZED, "show the token")),
            Some(_) | None => Ok(()),
        }
    }
}

pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.judge(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err((status, error)) => refused(status, error, Value::Null),
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

/// Compares without telling by its duration where the difference is.
fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    let shown = text(headers, &header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let (shown, token) = (shown.unwrap_or_default().as_bytes(), token.reveal().as_bytes());
    let different = shown.iter().zip(token).fold(0, |sum, (left, right)| sum | (left ^ right));
    shown.len() == token.len() && different == 0
}
