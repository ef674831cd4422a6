//! Access rules as Kafka has them (KIP-11, KIP-290), and how they are decided.
//!
//! A rule that denies wins over every one that allows. Some operations imply that a resource may be described;
//! only rules that allow imply anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::codec::messages::create_acls_request::AclCreation;

/// The name that stands for every resource of a kind, every address, or (as `User:*`) every user.
pub const WILDCARD: &str = "*";
/// The only resource of kind [`ResourceKind::Cluster`].
pub const CLUSTER: &str = "kafka-cluster";

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$each])* $variant = $code),+ }

        impl $name {
            /// The code on the wire.
            #[must_use]
            pub const fn code(self) -> i8 {
                self as i8
            }

            /// What a code on the wire means, where a rule can hold it.
            #[must_use]
            pub const fn from_code(code: i8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

codes!(
    /// What rules are about.
    ResourceKind {
        /// A topic.
        Topic = 2,
        /// A group.
        Group = 3,
        /// The cluster.
        Cluster = 4,
        /// A transactional id.
        TransactionalId = 5,
        /// A delegation token.
        DelegationToken = 6,
        /// A user.
        User = 7,
    }
);

codes!(
    /// How a rule names its resource.
    PatternKind {
        /// By its whole name, or all with `*`.
        Literal = 3,
        /// By the beginning of its name.
        Prefixed = 4,
    }
);

codes!(
    /// What is done.
    Operation {
        /// Any of the others.
        All = 2,
        /// Reading.
        Read = 3,
        /// Writing.
        Write = 4,
        /// Creating.
        Create = 5,
        /// Deleting.
        Delete = 6,
        /// Altering.
        Alter = 7,
        /// Describing.
        Describe = 8,
        /// What brokers do.
        ClusterAction = 9,
        /// Reading configuration.
        DescribeConfigs = 10,
        /// Changing configuration.
        AlterConfigs = 11,
        /// Writing idempotently (before topics' own rule sufficed).
        IdempotentWrite = 12,
        /// Making delegation tokens for somebody else.
        CreateTokens = 13,
        /// Reading somebody else's delegation tokens.
        DescribeTokens = 14,
        /// Two-phase commit (KIP-939).
        TwoPhaseCommit = 15,
    }
);

codes!(
    /// What a rule says.
    Permission {
        /// No.
        Deny = 2,
        /// Yes.
        Allow = 3,
    }
);

impl Operation {
    /// Whether a rule that allows `self` allows `asked`.
    fn allows(self, asked: Self) -> bool {
        self == asked
            || self == Self::All
            || match asked {
                Self::Describe => matches!(self, Self::Read | Self::Write | Self::Delete | Self::Alter),
                Self::DescribeConfigs => self == Self::AlterConfigs,
                Self::All
                | Self::Read
                | Self::Write
                | Self::Create
                | Self::Delete
                | Self::Alter
                | Self::ClusterAction
                | Self::AlterConfigs
                | Self::IdempotentWrite
                | Self::CreateTokens
                | Self::DescribeTokens
                | Self::TwoPhaseCommit => false,
            }
    }

    /// Whether a rule that denies `self` denies `asked`.
    fn denies(self, asked: Self) -> bool {
        self == asked || self == Self::All
    }
}

impl ResourceKind {
    /// Operations that mean something for this kind, beside "all".
    #[must_use]
    pub fn operations(self) -> &'static [Operation] {
        use Operation as Op;
        match self {
            Self::Topic => &[
                Op::Read,
                Op::Write,
                Op::Create,
                Op::Describe,
                Op::Delete,
                Op::Alter,
                Op::DescribeConfigs,
                Op::AlterConfigs,
            ],
            Self::Group => &[Op::Read, Op::Describe, Op::Delete, Op::DescribeConfigs, Op::AlterConfigs],
            Self::Cluster => &[
                Op::Create,
                Op::ClusterAction,
                Op::DescribeConfigs,
                Op::AlterConfigs,
                Op::IdempotentWrite,
                Op::Alter,
                Op::Describe,
            ],
            Self::TransactionalId => &[Op::Describe, Op::Write, Op::TwoPhaseCommit],
            Self::DelegationToken => &[Op::Describe],
            Self::User => &[Op::CreateTokens, Op::DescribeTokens],
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// Kind of the resource.
    pub kind: ResourceKind,
    /// Name of the resource, or how it begins.
    pub name: String,
    /// Which of the two.
    pub pattern: PatternKind,
    /// `User:name`, or `User:*`.
    pub principal: String,
    /// An address, or `*`.
    pub host: String,
    /// What.
    pub operation: Operation,
    /// Yes or no.
    pub permission: Permission,
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, name, pattern, principal, host, operation, permission } = self;
        write!(f, "{permission:?} {principal} from {host} to {operation:?} {kind:?} {name} ({pattern:?})")
    }
}

impl Rule {
    /// The rule that a client wants to create; `None` where a code means nothing.
    #[must_use]
    pub fn of_creation(creation: &AclCreation) -> Option<Self> {
        Some(Self {
            kind: ResourceKind::from_code(creation.resource_type)?,
            name: creation.resource_name.as_str().to_owned(),
            pattern: PatternKind::from_code(creation.resource_pattern_type)?,
            principal: creation.principal.as_str().to_owned(),
            host: creation.host.as_str().to_owned(),
            operation: Operation::from_code(creation.operation)?,
            permission: Permission::from_code(creation.permission_type)?,
        })
    }

    fn is_about(&self, principal: &str, host: &str) -> bool {
        let everybody = self.principal == "User:*" && principal.starts_with("User:");
        (everybody || self.principal == principal) && (self.host == WILDCARD || self.host == host)
    }
}

/// Rules by what they are about.
type ByName = BTreeMap<ResourceKind, BTreeMap<String, Vec<Rule>>>;

/// A set of rules, found quickly.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    all: BTreeSet<Rule>,
    literal: ByName,
    prefixed: ByName,
}

impl FromIterator<Rule> for Rules {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        let mut these = Self { all: rules.into_iter().collect(), ..Self::default() };
        for rule in &these.all {
            let index = match rule.pattern {
                PatternKind::Literal => &mut these.literal,
                PatternKind::Prefixed => &mut these.prefixed,
            };
            let names = index.entry(rule.kind).or_default();
            names.entry(rule.name.clone()).or_default().push(rule.clone());
        }
        these
    }
}

impl Rules {
    /// All rules, ascending.
    #[must_use]
    pub fn all(&self) -> &BTreeSet<Rule> {
        &self.all
    }

    /// The rules that are about a resource.
    fn about(&self, kind: ResourceKind, name: &str) -> impl Iterator<Item = &Rule> {
        let literal = self.literal.get(&kind);
        let whole = literal.and_then(|names| names.get(name));
        let wild = literal.and_then(|names| names.get(WILDCARD)).filter(|_| name != WILDCARD);
        let prefixed = self.prefixed.get(&kind);
        let beginnings = (0..=name.len()).filter_map(move |end| prefixed?.get(name.get(..end)?));
        whole.into_iter().chain(wild).chain(beginnings).flatten()
    }

    /// What the rules say; `None` when none is about the resource.
    #[must_use]
    pub fn decide(
        &self,
        principal: &str,
        host: &str,
        operation: Operation,
        kind: ResourceKind,
        name: &str,
    ) -> Option<bool> {
        let (mut known, mut allowed) = (false, false);
        for rule in self.about(kind, name) {
            known = true;
            if !rule.is_about(principal, host) {
                continue;
            }
            match rule.permission {
                Permission::Deny if rule.operation.denies(operation) => return Some(false),
                Permission::Allow if rule.operation.allows(operation) => allowed = true,
                Permission::Deny | Permission::Allow => {}
            }
        }
        known.then_some(allowed)
    }

    /// Whether the rules leave any resource of this kind on which this may be done.
    #[must_use]
    pub fn decide_somewhere(
        &self,
        principal: &str,
        host: &str,
        operation: Operation,
        kind: ResourceKind,
        allow_if_no_rule: bool,
    ) -> bool {
        let mine = |rule: &&Rule| rule.kind == kind && rule.is_about(principal, host);
        let denied: Vec<&Rule> = self
            .all
            .iter()
            .filter(mine)
            .filter(|rule| rule.permission == Permission::Deny && rule.operation.denies(operation))
            .collect();
        let wild = |rule: &Rule| rule.pattern == PatternKind::Literal && rule.name == WILDCARD;
        if denied.iter().any(|rule| wild(rule)) {
            return false;
        }
        if allow_if_no_rule {
            return true;
        }
        let mut allowed = self
            .all
            .iter()
            .filter(mine)
            .filter(|rule| rule.permission == Permission::Allow && rule.operation.allows(operation));
        let is_denied = |rule: &Rule| {
            !wild(rule)
                && denied.iter().any(|denial| match denial.pattern {
                    PatternKind::Prefixed => rule.name.starts_with(&denial.name),
                    PatternKind::Literal => rule.pattern == PatternKind::Literal && rule.name == denial.name,
                })
        };
        allowed.any(|rule| !is_denied(rule))
    }
}

/// Which rules are meant (KIP-290).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFilter {
    /// Kind of the resource; `None`: any.
    pub kind: Option<ResourceKind>,
    /// Name; `None`: any.
    pub name: Option<String>,
    /// How names are compared.
    pub pattern: FilterPattern,
    /// Principal; `None`: any.
    pub principal: Option<String>,
    /// Address; `None`: any.
    pub host: Option<String>,
    /// Operation; `None`: any.
    pub operation: Option<Operation>,
    /// Permission; `None`: any.
    pub permission: Option<Permission>,
}

/// How a filter compares names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterPattern {
    /// The rule's own name, whatever its pattern.
    Any,
    /// Every rule that is about a resource of this name.
    Match,
    /// Rules of this pattern and name.
    Exact(PatternKind),
}

impl RuleFilter {
    /// Reads a filter as it is on the wire; `None` where a code means nothing.
    #[must_use]
    pub fn from_wire(
        (kind, pattern, operation, permission): (i8, i8, i8, i8),
        (name, principal, host): (Option<&str>, Option<&str>, Option<&str>),
    ) -> Option<Self> {
        const ANY: i8 = 1;
        const MATCH: i8 = 2;
        fn coded<T>(code: i8, known: fn(i8) -> Option<T>) -> Option<Option<T>> {
            if code == ANY { Some(None) } else { known(code).map(Some) }
        }
        Some(Self {
            kind: coded(kind, ResourceKind::from_code)?,
            name: name.map(str::to_owned),
            pattern: match pattern {
                ANY => FilterPattern::Any,
                MATCH => FilterPattern::Match,
                other => FilterPattern::Exact(PatternKind::from_code(other)?),
            },
            principal: principal.map(str::to_owned),
            host: host.map(str::to_owned),
            operation: coded(operation, Operation::from_code)?,
            permission: coded(permission, Permission::from_code)?,
        })
    }

    /// Whether a rule is meant.
    #[must_use]
    pub fn matches(&self, rule: &Rule) -> bool {
        fn same<T: PartialEq>(wanted: Option<&T>, found: &T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        same(self.kind.as_ref(), &rule.kind)
            && same(self.principal.as_ref(), &rule.principal)
            && same(self.host.as_ref(), &rule.host)
            && same(self.operation.as_ref(), &rule.operation)
            && same(self.permission.as_ref(), &rule.permission)
            && self.names(rule)
    }

    fn names(&self, rule: &Rule) -> bool {
        if let FilterPattern::Exact(pattern) = self.pattern
            && pattern != rule.pattern
        {
            return false;
        }
        let Some(name) = &self.name else { return true };
        match (self.pattern, rule.pattern) {
            (FilterPattern::Match, PatternKind::Literal) => rule.name == *name || rule.name == WILDCARD,
            (FilterPattern::Match, PatternKind::Prefixed) => name.starts_with(&rule.name),
            (FilterPattern::Any | FilterPattern::Exact(_), _) => rule.name == *name,
        }
    }
}
