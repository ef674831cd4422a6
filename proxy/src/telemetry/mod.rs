//! What the process says about itself: log lines on standard error, metrics for Prometheus.
//!
//! Nothing secret can get there by accident: credentials are held in types that show as `***`, payloads are
//! never formatted.

mod figures;

use config::{Log, LogFormat, LogLevel};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::level_filters::LevelFilter;

pub use figures::{FIGURES, Figure, Kind};

use crate::driver::Traffic;

/// Starts logging. A second call changes nothing.
pub fn start_logging(log: &Log) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    let _already_started = match log.format {
        LogFormat::Text => tracing::subscriber::set_global_default(builder.with_ansi(false).finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(builder.json().finish()),
    };
}

/// Starts counting. A second call gives a handle to metrics that stay empty.
#[must_use]
pub fn start_metrics() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _already_started = metrics::set_global_recorder(recorder);
    figures::describe();
    handle
}

/// The counters of the drivers.
#[must_use]
pub fn traffic() -> Traffic {
    Traffic {
        from_clients: metrics::counter!("sluice_client_bytes_total", "direction" => "in"),
        to_clients: metrics::counter!("sluice_client_bytes_total", "direction" => "out"),
    }
}
