//! Reads the command line and runs the command that it names.

use std::ffi::OsString;
use std::io;

use flag_settings::{Reader, ignore_sigxfsz};
use flag_store::{Clock as _, SystemClock};

use crate::command_line::{self, Command, Read};
use crate::commands;
use crate::context::Context;
use crate::environment::Variables;
use crate::failure::{CannotStart, Failure};
use crate::output;
use crate::owner::with_owner;

/// Runs the command that the command line names.
pub(crate) fn run(args: &[OsString], variables: Variables) -> Result<(), Failure> {
    ignore_sigxfsz().map_err(CannotStart::from)?;
    output::prepare(&variables, SystemClock.now());
    let variables = with_owner(variables);
    let Read {
        command,
        sources,
        colours,
    } = command_line::read(args.iter().cloned(), variables.clone())?;
    output::choose_colours(colours);
    match &command {
        Command::Completions(args) => {
            return commands::completions(args, command_line::command());
        }
        Command::Complete(args) => {
            return commands::complete(args, command_line::command(), variables);
        }
        Command::Manual(args) => return commands::manual(args, command_line::command()),
        Command::Use(args) => return commands::use_project(args, &variables),
        Command::Sql(args) => {
            return runtime()?.block_on(commands::sql(args, variables, sources));
        }
        Command::Keys(args) => return commands::keys(args, Reader::new(sources)),
        _ => {}
    }
    let context = Context::new(variables, sources)?;
    runtime()?.block_on(async {
        let done = run_with_store(&context, command).await;
        context.close().await;
        done
    })
}

async fn run_with_store(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add(args) => commands::add(context, &args).await,
        Command::Revise(args) => commands::revise(context, *args).await,
        Command::Edit(args) => commands::edit(context, args).await,
        Command::Kill(args) => commands::kill(context, &args).await,
        Command::Retire(args) => commands::retire(context, &args).await,
        Command::Projects(args) => commands::projects(context, &args).await,
        Command::Replicas(args) => commands::replicas(context, &args).await,
        Command::Tags(args) => commands::tags(context, &args).await,
        Command::Update(args) => commands::update(context, &args).await,
        Command::Remove { .. } => commands::remove(),
        Command::RunConfig(args) => commands::run_config(context, &args).await,
        Command::Rollback(args) => commands::rollback(context, &args).await,
        Command::Restore(args) => commands::restore(context, &args).await,
        Command::Get(args) => commands::get(context, &args).await,
        Command::History(args) => commands::history(context, &args).await,
        Command::Watch(args) => commands::watch(context, &args).await,
        Command::Latest(args) => commands::latest(context, &args).await,
        Command::List(args) => commands::list(context, &args).await,
        Command::Diff(args) => commands::diff(context, &args).await,
        Command::Explain(args) => commands::explain(context, &args).await,
        Command::Exposures(args) => commands::exposures(context, &args).await,
        Command::Verify(args) => commands::verify(context, &args).await,
        Command::Forget(args) => commands::forget(context, &args).await,
        Command::Init(args) => commands::init(context, &args).await,
        Command::Doctor(args) => commands::doctor(context, &args).await,
        Command::Export(args) => commands::export(context, &args).await,
        Command::Import(args) => commands::import(context, &args).await,
        Command::Apply(args) => commands::apply(context, &args).await,
        Command::Compare(args) => commands::compare(context, &args).await,
        Command::Copy(args) => commands::copy(context, &args).await,
        Command::Backup(args) => commands::backup(context, &args).await,
        Command::RestoreBackup(args) => commands::restore_backup(context, &args).await,
        // These have run already: they need no store.
        Command::Keys(_)
        | Command::Use(_)
        | Command::Sql(_)
        | Command::Completions(_)
        | Command::Complete(_)
        | Command::Manual(_) => Ok(()),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CannotStart> {
    let built: io::Result<_> = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    Ok(built?)
}
