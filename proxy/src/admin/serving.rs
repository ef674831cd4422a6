//! The sockets of the admin API: so many at a time, each with so much time to say what it wants.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::{Admin, router};

/// Connections at a time; beyond, they are closed at once. A caller and a scraper need one each.
pub(super) const CONNECTIONS_MAX: u32 = 64;
/// Most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Pause after a failed accept: usually the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Service = TowerToHyperService<Router>;

/// Serves the API until `until` is over, and what is under way then to its end.
///
/// # Errors
///
/// What the operating system says of the listener.
pub async fn serve(
    listener: TcpListener,
    admin: Arc<Admin>,
    until: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    let patience = admin.patience;
    let routes = router(admin, address);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX as usize));
    let (stop, stopped) = watch::channel(false);
    let mut until = pin!(until);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut until => break,
            accepted = listener.accept() => accepted,
        };
        match (accepted, Arc::clone(&places).try_acquire_owned()) {
            (Ok((stream, peer)), Ok(place)) => {
                let routes = routes.clone().layer(Extension(ConnectInfo(peer)));
                let service = TowerToHyperService::new(routes);
                tokio::spawn(converse(stream, service, patience, stopped.clone(), place));
            }
            // Dropped without a word: a limit must cost less than what it keeps away.
            (Ok(_), Err(_)) => metrics::counter!("sluice_connections_refused_total").increment(1),
            (Err(error), _) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    stop.send_replace(true);
    let _never_closed = places.acquire_many(CONNECTIONS_MAX).await;
    Ok(())
}

/// Until the API stops being served.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _served_no_more = stopped.wait_for(|stopped| *stopped).await;
}

async fn converse(
    stream: TcpStream,
    service: Service,
    patience: Duration,
    mut stopped: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a caller of the admin API was let go");
    }
}
