//! The texts that a person sees on the pages of this crate, and their translations.

mod languages;
mod page_text;

pub(crate) use self::languages::Languages;
pub use self::page_text::{PageText, Translation};
