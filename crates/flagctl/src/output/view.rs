//! What a command shows: results on standard output, notices on standard error.

use std::io::{self, ErrorKind, Write as _};

use serde::Serialize;

use super::csv::Csv;
use super::pager::{self, Paged};
use super::template::filled;
use super::text::{Text, Tone, painted, terminal_rows};
use super::tree::Tree;
use super::yaml::yaml;
use super::{escape, terminal};
use crate::args::OutputFormat;
use crate::exit_code::ExitCode;
use crate::failure::{CommandError, Failure, Report};

/// What a command shows, in every format.
pub(crate) trait View {
    /// The structure that JSON and YAML show.
    fn data(&self) -> impl Serialize;
    /// What a person reads.
    fn text(&self) -> Text;
    /// What a person reads who asked for everything.
    fn wide(&self) -> Text {
        self.text()
    }
    /// One name per line.
    fn names(&self) -> Vec<String>;
}

/// The command has done its work, but its result cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the command is done, but its result cannot be written to standard output")]
struct OutputError(#[from] io::Error);

impl CommandError for OutputError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Failed
    }
}

/// Writes a notice to standard error.
pub(crate) fn notice(message: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", escape::escaped_lines(message));
}

/// Shows a person on standard error what would be done.
pub(crate) fn preview(text: &Text) {
    let width = terminal::size(&io::stderr()).map(|(width, _)| width);
    let shown = painted(&text.lines(width), terminal::has_colours(&io::stderr()));
    let _ = io::stderr().lock().write_all(shown.as_bytes());
}

/// Shows a result on standard output; through a pager if the terminal is too small for it.
pub(crate) fn show(view: &impl View, format: OutputFormat) -> Result<(), Failure> {
    show_text(&text(view, format)?)
}

/// A result as a text for a file.
pub(crate) fn rendered(view: &impl View, format: OutputFormat) -> Result<String, Failure> {
    Ok(text(view, format)?.uncoloured())
}

fn text(view: &impl View, format: OutputFormat) -> Result<Text, Failure> {
    let json = |error| OutputError(io::Error::from(error));
    Ok(match format {
        OutputFormat::Table => view.text(),
        OutputFormat::Wide => view.wide(),
        OutputFormat::Json => {
            let text = serde_json::to_string_pretty(&view.data()).map_err(json)?;
            Text::verbatim(&escape::escaped_json(&text))
        }
        OutputFormat::Yaml => Text::verbatim(&yaml(&view.data()).map_err(OutputError)?),
        OutputFormat::Csv => {
            let csv = Csv::of(&Tree::of(&view.data()).map_err(json)?);
            notice_formulas(csv.escaped_cells, "json");
            Text::verbatim(&csv.lines)
        }
        OutputFormat::JsonPath(template) => {
            let result = Tree::of(&view.data()).map_err(json)?;
            Text::verbatim(&filled(template, &result)?)
        }
        OutputFormat::Name => {
            let names = view.names();
            let names = names
                .iter()
                .map(|name| format!("{}\n", escape::escaped(name)));
            Text::plain(&names.collect::<String>())
        }
    })
}

/// Says that cells of CSV are not as they are, and which format has them so.
pub(crate) fn notice_formulas(escaped_cells: u64, exact: &str) {
    if escaped_cells > 0 {
        notice(&format!(
            "{escaped_cells} cells begin with =, +, - or @ and got an apostrophe, so that no spreadsheet runs them; \
             `-o {exact}` writes them as they are"
        ));
    }
}

fn show_text(text: &Text) -> Result<(), Failure> {
    let size = terminal::size(&io::stdout());
    let lines = text.lines(size.map(|(width, _)| width));
    let shown = painted(&lines, terminal::has_colours(&io::stdout()));
    let is_too_long = size.is_some_and(|(width, height)| terminal_rows(&lines, width) >= height);
    if is_too_long && page(&shown)? == Paged::Seen {
        return Ok(());
    }
    print(&shown)
}

fn page(text: &str) -> Result<Paged, OutputError> {
    Ok(pager::page(
        text,
        terminal::pager(),
        terminal::less_options(),
    )?)
}

/// Writes text for other programs to standard output as it is. A closed pipe is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_more(text).map(|_| ())
}

/// Whether standard output still has a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputPipe {
    /// It has one, or is not a pipe.
    Open,
    /// It is a pipe whose reader has closed it.
    Closed,
}

/// Writes a part of a result to standard output, as [`print()`] does.
pub(crate) fn print_more(text: &str) -> Result<OutputPipe, Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Ok(()) => Ok(OutputPipe::Open),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(OutputPipe::Closed),
        Err(error) => Err(OutputError(error).into()),
    }
}

/// Writes further lines of a result to standard output, in colours on a terminal.
pub(crate) fn show_more(text: &Text) -> Result<OutputPipe, Failure> {
    let size = terminal::size(&io::stdout());
    let lines = text.lines(size.map(|(width, _)| width));
    print_more(&painted(&lines, terminal::has_colours(&io::stdout())))
}

/// Writes the reason of a failure to standard error; help goes to standard output.
pub(crate) fn print_failure(failure: &Failure) {
    match &failure.report {
        Report::Help(help) => {
            let _ = help.print();
        }
        Report::Message(message) => {
            // A row, or an argument that a script took from one, may hold control characters.
            let mut message = escape::escaped_lines(message);
            if terminal::has_colours(&io::stderr()) {
                message = coloured(&message);
            }
            let _ = io::stderr().lock().write_all(message.as_bytes());
        }
    }
}

/// The message with the colours of a terminal.
fn coloured(message: &str) -> String {
    let lines = message
        .lines()
        .map(|line| match line.strip_prefix("error:") {
            Some(rest) => format!("{}{rest}\n", Tone::Problem.paint("error:")),
            None => format!("{line}\n"),
        });
    lines.collect()
}
