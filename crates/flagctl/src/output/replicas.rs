//! The replicas of the service.

use std::time::Duration;

use flag_describe::{SILENT_REPLICA, clock_error};
use flag_model::{ProjectName, Timestamp};
use flag_store::{Replica, ServedRevisions};
use serde::Serialize;

use super::escape::list_item;
use super::text::{Columns, Text, Tone};
use super::view::View;
use super::when::{ago, to_the_second};

/// What a replica serves, compared with the newest revisions of the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReplicaState {
    UpToDate,
    Behind,
    NotAsked,
    NotWatching,
    Silent,
}

/// The replicas of the service, and what they serve of a project.
pub(crate) struct Replicas {
    pub(crate) project: ProjectName,
    pub(crate) shown: Vec<ReportedReplica>,
    pub(crate) now: Timestamp,
    /// How old the latest report is.
    pub(crate) age: Option<Duration>,
}

/// A replica, and what it reported of the project.
pub(crate) struct ReportedReplica {
    pub(crate) replica: Replica,
    pub(crate) served: Option<ServedRevisions>,
    pub(crate) state: ReplicaState,
}

#[derive(Serialize)]
struct Data {
    project: String,
    replicas: Vec<ReplicaData>,
}

/// A replica as data.
#[derive(Serialize)]
pub(crate) struct ReplicaData {
    name: String,
    id: String,
    build: String,
    started: String,
    reported: String,
    clock_error_seconds: Option<i64>,
    digest: Option<String>,
    state: ReplicaState,
}

impl ReplicaState {
    fn text(self) -> &'static str {
        match self {
            Self::UpToDate => "up to date",
            Self::Behind => "behind",
            Self::NotAsked => "not asked for the project by its last report",
            Self::NotWatching => "does not watch for changes",
            Self::Silent => SILENT_REPLICA,
        }
    }
}

fn said(replica: &Replica, state: ReplicaState) -> String {
    let mut said = state.text().to_owned();
    if let Some(seconds) = replica.clock_error() {
        said += "; ";
        said += &clock_error(seconds);
    }
    said
}

impl Replicas {
    /// Whether no replica is live.
    pub(crate) fn are_silent(&self) -> bool {
        let mut replicas = self.shown.iter();
        replicas.all(|of| of.state == ReplicaState::Silent)
    }
}

impl ReplicaData {
    /// Of a replica.
    pub(crate) fn of(of: &ReportedReplica) -> Self {
        let replica = &of.replica;
        let digest = of.served.as_ref().and_then(|served| served.digest);
        Self {
            name: replica.name.clone(),
            id: replica.id.to_string(),
            build: replica.build.clone(),
            started: replica.started.to_string(),
            reported: replica.last_heard().to_string(),
            clock_error_seconds: replica.clock_error(),
            digest: digest.map(|digest| digest.to_string()),
            state: of.state,
        }
    }
}

impl View for Replicas {
    fn data(&self) -> impl Serialize {
        Data {
            project: self.project.to_string(),
            replicas: self.shown.iter().map(ReplicaData::of).collect(),
        }
    }

    fn text(&self) -> Text {
        if self.shown.is_empty() {
            return Text::default();
        }
        let heading = ["REPLICA", "BUILD", "STARTED (UTC)", "REPORTED", "STATE"];
        let mut columns = Columns::headed(heading);
        for ReportedReplica { replica, state, .. } in &self.shown {
            let cells = [
                list_item(&replica.name),
                list_item(&replica.build),
                to_the_second(replica.started),
                ago(replica.last_heard(), self.now),
                said(replica, *state),
            ];
            columns.line(Tone::Plain, cells);
        }
        columns.text()
    }

    fn names(&self) -> Vec<String> {
        let replicas = self.shown.iter();
        replicas.map(|of| of.replica.name.clone()).collect()
    }
}
