/// What a [`ClefService`](super::ClefService) was asked for and has not got. The text says what
/// to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DevError(String);

impl DevError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
