//! The replicas of the service.

use flag_model::{ProjectName, Timestamp};
use flag_store::{ProjectDigest, Replica};
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
}

/// The replicas of the service, and what they serve of a project.
pub(crate) struct Replicas<'a> {
    pub(crate) project: &'a ProjectName,
    pub(crate) shown: Vec<(Replica, Option<ProjectDigest>, ReplicaState)>,
    pub(crate) now: Timestamp,
}

#[derive(Serialize)]
struct Data {
    project: String,
    replicas: Vec<ReplicaData>,
}

#[derive(Serialize)]
struct ReplicaData {
    name: String,
    id: String,
    build: String,
    started: String,
    reported: String,
    digest: Option<String>,
    state: ReplicaState,
}

impl ReplicaState {
    fn text(self) -> &'static str {
        match self {
            Self::UpToDate => "up to date",
            Self::Behind => "behind",
            Self::NotAsked => "not asked for the project yet",
            Self::NotWatching => "does not watch for changes",
        }
    }
}

impl View for Replicas<'_> {
    fn data(&self) -> impl Serialize {
        let replicas = self.shown.iter();
        let replicas = replicas.map(|(replica, digest, state)| ReplicaData {
            name: replica.name.clone(),
            id: replica.id.to_string(),
            build: replica.build.clone(),
            started: replica.started.to_string(),
            reported: replica.reported.to_string(),
            digest: digest.map(|digest| digest.to_string()),
            state: *state,
        });
        Data {
            project: self.project.to_string(),
            replicas: replicas.collect(),
        }
    }

    fn text(&self) -> Text {
        if self.shown.is_empty() {
            return Text::default();
        }
        let heading = ["REPLICA", "BUILD", "STARTED (UTC)", "REPORTED", "STATE"];
        let mut columns = Columns::headed(heading);
        for (replica, _, state) in &self.shown {
            let cells = [
                list_item(&replica.name),
                list_item(&replica.build),
                to_the_second(replica.started),
                ago(replica.reported, self.now),
                state.text().to_owned(),
            ];
            columns.line(Tone::Plain, cells);
        }
        columns.text()
    }

    fn names(&self) -> Vec<String> {
        let replicas = self.shown.iter();
        replicas.map(|(replica, ..)| replica.name.clone()).collect()
    }
}
