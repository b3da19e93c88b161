//! Tells systemd when the service is ready and when it stops, as `sd_notify` does (`Type=notify` of a unit).

use std::ffi::{OsStr, OsString};
use std::io;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::http::AppState;

/// How often the readiness is checked until the service is ready, and then the message sent until systemd takes it.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// How long systemd may take to receive a message: what follows a signal to stop waits for it.
const SENT_WITHIN: Duration = Duration::from_millis(100);

/// The socket that `NOTIFY_SOCKET` names: a path, or `@` and a name in the abstract namespace. `None` if the service was not
/// started by systemd.
#[derive(Clone, Debug)]
struct Notifier(Option<OsString>);

/// Notifies this socket that the service is ready, as soon as it is, and that it stops, as soon as `signals` says so.
pub(super) fn notify_systemd_around(
    socket: Option<OsString>,
    state: &Data<AppState>,
    signals: impl Future<Output = &'static str>,
) -> impl Future<Output = &'static str> {
    let notifier = Notifier(socket.filter(|socket| !socket.is_empty()));
    let ready = tokio::spawn(notifier.clone().ready(state.clone()));
    async move {
        let signal = signals.await;
        ready.abort();
        notifier.notify("STOPPING=1").await;
        signal
    }
}

impl Notifier {
    /// Waits until `/readyz` would say that the service is ready.
    async fn ready(self, state: Data<AppState>) {
        let Self(Some(_)) = self else { return };
        while state.readiness.describe().await.0 != StatusCode::OK {
            sleep(CHECK_EVERY).await;
        }
        let mut is_logged = false;
        while let Err(error) = self.send("READY=1").await {
            // systemd waits for it, without a deadline.
            if !is_logged {
                self.log("READY=1", &error);
                is_logged = true;
            }
            sleep(CHECK_EVERY).await;
        }
    }

    async fn notify(&self, message: &str) {
        if let Err(error) = self.send(message).await {
            self.log(message, &error);
        }
    }

    async fn send(&self, message: &str) -> io::Result<()> {
        let Self(Some(socket)) = self else {
            return Ok(());
        };
        let sent = timeout(SENT_WITHIN, send(socket, message)).await;
        sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    fn log(&self, message: &str, error: &io::Error) {
        let socket = self.0.as_deref().unwrap_or_default().display();
        warn!(%socket, notification = message, %error, "systemd cannot be notified");
    }
}

#[cfg(unix)]
async fn send(socket: &OsStr, message: &str) -> io::Result<()> {
    use std::os::unix::net::UnixDatagram;

    let sender = UnixDatagram::unbound()?;
    sender.connect_addr(&address(socket)?)?;
    sender.set_nonblocking(true)?;
    let sender = tokio::net::UnixDatagram::from_std(sender)?;
    sender.send(message.as_bytes()).await.map(drop)
}

#[cfg(unix)]
fn address(socket: &OsStr) -> io::Result<std::os::unix::net::SocketAddr> {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::SocketAddr;

    #[cfg(target_os = "linux")]
    if let Some(name) = socket.as_bytes().strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt as _;

        return SocketAddr::from_abstract_name(name);
    }
    if socket.as_bytes().first() != Some(&b'/') {
        return Err(io::ErrorKind::Unsupported.into());
    }
    SocketAddr::from_pathname(socket)
}

/// Other systems have no systemd.
#[cfg(not(unix))]
async fn send(_: &OsStr, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
