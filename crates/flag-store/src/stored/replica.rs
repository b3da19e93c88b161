//! The rows that replicas report.

use std::time::Duration;

use flag_model::{Invalid, ProjectName, Timestamp, quoted};

use crate::head::ProjectDigest;
use crate::replicas::{Replica, ServedRevisions};
use crate::row_key::{ReplicaId, replica_key, replica_of, served_key};
use crate::rows::{Cells, Row, TimestampedRow};

const NAME: &str = "Name";
const BUILD: &str = "Build";
const STARTED: &str = "StartedTime";
const REPORTED: &str = "ReportedTime";
const WATCHES: &str = "Watches";
const POLL: &str = "PollMs";
/// That of an older release which watches for changes: the default.
const OLDER_POLL: Duration = Duration::from_millis(500);
const DIGEST: &str = "Digest";
const CHANGED: &str = "Changed";

/// The row of a replica.
pub(crate) fn encode_replica(replica: &Replica) -> Row {
    let poll = replica.polls_every.unwrap_or_default();
    let cells = Cells::default()
        .with(BUILD, &replica.build)
        .with(NAME, &replica.name)
        .with(POLL, poll.as_millis().to_string())
        .with(REPORTED, replica.reported.to_string())
        .with(STARTED, replica.started.to_string())
        .with(WATCHES, replica.polls_every.is_some().to_string());
    Row {
        key: replica_key(replica.id).into_bytes(),
        cells,
    }
}

/// Reads the row of a replica.
pub(crate) fn decode_replica(report: &TimestampedRow) -> Result<Replica, Invalid> {
    let row = &report.row;
    let time = |column| Timestamp::parse(text(row, column)?);
    let poll = text(row, POLL).ok().and_then(|poll| poll.parse().ok());
    let poll = poll.map_or(OLDER_POLL, Duration::from_millis);
    Ok(Replica {
        id: replica_of(&row.key)?,
        name: text(row, NAME)?.to_owned(),
        build: text(row, BUILD)?.to_owned(),
        started: time(STARTED)?,
        reported: time(REPORTED)?,
        written: report.written,
        polls_every: (text(row, WATCHES)? == "true").then_some(poll),
    })
}

/// The row of what a replica serves of a project. `Changed` is a JSON array of `[flag, time of its revision]`.
pub(crate) fn encode_served(
    project: &ProjectName,
    replica: ReplicaId,
    served: &ServedRevisions,
) -> Row {
    let changed = served.changed.iter();
    let changed = changed.map(|(flag, time)| {
        let flag = format!("{}/{}", flag.flag_type, flag.name);
        (flag, time.to_string())
    });
    let changed: Vec<_> = changed.collect();
    let digest = served.digest.map(|digest| digest.to_string());
    let cells = Cells::default()
        // Texts can always be written.
        .with(CHANGED, serde_json::to_string(&changed).unwrap_or_default())
        .with(DIGEST, digest.unwrap_or_default());
    Row {
        key: served_key(project, replica).into_bytes(),
        cells,
    }
}

/// Reads what a replica serves of a project.
pub(crate) fn decode_served(
    project: &ProjectName,
    row: &Row,
) -> Result<(ReplicaId, ServedRevisions), Invalid> {
    let found = text(row, CHANGED)?;
    let refused = |_| Invalid::new(CHANGED, quoted(found), "[[flag, time], …]");
    let entries: Vec<(String, String)> = serde_json::from_str(found).map_err(refused)?;
    let mut changed = Vec::new();
    for (flag, time) in entries {
        // A name that can be read in two ways is left to the digest.
        if let Ok(flag) = format!("{project}/{flag}").parse() {
            changed.push((flag, Timestamp::parse(&time)?));
        }
    }
    let served = ServedRevisions {
        digest: ProjectDigest::parse(text(row, DIGEST)?),
        changed,
    };
    Ok((replica_of(&row.key)?, served))
}

fn text<'a>(row: &'a Row, column: &'static str) -> Result<&'a str, Invalid> {
    let cell = row.cells.get(column).map(str::from_utf8);
    cell.and_then(Result::ok)
        .ok_or_else(|| Invalid::new(column, "no text", "a text"))
}
