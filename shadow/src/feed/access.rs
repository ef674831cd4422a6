//! What legacy says of who may do what: its rules and quotas, asked for again and again while it lives.

use std::collections::BTreeMap;
use std::time::Duration;

use kernel_model::Now;
use translator_kafka::access::{Entity, Operation, PatternKind, Permission, ResourceKind, Rule};
use translator_kafka::codec::messages::{
    DescribeAclsRequest, DescribeAclsResponse, DescribeClientQuotasRequest, DescribeClientQuotasResponse,
};
use translator_kafka::codec::{ApiKey, Str};
use translator_kafka::errors::ErrorCode;

use super::{AccessFact, Fact, Feed, LinkId, Tag};
use crate::link::plain_words;

/// How often legacy is asked.
const EVERY: Duration = Duration::from_secs(2);

impl Feed {
    /// Asks for rules and quotas, when it is time.
    pub(super) fn ask_access(&mut self, now: Now) {
        const ANY: i8 = 1;
        if self.access_due > now.elapsed {
            return;
        }
        self.access_due = now.deadline(EVERY);
        let acls = DescribeAclsRequest {
            resource_type_filter: ANY,
            resource_name_filter: None,
            pattern_type_filter: ANY,
            principal_filter: None,
            host_filter: None,
            operation: ANY,
            permission_type: ANY,
            ..Default::default()
        };
        let offers = |feed: &Self, api| {
            let connection = feed.connections.get(&LinkId::Bootstrap);
            connection.is_some_and(|connection| connection.link.version_of(api).is_ok())
        };
        if offers(self, ApiKey::DescribeAcls) {
            self.call(now, LinkId::Bootstrap, ApiKey::DescribeAcls, &acls, Tag::Acls);
        } else {
            // A cluster that cannot hold rules cannot check them.
            self.facts.push_back(Fact::Access(AccessFact::Open));
        }
        if offers(self, ApiKey::DescribeClientQuotas) {
            let all = DescribeClientQuotasRequest::default();
            self.call(now, LinkId::Bootstrap, ApiKey::DescribeClientQuotas, &all, Tag::Quotas);
        }
    }
}

fn refusal(code: i16, message: Option<&Str>) -> String {
    let name = ErrorCode::from_code(code).map_or_else(|| format!("error {code}"), |code| format!("{code:?}"));
    message.map_or_else(|| name.clone(), |message| format!("{name}: {}", plain_words(message)))
}

/// What an answer to DescribeAcls says.
pub(super) fn of_acls(answer: &DescribeAclsResponse) -> AccessFact {
    if answer.error_code == ErrorCode::SecurityDisabled.code() {
        return AccessFact::Open;
    }
    if answer.error_code != 0 {
        return AccessFact::RulesRefused(refusal(answer.error_code, answer.error_message.as_ref()));
    }
    let mut rules = Vec::new();
    for resource in &answer.resources {
        for acl in &resource.acls {
            let rule = (|| {
                Some(Rule {
                    kind: ResourceKind::from_code(resource.resource_type)?,
                    name: resource.resource_name.as_str().to_owned(),
                    pattern: PatternKind::from_code(resource.pattern_type)?,
                    principal: acl.principal.as_str().to_owned(),
                    host: acl.host.as_str().to_owned(),
                    operation: Operation::from_code(acl.operation)?,
                    permission: Permission::from_code(acl.permission_type)?,
                })
            })();
            let Some(rule) = rule else {
                let name = resource.resource_name.as_str();
                return AccessFact::RulesRefused(format!(
                    "a rule about {name:?} is of a kind that is not known here"
                ));
            };
            rules.push(rule);
        }
    }
    rules.sort();
    AccessFact::Rules(rules)
}

/// What an answer to DescribeClientQuotas says.
pub(super) fn of_quotas(answer: &DescribeClientQuotasResponse) -> AccessFact {
    if answer.error_code != 0 {
        return AccessFact::QuotasRefused(refusal(answer.error_code, answer.error_message.as_ref()));
    }
    let text = |text: &Str| text.as_str().to_owned();
    let quotas = answer.entries.iter().flatten().map(|entry| {
        let entity: Entity = entry
            .entity
            .iter()
            .map(|part| (text(&part.entity_type), part.entity_name.as_ref().map(text)))
            .collect();
        let values: BTreeMap<String, f64> =
            entry.values.iter().map(|value| (text(&value.key), value.value)).collect();
        (entity, values)
    });
    AccessFact::Quotas(quotas.collect())
}

#[cfg(test)]
mod tests {
    use translator_kafka::codec::messages::describe_acls_response::{AclDescription, DescribeAclsResource};

    use super::*;

    fn answer(operation: i8) -> DescribeAclsResponse {
        let acl = AclDescription {
            principal: "User:ada".into(),
            host: "*".into(),
            operation,
            permission_type: 3,
            ..Default::default()
        };
        let resource = DescribeAclsResource {
            resource_type: 2,
            resource_name: "orders".into(),
            pattern_type: 4,
            acls: vec![acl],
            ..Default::default()
        };
        DescribeAclsResponse { resources: vec![resource], ..Default::default() }
    }

    #[test]
    fn rules_are_taken_whole_or_not_at_all() {
        let AccessFact::Rules(rules) = of_acls(&answer(3)) else { panic!("no rules") };
        assert_eq!(rules[0].to_string(), "Allow User:ada from * to Read Topic orders (Prefixed)");
        assert!(matches!(of_acls(&answer(99)), AccessFact::RulesRefused(why) if why.contains("orders")));
        let refused =
            |code: ErrorCode| of_acls(&DescribeAclsResponse { error_code: code.code(), ..answer(3) });
        assert_eq!(refused(ErrorCode::SecurityDisabled), AccessFact::Open);
        assert!(matches!(refused(ErrorCode::ClusterAuthorizationFailed), AccessFact::RulesRefused(_)));
    }
}
