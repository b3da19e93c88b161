//! What people see in the place of a page.

use flag_tests::{Method, RequestBuilder, Service, TestStore};
use reqwest::header::HeaderMap;

async fn send(request: RequestBuilder) -> (u16, HeaderMap, String) {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.text().await.unwrap())
}

/// Fails if this is not a page like others: with the environment, and with the headers that protect it.
#[track_caller]
fn check_page(headers: &HeaderMap, text: &str) {
    assert_eq!(
        headers["content-type"], "text/html; charset=utf-8",
        "{text}"
    );
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(headers["cache-control"], "private, no-store");
    assert!(
        text.contains("<title>") && text.contains("not production"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_without_a_page_and_a_wrong_method_get_a_page() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    for (method, path, expected) in [
        (Method::GET, "nothing", 404),
        (Method::GET, "flags/nothing?q=%3Cscript%3E", 404),
        (Method::GET, "assets/nothing.js", 404),
        (Method::POST, "nothing", 405),
        (Method::POST, "health", 405),
        (Method::PATCH, "flags?project=csr-assistant", 405),
        (Method::DELETE, "nothing", 405),
    ] {
        let request = service.request(method.clone(), &format!("/dashboard/{path}"));
        let (status, headers, text) = send(request).await;
        assert_eq!(status, expected, "{method} {path}: {text}");
        check_page(&headers, &text);
        assert_eq!(
            headers.contains_key("allow"),
            status == 405,
            "{method} {path}"
        );
    }
    let request = service.request(Method::GET, "/dashboard/");
    assert_eq!(send(request).await.0, 200);
    let unknown = "flag_requests_total{route=\"unknown\",status=\"404\"}";
    assert_eq!(service.metric(unknown).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_page_that_is_refused_gets_a_page() {
    let store = TestStore::embedded();
    let limits = [("FLAG_RATE_LIMIT", "1"), ("FLAG_RATE_LIMIT_BURST", "1")];
    let service = Service::start_with(&store, &["--demo"], &limits);
    loop {
        let request = service.request(Method::GET, "/dashboard");
        let (status, headers, text) = send(request).await;
        if status == 429 {
            check_page(&headers, &text);
            assert!(headers.contains_key("retry-after"));
            break;
        }
        assert_eq!(status, 200, "{text}");
    }
    // Programs get what they always got.
    let request = service.request(Method::GET, "/dashboard/events?project=csr-assistant");
    let (_, headers, text) = send(request).await;
    assert_eq!(
        headers["content-type"], "application/problem+json",
        "{text}"
    );
}

mod on_bigtable {
    use flag_tests::Proxy;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_is_silent_costs_a_page_and_no_answer() {
        let TestStore::Bigtable { emulator, .. } = TestStore::bigtable() else {
            panic!("another store")
        };
        let network = Proxy::to(&emulator).await;
        let store = TestStore::at(network.address());
        let service = Service::start_with(&store, &["--demo"], &[]);
        let ask = async || {
            let (project, name) = ("csr-assistant", "llm_version");
            service.ask(project, "data", name, "A12345").await.status
        };
        assert_eq!(ask().await, 200);
        network.fall_silent();
        let pages = (0..12).map(|_| send(service.request(Method::GET, "/dashboard")));
        let (pages, answer) = tokio::join!(futures_util::future::join_all(pages), ask());
        assert_eq!(answer, 200);
        for (status, headers, text) in &pages {
            assert!([503, 504].contains(status), "{status}: {text}");
            check_page(headers, text);
        }
        let refused = pages.iter().filter(|(status, ..)| *status == 503);
        // Eight are made at a time.
        assert!(refused.count() >= 4);
    }
}
