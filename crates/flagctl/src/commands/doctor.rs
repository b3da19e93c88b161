//! `flagctl doctor`: checks settings, store, tables and rows. Changes nothing.
mod exposures;
mod rows;
mod splits;

use std::time::{Duration, Instant};

use clap::Args;
use flag_model::ProjectName;
use flag_settings::{OpenStoreError, StoreSettings, table};
use flag_store::{
    Clock as _, ExposureLog, ExposureScope, PAGE, Pages, StoreError, SystemClock, TimeRange,
    project_rows,
};
use flag_store_bigtable::{BigtableSettings, BigtableTables, Expiry, Table, TableState};
use flag_store_embedded::OpenError;

use self::exposures::ProjectExposures;
use self::rows::ProjectRows;
use super::init::advice;
use super::today;
use crate::admin_store::{AdminStore, open_log};
use crate::args::OutputArgs;
use crate::context::{Context, StoreNotOpened};
use crate::exit_code::ExitCode;
use crate::failure::{Failure, with_causes};
use crate::interpret::ArgumentError;
use crate::output::{self, Checks, RowLocation, Status};

/// Advice if there is no store.
const NO_STORE: &str = "if there should be one, name its folder with --data-dir or FLAG_DATA_DIR; else run `flagctl init`";

/// Advice if a file of the store is missing.
const LOST_FILE: &str = "find out what happened to the file before you run one of the two";

/// Advice if a table is missing.
const INIT: &str = "`flagctl init` creates what is missing";

/// Advice if a file is damaged.
const DAMAGED: &str = "`flagctl restore-backup DIR --replace` replaces damaged files with a backup, and keeps a copy of them";

/// How long exposures should be kept, for advice.
const RETENTION: Duration = Duration::from_hours(90 * 24);

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Projects whose rows are checked [default: every project]
    #[arg(value_name = "PROJECT")]
    projects: Vec<String>,
    /// A project whose rows are checked; may be repeated
    #[arg(short = 'p', long = "project", value_name = "PROJECT")]
    more_projects: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// The results, and the exit code.
struct Doctor {
    checks: Checks,
    code: ExitCode,
}

/// Runs all checks, and shows a line for each.
pub(crate) async fn doctor(context: &Context, args: &DoctorArgs) -> Result<(), Failure> {
    let projects = args.projects.iter().chain(&args.more_projects);
    let projects = projects.map(ProjectName::new);
    let projects: Vec<ProjectName> = projects
        .collect::<Result<_, _>>()
        .map_err(ArgumentError::from)?;
    let mut doctor = Doctor {
        checks: Checks::default(),
        code: ExitCode::Failed,
    };
    let examined = doctor.examine(context, &projects);
    output::with_progress(
        format!("examining the {}", context.store_display_name()),
        examined,
    )
    .await;
    output::show(&doctor.checks, args.output.format)?;
    if doctor.checks.any_failed() {
        return Err(Failure::explained_by_output(doctor.code));
    }
    Ok(())
}

impl Doctor {
    async fn examine(&mut self, context: &Context, projects: &[ProjectName]) {
        self.settings(context);
        let settings = context.settings();
        let opened = async {
            let opened = AdminStore::open_existing(context, settings).await?;
            Ok::<_, StoreNotOpened>((opened, open_log(context, settings).await?))
        };
        let (opened, log) = match opened.await {
            Ok(opened) => opened,
            Err(failure) => {
                self.unreachable("store", &with_causes(&failure));
                let advice = match failure {
                    StoreNotOpened::Missing { .. } => NO_STORE.to_owned(),
                    StoreNotOpened::Open(OpenStoreError::Embedded(
                        OpenError::Gone { .. } | OpenError::Empty { .. },
                    )) => LOST_FILE.to_owned(),
                    _ => store_advice(context.settings()),
                };
                return self.checks.advise(advice);
            }
        };
        let ping = self.ping(&opened, &*log).await;
        if let Err(error) = &ping {
            let absent = opened.absent_tables(settings).await;
            let is_absent = absent.is_ok_and(|absent| !absent.is_empty());
            let advice = if is_absent {
                INIT.to_owned()
            } else {
                failure_advice(settings, error)
            };
            self.checks.advise(advice);
        }
        if ping.as_ref().is_err_and(StoreError::is_transient) {
            // A store that doesn't answer can't list its tables either.
            return;
        }
        if let StoreSettings::Bigtable(settings) = settings {
            self.tables(settings).await;
        }
        if ping.is_ok()
            && let Err(error) = self.rows(&opened, &*log, projects).await
        {
            self.unreachable("rows", &with_causes(&error));
            self.checks
                .advise(failure_advice(context.settings(), &error));
        }
    }

    fn settings(&mut self, context: &Context) {
        for setting in context.sources.effective(table::OF_STORE) {
            if !setting.value.is_empty() {
                let found = format!("{} ({})", setting.value, setting.origin);
                let check = format!("setting {}", setting.option);
                self.checks.note(Status::Ok, check, found);
            }
        }
        for variable in context.sources.unknown_variables() {
            let check = format!("variable {}", variable.name);
            let found = variable.to_string();
            self.checks.note(Status::Warning, check, found);
        }
    }

    fn unreachable(&mut self, check: &str, found: &str) {
        self.code = ExitCode::StoreUnavailable;
        self.checks.note(Status::Failed, check, found);
    }

    async fn ping(&mut self, opened: &AdminStore, log: &dyn ExposureLog) -> Result<(), StoreError> {
        let started = Instant::now();
        let ping = async {
            opened.ping().await?;
            log.ping().await
        };
        let ping = ping.await;
        match &ping {
            Ok(()) => {
                let took = started.elapsed().as_secs_f64() * 1_000.0;
                let found = format!("answered in {took:.1} ms: {}", opened.display_name);
                self.checks.note(Status::Ok, "store", found);
            }
            Err(error) => {
                let found = format!("{}: {}", opened.display_name, with_causes(error));
                self.unreachable("store", &found);
            }
        }
        ping
    }

    async fn tables(&mut self, settings: &BigtableSettings) {
        let tables = BigtableTables::new(settings.clone());
        for table in Table::ALL {
            let check = format!("table {}", settings.table(table));
            let (status, found, advice) = match tables.table_state(table).await {
                Ok(state) => judged(settings, table, &state),
                Err(error) => (
                    Status::Failed,
                    with_causes(&error),
                    bigtable_advice(settings),
                ),
            };
            self.checks.note(status, check, found);
            self.checks.advise(advice);
        }
    }

    async fn rows(
        &mut self,
        opened: &AdminStore,
        log: &dyn ExposureLog,
        projects: &[ProjectName],
    ) -> Result<(), StoreError> {
        let mut names = projects.to_vec();
        if names.is_empty() {
            let found = opened.flags().projects().await?;
            for key in found.keys_without_project {
                let problem = "belongs to no project, and is never served";
                let found = format!("{key} {problem}");
                let location = RowLocation {
                    row_key: key,
                    column: "row key".to_owned(),
                    problem: problem.to_owned(),
                };
                (self.checks).note_row(Status::Warning, "row", location, found);
            }
            names = found.names;
        }
        if names.is_empty() {
            self.checks.note(
                Status::Warning,
                "rows",
                "no project has rows: is this the right store?",
            );
        }
        let today = today();
        for project in names {
            let scan = project_rows(&project);
            let mut pages = Pages::new(&*opened.rows, scan);
            let newest = opened.flags().flag_entries(&project).await?;
            if newest.is_empty() && projects.contains(&project) {
                self.code = ExitCode::NotFound;
            }
            let in_force = splits::in_force(&newest);
            let mut rows = ProjectRows::new(project.clone(), today, opened.options(), newest);
            loop {
                let page = pages.next().await?;
                if page.is_empty() {
                    break;
                }
                for row in &page {
                    rows.look_at(row);
                }
            }
            if rows.finish(&mut self.checks) && self.code == ExitCode::Failed {
                self.code = ExitCode::Refused;
            }
            self.exposures(log, project).await?;
            for revision in &in_force {
                splits::check(log, revision, SystemClock.now(), &mut self.checks).await?;
            }
        }
        Ok(())
    }

    async fn exposures(
        &mut self,
        log: &dyn ExposureLog,
        project: ProjectName,
    ) -> Result<(), StoreError> {
        let mut exposures = ProjectExposures::new(project.clone());
        let mut after = None;
        while !exposures.is_complete() {
            let of = ExposureScope::Project(&project);
            let page = log.batches(of, TimeRange::ALL, after.as_ref(), PAGE);
            let mut page = page.await?;
            after = page.next.take();
            for batch in &page.unreadable {
                exposures.unreadable_batch(batch);
            }
            for record in page.into_records() {
                exposures.look_at(record.row());
            }
            if after.is_none() {
                break;
            }
        }
        exposures.finish(&mut self.checks);
        Ok(())
    }
}

/// The state of a table, and the advice if it is wrong.
fn judged(
    settings: &BigtableSettings,
    table: Table,
    state: &TableState,
) -> (Status, String, String) {
    let init = INIT.to_owned();
    match state {
        TableState::Missing => (Status::Failed, "does not exist".to_owned(), init),
        TableState::WithoutFamily => (Status::Failed, "lacks its column family".to_owned(), init),
        TableState::Ready(expiry) if expiry.is_right(table) => {
            (Status::Ok, expiry.to_string(), String::new())
        }
        TableState::Ready(expiry) => {
            let expected = Expiry::expected(table, RETENTION);
            let found = format!("{expiry}; expected that it {expected}");
            (Status::Failed, found, advice(settings, table, &expected))
        }
    }
}

/// Advice about a store that failed.
fn failure_advice(settings: &StoreSettings, error: &StoreError) -> String {
    match (settings, error) {
        (StoreSettings::Embedded(_), StoreError::Broken { .. }) => DAMAGED.to_owned(),
        _ => store_advice(settings),
    }
}

/// Advice about a store that cannot be used.
fn store_advice(settings: &StoreSettings) -> String {
    match settings {
        StoreSettings::Embedded(folder) => format!(
            "check that {} is writable, that its disk is not full, and which other programs use its files; `flagctl restore-backup` restores a backup",
            folder.display()
        ),
        StoreSettings::Bigtable(settings) => bigtable_advice(settings),
    }
}

fn bigtable_advice(settings: &BigtableSettings) -> String {
    match &settings.emulator {
        Some(emulator) => format!(
            "start the emulator at {emulator}, or unset BIGTABLE_EMULATOR_HOST to use Google Cloud"
        ),
        None => format!(
            "check that {}/{} is right and reachable, and sign in: `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS",
            settings.project, settings.instance
        ),
    }
}
