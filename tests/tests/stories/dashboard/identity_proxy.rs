//! People who come through an identity-aware proxy.

use std::time::{Duration, Instant};

use flag_tests::{IdentityProxy, Method, Service};
use serde_json::{Value, json};

use super::access::{FLAG, Keys, NOTICED};

const ANN: &str = "ann@example.com";

/// Status and text of a page for somebody whom the proxy names.
async fn page(service: &Service, path: &str, assertion: &str) -> (u16, String) {
    let request = service.request(Method::GET, path);
    let response = request.header(IdentityProxy::HEADER, assertion).send();
    let response = response.await.unwrap();
    let status = response.status().as_u16();
    (status, response.text().await.unwrap())
}

/// Asks until the answer has this status.
async fn page_until(service: &Service, assertion: &str, status: u16) -> String {
    let began = Instant::now();
    loop {
        let (found, text) = page(service, "/dashboard", assertion).await;
        if found == status {
            return text;
        }
        assert!(began.elapsed() < NOTICED, "{found}: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_an_identity_aware_proxy_have_the_rights_of_its_key_until_it_is_revoked() {
    let (keys, proxy) = (Keys::new(), IdentityProxy::start().await);
    let key = keys.create("read", "csr-assistant");
    let id = key.split('_').nth(1).unwrap();
    let service = keys.start(&[
        "--iap-audience",
        IdentityProxy::AUDIENCE,
        "--iap-key-id",
        id,
        "--iap-keys-url",
        &proxy.keys_url(),
    ]);
    let ann = proxy.assertion(ANN, &[]);
    let home = page_until(&service, &ann, 200).await;
    assert!(
        home.contains(ANN) && home.contains("csr-assistant"),
        "{home}"
    );
    assert!(!home.contains("Sign out"), "{home}");
    assert_eq!(page(&service, FLAG, &ann).await.0, 200);
    let other = "/dashboard/flags?project=other";
    assert_eq!(page(&service, other, &ann).await.0, 404);
    // It names people to the dashboard only.
    assert_eq!(page(&service, "/metrics", &ann).await.0, 401);

    let long_ago = Value::from(1_000_000_000);
    let stranger = IdentityProxy::start().await;
    for (refused, assertion) in [
        (
            "audience",
            proxy.assertion(ANN, &[("aud", json!("/projects/1/apps/a"))]),
        ),
        (
            "issuer",
            proxy.assertion(ANN, &[("iss", json!("https://example.com"))]),
        ),
        ("time", proxy.assertion(ANN, &[("exp", long_ago)])),
        ("signature", stranger.assertion(ANN, &[])),
        ("form", "garbage".to_owned()),
        ("nothing", String::new()),
    ] {
        assert_eq!(page(&service, FLAG, &assertion).await.0, 303, "{refused}");
    }
    service.must_log("an assertion of the identity-aware proxy was refused");

    // Whoever was known stays known while the keys cannot be fetched.
    proxy.hide_keys();
    let bob = proxy.assertion("bob@example.com", &[]);
    let home = page_until(&service, &bob, 200).await;
    assert!(home.contains("bob@example.com"), "{home}");
    keys.revoke(&key);
    page_until(&service, &bob, 303).await;
}
