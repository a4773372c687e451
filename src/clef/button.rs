//! The appearance of Clef's button.

/// The `data-color` of the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ButtonColor {
    /// Clef's blue.
    Blue,
    /// White, for dark pages.
    White,
}

/// The `data-style` of the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ButtonStyle {
    /// Flat.
    Flat,
    /// Raised.
    Button,
}

/// The `data-type` of the button: its purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ButtonType {
    /// Log in.
    Login,
    /// Sign up.
    Register,
    /// Connect an existing account.
    Connect,
}

impl ButtonColor {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::White => "white",
        }
    }
}

impl ButtonStyle {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Button => "button",
        }
    }
}

impl ButtonType {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Register => "register",
            Self::Connect => "connect",
        }
    }
}
