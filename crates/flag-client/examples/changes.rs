//! Says which provider answers an instance, at first and each time when that changes.
//!
//! `cargo run -p flag-client --example changes A12345`, beside `cargo run -p flag-service -- --demo`; then change the flag:
//! `cargo run -p flagctl -- revise csr-assistant data llm_provider …`.
#![expect(clippy::print_stdout, reason = "what it says is its output")]

use std::error::Error;
use std::sync::mpsc::channel;

use flag_client::FeatureFlagClient;

mod flags {
    flag_client::flags! {
        /// Which provider answers.
        pub LLM_PROVIDER: String = "openai",
            name = "llm_provider", ticket = "https://tickets.example/CSR-2";
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let instance_id = std::env::args().nth(1).ok_or("which instance?")?;
    let client = FeatureFlagClient::new("csr-assistant");
    let (sender, changes) = channel();
    let name = flags::LLM_PROVIDER.name();
    let _subscription = client.on_change(name, move || {
        let _ = sender.send(());
    });
    let mut known = None;
    loop {
        let provider = flags::LLM_PROVIDER.get(&client, &instance_id);
        if known.as_ref() != Some(&provider) {
            println!("{instance_id}: provider {provider}");
            known = Some(provider);
        }
        // A notice may come though this instance's value is as before.
        changes.recv()?;
    }
}
