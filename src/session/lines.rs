//! Parts as lines of one text: each ends with a line feed, and in a part a line feed is `\n` and
//! a backslash `\\`. So every text has one reading at the most, the beginning of one is never
//! whole, and a part in which neither occurs is read where it stands.

use std::borrow::Cow;

/// Adds a part as a line.
pub(super) fn push(text: &mut String, part: &str) {
    for letter in part.chars() {
        match letter {
            '\n' => text.push_str("\\n"),
            '\\' => text.push_str("\\\\"),
            letter => text.push(letter),
        }
    }
    text.push('\n');
}

/// Takes the first part off a text. `None`: there is none, or what is there nobody has pushed.
pub(super) fn take<'a>(text: &mut &'a str) -> Option<Cow<'a, str>> {
    let first = memchr::memchr2(b'\n', b'\\', text.as_bytes())?;
    if text.as_bytes()[first] == b'\n' {
        let part = &text[..first];
        *text = &text[first + 1..];
        return Some(part.into());
    }
    let (line, rest) = text.split_once('\n')?;
    *text = rest;
    let mut part = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        part.push(match letter {
            '\\' => match letters.next()? {
                'n' => '\n',
                '\\' => '\\',
                _ => return None,
            },
            letter => letter,
        });
    }
    Some(part.into())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn parts(mut text: &str) -> Option<Vec<String>> {
        let mut parts = Vec::new();
        while !text.is_empty() {
            parts.push(take(&mut text)?.into_owned());
        }
        Some(parts)
    }

    fn text(parts: &[String]) -> String {
        let mut text = String::new();
        for part in parts {
            push(&mut text, part);
        }
        text
    }

    /// Of few letters, so that each follows each.
    const PART: &str = "[a\u{1F30A}n\n\\\\\r \"]{0,6}";

    proptest! {
        // Kept in no file.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_parts_come_back(written in vec(PART, 0..8)) {
            prop_assert_eq!(parts(&text(&written)), Some(written));
        }

        #[test]
        fn no_other_text_is_these_parts(other in PART, more in vec(PART, 0..3)) {
            let other = other + &more.join("\n") + "\n";
            if let Some(read) = parts(&other) {
                prop_assert_eq!(text(&read), other);
            }
        }
    }
}
