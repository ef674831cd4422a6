//! Asks the admin API of a running `sluice`.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use config::Secret;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Where the API is and what it wants to see.
pub(super) struct Api {
    /// `host:port`
    pub(super) address: String,
    pub(super) token: Option<Secret>,
}

/// Who asks: the ledger keeps it beside what was decided.
fn operator() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |text: &str| text.chars().filter(char::is_ascii_graphic).collect::<String>();
    match (plain(&user), plain(&host)) {
        (user, host) if user.is_empty() && host.is_empty() => "operator".to_owned(),
        (user, host) if host.is_empty() => user,
        (user, host) if user.is_empty() => format!("operator@{host}"),
        (user, host) => format!("{user}@{host}"),
    }
}

/// The API has answered "no".
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.body.get("error").and_then(Value::as_str);
        f.write_str(error.unwrap_or_else(|| self.status.as_str()))
    }
}

impl std::error::Error for Refused {}

impl Api {
    /// One call. `body` makes it a POST.
    ///
    /// # Errors
    ///
    /// [`Refused`] when the API says no; otherwise it could not be reached.
    pub(super) async fn call(&self, path: &str, body: Option<Value>) -> Result<Value> {
        let connecting = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(&self.address));
        let stream = match connecting.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                bail!("no sluice answers at {}: {error}; is `sluice run` running?", self.address)
            }
            Err(_) => bail!("no sluice answers at {} in time", self.address),
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let answer = sender.send_request(self.request(path, body)?).await?;
        let status = answer.status();
        let bytes = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let bytes = bytes.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes();
        let body: Value =
            serde_json::from_slice(&bytes).context("the answer is no JSON: is this a sluice?")?;
        if status.is_success() { Ok(body) } else { Err(Refused { status, body }.into()) }
    }

    fn request(&self, path: &str, body: Option<Value>) -> Result<Request<Full<Bytes>>> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut builder = Request::builder().method(method).uri(path).header(header::HOST, &self.address);
        builder = builder.header("x-sluice-operator", operator());
        if let Some(token) = &self.token {
            builder = builder.header(header::AUTHORIZATION, format!("Bearer {}", token.reveal()));
        }
        let bytes = match body {
            Some(body) => {
                builder = builder.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        Ok(builder.body(Full::new(bytes))?)
    }
}
