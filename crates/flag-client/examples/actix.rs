//! An actix-web application: one async client, shared by all workers.
//!
//! `cargo run -p flag-client --example actix`, beside `cargo run -p flag-service -- --demo`.
#![expect(clippy::print_stdout, reason = "where it listens is its output")]

use std::io;

use actix_web::rt::System;
use actix_web::web::{self, Data, Path};
use actix_web::{App, HttpServer};
use flag_client::AsyncFeatureFlagClient;

mod flags {
    flag_client::flags! {
        /// Answers with the router that plans several API calls.
        pub MULTI_STEP_API_ROUTER: bool = false,
            name = "multi_step_api_router", ticket = "https://tickets.example/CSR-1";
    }
}

async fn steps(id: Path<String>, client: Data<AsyncFeatureFlagClient>) -> &'static str {
    if flags::MULTI_STEP_API_ROUTER.get(&**client, &id).await {
        "several"
    } else {
        "one"
    }
}

fn main() -> io::Result<()> {
    System::new().block_on(serve())
}

async fn serve() -> io::Result<()> {
    let client = Data::new(AsyncFeatureFlagClient::new("csr-assistant"));
    let app = move || {
        let app = App::new().app_data(client.clone());
        app.route("/users/{id}/steps", web::get().to(steps))
    };
    let server = HttpServer::new(app).bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        println!("serves http://{address}");
    }
    server.run().await
}
