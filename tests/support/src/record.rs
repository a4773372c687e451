//! Reads and changes the login in a record of a session store.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use minicbor::{Decoder, Encoder, data::Type};
use serde::{Deserialize as _, Serialize as _};
use serde_json::{Map, Value};
use tower_sessions::session::Record;

use crate::TestSessions;

/// The key under which a record has its login.
const LOGIN: &str = "axum-clef.login";
/// When it was last used, which is not part of the login's own record.
const SEEN: &str = "seen";
/// The names of the fields, in the order of their numbers.
const FIELDS: [&str; 17] = [
    "v", "for", "id", "user", "at", "auth_at", "kept", "end", "brief", "iss", "sub", "sid",
    "nosid", "via", "secret", "hint", "token",
];

/// The fields of the login in a record, by their names, or by their numbers if they have none. Bytes
/// are in Base64.
pub fn login_in(record: &Record) -> Map<String, Value> {
    let (seen, login) = record.data[LOGIN]
        .as_str()
        .unwrap()
        .split_once('.')
        .unwrap();
    let mut fields = Map::new();
    fields.insert(SEEN.to_owned(), seen.parse::<i64>().unwrap().into());
    let login = URL_SAFE_NO_PAD.decode(login).unwrap();
    let mut decoder = Decoder::new(&login);
    for _ in 0..decoder.map().unwrap().unwrap() {
        let number = decoder.u8().unwrap();
        let name = FIELDS.get(usize::from(number));
        let name = name.map_or_else(|| number.to_string(), |name| (*name).to_owned());
        let value = match decoder.datatype().unwrap() {
            Type::Bytes => URL_SAFE_NO_PAD.encode(decoder.bytes().unwrap()).into(),
            _ => {
                let start = decoder.position();
                let mut values = minicbor_serde::Deserializer::new(&login[start..]);
                let value = Value::deserialize(&mut values).unwrap();
                let length = values.decoder().position();
                decoder.set_position(start + length);
                value
            }
        };
        fields.insert(name, value);
    }
    fields
}

/// Replaces the login in a record.
pub fn put_login(record: &mut Record, login: &Map<String, Value>) {
    let mut login = login.clone();
    let seen = login.remove(SEEN);
    let mut encoder = Encoder::new(Vec::new());
    encoder.map(login.len() as u64).unwrap();
    for (name, value) in &login {
        let number = FIELDS.iter().position(|field| field == name);
        let number = number.map_or_else(|| name.parse().unwrap(), |number| number as u8);
        encoder.u8(number).unwrap();
        match value.as_str() {
            Some(text) if ["id", "secret"].contains(&name.as_str()) => {
                let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
                encoder.bytes(&bytes).unwrap();
            }
            _ => {
                let mut values = minicbor_serde::Serializer::new(encoder.writer_mut());
                values.serialize_unit_as_null(true);
                value.serialize(&mut values).unwrap();
            }
        }
    }
    let login = URL_SAFE_NO_PAD.encode(encoder.into_writer());
    match seen {
        Some(seen) => put_text(record, &format!("{seen}.{login}")),
        None => put_text(record, &login),
    }
}

/// Replaces the text of the login in a record.
pub fn put_text(record: &mut Record, text: &str) {
    record.data.insert(LOGIN.to_owned(), text.into());
}

/// Changes the login that was written last, behind the crate's back.
pub async fn change_login(sessions: &TestSessions, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut record = sessions.last_saved();
    let mut login = login_in(&record);
    change(&mut login);
    put_login(&mut record, &login);
    sessions.inner.save(&record).await.unwrap();
}
