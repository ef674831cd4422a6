//! The phases of a migration and the way between them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far a unit has moved. Ordered: a later phase is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Bytes pass; an inventory is taken.
    Observe,
    /// The kernel follows legacy.
    Mirror,
    /// Answers wait until the kernel holds the bytes too.
    DualWrite,
    /// A share of the consumers read from the kernel. Entered only when it is named: steps pass over it.
    Canary,
    /// The kernel is primary.
    Cutover,
    /// Legacy is no longer contacted.
    Retired,
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Self; 6] =
        [Self::Observe, Self::Mirror, Self::DualWrite, Self::Canary, Self::Cutover, Self::Retired];

    /// The next phase forward. Canary is passed over: it wants a share, and is entered when it is named.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Observe => Some(Self::Mirror),
            Self::Mirror => Some(Self::DualWrite),
            Self::DualWrite | Self::Canary => Some(Self::Cutover),
            Self::Cutover => Some(Self::Retired),
            Self::Retired => None,
        }
    }

    /// The phase's name, as typed by an operator.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Mirror => "mirror",
            Self::DualWrite => "dual-write",
            Self::Canary => "canary",
            Self::Cutover => "cutover",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no phase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no phase; phases are observe, mirror, dual-write, canary, cutover, retired")]
pub struct UnknownPhase(pub String);

impl FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(name: &str) -> Result<Self, UnknownPhase> {
        Self::ALL.into_iter().find(|phase| phase.name() == name).ok_or_else(|| UnknownPhase(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_reads_back_from_its_name_and_canary_is_passed_over() {
        for phase in Phase::ALL {
            assert_eq!(phase.name().parse(), Ok(phase));
            assert_eq!(serde_json::to_string(&phase).unwrap(), format!("\"{}\"", phase.name()));
            assert_ne!(phase.next(), Some(Phase::Canary));
        }
        assert_eq!("later".parse::<Phase>(), Err(UnknownPhase("later".to_owned())));
    }
}
