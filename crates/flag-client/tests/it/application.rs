//! The tests of an application, as its developers would write them.

use flag_client::testing::FixedFlags;
use flag_client::{AsyncFeatureFlagClient, Failure, FeatureFlagClient, FlagType, Source};

#[deny(warnings)]
mod flags {
    flag_client::flags! {
        /// Answers in several steps.
        pub ROUTER: bool = false, name = "router", ticket = "https://tickets.example/1";
        /// Who answers.
        pub PROVIDER: String = "openai", name = "provider", ticket = "https://tickets.example/2";
        /// On its way out.
        #[deprecated = "see its ticket"]
        pub OLD: bool = false, name = "old", ticket = "https://tickets.example/3";
    }
}

/// The application.
fn answer(client: &FeatureFlagClient, instance_id: &str) -> String {
    let steps = if flags::ROUTER.get(client, instance_id) {
        "several"
    } else {
        "one"
    };
    format!("{steps} by {}", flags::PROVIDER.get(client, instance_id))
}

/// The application, if it were async.
async fn answer_async(client: &AsyncFeatureFlagClient, instance_id: &str) -> String {
    let steps = if flags::ROUTER.get(client, instance_id).await {
        "several"
    } else {
        "one"
    };
    format!(
        "{steps} by {}",
        flags::PROVIDER.get(client, instance_id).await
    )
}

#[test]
fn every_flag_has_its_default() {
    let flags = FixedFlags::new();
    assert_eq!(answer(&flags.client(), "A12345"), "one by openai");
}

#[test]
fn values_are_fixed_for_everybody_or_one_instance() {
    let flags = FixedFlags::new();
    flags.set(flags::PROVIDER.name(), "vertex");
    flags.set_for(flags::ROUTER.name(), "A12345", true);
    let client = flags.client();
    assert_eq!(answer(&client, "A12345"), "several by vertex");
    assert_eq!(answer(&client, "B67890"), "one by vertex");
    flags.set_for(flags::PROVIDER.name(), "B67890", "openai");
    assert_eq!(answer(&client, "B67890"), "one by openai");
}

#[tokio::test]
async fn both_clients_give_the_same() {
    let flags = FixedFlags::new();
    flags.set("router", true);
    assert_eq!(
        answer_async(&flags.async_client(), "A12345").await,
        "several by openai"
    );
    let both = flags.client().to_async();
    assert_eq!(answer_async(&both, "A12345").await, "several by openai");
}

#[test]
fn the_questions_are_recorded() {
    let flags = FixedFlags::new();
    answer(&flags.client(), "A12345");
    let asked: Vec<_> = flags
        .asked()
        .into_iter()
        .map(|asked| (asked.flag_type, asked.flag_name, asked.instance_id))
        .collect();
    let question = |flag_type, name: &str| (flag_type, name.to_owned(), "A12345".to_owned());
    assert_eq!(
        asked,
        [
            question(FlagType::Feature, "router"),
            question(FlagType::Data, "provider")
        ]
    );
    flags.forget_asked();
    assert!(flags.asked().is_empty());
}

#[test]
fn an_outage_gives_defaults_until_it_ends() {
    let flags = FixedFlags::new();
    flags.set("router", true);
    let client = flags.client();
    flags.fail(Failure::TimedOut);
    let detail = flags::ROUTER.get_detail(&client, "A12345");
    assert_eq!(
        (detail.value, detail.source),
        (false, Source::Default(Failure::TimedOut))
    );
    flags.recover();
    assert_eq!(answer(&client, "A12345"), "several by openai");
}

#[test]
fn a_flag_of_another_type_is_another_flag() {
    let flags = FixedFlags::new();
    flags.set("router", "text");
    let detail = flags::ROUTER.get_detail(&flags.client(), "A12345");
    let unknown = Failure::FlagNotFound("feature/router was not set".into());
    assert_eq!(detail.source, Source::Default(unknown));
}

#[test]
fn all_flags_are_listed() {
    let names: Vec<String> = flags::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["feature/router", "data/provider", "feature/old"]);
    assert_eq!(flags::ROUTER.ticket(), "https://tickets.example/1");
}

#[test]
fn flags_are_copied_and_answers_sent_between_threads() {
    fn is_copy<T: Copy>(_: &T) {}
    fn is_send<T: Send>(_: &T) {}
    fn is_shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    is_copy(&flags::ROUTER);
    is_copy(&flags::PROVIDER);
    let client = FixedFlags::new().client();
    is_shared(&client);
    let client = client.to_async();
    is_shared(&client);
    is_send(&client.get_flag_string_detail("provider", "A12345", "openai"));
    is_send(&client.prefetch(flags::ALL, "A12345"));
    is_send(&flags::PROVIDER.get(&client, "A12345"));
}

#[test]
fn a_value_that_is_set_anew_is_a_change() {
    let flags = FixedFlags::new();
    let client = flags.client();
    let (sender, changes) = std::sync::mpsc::channel();
    let inner = client.clone();
    let subscription = client.on_change("router", move || {
        sender.send(flags::ROUTER.get(&inner, "A12345")).unwrap();
    });
    flags.set("provider", "vertex");
    flags.set("router", true);
    flags.set_for("router", "A12345", false);
    drop(subscription);
    flags.set("router", true);
    assert_eq!(changes.iter().collect::<Vec<_>>(), [true, false]);
}
