//! Where clients are built, called and dropped.

use flag_client::{AsyncFeatureFlagClient, FeatureFlagClient};
use futures_executor::block_on;
use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Runtime};

use crate::server::{Manner, Server};

/// Builds, calls and drops a blocking client.
fn use_blocking(server: &Server) {
    let client = server
        .with_address(FeatureFlagClient::builder("p"))
        .build()
        .unwrap();
    assert!(client.get_flag_boolean("f", "A12345", false));
    client.close();
    drop(client);
    drop(
        server
            .with_address(FeatureFlagClient::builder("p"))
            .build()
            .unwrap(),
    );
}

fn runtimes() -> [Runtime; 2] {
    [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap(),
    ]
}

#[test]
fn the_blocking_client_works_without_a_runtime() {
    use_blocking(&Server::start(Manner::Value("true")));
}

#[test]
fn the_blocking_client_works_inside_any_runtime() {
    let server = Server::start(Manner::Value("true"));
    for runtime in runtimes() {
        runtime.block_on(async { use_blocking(&server) });
        let on_its_thread = server.clone();
        let task = async move { use_blocking(&on_its_thread) };
        runtime.block_on(async { tokio::spawn(task).await.unwrap() });
        let _inside = runtime.enter();
        use_blocking(&server);
    }
}

/// Tokio gives a task a limited number of steps before it must yield, which a call that blocks never does.
#[test]
fn a_task_may_ask_as_often_as_it_likes() {
    let server = Server::start(Manner::Value("true"));
    let client = server
        .with_address(FeatureFlagClient::builder("p"))
        .build()
        .unwrap();
    for (count, runtime) in runtimes().into_iter().enumerate() {
        let client = client.clone();
        let ask = move |id| client.get_flag_boolean("f", &format!("{count}-{id}"), false);
        let task = async move { (0..200).all(ask) };
        assert!(runtime.block_on(async { tokio::spawn(task).await.unwrap() }));
    }
}

#[test]
fn the_blocking_client_works_inside_actix() {
    let server = Server::start(Manner::Value("true"));
    actix_web::rt::System::new().block_on(async { use_blocking(&server) });
}

#[test]
fn a_client_that_was_in_use_is_dropped_inside_a_runtime() {
    let server = Server::start(Manner::Silence);
    for runtime in runtimes() {
        let client = server
            .with_address(AsyncFeatureFlagClient::builder("p"))
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut waiting = Box::pin(client.get_flag_boolean("f", "A12345", false));
            assert!(waiting.as_mut().now_or_never().is_none());
            drop(waiting);
            drop(client);
        });
    }
}

#[test]
fn an_async_client_outlives_the_runtime_that_it_was_used_on() {
    let server = Server::start(Manner::Value("true"));
    let client = server
        .with_address(AsyncFeatureFlagClient::builder("p"))
        .build()
        .unwrap();
    for (count, runtime) in runtimes().into_iter().enumerate() {
        let flag = format!("f{count}");
        assert!(runtime.block_on(client.get_flag_boolean(&flag, "A12345", false)));
    }
}

#[test]
fn the_async_client_needs_no_runtime_of_tokio() {
    let server = Server::start(Manner::Value("true"));
    let client = server
        .with_address(AsyncFeatureFlagClient::builder("p"))
        .build()
        .unwrap();
    assert!(block_on(client.get_flag_boolean("f", "A12345", false)));
}
