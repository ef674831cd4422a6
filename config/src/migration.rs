//! `[[migration]]`: a named set of units that move together.

use crate::cluster;
use crate::pattern::Pattern;
use crate::reader::Section;

/// `[[migration]]`
#[derive(Debug, Clone)]
pub struct Migration {
    /// `name`
    pub name: String,
    /// `cluster`: name of its cluster.
    pub cluster: String,
    /// `topics`: patterns of topic names.
    pub topics: Vec<Pattern>,
    /// `groups`: patterns of consumer group names.
    pub groups: Vec<Pattern>,
    /// `transactional_ids`: patterns of transactional ids. They move in one handover with all that the migration has.
    pub transactional_ids: Vec<Pattern>,
    /// `accept_single_copy`: the operator accepts that what was replicated on legacy has one copy on the
    /// kernel's disk.
    pub accept_single_copy: bool,
    /// `[migration.limits]`
    pub limits: MigrationLimits,
}

/// `[migration.limits]`: how long clients may wait, and how far behind the kernel may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationLimits {
    /// `fence_ms_max`: a fence that lasts longer is released to the old primary. Below what clients wait.
    pub fence_ms_max: u64,
    /// `fence_units_max`: how many units one handover moves, and how many groups go back at the same time.
    pub fence_units_max: usize,
    /// `lag_records_max`: how far behind the kernel may be when a step starts.
    pub lag_records_max: u64,
    /// `lag_ms_max`: as `lag_records_max`, in time.
    pub lag_ms_max: u64,
    /// `dual_write_ms_max`: how long an answer waits for the kernel before it goes out without it.
    pub dual_write_ms_max: u64,
    /// `reverse_lag_records_max`: producers are throttled while legacy is further behind than this.
    pub reverse_lag_records_max: u64,
    /// `lease_ms`: the right to forward to legacy, renewed in time.
    pub lease_ms: u64,
}

impl Default for MigrationLimits {
    fn default() -> Self {
        Self {
            fence_ms_max: 5_000,
            fence_units_max: 64,
            lag_records_max: 10_000,
            lag_ms_max: 2_000,
            dual_write_ms_max: 1_000,
            reverse_lag_records_max: 100_000,
            lease_ms: 3_000,
        }
    }
}

pub(crate) fn read(mut section: Section<'_, '_>) -> Option<Migration> {
    let _must_be_there = (section.required("name"), section.required("cluster"));
    let name = section.parsed("name", cluster::plain_name);
    let cluster = section.string("cluster");
    let pattern = |text: &str| Pattern::parse(text).map_err(|error| error.to_string());
    let topics = section.list("topics", pattern);
    let groups = section.list("groups", pattern);
    let transactional_ids = section.list("transactional_ids", pattern);
    if topics.as_ref().is_none_or(Vec::is_empty) && groups.as_ref().is_none_or(Vec::is_empty) {
        section.error("topics", "names neither topics nor groups, so nothing would move".to_owned());
    }
    let accept_single_copy = section.flag("accept_single_copy").unwrap_or_default();
    let limits = section.table("limits").map(read_limits).unwrap_or_default();
    section.finish();
    Some(Migration {
        name: name?,
        cluster: cluster?,
        topics: topics.unwrap_or_default(),
        groups: groups.unwrap_or_default(),
        transactional_ids: transactional_ids.unwrap_or_default(),
        accept_single_copy,
        limits,
    })
}

fn read_limits(mut section: Section<'_, '_>) -> MigrationLimits {
    let mut limits = MigrationLimits::default();
    section.set("fence_ms_max", 100..=25_000, &mut limits.fence_ms_max);
    section.set("fence_units_max", 1..=1_000, &mut limits.fence_units_max);
    section.set("lag_records_max", 0..=1 << 40, &mut limits.lag_records_max);
    section.set("lag_ms_max", 1..=3_600_000, &mut limits.lag_ms_max);
    section.set("dual_write_ms_max", 1..=25_000, &mut limits.dual_write_ms_max);
    section.set("reverse_lag_records_max", 1..=1 << 40, &mut limits.reverse_lag_records_max);
    section.set("lease_ms", 500..=30_000, &mut limits.lease_ms);
    section.finish();
    limits
}
