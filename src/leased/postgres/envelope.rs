//! The encrypted messages between members.
//!
//! `NOTIFY` and `LISTEN` need only the right `CONNECT`. So each message is encrypted with
//! AES-256-GCM-SIV for one channel, with a key that only roles with rights on the tables of the bus
//! can read. A replayed message decrypts, but is bound to one logout by a random number.

use aes_gcm_siv::{Aes256GcmSiv, KeyInit as _, Nonce, aead::AeadInOut as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

use crate::BoxError;

/// The purpose of the key, with the version of the messages.
const PURPOSE: &[u8] = b"axum-clef PostgresLogoutBus 1";
/// The shortest secret, in bytes.
const SHORTEST_SECRET: usize = 32;
/// Messages are padded to a multiple of this many bytes, so that the length does not reveal the
/// user.
const BLOCK: usize = 256;
/// The length of a nonce in bytes. They are random, which AES-GCM-SIV bears (RFC 8452).
const NONCE: usize = 12;

/// Encrypts and decrypts messages with the key of the site.
pub(super) struct Envelope(Aes256GcmSiv);

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BusMessage<'a> {
    /// A logout, which this node waits for acknowledgements of.
    News {
        node: &'a str,
        logout: u128,
        news: &'a str,
    },
    /// The member has invalidated its entries from before the logout.
    Acknowledged { logout: u128, member: &'a str },
    /// A message of a node to itself: the node receives messages.
    Echo,
}

impl Envelope {
    /// Derives the key from the secret.
    pub(super) fn new(secret: &[u8]) -> Result<Self, BoxError> {
        if secret.len() < SHORTEST_SECRET {
            return Err("the secret in clef_bus_secret is shorter than 32 bytes".into());
        }
        let key = Sha256::new()
            .chain_update(PURPOSE)
            .chain_update(secret)
            .finalize();
        Ok(Self(Aes256GcmSiv::new(&<[u8; 32]>::from(key).into())))
    }

    /// Encrypts a message for this channel only.
    pub(super) fn seal(&self, channel: &str, message: &BusMessage<'_>) -> Result<String, BoxError> {
        let mut text = message.write().into_bytes();
        text.resize(text.len().next_multiple_of(BLOCK), b' ');
        let mut nonce = [0; NONCE];
        rand::thread_rng().fill_bytes(&mut nonce);
        let cipher = &self.0;
        cipher
            .encrypt_in_place(&nonce.into(), channel.as_bytes(), &mut text)
            .map_err(|_| "a message could not be encrypted")?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut text);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Decrypts a message of this channel, for [`BusMessage::read`].
    pub(super) fn open(&self, channel: &str, sealed: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::from(*nonce);
        let opened = self
            .0
            .decrypt_in_place(&nonce, channel.as_bytes(), &mut text);
        opened.ok()?;
        String::from_utf8(text).ok()
    }
}

impl<'a> BusMessage<'a> {
    fn write(&self) -> String {
        match self {
            Self::News { node, logout, news } => format!("news {node} {logout:032x} {news}"),
            Self::Acknowledged { logout, member } => format!("acknowledged {logout:032x} {member}"),
            Self::Echo => "echo".to_owned(),
        }
    }

    pub(super) fn read(text: &'a str) -> Option<Self> {
        let text = text.trim_end_matches(' ');
        if text == "echo" {
            return Some(Self::Echo);
        }
        let (kind, rest) = text.split_once(' ')?;
        let (first, second) = rest.split_once(' ')?;
        match kind {
            "news" => {
                let (logout, news) = second.split_once(' ')?;
                let logout = u128::from_str_radix(logout, 16).ok()?;
                Some(Self::News {
                    node: first,
                    logout,
                    news,
                })
            }
            "acknowledged" => {
                let logout = u128::from_str_radix(first, 16).ok()?;
                Some(Self::Acknowledged {
                    logout,
                    member: second,
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leased::message::LONGEST;

    /// The longest payload of a notification, in bytes.
    const LONGEST_PAYLOAD: usize = 7_999;

    fn envelope(byte: u8) -> Envelope {
        Envelope::new(&[byte; SHORTEST_SECRET]).unwrap()
    }

    #[test]
    fn a_message_opens_where_it_was_sealed_for_and_nowhere_else() {
        let node = "0f".repeat(16);
        let messages = [
            BusMessage::News {
                node: &node,
                logout: 7,
                news: "{\"from\": \"a b\"}",
            },
            BusMessage::Acknowledged {
                logout: u128::MAX,
                member: &node,
            },
            BusMessage::Echo,
        ];
        for message in messages {
            let sealed = envelope(1).seal("channel", &message).unwrap();
            let opened = envelope(1).open("channel", &sealed).unwrap();
            assert_eq!(BusMessage::read(&opened).unwrap(), message);
            assert!(envelope(1).open("other", &sealed).is_none(), "{message:?}");
            assert!(envelope(2).open("channel", &sealed).is_none());
            let bytes = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
            for index in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[index] ^= 1;
                for bytes in [&changed, &bytes[..index]] {
                    let sealed = URL_SAFE_NO_PAD.encode(bytes);
                    assert!(envelope(1).open("channel", &sealed).is_none(), "{index}");
                }
            }
        }
    }

    #[test]
    fn the_same_message_looks_different_each_time_and_is_as_long() {
        let seal = |member: &str| {
            let message = BusMessage::Acknowledged { logout: 7, member };
            envelope(1).seal("channel", &message).unwrap()
        };
        assert_ne!(seal("a"), seal("a"));
        assert_eq!(seal("a").len(), seal(&"a".repeat(100)).len());
    }

    #[test]
    fn the_longest_news_fits_a_notification() {
        let (node, news) = ("0f".repeat(16), "a".repeat(LONGEST));
        let message = BusMessage::News {
            node: &node,
            logout: u128::MAX,
            news: &news,
        };
        let sealed = envelope(1).seal("channel", &message).unwrap();
        assert!(sealed.len() <= LONGEST_PAYLOAD, "{}", sealed.len());
    }

    #[test]
    fn a_short_secret_is_rejected() {
        assert!(Envelope::new(&[1; SHORTEST_SECRET - 1]).is_err());
    }

    #[test]
    fn other_text_is_rejected() {
        for text in [
            "",
            " ",
            "x",
            "news",
            "news a 7",
            "news a x {}",
            "acknowledged x a",
        ] {
            assert_eq!(BusMessage::read(text), None, "{text}");
        }
    }
}
