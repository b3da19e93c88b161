//! What the store does when Bigtable misbehaves, shown against a server that answers from a script.
mod appending;
mod batches;
mod deadlines;
mod renewal;
mod retries;
mod rows;
mod server;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bigtable_rs::google::bigtable::v2::read_rows_response::CellChunk;
use bigtable_rs::google::bigtable::v2::read_rows_response::cell_chunk::RowStatus;
use flag_store::{
    Cells, Columns, CompareAndSet, Expected, ExposureRows, Insert, Row, RowStore, Scan, StoreError,
};
use flag_store_bigtable::{BigtableLog, BigtableSettings, BigtableStore};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tonic::{Code, Status};

use self::server::{Answer, Asked, Scripted};

/// How long every call may take, in tests of deadlines.
const SHORT: Duration = Duration::from_millis(400);
/// How much later than that a call may end on a machine that is busy.
const SLACK: Duration = Duration::from_secs(2);

fn settings(address: SocketAddr) -> BigtableSettings {
    BigtableSettings {
        emulator: Some(address.to_string()),
        channels: 1,
        // A busy machine must not make a call time out that is not meant to.
        read_attempt: Duration::from_secs(5),
        read_timeout: Duration::from_secs(20),
        write_attempt: Duration::from_secs(5),
        write_timeout: Duration::from_secs(20),
        batch_attempt: Duration::from_secs(5),
        batch_timeout: Duration::from_secs(20),
        ..BigtableSettings::new("p", "i", "flags", "log")
    }
}

async fn store(server: &Scripted) -> BigtableStore {
    BigtableStore::connect(settings(server.address))
        .await
        .unwrap()
}

async fn hasty_store(address: SocketAddr) -> BigtableStore {
    store_that_waits(address, SHORT / 4, SHORT).await
}

async fn store_that_waits(
    address: SocketAddr,
    attempt: Duration,
    total: Duration,
) -> BigtableStore {
    BigtableStore::connect(settings_that_wait(address, attempt, total))
        .await
        .unwrap()
}

async fn log(server: &Scripted) -> BigtableLog {
    BigtableLog::connect(settings(server.address))
        .await
        .unwrap()
}

async fn log_that_waits(address: SocketAddr, attempt: Duration, total: Duration) -> BigtableLog {
    BigtableLog::connect(settings_that_wait(address, attempt, total))
        .await
        .unwrap()
}

fn settings_that_wait(address: SocketAddr, attempt: Duration, total: Duration) -> BigtableSettings {
    BigtableSettings {
        read_attempt: attempt,
        read_timeout: total,
        write_attempt: attempt,
        write_timeout: total,
        batch_attempt: attempt,
        batch_timeout: total,
        ..settings(address)
    }
}

fn row(key: &str, value: &str) -> Row {
    Row {
        key: key.into(),
        cells: Cells::default().with("Name", value),
    }
}

/// A cell of a row, or its first piece if `size` is not zero.
fn chunk(key: &str, value: &str, size: i32) -> CellChunk {
    CellChunk {
        row_key: key.into(),
        family_name: Some("metadata".into()),
        qualifier: Some("Name".into()),
        value: value.into(),
        value_size: size,
        ..CellChunk::default()
    }
}

fn more(value: &str, size: i32) -> CellChunk {
    CellChunk {
        value: value.into(),
        value_size: size,
        ..CellChunk::default()
    }
}

fn committed(chunk: CellChunk) -> CellChunk {
    CellChunk {
        row_status: Some(RowStatus::CommitRow(true)),
        ..chunk
    }
}

/// One message with one whole row.
fn whole(key: &str, value: &str) -> Vec<CellChunk> {
    vec![committed(chunk(key, value, 0))]
}

async fn get(store: &BigtableStore) -> Result<Option<Row>, StoreError> {
    store.get(b"k", Columns::All).await
}

async fn compare_and_set(store: &BigtableStore) -> Result<CompareAndSet, StoreError> {
    let expected = Expected {
        column: "Name",
        value: Some(b"1"),
    };
    let cells = Cells::default().with("Name", "2");
    store.compare_and_set(b"k", expected, &cells).await
}

fn unavailable() -> Answer {
    Answer::Status(Status::unavailable("restarting"))
}
