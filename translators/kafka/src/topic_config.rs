//! The topic configuration that Kafka clients read and set: one table with type, default, and whether the
//! kernel acts on it.

use std::collections::BTreeMap;

use kernel_model::{Compaction, LogConfig, LogKind, TimestampSource};

/// Type of a value, with Kafka's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// 32 bits, from this on.
    Int(i32),
    /// 32 bits, from the first to the second.
    IntWithin(i32, i32),
    /// 64 bits, from this on.
    Long(i64),
    /// A ratio from 0 to 1.
    Ratio,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of any of these words, with commas.
    Words(&'static [&'static str]),
    /// A list of anything, with commas.
    List,
}

impl Kind {
    /// The number that DescribeConfigs uses for the type.
    #[must_use]
    pub const fn wire(self) -> i8 {
        match self {
            Self::Bool => 1,
            Self::Word(_) => 2,
            Self::Int(_) | Self::IntWithin(..) => 3,
            Self::Long(_) => 5,
            Self::Ratio => 6,
            Self::Words(_) | Self::List => 7,
        }
    }
}

/// One configuration of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigKey {
    /// Its name.
    pub name: &'static str,
    /// Type and bounds.
    pub kind: Kind,
    /// Value where none is set.
    pub default: &'static str,
    /// Whether the kernel acts on it. The others are kept, and shown as they were set.
    pub enforced: bool,
}

impl ConfigKey {
    /// The broker's setting that stands behind it where a topic has none of its own. Kafka shows none for those that
    /// have several, or that no broker setting stands for.
    #[must_use]
    pub fn broker_name(&self) -> Option<&'static str> {
        match self.name {
            "cleanup.policy" => Some("log.cleanup.policy"),
            "delete.retention.ms" => Some("log.cleaner.delete.retention.ms"),
            "file.delete.delay.ms" => Some("log.segment.delete.delay.ms"),
            "flush.messages" => Some("log.flush.interval.messages"),
            "index.interval.bytes" => Some("log.index.interval.bytes"),
            "local.retention.bytes" => Some("log.local.retention.bytes"),
            "local.retention.ms" => Some("log.local.retention.ms"),
            "max.compaction.lag.ms" => Some("log.cleaner.max.compaction.lag.ms"),
            "max.message.bytes" => Some("message.max.bytes"),
            "message.downconversion.enable" => Some("log.message.downconversion.enable"),
            "message.timestamp.after.max.ms" => Some("log.message.timestamp.after.max.ms"),
            "message.timestamp.before.max.ms" => Some("log.message.timestamp.before.max.ms"),
            "message.timestamp.type" => Some("log.message.timestamp.type"),
            "min.cleanable.dirty.ratio" => Some("log.cleaner.min.cleanable.ratio"),
            "min.compaction.lag.ms" => Some("log.cleaner.min.compaction.lag.ms"),
            "preallocate" => Some("log.preallocate"),
            "remote.copy.lag.bytes" => Some("log.remote.copy.lag.bytes"),
            "remote.copy.lag.ms" => Some("log.remote.copy.lag.ms"),
            "retention.bytes" => Some("log.retention.bytes"),
            "segment.bytes" => Some("log.segment.bytes"),
            "segment.index.bytes" => Some("log.index.size.max.bytes"),
            "errors.deadletterqueue.group.enable"
            | "flush.ms"
            | "follower.replication.throttled.replicas"
            | "leader.replication.throttled.replicas"
            | "remote.log.copy.disable"
            | "remote.log.delete.on.disable"
            | "remote.storage.enable"
            | "retention.ms"
            | "segment.jitter.ms"
            | "segment.ms" => None,
            same => Some(same),
        }
    }
}

const FOREVER: &str = "9223372036854775807";

const fn key(name: &'static str, kind: Kind, default: &'static str, enforced: bool) -> ConfigKey {
    ConfigKey { name, kind, default, enforced }
}

/// Every configuration of a topic, by name.
pub static KEYS: [ConfigKey; 38] = [
    key("cleanup.policy", Kind::Words(&["delete", "compact"]), "delete", true),
    key("compression.gzip.level", Kind::IntWithin(-1, 9), "-1", false),
    key("compression.lz4.level", Kind::IntWithin(1, 17), "9", false),
    // Batches are stored as they were sent; only "producer" says so.
    key(
        "compression.type",
        Kind::Word(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        "producer",
        false,
    ),
    key("compression.zstd.level", Kind::IntWithin(-131_072, 22), "3", false),
    key("delete.retention.ms", Kind::Long(0), "86400000", true),
    key("errors.deadletterqueue.group.enable", Kind::Bool, "false", false),
    key("file.delete.delay.ms", Kind::Long(0), "60000", false),
    key("flush.messages", Kind::Long(1), FOREVER, false),
    key("flush.ms", Kind::Long(0), FOREVER, false),
    key("follower.replication.throttled.replicas", Kind::List, "", false),
    key("index.interval.bytes", Kind::Int(0), "4096", false),
    key("leader.replication.throttled.replicas", Kind::List, "", false),
    key("local.retention.bytes", Kind::Long(-2), "-2", false),
    key("local.retention.ms", Kind::Long(-2), "-2", false),
    key("max.compaction.lag.ms", Kind::Long(1), FOREVER, true),
    key("max.decompressed.message.bytes", Kind::Int(0), "2147483639", false),
    key("max.message.bytes", Kind::Int(0), "1048588", true),
    key("message.downconversion.enable", Kind::Bool, "true", false),
    key("message.timestamp.after.max.ms", Kind::Long(0), "3600000", true),
    key("message.timestamp.before.max.ms", Kind::Long(0), FOREVER, true),
    key("message.timestamp.type", Kind::Word(&["CreateTime", "LogAppendTime"]), "CreateTime", true),
    key("min.cleanable.dirty.ratio", Kind::Ratio, "0.5", true),
    key("min.compaction.lag.ms", Kind::Long(0), "0", true),
    // There is one copy, and every acknowledged record is on disk.
    key("min.insync.replicas", Kind::Int(1), "1", false),
    key("preallocate", Kind::Bool, "false", false),
    key("remote.copy.lag.bytes", Kind::Long(-1), "-1", false),
    key("remote.copy.lag.ms", Kind::Long(-1), "0", false),
    key("remote.log.copy.disable", Kind::Bool, "false", false),
    key("remote.log.delete.on.disable", Kind::Bool, "false", false),
    key("remote.storage.enable", Kind::Bool, "false", false),
    // Kafka takes any number below zero for "no bound".
    key("retention.bytes", Kind::Long(i64::MIN), "-1", true),
    key("retention.ms", Kind::Long(-1), "604800000", true),
    key("segment.bytes", Kind::Int(14), "1073741824", true),
    key("segment.index.bytes", Kind::Int(4), "10485760", false),
    key("segment.jitter.ms", Kind::Long(0), "0", false),
    key("segment.ms", Kind::Long(1), "604800000", true),
    key("unclean.leader.election.enable", Kind::Bool, "false", false),
];

/// The key of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static ConfigKey> {
    KEYS.binary_search_by(|key| key.name.cmp(name)).ok().and_then(|at| KEYS.get(at))
}

/// Judges one value.
///
/// # Errors
///
/// A sentence for the client.
pub fn check(name: &str, value: &str) -> Result<(), String> {
    let key = find(name).ok_or_else(|| format!("Unknown topic config name: {name}"))?;
    let good = match key.kind {
        Kind::Bool => matches!(value.trim().to_ascii_lowercase().as_str(), "true" | "false"),
        Kind::Int(least) => value.trim().parse::<i32>().is_ok_and(|number| number >= least),
        Kind::IntWithin(least, most) => {
            value.trim().parse::<i32>().is_ok_and(|number| (least..=most).contains(&number))
        }
        Kind::Long(least) => value.trim().parse::<i64>().is_ok_and(|number| number >= least),
        Kind::Ratio => value.trim().parse::<f64>().is_ok_and(|ratio| (0.0..=1.0).contains(&ratio)),
        Kind::Word(words) => words.contains(&value),
        Kind::Words(words) => {
            let mut parts = words_of(value).peekable();
            parts.peek().is_some() && parts.all(|word| words.contains(&word))
        }
        Kind::List => true,
    };
    if good { Ok(()) } else { Err(format!("Invalid value {value} for configuration {name}")) }
}

/// The words of a list.
pub fn words_of(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// A ratio between 0 and 1 in millionths.
fn millionths(ratio: &str) -> u32 {
    let ratio = ratio.trim().parse::<f64>().unwrap_or(0.5).clamp(0.0, 1.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
    let millionths = (ratio * 1_000_000.0).round() as u32;
    millionths
}

/// What the request path needs of a topic's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Largest batch, in bytes.
    pub message_bytes_max: usize,
    /// Largest segment; a batch must fit into one.
    pub segment_bytes: usize,
    /// Whether the log stamps records itself.
    pub append_time: bool,
    /// How far before the clock a producer's timestamp may lie.
    pub timestamp_before_max_ms: i64,
    /// How far after it.
    pub timestamp_after_max_ms: i64,
    /// Keeps the last record of each key: how that is done.
    pub compaction: Option<Compaction>,
    /// Removes old records.
    pub deleted: bool,
    /// Age at which records are removed, or −1.
    pub retention_ms: i64,
    /// Size above which the oldest records are removed, or −1.
    pub retention_bytes: i64,
}

impl Settings {
    /// Reads what was set and fills in the rest; values that cannot be read (a mirrored source may have
    /// such) count as not set.
    #[must_use]
    pub fn of(configs: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| {
            let set = configs.get(name).filter(|value| check(name, value).is_ok()).map(String::as_str);
            set.or_else(|| find(name).map(|key| key.default)).unwrap_or_default()
        };
        let number = |name: &str| text(name).trim().parse::<i64>().unwrap_or(i64::MAX);
        let long = |name: &str| u64::try_from(number(name)).unwrap_or(0);
        let size = |name: &str| usize::try_from(number(name)).unwrap_or(usize::MAX);
        Self {
            message_bytes_max: size("max.message.bytes"),
            segment_bytes: size("segment.bytes"),
            append_time: text("message.timestamp.type") == "LogAppendTime",
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            compaction: words_of(text("cleanup.policy")).any(|word| word == "compact").then(|| Compaction {
                stretch_bytes: long("segment.bytes"),
                // A segment whose records wait for compaction is closed in time.
                stretch_ms: long("segment.ms").min(long("max.compaction.lag.ms")),
                lag_min_ms: long("min.compaction.lag.ms"),
                lag_max_ms: long("max.compaction.lag.ms"),
                dirty_min_ppm: millionths(text("min.cleanable.dirty.ratio")),
                deletes_stay_ms: long("delete.retention.ms"),
            }),
            deleted: words_of(text("cleanup.policy")).any(|word| word == "delete"),
            retention_ms: number("retention.ms"),
            retention_bytes: number("retention.bytes"),
        }
    }

    /// Whether only the last record of each key is kept.
    #[must_use]
    pub fn is_compacted(&self) -> bool {
        self.compaction.is_some()
    }

    /// The settings of a partition's log. A mirrored log removes only what its source has removed, and is not compacted
    /// before the kernel leads it.
    #[must_use]
    pub fn log_config(&self, kind: LogKind) -> LogConfig {
        let removes = self.deleted && kind == LogKind::Led;
        let bound = |value: i64| u64::try_from(value).ok().filter(|_| removes);
        LogConfig {
            kind,
            timestamps: if self.append_time { TimestampSource::Append } else { TimestampSource::Producer },
            retention_ms: bound(self.retention_ms),
            retention_bytes: bound(self.retention_bytes),
            retention_over_views: true,
            compaction: self.compaction,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_valid_value_and_names_are_sorted() {
        for key in &KEYS {
            assert_eq!(check(key.name, key.default), Ok(()), "{}", key.name);
            assert_eq!(find(key.name), Some(key));
        }
    }

    #[test]
    fn values_are_judged_by_type_and_bound() {
        let table = [
            ("retention.ms", "-1", true),
            ("retention.ms", "-2", false),
            ("retention.ms", "soon", false),
            ("max.message.bytes", "4294967296", false),
            ("compression.gzip.level", "99", false),
            ("retention.bytes", "-5", true),
            ("cleanup.policy", "compact,delete", true),
            ("cleanup.policy", "compost", false),
            ("cleanup.policy", "", false),
            ("preallocate", "TRUE", true),
            ("preallocate", "1", false),
            ("min.cleanable.dirty.ratio", "1.1", false),
            ("message.timestamp.type", "logappendtime", false),
            ("no.such.key", "1", false),
        ];
        for (name, value, good) in table {
            assert_eq!(check(name, value).is_ok(), good, "{name}={value}");
        }
    }

    #[test]
    fn a_mirrored_log_removes_nothing_by_itself() {
        let configs = BTreeMap::from([("retention.bytes".to_owned(), "100".to_owned())]);
        let settings = Settings::of(&configs);
        assert_eq!(settings.log_config(LogKind::Led).retention_bytes, Some(100));
        assert_eq!(settings.log_config(LogKind::Led).retention_ms, Some(604_800_000));
        assert_eq!(settings.log_config(LogKind::Mirrored).retention_bytes, None);
        assert_eq!(settings.log_config(LogKind::Mirrored).retention_ms, None);
    }

    #[test]
    fn compaction_goes_by_the_settings_of_the_topic() {
        let of = |configs: &[(&str, &str)]| {
            let owned = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Settings::of(&owned.collect()).log_config(LogKind::Led)
        };
        assert_eq!(of(&[("min.cleanable.dirty.ratio", "0.1")]).compaction, None);
        let compacted = of(&[("cleanup.policy", "compact"), ("max.compaction.lag.ms", "1000")]);
        assert_eq!(compacted.retention_ms, None, "nothing goes for its age");
        let expected = Compaction {
            stretch_bytes: 1 << 30,
            stretch_ms: 1000,
            lag_min_ms: 0,
            lag_max_ms: 1000,
            dirty_min_ppm: 500_000,
            deletes_stay_ms: 86_400_000,
        };
        assert_eq!(compacted.compaction, Some(expected));
        let both = of(&[("cleanup.policy", "compact, delete"), ("min.cleanable.dirty.ratio", "0.00001")]);
        assert_eq!(both.compaction.map(|how| how.dirty_min_ppm), Some(10));
        assert_eq!(both.retention_ms, Some(604_800_000));
    }
}
