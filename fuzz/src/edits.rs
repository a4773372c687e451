//! Edits of real values: a fuzzer reaches behind the first check of a parser only from there.

use arbitrary::Arbitrary;
use http::HeaderValue;

/// The longest value that is sent.
const LONGEST: usize = 20_000;

/// What parsers of URLs, cookies, headers, tokens and HTML care about. [`Reply`](crate::Reply) looks
/// for `<fuzz` in pages.
const WORDS: &[&str] = &[
    "/",
    "//",
    "\\",
    "/\\",
    "/.//",
    "/..",
    "%2f",
    "%5C",
    "%00",
    "%",
    "?",
    "#",
    "&",
    ";",
    "; ",
    "=",
    ",",
    ":",
    "@",
    ".",
    "-",
    "_",
    "~",
    "+",
    "*",
    "|",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    "\"",
    "'",
    "<",
    ">",
    " ",
    "\t",
    "\r",
    "\n",
    "\0",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{e9}",
    "\u{1f30a}",
    "\"><fuzz a='",
    "<fuzz",
    "https://evil.test/",
    "//evil.test",
    "http:",
    "javascript:",
    "evil.test",
    "127.0.0.1:9",
    "example.com",
    "localhost",
    "0",
    "1",
    "-1",
    "60",
    "600",
    "86400",
    "99999999999999999999",
    "9223372036854775807",
    "-9223372036854775808",
    "1e9",
    "1e400",
    "0.000",
    "null",
    "true",
    "false",
    "Bearer ",
    "bearer ",
    "Basic ",
    "clef_",
    "text/html",
    "application/json",
    "*/*",
    "q=0",
    "q=0.5",
    "navigate",
    "cors",
    "no-cors",
    "websocket",
    "document",
    "empty",
    "iframe",
    "same-origin",
    "cross-site",
    "same-site",
    "none",
    "?1",
    "prefetch",
    "prerender",
    "XMLHttpRequest",
    "en",
    "de-AT",
    "auth-9",
    "__Host-auth",
    "-idle",
    "-attempt-0",
    "-attempt-3",
    "-sign-out",
    "-form-user",
    "-suspended",
    "p.",
    "b.",
    "u1.",
    "f.",
    "600:u",
    "600:l",
    "next=",
    "max_age=",
    "link=true",
    "code=",
    "state=",
    "error=access_denied",
    "error=server_error",
    "iss=",
    "user=",
    "logout_token=",
    "code:other",
    "token:other",
    "session:1:of:other",
    "sub=",
    "sid=",
    "page=",
    "lang=",
    "eyJ",
    "e30",
    "AAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
];

/// One change of a value.
#[derive(Arbitrary, Debug, Clone)]
#[allow(missing_docs)] // Their names say it.
pub enum Edit {
    Insert(u16, Piece),
    Replace(u16, Piece),
    Remove(u16, u8),
    /// A part again, so many times.
    Repeat(u16, u8, u8),
    Cut(u16),
    Flip(u16, u8),
    /// Nothing of the real value stays.
    Only(Piece),
}

/// What is put into a value.
#[derive(Arbitrary, Debug, Clone)]
#[allow(missing_docs)] // Their names say it.
pub enum Piece {
    Word(u8),
    Byte(u8),
    Bytes(Vec<u8>),
}

impl Piece {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Word(index) => WORDS[usize::from(*index) % WORDS.len()].as_bytes(),
            Self::Byte(byte) => std::slice::from_ref(byte),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Its text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

/// A value with these edits.
pub fn edited(real: impl AsRef<[u8]>, edits: &[Edit]) -> Vec<u8> {
    let mut value = real.as_ref().to_vec();
    for edit in edits {
        let place = |at: &u16| usize::from(*at) % (value.len() + 1);
        match edit {
            Edit::Insert(at, piece) => {
                let at = place(at);
                value.splice(at..at, piece.bytes().iter().copied());
            }
            Edit::Replace(at, piece) => {
                let at = place(at);
                let end = (at + piece.bytes().len()).min(value.len());
                value.splice(at..end, piece.bytes().iter().copied());
            }
            Edit::Remove(at, length) => {
                let at = place(at);
                value.drain(at..(at + usize::from(*length)).min(value.len()));
            }
            Edit::Repeat(at, length, times) => {
                let at = place(at);
                let part = value[at..(at + usize::from(*length)).min(value.len())].to_vec();
                value.splice(at..at, part.repeat(usize::from(*times)));
            }
            Edit::Cut(at) => value.truncate(place(at)),
            Edit::Flip(at, mask) => {
                let at = place(at);
                if let Some(byte) = value.get_mut(at) {
                    *byte ^= mask;
                }
            }
            Edit::Only(piece) => value = piece.bytes().to_vec(),
        }
        value.truncate(LONGEST);
    }
    value
}

/// A text with these edits.
pub fn edited_text(real: &str, edits: &[Edit]) -> String {
    String::from_utf8_lossy(&edited(real, edits)).into_owned()
}

/// The value of a header, without the bytes that no header has.
pub fn header_value(mut value: Vec<u8>) -> HeaderValue {
    value.retain(|byte| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f);
    HeaderValue::from_bytes(&value).expect("no control characters")
}

/// A part of a query or of a form, cut where a URL would be too long to be sent.
pub fn percent_encoded(value: impl AsRef<[u8]>) -> String {
    let mut text: String = url::form_urlencoded::byte_serialize(value.as_ref()).collect();
    text.truncate(LONGEST);
    text
}
