//! Accepts connections, and serves the site on each.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_http::{HttpService, KeepAlive, Protocol};
use actix_server::Server;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::web::Data;
use tokio::net::{TcpSocket, TcpStream};

use super::line::Line;
use super::{LimitSettings, files};
use crate::routes::routes;
use crate::site::Site;
use crate::stop;

/// Connections that wait to be accepted; the kernel ignores those beyond, which then try again.
const BACKLOG: u32 = 1_024;

/// How long the first head of a connection may take: less than a [`Line`] bears, as this one is answered with a 408.
const FIRST_HEAD: Duration = Duration::from_secs(4);

/// How long the rest of a request that was refused is read, so that its sender sees the answer.
const LINGER: Duration = Duration::from_secs(1);

/// Listens: the server, which serves once it is awaited, and where it can be reached.
///
/// This is what actix-web's own `HttpServer` does, with a [`Line`] around each connection.
pub(crate) fn listen(
    address: SocketAddr,
    workers: usize,
    site: &Data<Site>,
) -> io::Result<(Server, SocketAddr)> {
    let LimitSettings { connections, .. } = site.limits.settings;
    files::make_room(connections);
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?.into_std()?;
    let reached_at = listener.local_addr()?;
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(connections.div_ceil(workers))
        .shutdown_timeout(stop::REQUESTS_WITHIN.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let site = site.clone();
    let server = builder.listen("http", listener, move || {
        let app = App::new().app_data(site.clone()).configure(routes);
        let app = app.into_factory();
        let app = app.map_err(|error| error.error_response());
        let stopping = stopping.clone();
        let http = HttpService::build()
            // A timer for each answer; a `Line` sees to it with one for each connection.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(FIRST_HEAD)
            .client_disconnect_timeout(LINGER)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|line: &Line<TcpStream>, known| {
                known.insert(line.turn());
            })
            .finish(map_config(app, |()| AppConfig::default()));
        let metrics = site.limits.metrics.clone();
        fn_service(move |connection: TcpStream| {
            let line = connection.peer_addr().map(|peer| {
                let line = Line::new(connection, metrics.clone());
                (line, Protocol::Http1, Some(peer))
            });
            async { line.map_err(Into::into) }
        })
        .and_then(http)
    })?;
    Ok((server.run(), reached_at))
}
