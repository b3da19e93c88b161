//! A plain `main`: prints the values for each instance id that is typed, and where they come from.
//!
//! `cargo run -p flag-client --example plain`, beside `cargo run -p flag-service -- --demo`.
#![expect(clippy::print_stdout, reason = "what it says is its output")]

use std::error::Error;
use std::io::stdin;
use std::time::Duration;

use flag_client::{Assurance, Detail, FeatureFlagClient, Source};

mod flags {
    flag_client::flags! {
        /// Answers with the router that plans several API calls.
        pub MULTI_STEP_API_ROUTER: bool = false,
            name = "multi_step_api_router", ticket = "https://tickets.example/CSR-1";
        /// Which provider answers.
        pub LLM_PROVIDER: String = "openai",
            name = "llm_provider", ticket = "https://tickets.example/CSR-2";
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // `FeatureFlagClient::new("csr-assistant")` would do for who needs no other lifetime.
    let client = FeatureFlagClient::builder("csr-assistant")
        .cache_lifetime(lifetime()?)
        .build()?;
    for line in stdin().lines() {
        let instance_id = line?;
        let router = flags::MULTI_STEP_API_ROUTER.get_detail(&client, &instance_id);
        let steps = if router.value { "several" } else { "one" };
        let provider = flags::LLM_PROVIDER.get(&client, &instance_id);
        let origin = origin(&router);
        println!("{instance_id}: steps {steps}, provider {provider} ({origin})");
    }
    Ok(())
}

/// How long answers count: the first argument, in seconds.
fn lifetime() -> Result<Duration, Box<dyn Error>> {
    let seconds = std::env::args()
        .nth(1)
        .map_or(Ok(300), |word| word.parse())?;
    Ok(Duration::from_secs(seconds))
}

fn origin<T>(detail: &Detail<T>) -> String {
    match &detail.source {
        Source::Service(_) => "asked".to_owned(),
        Source::Cache(_) if detail.assurance == Assurance::Watched => {
            "remembered and watched".to_owned()
        }
        Source::Cache(_) => "remembered".to_owned(),
        Source::LastKnown(why) => format!("remembered from before: {why}"),
        Source::Default(why) => format!("default: {why}"),
        _ => "otherwise".to_owned(),
    }
}
