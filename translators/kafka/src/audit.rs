//! What an administrator asks for over Kafka's protocol, in words that may be kept: names, never values that could
//! be a secret. The sessions make an [`session::Event::Administered`] of it once it is answered.

use bytes::Bytes;
use session::{Administered, Event};

use crate::access::{Mechanism, Rule, Who};
use crate::codec::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterConfigsRequest, AlterConfigsResponse,
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, CreateAclsRequest,
    CreateAclsResponse, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteAclsRequest, DeleteAclsResponse, DeleteGroupsRequest, DeleteGroupsResponse,
    DeleteRecordsRequest, DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, OffsetDeleteRequest,
    OffsetDeleteResponse,
};
use crate::codec::{ApiKey, Request, Response, Str, frame};
use crate::errors::ErrorCode;

/// Most characters of an act.
const CHARS_MAX: usize = 1000;

/// Why nobody is answered, where the connection ended first.
pub(crate) const CONNECTION_ENDED: &str = "the connection ended first";

/// An act that is not answered yet.
#[derive(Debug)]
pub(crate) struct Act {
    api: ApiKey,
    version: i16,
    what: String,
}

impl Act {
    /// What this request (without its size prefix) orders; `None` where it orders nothing, or only asks what would be.
    pub(crate) fn of(request: &Bytes) -> Option<Self> {
        let api = ApiKey::from_code(i16::from_be_bytes(*request.first_chunk()?));
        let api = api.filter(|api| is_administrative(*api))?;
        let head = frame::peek_request(request).ok()?;
        let version = head.api_version;
        let words =
            if api.spec().versions().contains(&version) { words(api, version, request) } else { None };
        let detail = match words {
            Some(Words::Asks) => return None,
            Some(Words::Orders(detail)) => detail,
            None => "(unreadable)".to_owned(),
        };
        let what: String =
            format!("{} {detail}", api.spec().name).trim_end().chars().take(CHARS_MAX).collect();
        Some(Self { api, version, what })
    }

    /// The act with what came of it: the answer, whole.
    pub(crate) fn answered(self, who: &Who, answer: &[Bytes]) -> Event {
        let codes = codes(self.api, self.version, answer.concat().into());
        let (outcome, done) = match codes {
            Some(codes) if !codes.is_empty() => (summary(&codes), codes.contains(&0)),
            Some(_) => ("nothing to do".to_owned(), false),
            None => ("answered".to_owned(), true),
        };
        self.event(who, outcome, done)
    }

    /// The act that nobody is answered: why.
    pub(crate) fn unanswered(self, who: &Who, why: &str) -> Event {
        // It may have been done all the same.
        self.event(who, format!("unanswered: {why}"), true)
    }

    /// The act that was not even tried: why.
    pub(crate) fn refused(self, who: &Who, why: &str) -> Event {
        self.event(who, format!("refused: {why}"), false)
    }

    fn event(self, who: &Who, outcome: String, done: bool) -> Event {
        let principal = who.principal.clone();
        let from = who.host.trim_start_matches('/').to_owned();
        Event::Administered(Box::new(Administered { who: principal, from, what: self.what, outcome, done }))
    }
}

/// What a request is.
enum Words {
    /// A question: nothing is to be changed.
    Asks,
    /// An order.
    Orders(String),
}

fn is_administrative(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::CreateTopics
            | ApiKey::DeleteTopics
            | ApiKey::CreatePartitions
            | ApiKey::DeleteRecords
            | ApiKey::AlterConfigs
            | ApiKey::IncrementalAlterConfigs
            | ApiKey::CreateAcls
            | ApiKey::DeleteAcls
            | ApiKey::AlterUserScramCredentials
            | ApiKey::AlterClientQuotas
            | ApiKey::DeleteGroups
            | ApiKey::OffsetDelete
            | ApiKey::ElectLeaders
            | ApiKey::AlterPartitionReassignments
            | ApiKey::AlterReplicaLogDirs
            | ApiKey::UpdateFeatures
            | ApiKey::UnregisterBroker
            | ApiKey::WriteTxnMarkers
            | ApiKey::CreateDelegationToken
            | ApiKey::RenewDelegationToken
            | ApiKey::ExpireDelegationToken
            | ApiKey::AlterShareGroupOffsets
            | ApiKey::DeleteShareGroupOffsets
            | ApiKey::AddRaftVoter
            | ApiKey::RemoveRaftVoter
    )
}

fn decode<R: Request>(version: i16, request: &Bytes) -> Option<R> {
    let (_, reader) = frame::read_request_header(request.clone()).ok()?;
    R::decode_request(reader, version).ok()
}

fn list(words: impl Iterator<Item = String>) -> Words {
    Words::Orders(words.collect::<Vec<_>>().join(", "))
}

/// A resource and the names of its settings; values stay out, one may be a password.
fn settings<'a>(kind: i8, name: &Str, keys: impl Iterator<Item = &'a Str>) -> String {
    let kind = match kind {
        2 => "topic".to_owned(),
        4 => "broker".to_owned(),
        8 => "broker-logger".to_owned(),
        16 => "client-metrics".to_owned(),
        32 => "group".to_owned(),
        other => format!("resource {other}"),
    };
    format!("{kind} {name}: {}", keys.map(Str::as_str).collect::<Vec<_>>().join(" "))
}

fn user(name: &Str, code: i8) -> String {
    let mechanism = Mechanism::from_code(code).map_or("an unknown mechanism", Mechanism::name);
    format!("{name} ({mechanism})")
}

#[allow(clippy::wildcard_enum_match_arm, reason = "what is not named here has no particulars")]
fn words(api: ApiKey, version: i16, request: &Bytes) -> Option<Words> {
    Some(match api {
        ApiKey::CreateTopics => {
            let asked: CreateTopicsRequest = decode(version, request)?;
            if asked.validate_only {
                return Some(Words::Asks);
            }
            list(
                asked.topics.iter().map(|each| format!("{} ({} partitions)", each.name, each.num_partitions)),
            )
        }
        ApiKey::DeleteTopics => {
            let asked: DeleteTopicsRequest = decode(version, request)?;
            let named = asked.topics.iter().map(|each| match &each.name {
                Some(name) => name.to_string(),
                None => format!("id {:?}", each.topic_id),
            });
            list(named.chain(asked.topic_names.iter().map(Str::to_string)))
        }
        ApiKey::CreatePartitions => {
            let asked: CreatePartitionsRequest = decode(version, request)?;
            if asked.validate_only {
                return Some(Words::Asks);
            }
            list(asked.topics.iter().map(|each| format!("{} to {}", each.name, each.count)))
        }
        ApiKey::DeleteRecords => {
            let asked: DeleteRecordsRequest = decode(version, request)?;
            list(asked.topics.iter().flat_map(|topic| {
                let each = |part: &crate::codec::messages::delete_records_request::DeleteRecordsPartition| {
                    format!("{}-{} before {}", topic.name, part.partition_index, part.offset)
                };
                topic.partitions.iter().map(each).collect::<Vec<_>>()
            }))
        }
        ApiKey::DeleteGroups => {
            let asked: DeleteGroupsRequest = decode(version, request)?;
            list(asked.groups_names.iter().map(Str::to_string))
        }
        ApiKey::OffsetDelete => {
            let asked: OffsetDeleteRequest = decode(version, request)?;
            let topics = asked.topics.iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>().join(" ");
            Words::Orders(format!("{}: {topics}", asked.group_id))
        }
        ApiKey::AlterConfigs => {
            let asked: AlterConfigsRequest = decode(version, request)?;
            if asked.validate_only {
                return Some(Words::Asks);
            }
            list(asked.resources.iter().map(|each| {
                settings(each.resource_type, &each.resource_name, each.configs.iter().map(|one| &one.name))
            }))
        }
        ApiKey::IncrementalAlterConfigs => {
            let asked: IncrementalAlterConfigsRequest = decode(version, request)?;
            if asked.validate_only {
                return Some(Words::Asks);
            }
            list(asked.resources.iter().map(|each| {
                settings(each.resource_type, &each.resource_name, each.configs.iter().map(|one| &one.name))
            }))
        }
        _ => return words_of_access(api, version, request),
    })
}

#[allow(clippy::wildcard_enum_match_arm, reason = "what is not named here has no particulars")]
fn words_of_access(api: ApiKey, version: i16, request: &Bytes) -> Option<Words> {
    Some(match api {
        ApiKey::CreateAcls => {
            let asked: CreateAclsRequest = decode(version, request)?;
            let rule = |each| Rule::of_creation(each).map_or("(no rule)".to_owned(), |rule| rule.to_string());
            list(asked.creations.iter().map(rule))
        }
        ApiKey::DeleteAcls => {
            let asked: DeleteAclsRequest = decode(version, request)?;
            let any = |text: &Option<Str>| text.as_ref().map_or("any".to_owned(), Str::to_string);
            list(asked.filters.iter().map(|each| {
                format!(
                    "resource {} {} of {} from {}",
                    each.resource_type_filter,
                    any(&each.resource_name_filter),
                    any(&each.principal_filter),
                    any(&each.host_filter)
                )
            }))
        }
        ApiKey::AlterUserScramCredentials => {
            let asked: AlterUserScramCredentialsRequest = decode(version, request)?;
            let set = asked.upsertions.iter().map(|each| format!("set {}", user(&each.name, each.mechanism)));
            let gone =
                asked.deletions.iter().map(|each| format!("delete {}", user(&each.name, each.mechanism)));
            list(set.chain(gone))
        }
        ApiKey::AlterClientQuotas => {
            let asked: AlterClientQuotasRequest = decode(version, request)?;
            if asked.validate_only {
                return Some(Words::Asks);
            }
            list(asked.entries.iter().map(|entry| {
                let named = entry.entity.iter().map(|part| {
                    let name = part.entity_name.as_ref().map_or("(default)", Str::as_str);
                    format!("{} {name}", part.entity_type)
                });
                let set = entry.ops.iter().map(|op| match op.remove {
                    true => format!("{} removed", op.key),
                    false => format!("{}={}", op.key, op.value),
                });
                let (named, set): (Vec<_>, Vec<_>) = (named.collect(), set.collect());
                format!("{}: {}", named.join(" "), set.join(" "))
            }))
        }
        _ => Words::Orders(String::new()),
    })
}

fn codes_of<R: Response>(version: i16, answer: Bytes, each: impl FnOnce(&R) -> Vec<i16>) -> Option<Vec<i16>> {
    let body = answer.slice(4.min(answer.len())..);
    let (_, reader) = frame::read_response_header(body, R::API, version).ok()?;
    R::decode_rest(reader, version).ok().map(|answer| each(&answer))
}

/// The errors in an answer, one for each thing that was ordered; `None` where nothing is known of it.
#[allow(clippy::wildcard_enum_match_arm, reason = "of what is not named here the answer is not looked at")]
fn codes(api: ApiKey, version: i16, answer: Bytes) -> Option<Vec<i16>> {
    macro_rules! each {
        ($response:ty, $($list:ident).+) => {
            codes_of::<$response>(version, answer, |all| all.$($list).+.iter().map(|one| one.error_code).collect())
        };
    }
    match api {
        ApiKey::CreateTopics => each!(CreateTopicsResponse, topics),
        ApiKey::DeleteTopics => each!(DeleteTopicsResponse, responses),
        ApiKey::CreatePartitions => each!(CreatePartitionsResponse, results),
        ApiKey::DeleteGroups => each!(DeleteGroupsResponse, results),
        ApiKey::AlterConfigs => each!(AlterConfigsResponse, responses),
        ApiKey::IncrementalAlterConfigs => each!(IncrementalAlterConfigsResponse, responses),
        ApiKey::CreateAcls => each!(CreateAclsResponse, results),
        ApiKey::DeleteAcls => each!(DeleteAclsResponse, filter_results),
        ApiKey::AlterUserScramCredentials => each!(AlterUserScramCredentialsResponse, results),
        ApiKey::AlterClientQuotas => each!(AlterClientQuotasResponse, entries),
        ApiKey::DeleteRecords => codes_of::<DeleteRecordsResponse>(version, answer, |all| {
            let parts = all.topics.iter().flat_map(|topic| &topic.partitions);
            parts.map(|part| part.error_code).collect()
        }),
        ApiKey::OffsetDelete => codes_of::<OffsetDeleteResponse>(version, answer, |all| {
            let parts = all.topics.iter().flat_map(|topic| &topic.partitions);
            let parts: Vec<i16> = parts.map(|part| part.error_code).collect();
            if parts.is_empty() { vec![all.error_code] } else { parts }
        }),
        _ => None,
    }
}

/// `ok`, or how many of each.
fn summary(codes: &[i16]) -> String {
    let mut counts: Vec<(i16, usize)> = Vec::new();
    for code in codes {
        match counts.iter_mut().find(|(known, _)| known == code) {
            Some((_, count)) => *count += 1,
            None => counts.push((*code, 1)),
        }
    }
    let name = |code: i16| match ErrorCode::from_code(code) {
        Some(ErrorCode::None) => "ok".to_owned(),
        Some(known) => format!("{known:?}"),
        None => format!("error {code}"),
    };
    match counts.as_slice() {
        [(code, _)] => name(*code),
        several => several
            .iter()
            .map(|(code, count)| format!("{count} {}", name(*code)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}
