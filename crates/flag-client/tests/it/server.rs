//! A service that answers as the test demands, also as no HTTP server would.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use flag_client::ClientBuilder;
use reqwest::Url;

use crate::stream::Stream;

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// As the service would: this value, for whatever is asked.
    Value(&'static str),
    /// Not before the test says [`Server::let_go`], then with this value.
    Held(&'static str),
    /// Not at all.
    Silence,
    /// With these bytes, after which the connection is closed.
    Bytes(String),
    /// With a body that never ends, a byte at a time.
    Trickle,
    /// With a body of a gigabyte.
    Gigabyte,
}

/// A server on a port of its own, as long as the process lives.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    /// The first lines and headers of all requests so far.
    requests: Vec<String>,
    connections: usize,
    /// How many connections were opened when the server lost track of all of them.
    lost: usize,
    is_held: bool,
    bytes_sent: usize,
    /// The requests for an event stream that no test has taken yet.
    streams: VecDeque<Stream>,
}

impl Server {
    /// A server that answers like this.
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = State {
            manner,
            requests: Vec::new(),
            connections: 0,
            lost: 0,
            is_held: true,
            bytes_sent: 0,
            streams: VecDeque::new(),
        };
        let server = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                changed: Condvar::new(),
            }),
        };
        let shared = Arc::clone(&server.shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.serve(stream.unwrap()));
            }
        });
        server
    }

    /// An address where nobody listens.
    pub(crate) fn nowhere() -> String {
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        format!("http://{address}")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Tells a client to ask here, without an event stream.
    pub(crate) fn with_address<C>(&self, client: ClientBuilder<C>) -> ClientBuilder<C> {
        client.base_url(self.url()).without_push()
    }

    /// Tells a client to ask here, with an event stream.
    pub(crate) fn with_push<C>(&self, client: ClientBuilder<C>) -> ClientBuilder<C> {
        client.base_url(self.url())
    }

    /// Waits for a request for an event stream, which the test answers.
    pub(crate) fn stream(&self) -> Stream {
        let state = self.shared.state.lock().unwrap();
        let none = |state: &mut State| state.streams.is_empty();
        let mut state = self.shared.changed.wait_while(state, none).unwrap();
        state.streams.pop_front().unwrap()
    }

    /// Whether an event stream was requested that no test has taken.
    pub(crate) fn has_stream(&self) -> bool {
        !self.shared.state.lock().unwrap().streams.is_empty()
    }

    /// From now on requests are answered like this.
    pub(crate) fn set(&self, manner: Manner) {
        self.shared.state.lock().unwrap().manner = manner;
    }

    /// Has held requests answered.
    pub(crate) fn let_go(&self) {
        self.shared.state.lock().unwrap().is_held = false;
        self.shared.changed.notify_all();
    }

    /// The requests so far, each with its headers.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().requests.clone()
    }

    /// Waits until there were `count` requests.
    pub(crate) fn await_requests(&self, count: usize) {
        let state = self.shared.state.lock().unwrap();
        let too_few = |state: &mut State| state.requests.len() < count;
        drop(self.shared.changed.wait_while(state, too_few).unwrap());
    }

    /// The connections that were opened.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state.lock().unwrap().connections
    }

    /// From now on resets each connection that is open at its next request, as a balancer does that has lost track.
    pub(crate) fn lose_connections(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.lost = state.connections;
    }

    /// The bytes of bodies that anybody took.
    pub(crate) fn bytes_sent(&self) -> usize {
        self.shared.state.lock().unwrap().bytes_sent
    }
}

impl Shared {
    /// Answers the requests of a connection, one after the other.
    fn serve(&self, mut stream: TcpStream) {
        let number = self.count();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        loop {
            // To close a connection with bytes that nobody has read resets it.
            let _ = stream.peek(&mut [0]);
            if self.has_lost(number) {
                return;
            }
            let head: Vec<String> = lines
                .by_ref()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let Some(first) = head.first() else { return };
            if first.contains("/events ") {
                return self.hand_over(Stream::new(stream, head.join("\n")));
            }
            let manner = self.take(head.join("\n"));
            match manner {
                Manner::Value(value) => send(&mut stream, &reply(first, value)),
                Manner::Held(value) => {
                    self.wait();
                    send(&mut stream, &reply(first, value));
                }
                Manner::Silence => thread::park(),
                Manner::Bytes(bytes) => return send(&mut stream, &bytes),
                Manner::Trickle => return self.trickle(&mut stream),
                Manner::Gigabyte => return self.pour(&mut stream),
            }
        }
    }

    fn count(&self) -> usize {
        let mut state = self.state.lock().unwrap();
        state.connections += 1;
        state.connections
    }

    fn has_lost(&self, connection: usize) -> bool {
        connection <= self.state.lock().unwrap().lost
    }

    fn hand_over(&self, stream: Stream) {
        self.state.lock().unwrap().streams.push_back(stream);
        self.changed.notify_all();
    }

    fn take(&self, request: String) -> Manner {
        let mut state = self.state.lock().unwrap();
        state.requests.push(request);
        self.changed.notify_all();
        state.manner.clone()
    }

    fn wait(&self) {
        let state = self.state.lock().unwrap();
        drop(
            self.changed
                .wait_while(state, |state| state.is_held)
                .unwrap(),
        );
    }

    fn trickle(&self, stream: &mut TcpStream) {
        send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            self.state.lock().unwrap().bytes_sent += 1;
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn pour(&self, stream: &mut TcpStream) {
        send(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n",
        );
        let piece = [b' '; 10_000];
        for _ in 0..100_000 {
            if stream.write_all(&piece).is_err() {
                return;
            }
            self.state.lock().unwrap().bytes_sent += piece.len();
        }
    }
}

/// The client may have closed the connection.
fn send(stream: &mut TcpStream, bytes: &str) {
    let _ = stream.write_all(bytes.as_bytes());
}

/// What the service would say to this request.
fn reply(first_line: &str, value: &str) -> String {
    let path = first_line.split(' ').nth(1).unwrap();
    let url = Url::parse("http://host").unwrap().join(path).unwrap();
    let query: HashMap<_, _> = url.query_pairs().collect();
    let body = format!(
        r#"{{"request_id":"r","instance_id":"{}","flag_type":"{}","flag_name":"{}","flag_value":{value},"rollout_group":"treatment_1"}}"#,
        query["instance_id"], query["flag_type"], query["flag_name"],
    );
    whole("200 OK", "", &body)
}

/// An answer with a body; headers end their lines.
pub(crate) fn whole(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}
