//! The yardstick of `cargo xtask bench`: what somebody would plainly write with actix-web to answer
//! `GET /get-feature-flag` for one flag, byte for byte as the service does.
//!
//! None of our crates is in it, so that it stays as it is when our code becomes faster. It has no store, no cache, no
//! check of names, no log, no count, and serves on a free port with `FLAG_WORKERS` workers, or one.
#![expect(clippy::unwrap_used, reason = "an example for measurements")]
#![expect(clippy::print_stdout, reason = "says where it serves")]

use actix_web::web::{self, Data, Query};
use actix_web::{App, HttpResponse, HttpServer};
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is asked.
#[derive(Deserialize)]
struct Question {
    project_name: String,
    instance_id: String,
    flag_type: String,
    flag_name: String,
}

/// What is answered.
#[derive(Serialize)]
struct Answer {
    request_id: String,
    instance_id: String,
    flag_type: String,
    flag_name: String,
    flag_value: bool,
    rollout_group: &'static str,
}

/// The one flag: a boolean with one treatment.
struct Flag {
    project: String,
    kind: String,
    name: String,
    overrides: Vec<String>,
    /// In thousandths of a percent.
    share: u128,
}

fn main() -> std::io::Result<()> {
    actix_web::rt::System::new().block_on(serve())
}

async fn serve() -> std::io::Result<()> {
    let flag = Data::new(Flag {
        project: "csr-assistant".to_owned(),
        kind: "feature".to_owned(),
        name: "multi_step_api_router".to_owned(),
        overrides: vec!["A12345".to_owned()],
        share: 40_000,
    });
    let app = move || {
        App::new()
            .app_data(flag.clone())
            .route("/get-feature-flag", web::get().to(answer))
    };
    let workers = std::env::var("FLAG_WORKERS").map_or(1, |workers| workers.parse().unwrap());
    let server = HttpServer::new(app).workers(workers).bind("127.0.0.1:0")?;
    for address in server.addrs() {
        println!("bare serves http://{address}");
    }
    server.run().await
}

async fn answer(question: Query<Question>, flag: Data<Flag>) -> HttpResponse {
    let question = question.into_inner();
    if question.project_name != flag.project
        || question.flag_type != flag.kind
        || question.flag_name != flag.name
    {
        return HttpResponse::NotFound().finish();
    }
    let request_id = Uuid::now_v7().to_string();
    let is_treated = flag.overrides.contains(&question.instance_id)
        || bucket(&flag.name, &question.instance_id) < flag.share;
    HttpResponse::Ok()
        .insert_header(("cache-control", "private, no-store"))
        .insert_header(("x-request-id", request_id.clone()))
        .json(Answer {
            request_id,
            instance_id: question.instance_id,
            flag_type: question.flag_type,
            flag_name: question.flag_name,
            flag_value: is_treated,
            rollout_group: if is_treated { "treatment_1" } else { "control" },
        })
}

/// Where an instance stands on a line of 100,000 buckets.
fn bucket(salt: &str, instance: &str) -> u128 {
    let digest = Md5::new_with_prefix(salt).chain_update("#");
    let digest = digest.chain_update(instance).finalize();
    let position = u64::from_be_bytes(*digest.first_chunk().unwrap());
    (u128::from(position) * 100_000) >> 64
}
