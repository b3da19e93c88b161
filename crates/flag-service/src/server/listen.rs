//! Accepts connections, and serves the application on each.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{
    IntoServiceFactory as _, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config,
};
use actix_web::App;
use actix_web::dev::AppConfig;
use actix_web::web::Data;
use tokio::net::{TcpSocket, TcpStream};

use super::connection::{CALLER_TIMEOUT, GuardedConnection, Transport};
use super::connections::{Connections, MAX_OVER_LIMIT};
use super::responses::{PIECE, track_answers};
use super::{LINGER, open_files, stop};
use crate::dashboard::Dashboard;
use crate::handlers::register;
use crate::http::AppState;
use crate::tls::Tls;

/// Connections that wait to be accepted; the kernel ignores further ones, which then retry.
const BACKLOG: u32 = 1_024;

/// Bytes that the kernel buffers for a caller that does not read; the kernel doubles this number.
const SEND_BUFFER: u32 = 64 << 10;

/// Listens; returns the server, which serves when it is awaited, and its address.
///
/// This is what actix-web's own `HttpServer` does, with a [`GuardedConnection`] around each connection.
pub(crate) fn listen(
    address: SocketAddr,
    workers: usize,
    state: &Data<AppState>,
    dashboard: Option<Data<Dashboard>>,
    tls: Option<Tls>,
) -> io::Result<(Server, SocketAddr)> {
    let streams = state.limits.streams();
    let max = open_files::Capacity::fit(state.limits.connections().max, streams.max(), workers);
    streams.lower(max.streams);
    let share = max.connections.div_ceil(workers);
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it. Answers are written one by one, and long ones in pieces: with Nagle's algorithm each
    // would wait until the one before is acknowledged.
    socket.set_nodelay(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?.into_std()?;
    let local_address = listener.local_addr()?;
    let builder = Server::build()
        .workers(workers)
        // Twice those over the limit, as a connection that is to be closed may stay open for a moment. All streams may be
        // in one worker.
        .max_concurrent_connections(share + max.streams + 2 * MAX_OVER_LIMIT)
        .shutdown_timeout(stop::REQUESTS_WITHIN.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let state = state.clone();
    let connections =
        move |state: &Data<AppState>| Rc::new(Connections::new(share, state.limits.connections()));
    let server = match tls {
        None => builder.listen("http", listener, move || {
            guarded(connections(&state), |connection| connection).and_then(http(
                &state,
                dashboard.clone(),
                stopping.clone(),
            ))
        }),
        Some(tls) => builder.listen("https", listener, move || {
            let tls = tls.clone();
            guarded(connections(&state), move |connection| {
                tls.accept(connection, CALLER_TIMEOUT)
            })
            .and_then(http(&state, dashboard.clone(), stopping.clone()))
        }),
    };
    Ok((server?.run(), local_address))
}

/// An accepted connection, its protocol, and the address of its peer.
type Accepted<T> = (GuardedConnection<T>, Protocol, Option<SocketAddr>);

/// Guards each connection of a worker, encrypted or not.
fn guarded<T>(
    connections: Rc<Connections>,
    wrap: impl Fn(TcpStream) -> T + Clone + 'static,
) -> impl ServiceFactory<
    TcpStream,
    Config = (),
    Response = Accepted<T>,
    Error = DispatchError,
    InitError = (),
> {
    fn_service(move |connection: TcpStream| {
        let guarded = connection.peer_addr().map(|peer| {
            let guarded = GuardedConnection::new(wrap(connection), &connections);
            (guarded, Protocol::Http1, Some(peer))
        });
        async { guarded.map_err(Into::into) }
    })
}

/// Serves the application on guarded connections.
fn http<T: Transport + 'static>(
    state: &Data<AppState>,
    dashboard: Option<Data<Dashboard>>,
    stopping: GracefulShutdownSignal,
) -> impl ServiceFactory<Accepted<T>, Config = (), Response = (), Error = DispatchError, InitError = ()>
+ use<T> {
    let app = App::new().app_data(state.clone());
    let app = match dashboard {
        Some(dashboard) => app.app_data(dashboard),
        None => app,
    };
    let app = app.configure(register);
    let app = app.into_factory();
    let app = app.map_err(|error| error.error_response());
    let app = track_answers(map_config(app, |()| AppConfig::default()));
    HttpService::build()
        // These would set timers for each request; a `GuardedConnection` needs only a few timers.
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(LINGER)
        .h1_write_buffer_size(PIECE)
        .graceful_shutdown_signal(move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        })
        .on_connect_ext(|connection: &GuardedConnection<T>, extensions| {
            extensions.insert(connection.state());
        })
        .finish(app)
}
