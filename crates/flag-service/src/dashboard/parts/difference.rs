//! What differs between two revisions, as a table with words and not only colours.

use flag_describe::ComparedField;
use maud::{Markup, html};

/// A table of the rows that differ; `None` if none does. Each side has its heading.
pub(in crate::dashboard) fn difference_table(
    rows: &[ComparedField],
    caption: &str,
    sides: [&str; 2],
) -> Option<Markup> {
    let rows = rows.iter().filter(|row| row.differs());
    let rows: Vec<[String; 3]> = rows.map(ComparedField::shown).collect();
    if rows.is_empty() {
        return None;
    }
    Some(html! {
        table.difference {
            caption.hidden { (caption) }
            thead { tr { th scope="col" { "Field" } @for side in sides { th scope="col" { bdi { (side) } } } } }
            tbody {
                @for [what, now, then] in &rows {
                    tr { th scope="row" { bdi { (what) } } td.removed { (side(now)) } td.added { (side(then)) } }
                }
            }
        }
    })
}

fn side(text: &str) -> Markup {
    html! { @if text.is_empty() { span.hint { "nothing" } } @else { bdi { (text) } } }
}
