//! What the service tells systemd, by a socket as systemd has one.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use flag_tests::{Proxy, Service, TestStore};

/// How long a busy machine may take for a message.
const TOLD: Duration = Duration::from_secs(20);

fn listening(address: &SocketAddr) -> UnixDatagram {
    let socket = UnixDatagram::bind_addr(address).unwrap();
    socket.set_read_timeout(Some(TOLD)).unwrap();
    socket
}

#[track_caller]
fn must_tell(socket: &UnixDatagram, expected: &str) {
    let mut message = [0; 64];
    let length = socket.recv(&mut message).unwrap();
    assert_eq!(std::str::from_utf8(&message[..length]), Ok(expected));
}

#[track_caller]
fn check(socket: &UnixDatagram, name: &str) {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &[], &[("NOTIFY_SOCKET", name)]);
    must_tell(socket, "READY=1");
    assert!(service.stop().success());
    must_tell(socket, "STOPPING=1");
}

#[test]
fn a_socket_in_a_folder_is_notified_of_start_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = listening(&SocketAddr::from_pathname(&path).unwrap());
    check(&socket, path.to_str().unwrap());
}

#[test]
fn an_abstract_socket_is_notified_of_start_and_stop() {
    let name = format!("flag-service-test-{}", std::process::id());
    let socket = listening(&SocketAddr::from_abstract_name(&name).unwrap());
    check(&socket, &format!("@{name}"));
}

#[test]
fn a_socket_that_is_gone_is_logged_and_stops_nothing() {
    let store = TestStore::embedded();
    let gone = [("NOTIFY_SOCKET", "/nowhere/notify")];
    let service = Service::start_with(&store, &[], &gone);
    service.must_log("systemd cannot be notified");
    assert!(service.stop().success());
}

#[test]
fn readiness_is_sent_again_until_a_full_socket_takes_it() {
    let name = format!("flag-service-test-full-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = listening(&address);
    let other = UnixDatagram::unbound().unwrap();
    other.connect_addr(&address).unwrap();
    other.set_nonblocking(true).unwrap();
    let mut waiting = 0;
    while other.send(b"OTHER=1").is_ok() {
        waiting += 1;
    }
    let store = TestStore::embedded();
    let variables = [("NOTIFY_SOCKET", &*format!("@{name}"))];
    let service = Service::start_with(&store, &[], &variables);
    service.must_log("systemd cannot be notified");
    for _ in 0..waiting {
        must_tell(&socket, "OTHER=1");
    }
    must_tell(&socket, "READY=1");
}

#[test]
fn an_empty_socket_is_none() {
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &[], &[("NOTIFY_SOCKET", "")]);
    let log = service.log();
    assert!(service.stop().success());
    assert!(!log.contains("systemd cannot be notified"), "{log}");
}

mod on_bigtable {
    use std::io::ErrorKind;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_service_is_ready_when_it_can_serve_flags_and_not_before() {
        let TestStore::Bigtable { emulator, .. } = TestStore::bigtable() else {
            panic!("another store")
        };
        let network = Proxy::to(&emulator).await;
        network.fall_silent();
        let name = format!("flag-service-test-ready-{}", std::process::id());
        let socket = listening(&SocketAddr::from_abstract_name(&name).unwrap());
        let variables = [("NOTIFY_SOCKET", &*format!("@{name}"))];
        let store = TestStore::at(network.address());
        let service = Service::start_with(&store, &[], &variables);
        assert_eq!(service.get("/readyz", &[]).await.status, 503);
        socket.set_nonblocking(true).unwrap();
        let told = socket.recv(&mut [0; 64]).unwrap_err();
        assert_eq!(told.kind(), ErrorKind::WouldBlock);
        socket.set_nonblocking(false).unwrap();
        network.speak_again();
        must_tell(&socket, "READY=1");
    }
}
