//! What the kit noticed.

use std::{error::Error, fmt};

use super::Rule;

/// A rule that a store broke: which one, what the kit expected and what it saw instead.
///
/// `Display` says all of that, and what to do. So does `Debug`, as that is what a test shows
/// that unwraps it.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokenRule {
    rule: Rule,
    expected: String,
    seen: String,
}

impl BrokenRule {
    pub(super) fn new(rule: Rule, expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            rule,
            expected: expected.into(),
            seen: seen.into(),
        }
    }

    /// Which rule it is.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// What a store that keeps the rule would have done.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What this store did.
    pub fn seen(&self) -> &str {
        &self.seen
    }
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            expected,
            seen,
        } = self;
        let remedy = rule.remedy();
        write!(
            formatter,
            "broken rule: {rule}. Expected: {expected}. Seen: {seen}. {remedy}"
        )
    }
}

impl fmt::Debug for BrokenRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {self}", self.rule)
    }
}

impl Error for BrokenRule {}
