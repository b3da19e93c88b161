//! Results on standard output, talk on standard error.
mod applied;
mod checks;
mod compared;
mod copied;
mod diff;
mod explained;
mod exported;
mod exposures;
mod files;
mod flag;
mod forgotten;
mod history;
mod json;
mod keys;
mod list;
mod pager;
mod parts;
mod progress;
mod statement;
mod table;
mod terminal;
mod text;
mod visible;
mod written;
mod yaml;

use std::io::{self, ErrorKind, Write as _};

use flag_model::{AlgorithmSource, FlagKey, Format, HashAlgorithm, Revision, Timestamp};
use flag_store::{Row, UnreadableRow};
use serde::Serialize;

pub(crate) use self::applied::{Applied, AppliedFlag};
pub(crate) use self::checks::{Checks, Place, Status};
pub(crate) use self::compared::ComparedServices;
pub(crate) use self::copied::CopiedRows;
pub(crate) use self::diff::Diff;
pub(crate) use self::explained::Explained;
pub(crate) use self::exported::Exported;
pub(crate) use self::exposures::Exposures;
pub(crate) use self::files::Files;
pub(crate) use self::flag::{Flag, Latest};
pub(crate) use self::forgotten::{Forgotten, Listing};
pub(crate) use self::history::{MetadataHistory, Revisions};
pub(crate) use self::json::number;
pub(crate) use self::keys::{Keys, NewKey, RevokedKey};
pub(crate) use self::list::{Flags, Told};
use self::pager::Paged;
pub(crate) use self::parts::{Part, PartState, Parts};
pub(crate) use self::progress::noted;
pub(crate) use self::statement::Statement;
pub(crate) use self::terminal::{has_colours, prepare};
pub(crate) use self::text::{Text, Tone};
pub(crate) use self::visible::{hides, item, lines, shown, visible};
use self::written::Written;
use self::yaml::yaml;
use crate::args::Form;
use crate::failure::Failure;

/// What a command answers, in every form.
pub(crate) trait Answer {
    /// The structure that JSON and YAML show.
    fn data(&self) -> impl Serialize;
    /// What a person reads.
    fn text(&self) -> Text;
    /// One name per line.
    fn names(&self) -> Vec<String>;
}

/// Tells a person what happened.
pub(crate) fn talk(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", lines(message));
}

/// Shows an answer on standard output; through a pager if that is a terminal which it doesn't fit.
pub(crate) fn answer(answer: &impl Answer, form: Form) -> Result<(), Failure> {
    let text = match form {
        Form::Table => answer.text(),
        Form::Json => Text::verbatim(&json(&answer.data())?),
        Form::Yaml => Text::verbatim(&yaml(&answer.data()).map_err(Failure::Output)?),
        Form::Name => {
            let names = answer.names();
            let names = names.iter().map(|name| format!("{}\n", shown(name)));
            Text::plain(&names.collect::<String>())
        }
    };
    show(&text).map_err(Failure::Output)
}

/// Shows a row as it was written.
pub(crate) fn written(
    flag: &FlagKey,
    created: Timestamp,
    row: &Row,
    form: Form,
) -> Result<(), Failure> {
    let written = Written { flag, created, row };
    answer(&written, form)
}

/// Revisions in columns, to be shown in an error.
pub(crate) fn history_table(revisions: &[Result<Revision, UnreadableRow>]) -> String {
    history::of_revisions(revisions).uncoloured()
}

/// Writes text for other programs to standard output as it is.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write(text).map_err(Failure::Output)
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(value);
    let json = json.map_err(|error| Failure::Output(error.into()))?;
    Ok(visible::escaped_json(&json))
}

fn show(text: &Text) -> io::Result<()> {
    let shown = if terminal::has_colours(&io::stdout()) {
        text.coloured()
    } else {
        text.uncoloured()
    };
    let is_too_long = terminal::size().is_some_and(|(width, height)| text.rows(width) >= height);
    if is_too_long
        && pager::page(&shown, terminal::pager(), terminal::less_options())? == Paged::Seen
    {
        return Ok(());
    }
    write(&shown)
}

/// Writes to standard output; a reader who has seen enough and gone is no failure.
fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// When a revision row was made, even if it cannot be read.
pub(crate) fn created(revision: &Result<Revision, UnreadableRow>) -> Option<Timestamp> {
    history::created(revision, Revision::created)
}

/// The digest that a revision's row names.
pub(crate) fn named_algorithm(format: &Format) -> Option<HashAlgorithm> {
    let is_named = !matches!(
        format,
        Format::V1 {
            source: AlgorithmSource::Setting,
            ..
        }
    );
    is_named.then(|| format.algorithm())
}
