//! `[admin]` and `[log]`: who may look and give orders, and what the process says about itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::cluster::socket_address;
use crate::reader::Section;
use crate::secret::Secret;

/// `[admin]`
#[derive(Debug, Clone)]
pub struct Admin {
    /// `listen`: plain HTTP.
    pub listen: SocketAddr,
    /// `token`: what callers must show; needed beyond loopback.
    pub token: Option<Secret>,
    /// `token_file`: as `token`, kept out of the configuration. Read when the process starts.
    pub token_file: Option<PathBuf>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), token: None, token_file: None }
    }
}

/// `[log]`
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// `format`
    pub format: LogFormat,
    /// `level`
    pub level: LogLevel,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The least serious lines that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// What needs somebody.
    Error,
    /// What may.
    Warn,
    /// What changes rarely: starts, stops, phases.
    #[default]
    Info,
    /// Connections.
    Debug,
}

/// Shortest token that is worth asking for.
const TOKEN_BYTES_MIN: usize = 16;

pub(crate) fn read(mut section: Section<'_, '_>) -> Admin {
    let mut admin = Admin::default();
    if let Some(listen) = section.parsed("listen", socket_address) {
        admin.listen = listen;
    }
    admin.token = section.parsed("token", token);
    admin.token_file = section.string("token_file").map(PathBuf::from);
    if admin.token.is_some() && admin.token_file.is_some() {
        section.error("token_file", "`token` and `token_file` exclude each other".to_owned());
    }
    section.finish();
    admin
}

fn token(text: &str) -> Result<Secret, String> {
    if text.len() < TOKEN_BYTES_MIN || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(format!("must be at least {TOKEN_BYTES_MIN} printable ASCII characters without spaces"));
    }
    Ok(Secret::new(text.to_owned()))
}

pub(crate) fn read_log(mut section: Section<'_, '_>) -> Log {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let levels = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
    ];
    let log = Log {
        format: section.choice("format", &formats).unwrap_or_default(),
        level: section.choice("level", &levels).unwrap_or_default(),
    };
    section.finish();
    log
}
