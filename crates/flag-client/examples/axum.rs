//! An axum application: one async client, as its state.
//!
//! `cargo run -p flag-client --example axum`, beside `cargo run -p flag-service -- --demo`.
#![expect(clippy::print_stdout, reason = "where it listens is its output")]

use std::io;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use flag_client::AsyncFeatureFlagClient;
use tokio::net::TcpListener;

mod flags {
    flag_client::flags! {
        /// Answers with the router that plans several API calls.
        pub MULTI_STEP_API_ROUTER: bool = false,
            name = "multi_step_api_router", ticket = "https://tickets.example/CSR-1";
    }
}

async fn steps(
    State(client): State<AsyncFeatureFlagClient>,
    Path(id): Path<String>,
) -> &'static str {
    if flags::MULTI_STEP_API_ROUTER.get(&client, &id).await {
        "several"
    } else {
        "one"
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let client = AsyncFeatureFlagClient::new("csr-assistant");
    let app = Router::new()
        .route("/users/{id}/steps", get(steps))
        .with_state(client);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("serves http://{}", listener.local_addr()?);
    axum::serve(listener, app).await
}
