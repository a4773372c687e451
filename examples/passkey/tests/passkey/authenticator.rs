//! An authenticator that does as it is told, and the answers that a browser makes of it.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const HAS_KEY: u8 = 0x40;

/// A passkey, and how it answers. Each field can be made wrong.
pub struct Authenticator {
    key: EcdsaKeyPair,
    pub id: Vec<u8>,
    /// The id of the member, from the ceremony that made the passkey.
    pub handle: Option<Vec<u8>>,
    pub counter: u32,
    pub origin: String,
    pub domain: String,
    pub flags: u8,
    pub kind: Option<&'static str>,
    pub breaks_signature: bool,
}

impl Authenticator {
    /// One without a passkey, in the browser of a page of this origin.
    pub fn new(origin: &str) -> Self {
        Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            id: {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
                key.public_key().as_ref()[1..17].to_vec()
            },
            handle: None,
            counter: 0,
            origin: origin.to_owned(),
            domain: "localhost".to_owned(),
            flags: USER_PRESENT | USER_VERIFIED,
            kind: None,
            breaks_signature: false,
        }
    }

    /// The flags without that of a verified user.
    pub fn unverified(&mut self) {
        self.flags = USER_PRESENT;
    }

    /// Makes the passkey, as `navigator.credentials.create` does.
    pub fn create(&mut self, options: &Value) -> String {
        let options = &options["publicKey"];
        let handle = options["user"]["id"].as_str().unwrap();
        self.handle = Some(BASE64_URL_SAFE_NO_PAD.decode(handle).unwrap());
        let client_data = self.client_data("webauthn.create", options);

        let mut data = self.data(self.flags | HAS_KEY);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        // The key in COSE: {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
        let point = self.key.public_key().as_ref();
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 32]);
        data.extend(&point[33..]);

        // {"fmt": "none", "attStmt": {}, "authData": data} in CBOR.
        let mut attestation = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        attestation.push(u8::try_from(data.len()).unwrap());
        attestation.extend(data);
        let response = json!({
            "clientDataJSON": text(client_data.as_bytes()),
            "attestationObject": text(&attestation),
        });
        self.credential(&response)
    }

    /// Answers a challenge, as `navigator.credentials.get` does.
    pub fn get(&mut self, options: &Value) -> String {
        let client_data = self.client_data("webauthn.get", &options["publicKey"]);
        let data = self.data(self.flags);
        let mut signed = data.clone();
        signed.extend(digest(&SHA256, client_data.as_bytes()).as_ref());
        if self.breaks_signature {
            signed.push(0);
        }
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        let response = json!({
            "clientDataJSON": text(client_data.as_bytes()),
            "authenticatorData": text(&data),
            "signature": text(signature.as_ref()),
            "userHandle": self.handle.as_deref().map(text),
        });
        self.credential(&response)
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        let client_data = json!({
            "type": self.kind.unwrap_or(kind),
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": false,
        });
        client_data.to_string()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = digest(&SHA256, self.domain.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn credential(&self, response: &Value) -> String {
        let credential = json!({
            "id": text(&self.id),
            "rawId": text(&self.id),
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        });
        credential.to_string()
    }
}

fn text(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
