//! The way that the demo goes.

/// How a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It is where the clients begin.
    Begin,
    /// Forward.
    Advance,
    /// Forward to canary with this share of the consumers, in per cent.
    Canary(u8),
    /// Back.
    Rollback,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// As it is shown.
    pub(super) name: &'static str,
    /// Phase in which it ends.
    pub(super) phase: &'static str,
    pub(super) how: How,
    /// Both sides are compared at its end.
    pub(super) compare: bool,
}

const fn step(name: &'static str, how: How) -> Step {
    Step { name, phase: name, how, compare: false }
}

const fn compared(name: &'static str, how: How) -> Step {
    Step { compare: true, ..step(name, how) }
}

/// All steps in order.
pub(super) const STEPS: [Step; 8] = [
    step("observe", How::Begin),
    step("mirror", How::Advance),
    compared("dual-write", How::Advance),
    step("canary", How::Canary(50)),
    compared("cutover", How::Advance),
    Step { phase: "dual-write", ..compared("rollback", How::Rollback) },
    compared("cutover", How::Advance),
    step("retired", How::Advance),
];
