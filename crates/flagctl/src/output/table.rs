//! Results for people, in columns.

use flag_model::{FlagKey, Format, Metadata, Percent, Revision};
use flag_store::{Row, UnreadableRow};

use super::{created, groups};

/// How many characters of a text are shown where many rows are.
const SHORT: usize = 60;

/// How many ids or ranges of a list are shown.
const LISTED: usize = 8;

/// The key and the cells of a row.
pub(super) fn written(row: &Row) -> String {
    let key = String::from_utf8_lossy(&row.key);
    let mut rows = vec![["row key".to_owned(), shown(&key)]];
    rows.extend(row.cells.iter().map(|(column, value)| {
        [column, value].map(|bytes| shown(&String::from_utf8_lossy(bytes)))
    }));
    columns(&rows)
}

/// Metadata and revision of a flag, as far as it has them.
pub(super) fn flag(
    flag: &FlagKey,
    metadata: Option<&Metadata>,
    revision: Option<&Revision>,
) -> String {
    let metadata = metadata.map_or_else(|| "no metadata\n".to_owned(), of_metadata);
    let revision = revision.map_or_else(|| "no revision yet\n".to_owned(), of_revision);
    format!("{flag}\n\n{metadata}\n{revision}")
}

/// One line per revision; those that cannot be read say why.
pub(super) fn history(revisions: &[Result<Revision, UnreadableRow>]) -> String {
    if revisions.is_empty() {
        return String::new();
    }
    let header = [
        "CREATED",
        "VERSION",
        "CONTROL",
        "TREATMENTS",
        "OWNER",
        "COMMENT",
    ];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(revisions.iter().map(|row| match row {
        Ok(revision) => of_history(revision),
        Err(error) => {
            let created = created(row).map_or_else(|| "?".to_owned(), |time| time.to_string());
            vec![
                created,
                format!("unreadable: {}", shown(&error.to_string())),
            ]
        }
    }));
    columns(&lines)
}

fn of_metadata(metadata: &Metadata) -> String {
    let owner = metadata.owner.as_ref().map(ToString::to_string);
    let expires_on = metadata.expires_on.map(|date| date.to_string());
    columns(&[
        ["description".to_owned(), shown(&metadata.description)],
        ["owner".to_owned(), or_none(owner)],
        ["ticket".to_owned(), or_none(metadata.ticket.clone())],
        ["tags".to_owned(), listed(&metadata.tags)],
        ["expires on".to_owned(), or_none(expires_on)],
        ["created".to_owned(), metadata.created().to_string()],
    ])
}

fn of_revision(revision: &Revision) -> String {
    let owner = revision.owner.as_ref().map(ToString::to_string);
    let mut lines = vec![
        ["revision".to_owned(), revision.created().to_string()],
        ["version".to_owned(), placing(&revision.format)],
        ["comment".to_owned(), shown(&revision.comment)],
        ["owner".to_owned(), or_none(owner)],
    ];
    if let Some(rollback_of) = revision.rollback_of {
        lines.push(["rollback of".to_owned(), rollback_of.to_string()]);
    }
    format!("{}\n{}", columns(&lines), of_groups(revision))
}

/// Who gets what: each rollout group with its share, its value and its override list.
fn of_groups(revision: &Revision) -> String {
    let header = ["GROUP", "PERCENT", "OVERRIDES", "BUCKETS", "VALUE"];
    let mut lines = vec![header.map(str::to_owned)];
    let treatments = revision.treatments.iter();
    lines.extend(
        treatments
            .zip(groups(revision))
            .map(|(treatment, (group, ranges))| {
                [
                    group,
                    treatment.percent.to_string(),
                    listed(&treatment.overrides),
                    listed(&ranges),
                    shown(&treatment.value.to_string()),
                ]
            }),
    );
    lines.push([
        "control".to_owned(),
        rest(revision).to_string(),
        "-".to_owned(),
        "all others".to_owned(),
        shown(&revision.control.to_string()),
    ]);
    columns(&lines)
}

/// What the treatments leave.
fn rest(revision: &Revision) -> Percent {
    let treatments = revision.treatments.iter();
    let taken: u32 = treatments
        .map(|treatment| treatment.percent.buckets())
        .sum();
    let rest = Percent::HUNDRED.buckets().saturating_sub(taken);
    Percent::from_buckets(rest).unwrap_or(Percent::ZERO)
}

fn placing(format: &Format) -> String {
    match format {
        Format::V1 => "1, md5".to_owned(),
        Format::V2 { algorithm, salt } => format!("2, {algorithm}, salt {salt}"),
    }
}

fn of_history(revision: &Revision) -> Vec<String> {
    let treatments = revision.treatments.iter().enumerate();
    let treatments: Vec<String> = treatments
        .map(|(at, treatment)| {
            let overrides = match treatment.overrides.len() {
                0 => String::new(),
                1 => " +1 override".to_owned(),
                number => format!(" +{number} overrides"),
            };
            let value = short(&treatment.value.to_string());
            format!(
                "{} {} % {value}{overrides}",
                revision.group(at),
                treatment.percent
            )
        })
        .collect();
    vec![
        revision.created().to_string(),
        revision.format.version().to_string(),
        short(&revision.control.to_string()),
        or_none((!treatments.is_empty()).then(|| treatments.join("; "))),
        or_none(revision.owner.as_ref().map(ToString::to_string)),
        short(&revision.comment),
    ]
}

fn or_none(text: Option<String>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| shown(&text))
}

/// The first ones of a list, and how many more there are.
fn listed(items: &[impl ToString]) -> String {
    let first: Vec<String> = items
        .iter()
        .take(LISTED)
        .map(|item| shown(&item.to_string()))
        .collect();
    match items.len().saturating_sub(LISTED) {
        0 if first.is_empty() => "-".to_owned(),
        0 => first.join(", "),
        more => format!("{}, … ({more} more)", first.join(", ")),
    }
}

fn short(text: &str) -> String {
    let mut short: String = text.chars().take(SHORT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    shown(&short)
}

/// Text as a terminal may show it: one line, and no control characters that a terminal would obey.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Lines of cells, two spaces apart, each column as wide as its widest cell that another one follows.
fn columns<L: AsRef<[String]>>(lines: &[L]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        let cells = line
            .as_ref()
            .split_last()
            .map_or(&[][..], |(_, cells)| cells);
        for (at, cell) in cells.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for line in lines {
        let widths = widths.iter().copied().chain(std::iter::repeat(0));
        let cells = line.as_ref().iter().zip(widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_that_is_shown() {
        assert_eq!(shown("a\nb\u{1b}[31m\tö 日"), "a\\nb\\u{1b}[31m\\tö 日");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let lines = [
            vec!["a", "bb", "c"],
            vec!["aaa", "b", ""],
            vec!["a", "long and last"],
        ];
        let lines = lines.map(|line| line.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(columns(&lines), "a    bb  c\naaa  b\na    long and last\n");
    }

    #[test]
    fn a_long_list_says_how_many_are_left_out() {
        let items: Vec<usize> = (1..=10).collect();
        assert_eq!(listed(&items), "1, 2, 3, 4, 5, 6, 7, 8, … (2 more)");
        assert_eq!(listed(&items[..1]), "1");
        assert_eq!(listed(&items[..0]), "-");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(short(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(short(&"é".repeat(61)), "é".repeat(60) + "…");
    }
}
