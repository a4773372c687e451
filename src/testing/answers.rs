//! What calls that are not dropped must return, while others are.

use std::{future::Future, time::Duration};

use tokio::time::timeout;

use super::{BrokenRule, Rule};

/// What a call must be that is not dropped, while others are.
pub(super) struct Answers {
    pub(super) limit: Duration,
    /// The method whose calls are dropped.
    pub(super) method: &'static str,
}

impl Answers {
    /// What a call returns that must be answered, in time and without an error.
    pub(super) async fn answer<T>(
        &self,
        call: impl Future<Output = Result<T, BrokenRule>>,
    ) -> Result<T, BrokenRule> {
        let (rule, expected, seen) = match timeout(self.limit, call).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(broken)) => {
                let rule = match broken.rule() {
                    Rule::Answers => Rule::DroppedCallLeavesNoLock,
                    _ => Rule::DroppedCallIsWholeOrUndone,
                };
                (rule, broken.expected().to_owned(), broken.seen().to_owned())
            }
            Err(_) => {
                let expected = format!("an answer within {} seconds", self.limit.as_secs());
                (Rule::DroppedCallLeavesNoLock, expected, "none".to_owned())
            }
        };
        Err(self.broken(rule, &expected, seen))
    }

    pub(super) fn half_done(&self, expected: &str, seen: impl Into<String>) -> BrokenRule {
        self.broken(Rule::DroppedCallIsWholeOrUndone, expected, seen)
    }

    fn broken(&self, rule: Rule, expected: &str, seen: impl Into<String>) -> BrokenRule {
        let method = self.method;
        let expected = format!("{expected}, while calls of `{method}` are dropped");
        BrokenRule::new(rule, expected, seen)
    }
}
