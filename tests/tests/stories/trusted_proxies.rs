//! Who counts as the client behind proxies.

use flag_tests::{Method, Service, TestStore};

/// One request at once for each address.
const LIMITS: [(&str, &str); 3] = [
    ("FLAG_RATE_LIMIT", "1"),
    ("FLAG_RATE_LIMIT_BURST", "1"),
    ("FLAG_LOG_FORMAT", "json"),
];

/// The status for a request that says that it was forwarded for these.
async fn status(service: &Service, forwarded_for: &[&str]) -> u16 {
    let query = "project_name=csr-assistant&flag_type=feature&flag_name=nothing&instance_id=A";
    let path = format!("/get-feature-flag?{query}");
    let mut request = service.request(Method::GET, &path);
    for value in forwarded_for {
        request = request.header("x-forwarded-for", *value);
    }
    request.send().await.unwrap().status().as_u16()
}

/// Whether of many requests at once, forwarded for this client, some are refused for their number.
async fn is_limited(service: &Service, client: &str) -> bool {
    for number in 0..50 {
        let claimed = format!("203.0.113.{number}");
        if status(service, &[&claimed, client]).await == 429 {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_behind_a_trusted_proxy_are_limited_one_by_one() {
    let trusted = [("FLAG_TRUSTED_PROXIES", "127.0.0.0/8, 192.0.2.1")];
    let variables = [&LIMITS[..], &trusted].concat();
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &variables);
    assert!(
        is_limited(&service, "198.51.100.1, 192.0.2.1").await,
        "what a client claims changes who it is"
    );
    assert_eq!(status(&service, &["198.51.100.2"]).await, 404);
    service.must_log(r#""httpRequest":{"remoteIp":"198.51.100.1"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_means_nothing_unless_proxies_are_trusted() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &[], &LIMITS);
    let statuses = async {
        for number in 0..50 {
            if status(&service, &[&format!("198.51.100.{number}")]).await == 429 {
                return true;
            }
        }
        false
    };
    assert!(statuses.await, "a header gave a client a rate of its own");
}
