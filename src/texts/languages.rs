//! The languages of a site, and the choice of one by `Accept-Language`.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, header};

use super::{PageText, Translation};

const ENGLISH: &str = "en";
/// The most language ranges of a request that count. Browsers send fewer than ten.
const MOST_RANGES: usize = 32;
/// The longest language tag, as RFC 5646, section 4.4.1, recommends to allow.
const LONGEST_TAG: usize = 35;
/// The languages that are written from right to left.
const RIGHT_TO_LEFT: [&str; 10] = ["ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"];

/// The languages of a site. English is always one.
#[derive(Clone, Default)]
pub(crate) struct Languages {
    translations: Vec<(Arc<str>, Arc<dyn Translation>)>,
}

/// A text in a language.
pub(crate) struct Translated<'a> {
    pub(crate) text: Cow<'a, str>,
    /// Whether it is in the language that was asked for. Otherwise it is in English.
    pub(crate) is_translated: bool,
}

impl Languages {
    pub(crate) fn add(&mut self, tag: &str, translation: impl Translation) {
        self.translations.push((tag.into(), Arc::new(translation)));
    }

    /// The first language that is added twice or whose tag is none.
    pub(crate) fn wrong(&self) -> Option<&str> {
        let tags = self.translations.iter().map(|(tag, _)| &**tag);
        tags.enumerate().find_map(|(index, tag)| {
            let before = &self.translations[..index];
            let is_twice = before
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(tag));
            (is_twice || !is_tag(tag)).then_some(tag)
        })
    }

    /// Whether there is a language to choose.
    pub(crate) fn is_choice(&self) -> bool {
        !self.translations.is_empty()
    }

    /// The tags of all languages, with English first unless the application translates it too.
    #[cfg(feature = "live")]
    pub(crate) fn all(&self) -> impl Iterator<Item = Option<usize>> {
        let english = self.named(ENGLISH).is_none().then_some(None);
        let others = (0..self.translations.len()).map(Some);
        english.into_iter().chain(others)
    }

    /// The language with this tag.
    pub(crate) fn named(&self, tag: &str) -> Option<usize> {
        let mut tags = self.translations.iter().map(|(tag, _)| tag);
        tags.position(|known| known.eq_ignore_ascii_case(tag))
    }

    /// The language for a request: the lookup of RFC 4647, section 3.4. `None` is English.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Option<usize> {
        if !self.is_choice() {
            return None;
        }
        let values = headers.get_all(header::ACCEPT_LANGUAGE).iter();
        let ranges = values.filter_map(|value| value.to_str().ok());
        let ranges = ranges.flat_map(|value| value.split(','));
        let ranges = ranges.take(MOST_RANGES).filter_map(range);
        let mut ranges: Vec<_> = ranges.filter(|(_, weight)| *weight > 0).collect();
        // A stable sort: of equal weights, the first one is preferred.
        ranges.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        ranges
            .into_iter()
            .find_map(|(range, _)| self.lookup(range))
            .unwrap_or_else(|| self.named(ENGLISH))
    }

    /// The language of a range, shortened until it is one of the site.
    fn lookup(&self, mut range: &str) -> Option<Option<usize>> {
        loop {
            match self.named(range) {
                None if range.eq_ignore_ascii_case(ENGLISH) => return Some(None),
                None => range = range.rsplit_once('-')?.0,
                found => return Some(found),
            }
        }
    }

    /// The tag of a language, for `lang` and `Content-Language`.
    pub(crate) fn tag(&self, language: Option<usize>) -> &str {
        let translation = language.and_then(|index| self.translations.get(index));
        translation.map_or(ENGLISH, |(tag, _)| tag)
    }

    /// The direction of a language, for `dir`.
    pub(crate) fn direction(&self, language: Option<usize>) -> &'static str {
        let tag = self.tag(language).split('-').next().unwrap_or_default();
        let mut names = RIGHT_TO_LEFT.iter();
        match names.any(|name| name.eq_ignore_ascii_case(tag)) {
            true => "rtl",
            false => "ltr",
        }
    }

    pub(crate) fn text(&self, language: Option<usize>, text: PageText) -> Translated<'_> {
        let translation = language.and_then(|index| self.translations.get(index));
        let translated = translation.and_then(|(_, translation)| translation.text(text));
        Translated {
            is_translated: translated.is_some() || translation.is_none(),
            text: translated.unwrap_or(Cow::Borrowed(text.english())),
        }
    }
}

/// A language range and its weight in thousandths (RFC 9110, sections 12.4.2 and 12.5.4). A malformed
/// one is left out, and so is `*`, which is the language by default.
fn range(text: &str) -> Option<(&str, u16)> {
    let (range, parameter) = match text.split_once(';') {
        Some((range, parameter)) => (range, Some(parameter)),
        None => (text, None),
    };
    let range = range.trim();
    let weight = match parameter.map(|parameter| parameter.trim().split_once('=')) {
        None => 1_000,
        Some(Some(("q" | "Q", weight))) => thousandths(weight)?,
        Some(_) => return None,
    };
    is_tag(range).then_some((range, weight))
}

/// A weight from 0 to 1 with up to three decimals.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals = format!("{decimals:0<3}").parse::<u16>().ok()?;
    match (whole, decimals) {
        ("0", decimals) => Some(decimals),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

/// Whether this can be a language tag: subtags of 1 to 8 letters and digits.
fn is_tag(tag: &str) -> bool {
    tag.len() <= LONGEST_TAG
        && tag.starts_with(|first: char| first.is_ascii_alphabetic())
        && tag.split('-').all(|subtag| {
            (1..=8).contains(&subtag.len())
                && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn nothing(_: PageText) -> Option<&'static str> {
        None
    }

    fn languages(tags: &[&str]) -> Languages {
        let mut languages = Languages::default();
        for tag in tags {
            languages.add(tag, nothing);
        }
        languages
    }

    fn chosen(languages: &Languages, accepted: &str) -> String {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(accepted.as_bytes()).unwrap();
        headers.insert(header::ACCEPT_LANGUAGE, value);
        languages.tag(languages.of(&headers)).to_owned()
    }

    #[test]
    fn the_language_with_the_highest_weight_is_chosen() {
        let languages = languages(&["de", "fr", "pt-BR"]);
        for (accepted, language) in [
            ("", "en"),
            ("de", "de"),
            ("DE-at", "de"),
            ("de-Latn-AT", "de"),
            ("pt", "en"),
            ("pt-br", "pt-BR"),
            ("es, fr;q=0.5", "fr"),
            ("fr;q=0.5, de;q=0.501", "de"),
            ("fr;q=0.5,de;q=0.5", "fr"),
            ("de;q=0, fr;q=0.001", "fr"),
            ("fr;q=0.9, de;q=1.000", "de"),
            ("de ; q=0.3 , en;q=0.8", "en"),
            ("en-GB,de;q=0.9", "en"),
            ("*, de;q=0.1", "de"),
            ("es", "en"),
            // Malformed ranges are left out.
            ("fr;q=1.1, de;q=0.1", "de"),
            ("fr;q=0.5000, de;q=0.1", "de"),
            ("fr;q=, de;q=0.1", "de"),
            ("fr;q, de;q=0.1", "de"),
            ("fr;level=1, de;q=0.1", "de"),
            ("fr;q=-1, de;q=0.1", "de"),
            ("fr;q=NaN, de;q=0.1", "de"),
            ("<fr>, de;q=0.1", "de"),
            ("fr_FR, de;q=0.1", "de"),
            (",,;,de", "de"),
            ("für", "en"),
        ] {
            assert_eq!(chosen(&languages, accepted), language, "{accepted}");
        }
    }

    #[test]
    fn of_a_long_header_the_first_ranges_count() {
        let languages = languages(&["de"]);
        let behind = |ranges| format!("{}de", "es,".repeat(ranges));
        assert_eq!(chosen(&languages, &behind(MOST_RANGES - 1)), "de");
        assert_eq!(chosen(&languages, &behind(MOST_RANGES)), "en");
        let long = format!("de{}", "-a".repeat(40_000));
        assert_eq!(chosen(&languages, &long), "en");
    }

    #[test]
    fn english_can_be_worded_anew() {
        let languages = languages(&["en", "de"]);
        assert_eq!(languages.of(&HeaderMap::new()), Some(0));
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static("en-GB, de;q=0.5");
        headers.insert(header::ACCEPT_LANGUAGE, value);
        assert_eq!(languages.of(&headers), Some(0));
    }

    #[test]
    fn a_tag_that_is_none_or_comes_twice_is_wrong() {
        assert_eq!(languages(&["de", "de-AT", "zh-Hans"]).wrong(), None);
        for tags in [
            &["de", "DE"][..],
            &["fr", ""],
            &["fr", "de_AT"],
            &["fr", "deutsch–"],
            &["fr", "1"],
            &["fr", "de-"],
        ] {
            assert_eq!(languages(tags).wrong(), Some(tags[1]), "{tags:?}");
        }
    }

    #[test]
    fn a_direction_belongs_to_a_language() {
        let languages = languages(&["ar-EG", "de"]);
        let directions = [Some(0), Some(1), None].map(|language| languages.direction(language));
        assert_eq!(directions, ["rtl", "ltr", "ltr"]);
    }
}
