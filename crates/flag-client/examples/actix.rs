//! An actix-web application: one async client, shared by all workers.
//!
//! `cargo run -p flag-client --example actix`, beside `cargo run -p flag-service -- --demo`.
#![expect(clippy::print_stdout, reason = "where it listens is its output")]

use std::io;

use actix_web::web::{Data, Path};
use actix_web::{App, HttpServer, get};
use flag_client::AsyncFeatureFlagClient;

mod flags {
    flag_client::flags! {
        /// Answers with the router that plans several API calls.
        pub MULTI_STEP_API_ROUTER: bool = false,
            name = "multi_step_api_router", ticket = "https://tickets.example/CSR-1";
    }
}

#[get("/users/{id}/steps")]
async fn steps(id: Path<String>, client: Data<AsyncFeatureFlagClient>) -> &'static str {
    if flags::MULTI_STEP_API_ROUTER.get(&**client, &id).await {
        "several"
    } else {
        "one"
    }
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let client = Data::new(AsyncFeatureFlagClient::new("csr-assistant"));
    let app = move || App::new().app_data(client.clone()).service(steps);
    let server = HttpServer::new(app).bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        println!("serves http://{address}");
    }
    server.run().await
}
