//! A proxy that passes on every request, but treats event streams badly.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// What a proxy does with event streams.
#[derive(Clone, Copy, Debug)]
pub enum Treatment {
    /// Holds back what the service sends until the service ends the stream.
    Buffers,
    /// Cuts a stream after this time.
    CutsAfter(Duration),
    /// Passes on nothing more after this time, and keeps the connection.
    SwallowsAfter(Duration),
}

/// A running proxy.
#[derive(Debug)]
pub struct StreamProxy {
    url: String,
    streams: Arc<Mutex<Vec<Instant>>>,
    serving: JoinHandle<()>,
}

impl StreamProxy {
    /// Starts a proxy in front of a service, `host:port`.
    pub async fn start(target: &str, treatment: Treatment) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let streams = Arc::default();
        let serving = serve(listener, target.to_owned(), treatment, Arc::clone(&streams));
        Self {
            url,
            streams,
            serving: tokio::spawn(serving),
        }
    }

    /// Where it serves.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// When a stream was asked for.
    pub fn streams(&self) -> Vec<Instant> {
        self.streams.lock().unwrap().clone()
    }
}

impl Drop for StreamProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    listener: TcpListener,
    target: String,
    treatment: Treatment,
    streams: Arc<Mutex<Vec<Instant>>>,
) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let (near, _) = listener.accept().await.unwrap();
        connections.spawn(pass(near, target.clone(), treatment, Arc::clone(&streams)));
    }
}

async fn pass(
    mut near: TcpStream,
    target: String,
    treatment: Treatment,
    streams: Arc<Mutex<Vec<Instant>>>,
) {
    let Ok(mut far) = TcpStream::connect(target).await else {
        return;
    };
    let mut head = [0; 512];
    let read = near.peek(&mut head).await.unwrap_or(0);
    if !asks_for_stream(head.get(..read).unwrap_or_default()) {
        pass_requests(&mut near, &mut far).await;
        return;
    }
    streams.lock().unwrap().push(Instant::now());
    match treatment {
        Treatment::Buffers => buffer(&mut near, &mut far).await,
        Treatment::CutsAfter(time) => {
            let _ = timeout(time, copy_bidirectional(&mut near, &mut far)).await;
        }
        Treatment::SwallowsAfter(time) => {
            let _ = timeout(time, copy_bidirectional(&mut near, &mut far)).await;
            // Until the client gives up.
            while matches!(near.read(&mut [0; 512]).await, Ok(1..)) {
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

fn asks_for_stream(request: &[u8]) -> bool {
    let head = String::from_utf8_lossy(request);
    let line = head.lines().next().unwrap_or_default();
    line.contains("/events ") || line.contains("/dashboard/events?")
}

/// Passes on all but streams. If the client asks for one on this connection, it is closed, and the client asks on a new one.
async fn pass_requests(near: &mut TcpStream, far: &mut TcpStream) {
    let (mut near_read, mut near_write) = near.split();
    let (mut far_read, mut far_write) = far.split();
    let answers = tokio::io::copy(&mut far_read, &mut near_write);
    let requests = async {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let length = near_read.read(&mut buffer).await.unwrap_or(0);
            let request = buffer.get(..length).unwrap_or_default();
            if request.is_empty() || asks_for_stream(request) {
                return;
            }
            if far_write.write_all(request).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = answers => {}
        () = requests => {}
    }
}

/// Passes the request on, and the answer when it is whole; ends with the client.
async fn buffer(near: &mut TcpStream, far: &mut TcpStream) {
    let (mut near_read, mut near_write) = near.split();
    let (mut far_read, mut far_write) = far.split();
    let request = tokio::io::copy(&mut near_read, &mut far_write);
    let answer = async {
        let mut whole = Vec::new();
        let _ = far_read.read_to_end(&mut whole).await;
        let _ = near_write.write_all(&whole).await;
    };
    tokio::select! {
        _ = request => {}
        () = answer => {}
    }
}
