//! Who may do what: legacy's rules and quotas are brought to the kernel and kept equal while legacy lives, and are
//! the kernel's own once it is retired.

use std::collections::{BTreeMap, BTreeSet};

use config::{CertificatePrincipal, ClientTls, Cluster};
use session::{Request, RequestId};
use shadow::AccessFact;
use translator_kafka::access::{Authorizer, Entity, Mechanism, Rule};
use translator_kafka::coordinator::access::{AccessMessage, Change};
use translator_kafka::placement::{ACCESS, CATALOG_SHARD};

use super::cluster::ClusterRun;
use super::runner::Runner;

/// Rules that a gate names one by one.
const NAMED_MAX: usize = 5;
/// A user who was not seen for this long is not waited for.
const SEEN_FOR_MS: i64 = 30 * 24 * 3600 * 1000;

/// What legacy last said of who may do what.
#[derive(Debug, Default)]
pub(super) struct LegacyAccess {
    /// Its rules; the inner `None`: it checks nothing.
    rules: Option<Option<Vec<Rule>>>,
    /// Why it does not tell its rules.
    rules_refused: Option<String>,
    quotas: Option<Vec<(Entity, BTreeMap<String, f64>)>>,
    quotas_refused: Option<String>,
}

impl LegacyAccess {
    fn take(&mut self, said: AccessFact) {
        match said {
            AccessFact::Open => (self.rules, self.rules_refused) = (Some(None), None),
            AccessFact::Rules(rules) => (self.rules, self.rules_refused) = (Some(Some(rules)), None),
            AccessFact::RulesRefused(why) => self.rules_refused = Some(why),
            AccessFact::Quotas(quotas) => (self.quotas, self.quotas_refused) = (Some(quotas), None),
            AccessFact::QuotasRefused(why) => self.quotas_refused = Some(why),
        }
    }
}

impl Runner {
    /// Legacy has said who may do what there: the kernel follows.
    pub(super) fn see_access(&mut self, index: usize, said: AccessFact) {
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        if cluster.shared.routes.is_retired() {
            return;
        }
        if let AccessFact::RulesRefused(why) | AccessFact::QuotasRefused(why) = &said {
            let known = [&cluster.access.rules_refused, &cluster.access.quotas_refused];
            if !known.contains(&&Some(why.clone())) {
                let cluster = &cluster.config.name;
                tracing::warn!(cluster, why, "legacy does not tell who may do what there");
            }
        }
        cluster.access.take(said);
        if cluster.access.rules.is_none() && cluster.access.rules_refused.is_none() {
            return;
        }
        let realm = self.setup.server.access.realm(&cluster.config.name);
        let authorizer = authorizer(cluster);
        let rules = cluster.access.rules.clone().map(Option::unwrap_or_default);
        let quotas = cluster.access.quotas.clone();
        let equal = realm.follows
            && realm.authorizer == authorizer
            && rules.as_ref().is_none_or(|rules| rules.iter().eq(realm.rules.all()))
            && quotas
                .as_ref()
                .is_none_or(|quotas| quotas.iter().cloned().collect::<BTreeMap<_, _>>() == realm.quotas);
        if equal {
            return;
        }
        let change = Change::Follow { authorizer, rules, quotas };
        let realm = cluster.config.name.clone();
        tracing::info!(cluster = realm, "legacy's rules and quotas are brought to the kernel");
        self.change_access(AccessMessage { realm, change });
    }

    fn change_access(&mut self, message: AccessMessage) {
        let request = kernel_model::Request::Coordinate { kind: ACCESS, message: message.to_bytes() };
        let id = RequestId(self.next_number());
        self.ask_shard(id, Request::Kernel { shard: CATALOG_SHARD, request });
    }

    /// Rules and users of a retired cluster become the kernel's own. Looked at again until it is done.
    pub(super) fn adopt_access(&mut self) {
        let access = self.setup.server.access.load();
        let retired = self.clusters.iter().filter(|cluster| cluster.shared.routes.is_retired());
        let names: Vec<String> = retired
            .map(|cluster| cluster.config.name.clone())
            .filter(|name| access.realm(name).follows)
            .collect();
        for realm in names {
            self.change_access(AccessMessage { realm, change: Change::Adopt });
        }
    }

    /// What keeps the kernel from deciding as legacy does; `None` while legacy has not said anything.
    pub(super) fn rules_missing(&self, cluster: &ClusterRun) -> Option<Vec<String>> {
        if cluster.shared.routes.is_retired() {
            return Some(Vec::new());
        }
        let said = &cluster.access;
        if let Some(why) = &said.rules_refused {
            return Some(vec![format!("legacy checks authorisation and does not tell its rules ({why})")]);
        }
        let rules = said.rules.as_ref()?;
        let mut missing = Vec::new();
        if rules.is_some() && cluster.config.super_users.is_none() {
            missing.push(
                "legacy checks authorisation and does not tell its super users: name them with `super_users` in \
                 [[cluster]] (an empty list: there are none)"
                    .to_owned(),
            );
        }
        if rules.is_some() && names_nobody(&cluster.config) {
            missing.push(
                "clients show certificates, and nothing says whom rules are to take them for: set `principal` in \
                 [cluster.tls], or they may do nothing on the kernel"
                    .to_owned(),
            );
        }
        let realm = self.setup.server.access.realm(&cluster.config.name);
        if realm.authorizer != authorizer(cluster) {
            missing.push("the kernel does not check authorisation as legacy does yet".to_owned());
        }
        let legacy: BTreeSet<&Rule> = rules.iter().flatten().collect();
        let kernel: BTreeSet<&Rule> = realm.rules.all().iter().collect();
        let lacks = legacy.difference(&kernel).map(|rule| format!("the kernel lacks: {rule}"));
        let more = kernel.difference(&legacy).map(|rule| format!("legacy lacks: {rule}"));
        missing.extend(lacks.chain(more).take(NAMED_MAX));
        missing
            .extend(said.quotas_refused.iter().map(|why| format!("legacy does not tell its quotas ({why})")));
        let quotas = said.quotas.as_ref().map(|quotas| quotas.iter().cloned().collect::<BTreeMap<_, _>>());
        if quotas.is_some_and(|quotas| quotas != realm.quotas) {
            missing.push("the kernel's quotas are not legacy's yet".to_owned());
        }
        Some(missing)
    }

    /// Users that have logged in to legacy in the last month and could not log in to the kernel.
    pub(super) fn users_missing(&self, cluster: &ClusterRun) -> Vec<String> {
        if cluster.config.sasl == config::Sasl::None || cluster.shared.routes.is_retired() {
            return Vec::new();
        }
        let realm = self.setup.server.access.realm(&cluster.config.name);
        let since_ms = self.setup.clock.now().wall_ms.saturating_sub(SEEN_FOR_MS);
        let seen: Vec<&(String, String)> =
            realm.seen.iter().filter(|(_, at_ms)| **at_ms >= since_ms).map(|(who, _)| who).collect();
        if seen.is_empty() && realm.users.is_empty() {
            return vec!["no user is known yet (nobody has logged in)".to_owned()];
        }
        let mut missing = BTreeSet::new();
        for (user, mechanism) in seen {
            let stored = realm.users.get(user);
            let can = match Mechanism::of_name(mechanism) {
                Some(mechanism) => stored.is_some_and(|all| all.contains_key(&mechanism)),
                None => mechanism == "PLAIN" && stored.is_some(),
            };
            if !can {
                let user = if user.is_empty() { "somebody" } else { user };
                missing.insert(format!("{user} (by {mechanism})"));
            }
        }
        missing.into_iter().collect()
    }
}

/// Whether clients are told apart by their certificates, and nothing says what those mean.
fn names_nobody(config: &Cluster) -> bool {
    let unnamed = |tls: &ClientTls| tls.ca.is_some() && tls.principal == CertificatePrincipal::Unknown;
    config.sasl == config::Sasl::None && config.tls.as_ref().is_some_and(unnamed)
}

/// How rules are to be applied, where legacy applies any.
fn authorizer(cluster: &ClusterRun) -> Option<Authorizer> {
    // As long as nobody has said that legacy is open, nobody may do anything on the kernel.
    let closed = cluster.access.rules.as_ref().is_none_or(Option::is_some);
    closed.then(|| Authorizer {
        super_users: cluster.config.super_users.clone().unwrap_or_default(),
        allow_if_no_rule: cluster.config.allow_if_no_rule,
    })
}
