//! The fenced change of primary of a bounded batch of units.
