//! A network between the service and its store, which fails on command.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// Passes bytes on between clients and a target.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    serving: JoinHandle<()>,
}

/// What the network does to bytes.
#[derive(Clone, Debug)]
enum Weather {
    /// Passes them on.
    Clear,
    /// Passes each piece on after a while.
    Slow(Duration),
    /// Keeps them to itself; nothing is refused either.
    Silent,
    /// Passes on this many bytes of answers, over all connections, then falls silent.
    SilentAfter(Arc<AtomicU64>),
    /// Ends the connections that there are, then passes on.
    Cut(u64),
}

impl Proxy {
    /// A network to the target, `host:port`, that works.
    pub async fn to(target: &str) -> Self {
        Self::at("127.0.0.1:0", target).await
    }

    /// The same at an address, where one may have been that was cut.
    pub async fn at(address: &str, target: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (weather, seen) = watch::channel(Weather::Clear);
        let serving = tokio::spawn(serve(listener, target.to_owned(), seen));
        Self {
            address,
            weather,
            serving,
        }
    }

    /// Where to connect, `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on nothing arrives, and nothing is refused either.
    pub fn fall_silent(&self) {
        self.weather.send_replace(Weather::Silent);
    }

    /// From now on nothing arrives after `bytes` more bytes of answers: silence amid an answer.
    pub fn fall_silent_after(&self, bytes: u64) {
        let left = Arc::new(AtomicU64::new(bytes));
        self.weather.send_replace(Weather::SilentAfter(left));
    }

    /// From now on every piece takes this much longer, each way.
    pub fn slow_down(&self, by: Duration) {
        self.weather.send_replace(Weather::Slow(by));
    }

    /// From now on everything arrives again.
    pub fn speak_again(&self) {
        self.weather.send_replace(Weather::Clear);
    }

    /// Ends the connections that there are; new ones work.
    pub fn cut_connections(&self) {
        self.weather.send_modify(|weather| {
            let cuts = if let Weather::Cut(cuts) = weather {
                *cuts
            } else {
                0
            };
            *weather = Weather::Cut(cuts + 1);
        });
    }

    /// Cuts every connection and refuses new ones.
    pub async fn cut(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }
}

async fn serve(listener: TcpListener, target: String, weather: watch::Receiver<Weather>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let (near, _) = listener.accept().await.unwrap();
        let Ok(far) = TcpStream::connect(&target).await else {
            continue;
        };
        connections.spawn(connect(near, far, weather.clone()));
    }
}

/// Passes on until either side ends, or the network cuts.
async fn connect(near: TcpStream, far: TcpStream, mut weather: watch::Receiver<Weather>) {
    weather.mark_unchanged();
    let (questions, answers) = (weather.clone(), weather.clone());
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    let cut = async {
        while weather.changed().await.is_ok() {
            if matches!(*weather.borrow_and_update(), Weather::Cut(_)) {
                return;
            }
        }
    };
    tokio::select! {
        () = pass(near_read, far_write, questions, Direction::Question) => {}
        () = pass(far_read, near_write, answers, Direction::Answer) => {}
        () = cut => {}
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Question,
    Answer,
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    direction: Direction,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let Some(mut bytes) = buffer.get(..read) else {
            return;
        };
        while !bytes.is_empty() {
            let now = weather.borrow_and_update().clone();
            let passed = match &now {
                Weather::SilentAfter(left) if direction == Direction::Answer => {
                    take(left, bytes.len())
                }
                Weather::Silent => 0,
                Weather::Slow(by) => {
                    sleep(*by).await;
                    bytes.len()
                }
                Weather::Clear | Weather::Cut(_) | Weather::SilentAfter(_) => bytes.len(),
            };
            let (these, others) = bytes.split_at(passed);
            if to.write_all(these).await.is_err() {
                return;
            }
            bytes = others;
            if passed == 0 && weather.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Takes as many of `wanted` bytes as are left.
fn take(left: &AtomicU64, wanted: usize) -> usize {
    let before = left
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            Some(left.saturating_sub(wanted as u64))
        })
        .unwrap_or_default();
    usize::try_from(before).unwrap_or(wanted).min(wanted)
}
