//! The typed configuration of `sluice.toml`.
//!
//! Nothing is guessed: an unknown key, a wrong type, a value out of range and a contradiction between two
//! sections are all problems, and one look reports every one of them with its line, column and key. Units
//! are in the key names (`_ms`, `_bytes`), counts end in `_max`.
//!
//! ```
//! let config = config::parse("[kernel]\nshards = 4\n").unwrap();
//! assert_eq!(config.kernel.shards, 4);
//! let problems = config::parse("[kernel]\nshard = 4\n").unwrap_err();
//! assert_eq!((problems[0].line, problems[0].column), (2, 1));
//! ```

mod admin;
mod check;
mod cluster;
mod kernel;
mod limits;
mod migration;
mod nesting;
mod pattern;
mod problem;
mod reader;
mod secret;

use std::path::Path;

pub use admin::{Admin, Log, LogFormat, LogLevel};
pub use cluster::{
    CertificatePrincipal, ClientTls, Cluster, HostPort, LegacyTls, Link, LinkPassword, Mechanism, PortRange,
    Protocol, Sasl,
};
pub use kernel::{Kernel, KernelKafka, Store, Sync};
pub use limits::Limits;
pub use migration::{Migration, MigrationLimits};
pub use pattern::{Pattern, PatternError};
pub use problem::{Problem, Severity, render};
pub use secret::Secret;

use reader::{Report, Section};

/// Everything that `sluice.toml` can say.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `[kernel]`
    pub kernel: Kernel,
    /// `[admin]`
    pub admin: Admin,
    /// `[log]`
    pub log: Log,
    /// `[limits]`
    pub limits: Limits,
    /// `[[cluster]]`
    pub clusters: Vec<Cluster>,
    /// `[[migration]]`
    pub migrations: Vec<Migration>,
    /// What is legal and probably not meant. Never holds an error.
    pub warnings: Vec<Problem>,
}

/// Longest configuration that is read, in bytes.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

impl Config {
    /// What `sluice run` does without a file: the kernel alone, on loopback, data in `./sluice-data`.
    #[must_use]
    pub fn stand_alone() -> Self {
        let kernel = Kernel { kafka: Some(KernelKafka::default()), ..Kernel::default() };
        Self { kernel, ..Self::default() }
    }

    /// The cluster of this name.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }
}

/// Reads and checks a file.
///
/// # Errors
///
/// Every problem found, in order of appearance; a file that cannot be read is one problem at line 0.
pub fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    let text =
        read(path).map_err(|error| vec![Problem::without_place(format!("cannot be read: {error}"))])?;
    parse(&text)
}

fn read(path: &Path) -> std::io::Result<String> {
    if std::fs::metadata(path)?.len() > TEXT_BYTES_MAX {
        return Err(std::io::Error::other("larger than one mebibyte"));
    }
    std::fs::read_to_string(path)
}

/// Checks a text.
///
/// # Errors
///
/// Every problem found, in order of appearance.
pub fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    let report = Report::new(text);
    if let Some(place) = nesting::too_deep(text) {
        report.syntax("brackets nest too deep", Some(place));
        return Err(report.into_problems().0);
    }
    let (document, errors) = toml::de::DeTable::parse_recoverable(text);
    for error in &errors {
        report.syntax(error.message(), error.span());
    }
    let mut config = sections(&mut Section::root(&report, document.get_ref()));
    // What a broken document seems to say would only produce problems that are not there.
    if errors.is_empty() {
        check::check(&config, &report);
    }
    let (problems, warnings) = report.into_problems();
    config.warnings = warnings;
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

fn sections(root: &mut Section<'_, '_>) -> Config {
    let config = Config {
        kernel: root.table("kernel").map(kernel::read).unwrap_or_default(),
        admin: root.table("admin").map(admin::read).unwrap_or_default(),
        log: root.table("log").map(admin::read_log).unwrap_or_default(),
        limits: root.table("limits").map(limits::read).unwrap_or_default(),
        clusters: root.tables("cluster").into_iter().filter_map(cluster::read).collect(),
        migrations: root.tables("migration").into_iter().filter_map(migration::read).collect(),
        warnings: Vec::new(),
    };
    root.finish();
    config
}

#[cfg(test)]
mod tests;
