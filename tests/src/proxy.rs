//! A network between the service and its store, that fails when it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// Passes bytes on between whoever connects and a target.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    is_silent: Arc<AtomicBool>,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// A network to the target, `host:port`, that works.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_silent = Arc::new(AtomicBool::new(false));
        let serving = tokio::spawn(serve(listener, target.to_owned(), Arc::clone(&is_silent)));
        Self {
            address,
            is_silent,
            serving,
        }
    }

    /// Where to connect, `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on nothing arrives, and nothing is refused either.
    pub fn fall_silent(&self) {
        self.is_silent.store(true, Ordering::Relaxed);
    }

    /// From now on everything arrives again.
    pub fn speak_again(&self) {
        self.is_silent.store(false, Ordering::Relaxed);
    }

    /// Cuts every connection and refuses new ones.
    pub async fn cut(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }
}

async fn serve(listener: TcpListener, target: String, is_silent: Arc<AtomicBool>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let (near, _) = listener.accept().await.unwrap();
        let Ok(far) = TcpStream::connect(&target).await else {
            continue;
        };
        let ((near_read, near_write), (far_read, far_write)) =
            (near.into_split(), far.into_split());
        connections.spawn(pass(near_read, far_write, Arc::clone(&is_silent)));
        connections.spawn(pass(far_read, near_write, Arc::clone(&is_silent)));
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_silent: Arc<AtomicBool>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        while is_silent.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(1)).await;
        }
        let Some(bytes) = buffer.get(..read) else {
            return;
        };
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
}
