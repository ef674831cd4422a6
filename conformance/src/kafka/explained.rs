//! Differences that are known and wanted, each with its reason. Only an entry of this table explains a difference.

/// An entry of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Explanation {
    /// Row ids (`API/name` or `KS1/name`) begin with this.
    pub(super) rows: &'static str,
    /// Path of the field without indices, or a scenario's fact; what ends in `*` stands for all that begin so.
    pub(super) field: &'static str,
    /// The reference's value, or `*` for any.
    pub(super) reference: &'static str,
    /// The candidate's value, or `*` for any.
    pub(super) candidate: &'static str,
    /// Why it is so.
    pub(super) reason: &'static str,
}

const fn known(
    rows: &'static str,
    field: &'static str,
    candidate: &'static str,
    reason: &'static str,
) -> Explanation {
    Explanation { rows, field, reference: "*", candidate, reason }
}

/// What the reference does not have at all.
const fn lacked(rows: &'static str, field: &'static str, reason: &'static str) -> Explanation {
    Explanation { rows, field, reference: NO_FIELD, candidate: "*", reason }
}

/// `known`, of this value of the reference's alone.
const fn instead_of(reference: &'static str, entry: Explanation) -> Explanation {
    Explanation { reference, ..entry }
}

const FEATURES: &str = "the kernel finalises the features of what it serves, group.version and transaction.version; the others belong to Kafka's own \
                        quorum, to share groups and to streams groups";
const REFUSED_SETTING: &str = "40 INVALID_CONFIG";
const NO_FIELD: &str = "(no such field)";
const REMOVED: &str = "a topic setting of Kafka 3 that 4.0 removed";
const KEPT: &str = "a topic setting of Kafka 3, which the kernel keeps for tools of that time";
const NEWER: &str =
    "a topic setting that came with Kafka 4.4: it is kept and shown, and an older reference does not know it";
const BROKER: &str = "set in the reference's own broker settings, not by the topic";
const DEFAULTS: &str = "the default of Kafka 4; that of Kafka 3 was another";

/// The table.
pub(super) const EXPLANATIONS: &[Explanation] = &[
    known("ApiVersions/versions are told", "finalized_features*", "*", FEATURES),
    known("ApiVersions/versions are told", "supported_features*", "*", FEATURES),
    known(
        "IncrementalAlterConfigs/an unknown operation",
        "responses[].error_code",
        REFUSED_SETTING,
        "an error of the client's is told as such; Kafka's UNKNOWN_SERVER_ERROR comes from an exception that nobody caught",
    ),
    known("CreateTopics/", "topics[].configs.message.format.version.*", NO_FIELD, REMOVED),
    known("CreateTopics/", "topics[].configs.message.timestamp.difference.max.ms.*", NO_FIELD, REMOVED),
    instead_of(
        "\"9223372036854775807\"",
        known(
            "CreateTopics/",
            "topics[].configs.message.timestamp.after.max.ms.value",
            "\"3600000\"",
            DEFAULTS,
        ),
    ),
    lacked("CreateTopics/", "topics[].configs.message.downconversion.enable.*", KEPT),
    lacked("CreateTopics/", "topics[].configs.errors.deadletterqueue.group.enable.*", NEWER),
    lacked("CreateTopics/", "topics[].configs.max.decompressed.message.bytes.*", NEWER),
    lacked("CreateTopics/", "topics[].configs.remote.copy.lag.bytes.*", NEWER),
    lacked("CreateTopics/", "topics[].configs.remote.copy.lag.ms.*", NEWER),
    instead_of(
        "3",
        known("CreateTopics/", "topics[].configs.min.insync.replicas.config_source", "5", BROKER),
    ),
    instead_of(
        "4",
        known("CreateTopics/", "topics[].configs.min.insync.replicas.config_source", "5", BROKER),
    ),
    known("DescribeConfigs/", "results[].configs.message.format.version.*", NO_FIELD, REMOVED),
    known("DescribeConfigs/", "results[].configs.message.timestamp.difference.max.ms.*", NO_FIELD, REMOVED),
    instead_of(
        "\"9223372036854775807\"",
        known(
            "DescribeConfigs/",
            "results[].configs.message.timestamp.after.max.ms.value",
            "\"3600000\"",
            DEFAULTS,
        ),
    ),
    lacked("DescribeConfigs/", "results[].configs.message.downconversion.enable.*", KEPT),
    lacked("DescribeConfigs/", "results[].configs.errors.deadletterqueue.group.enable.*", NEWER),
    lacked("DescribeConfigs/", "results[].configs.max.decompressed.message.bytes.*", NEWER),
    lacked("DescribeConfigs/", "results[].configs.remote.copy.lag.bytes.*", NEWER),
    lacked("DescribeConfigs/", "results[].configs.remote.copy.lag.ms.*", NEWER),
    instead_of(
        "3",
        known("DescribeConfigs/", "results[].configs.min.insync.replicas.config_source", "5", BROKER),
    ),
    instead_of(
        "4",
        known("DescribeConfigs/", "results[].configs.min.insync.replicas.config_source", "5", BROKER),
    ),
    known(
        "Produce/a batch, acks=all, in a version that was removed",
        "answer",
        "by closing the connection",
        "Produce 0 to 2 were removed with Kafka 4.0 (KIP-896), and are advertised only for the sake of old clients",
    ),
    instead_of(
        "22 ILLEGAL_GENERATION",
        known(
            "OffsetCommit/by a member of an unknown group",
            "topics[].partitions[].error_code",
            "69 GROUP_ID_NOT_FOUND",
            "what Kafka 4 answers from version 9 on",
        ),
    ),
    instead_of(
        "(some)",
        known(
            "CreateTopics/only to see whether it could be",
            "topics[].topic_id",
            "(none)",
            "no topic is made, so it has no id; Kafka tells one that nothing will ever have",
        ),
    ),
    lacked(
        "ListOffsets/a partition twice",
        "topics[].partitions[].*",
        "each of the two is refused, as Kafka 3 does; Kafka 4 names the partition once",
    ),
];

/// What explains that the candidate says `candidate` in `field` of a row where the reference says `reference`.
pub(super) fn explain(
    row: &str,
    field: &str,
    reference: &str,
    candidate: &str,
) -> Option<&'static Explanation> {
    EXPLANATIONS.iter().find(|entry| {
        row.starts_with(entry.rows)
            && match entry.field.strip_suffix('*') {
                Some(beginning) => field.starts_with(beginning),
                None => entry.field == field,
            }
            && (entry.reference == "*" || entry.reference == reference)
            && (entry.candidate == "*" || entry.candidate == candidate)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_table_names_is_explained() {
        let explained = |row, field, value| explain(row, field, "(some)", value).is_some();
        let row = "CreateTopics/only to see whether it could be";
        assert!(explained(row, "topics[].topic_id", "(none)"));
        assert!(!explained(row, "topics[].topic_id", "another"));
        assert!(!explained(row, "topics[].error_code", "(none)"));
        assert!(!explained("KS11/compaction", "CreateTopics", "INVALID_CONFIG"));
        assert!(!explained("KS12/commits", "CreateTopics", "INVALID_CONFIG"));
        assert!(explained("ApiVersions/versions are told", "finalized_features[].name", "x"));
        assert!(!explained("ApiVersions/versions are told", "error_code", "35"));
        // A setting that an older reference lacks: where it has one, its value counts.
        let newer = |reference| {
            let field = "results[].configs.remote.copy.lag.ms.value";
            explain("DescribeConfigs/of a topic, all names", field, reference, "\"0\"").is_some()
        };
        assert!(newer(NO_FIELD) && !newer("\"5\""));
    }

    #[test]
    fn every_explanation_names_an_api_or_statement_and_a_reason() {
        let ids: Vec<String> = crate::kafka::list(&[]).into_iter().map(|listed| listed.id).collect();
        for entry in EXPLANATIONS {
            assert!(ids.iter().any(|id| id.starts_with(entry.rows)), "nothing begins with {}", entry.rows);
            assert!(entry.reason.len() > 10, "{}", entry.rows);
            assert!(entry.candidate != "*" || entry.field != "*", "{} explains everything", entry.rows);
        }
    }
}
