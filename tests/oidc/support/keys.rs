use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
        UnparsedPublicKey,
    },
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

/// The key that providers sign with.
pub static RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::rsa("rsa-1"));
/// The key that they change to.
pub static OTHER_RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::rsa("rsa-2"));
pub static EC: LazyLock<SigningKey> = LazyLock::new(SigningKey::ec);
pub static EC384: LazyLock<SigningKey> = LazyLock::new(SigningKey::ec384);
pub static ED: LazyLock<SigningKey> = LazyLock::new(SigningKey::ed);

/// A key of a provider, which makes whatever token it is told.
pub struct SigningKey {
    pub id: &'static str,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ec384(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl SigningKey {
    fn rsa(id: &'static str) -> Self {
        let key = Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        Self { id, key }
    }

    fn ec() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (id, key) = ("ec-1", Key::Ec(key));
        Self { id, key }
    }

    fn ec384() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let (id, key) = ("ec-384", Key::Ec384(key));
        Self { id, key }
    }

    fn ed() -> Self {
        let key = Key::Ed(Ed25519KeyPair::generate().unwrap());
        Self { id: "ed-1", key }
    }

    /// The public half, as it stands in a key set.
    pub fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.key {
            Key::Rsa(key) => {
                let public = key.public_key();
                let n = encode(public.modulus().big_endian_without_leading_zero());
                let e = encode(public.exponent().big_endian_without_leading_zero());
                json!({ "kty": "RSA", "kid": self.id, "use": "sig", "alg": "RS256", "n": n, "e": e })
            }
            Key::Ec(key) | Key::Ec384(key) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                let (x, y) = (encode(x), encode(y));
                json!({ "kty": "EC", "kid": self.id, "crv": curve, "x": x, "y": y })
            }
            Key::Ed(key) => {
                let x = encode(key.public_key().as_ref());
                json!({ "kty": "OKP", "kid": self.id, "crv": "Ed25519", "x": x })
            }
        }
    }

    /// The header of a token of this key.
    pub fn header(&self) -> Value {
        let algorithm = match self.key {
            Key::Rsa(_) => "RS256",
            Key::Ec(_) => "ES256",
            Key::Ec384(_) => "ES384",
            Key::Ed(_) => "EdDSA",
        };
        json!({ "alg": algorithm, "kid": self.id })
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&self.header(), claims)
    }

    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A token of any text, however wrong.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = message(header, claims);
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let encoding = rsa_encoding(header);
                key.sign(encoding, &random, message.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            Key::Ec(key) | Key::Ec384(key) => {
                let signature = key.sign(&random, message.as_bytes()).unwrap();
                signature.as_ref().to_vec()
            }
            Key::Ed(key) => key.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The private half of an EC key as PKCS#8 in PEM.
    pub fn pem(&self) -> String {
        let Key::Ec(key) = &self.key else {
            panic!("only for EC");
        };
        let der = key.to_pkcs8v1().unwrap();
        let text = STANDARD.encode(der.as_ref());
        let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
        let lines = lines.collect::<Vec<_>>().join("\n");
        format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n")
    }

    /// The header and the claims of a token that this EC key has signed.
    pub fn verify(&self, token: &str) -> Option<(Value, Value)> {
        let Key::Ec(key) = &self.key else {
            panic!("only for EC");
        };
        let (message, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref());
        public.verify(message.as_bytes(), &signature).ok()?;
        let (header, claims) = message.split_once('.')?;
        let read = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        Some((read(header)?, read(claims)?))
    }

    /// The token of somebody who knows the public key alone and calls it a MAC's secret.
    pub fn forged_as_mac(&self, claims: &Value) -> Vec<String> {
        let Key::Rsa(key) = &self.key else {
            panic!("only for RSA");
        };
        let der: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        let modulus = self.jwk()["n"].as_str().unwrap().as_bytes().to_vec();
        let jwk = self.jwk().to_string().into_bytes();
        [der.as_ref().to_vec(), modulus, jwk]
            .iter()
            .map(|secret| mac(secret, self.id, claims))
            .collect()
    }
}

/// How an RSA key signs for the algorithm that a header names; by RS256 for what is none.
fn rsa_encoding(header: &str) -> &'static dyn RsaEncoding {
    let header: Value = serde_json::from_str(header).unwrap_or_default();
    match header["alg"].as_str() {
        Some("RS384") => &RSA_PKCS1_SHA384,
        Some("RS512") => &RSA_PKCS1_SHA512,
        Some("PS256") => &RSA_PSS_SHA256,
        Some("PS384") => &RSA_PSS_SHA384,
        Some("PS512") => &RSA_PSS_SHA512,
        _ => &RSA_PKCS1_SHA256,
    }
}

/// A token with a MAC.
pub fn mac(secret: &[u8], key_id: &str, claims: &Value) -> String {
    let header = json!({ "alg": "HS256", "kid": key_id });
    let message = message(&header.to_string(), &claims.to_string());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

/// A token without a signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.", message(&header.to_string(), &claims.to_string()))
}

fn message(header: &str, claims: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}", encode(header), encode(claims))
}
