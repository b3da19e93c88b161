//! An identity-aware proxy: it signs who somebody is, and has a document with its keys.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// An identity-aware proxy.
#[derive(Debug)]
pub struct IdentityProxy {
    pair: EcdsaKeyPair,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl IdentityProxy {
    /// The header that names somebody.
    pub const HEADER: &str = "x-goog-iap-jwt-assertion";

    /// Whom its assertions are for.
    pub const AUDIENCE: &str = "/projects/1/global/backendServices/2";

    /// Starts it, with a key of its own.
    pub async fn start() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        let [x, y] = [1..33, 33..65].map(|part| {
            let point = pair.public_key().as_ref();
            URL_SAFE_NO_PAD.encode(point.get(part).unwrap())
        });
        let key = json!({ "kty": "EC", "crv": "P-256", "kid": "one", "x": x, "y": y });
        let keys = json!({ "keys": [key] }).to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            pair,
            address: listener.local_addr().unwrap(),
            serving: tokio::spawn(serve(listener, keys)),
        }
    }

    /// Where the document with its keys is.
    pub fn keys_url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// From now on its keys cannot be fetched.
    pub fn hide_keys(&self) {
        self.serving.abort();
    }

    /// Says that a request is of somebody, with other claims than usual.
    pub fn assertion(&self, email: &str, claims: &[(&str, Value)]) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = now.as_secs();
        let mut said = json!({
            "iss": "https://cloud.google.com/iap", "aud": Self::AUDIENCE,
            "iat": now, "exp": now + 600, "sub": "accounts.google.com:7", "email": email,
        });
        for (claim, value) in claims {
            let said = said.as_object_mut().unwrap();
            said.insert((*claim).to_owned(), value.clone());
        }
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": "one" });
        let [header, said] = [header, said].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{said}");
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap()))
    }
}

async fn serve(listener: TcpListener, keys: String) {
    while let Ok((mut connection, _)) = listener.accept().await {
        let mut head = [0; 4 << 10];
        let _ = connection.read(&mut head).await;
        let length = keys.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{keys}"
        );
        let _ = connection.write_all(answer.as_bytes()).await;
    }
}
