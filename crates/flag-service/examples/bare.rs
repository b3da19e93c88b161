//! The least that could answer `GET /get-feature-flag`: actix-web, the query, the decision, the reply; no cache, no
//! log, no count, no check. `cargo xtask bench` measures the service against it.
#![expect(clippy::unwrap_used, reason = "an example for measurements")]
#![expect(clippy::print_stdout, reason = "says where it serves")]

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{self, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use flag_api::{FlagQuery, FlagReply, GET_FEATURE_FLAG, REQUEST_ID, ReplyValue};
use flag_model::{
    FlagKey, FlagName, FlagType, FlagValue, Format, InstanceId, Percent, ProjectName, Revision,
    RevisionParts, Timestamp, Treatment,
};
use flag_rollout::{Plan, decide};
use uuid::Uuid;

fn main() -> std::io::Result<()> {
    actix_web::rt::System::new().block_on(serve())
}

async fn serve() -> std::io::Result<()> {
    let plan = Data::new(plan());
    let app = move || {
        App::new()
            .app_data(plan.clone())
            .route(GET_FEATURE_FLAG, web::get().to(answer))
    };
    let workers = std::env::var("FLAG_WORKERS").map_or(1, |workers| workers.parse().unwrap());
    let server = HttpServer::new(app).workers(workers).bind("127.0.0.1:0")?;
    for address in server.addrs() {
        println!("bare serves http://{address}");
    }
    server.run().await
}

async fn answer(request: HttpRequest, plan: Data<Plan>) -> HttpResponse {
    let query = FlagQuery::parse(request.query_string()).unwrap();
    let id = Uuid::now_v7().to_string();
    let instance = InstanceId::new(query.instance_id).unwrap();
    let decision = decide(&plan, &instance);
    let reply = FlagReply {
        request_id: (&id).into(),
        instance_id: instance.as_str().into(),
        flag_type: query.flag_type,
        flag_name: query.flag_name,
        flag_value: match decision.value {
            FlagValue::Boolean(value) => ReplyValue::Boolean(*value),
            FlagValue::Text(text) => ReplyValue::Text((&**text).into()),
        },
        rollout_group: decision.rollout_group.into(),
    };
    HttpResponse::Ok()
        .insert_header((
            HeaderName::from_static(REQUEST_ID),
            HeaderValue::from_str(&id).unwrap(),
        ))
        .json(reply)
}

/// A boolean flag of 40 % by md5, as most are.
fn plan() -> Plan {
    let parts = RevisionParts {
        flag: FlagKey {
            project: ProjectName::new("csr-assistant").unwrap(),
            flag_type: FlagType::Feature,
            name: FlagName::new("multi_step_api_router").unwrap(),
        },
        format: Format::V1,
        control: FlagValue::Boolean(false),
        treatments: vec![Treatment {
            name: None,
            overrides: vec![InstanceId::new("A12345").unwrap()],
            percent: Percent::parse("40", flag_model::FormatVersion::V1).unwrap(),
            value: FlagValue::Boolean(true),
            ranges: vec![],
        }],
        comment: String::new(),
        owner: None,
        rollback_of: None,
    };
    let created = Timestamp::parse("2026-01-02 03:04:05.000006").unwrap();
    Plan::compile(Revision::new(created, parts).unwrap())
}
