//! Text of the store on a page, times and numbers. Characters that nobody would see are shown by their codes.

use std::time::Duration;

use flag_describe::{escaped_lines, visible};
use flag_model::Timestamp;
use maud::{Markup, html};

use crate::dashboard::query::Query;

/// A value, a name or an id; its direction does not reach the text around it.
pub(in crate::dashboard) fn shown(text: &str) -> Markup {
    html! { bdi { (visible(text)) } }
}

/// A text of several lines.
pub(in crate::dashboard) fn lines(text: &str) -> Markup {
    html! { bdi.lines { (escaped_lines(text)) } }
}

/// A time in UTC; the script adds the local time.
pub(in crate::dashboard) fn time(at: Timestamp) -> Markup {
    html! { time datetime=(iso(&at.to_string())) { (time_text(at)) } }
}

/// The same where there is only text.
pub(in crate::dashboard) fn time_text(at: Timestamp) -> String {
    let text = at.to_string();
    let (seconds, _) = text.split_once('.').unwrap_or((&text, ""));
    format!("{seconds}\u{a0}UTC")
}

/// A time with how long ago it was.
pub(in crate::dashboard) fn time_ago(at: Timestamp, now: Timestamp) -> Markup {
    html! { (time(at)) " " span.ago { "(" (ago(now.since(at))) ")" } }
}

fn iso(text: &str) -> String {
    let text = text.replace(' ', "T");
    // Browsers read milliseconds.
    format!("{}Z", text.get(..23).unwrap_or(&text))
}

/// How long ago something was, such as `2 days ago`.
pub(in crate::dashboard) fn ago(passed: Duration) -> String {
    let seconds = passed.as_secs();
    let (number, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{} ago", pluralized(number, unit))
}

/// A number with its noun, such as `1 day` and `12,345 flags`.
pub(in crate::dashboard) fn pluralized(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

/// A number with commas.
pub(in crate::dashboard) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A sentence begins with a capital letter.
pub(in crate::dashboard) fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// Hidden fields by which a form keeps the other parameters of its page.
pub(in crate::dashboard) fn kept_fields(query: &Query, without: &[&str]) -> Markup {
    html! {
        @for (name, value) in query.kept(without) { input type="hidden" name=(name) value=(value); }
    }
}

/// A command, ready to be copied.
pub(in crate::dashboard) fn command(text: &str) -> Markup {
    html! {
        div.command {
            code { (text) }
            (copy_button(text, "command"))
        }
    }
}

/// A button that copies a text; shown by the script, without which it could do nothing.
pub(in crate::dashboard) fn copy_button(text: &str, what: &str) -> Markup {
    html! { button.copy type="button" data-copy=(text) aria-label={ "Copy the " (what) } hidden { "Copy" } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_stays_text_and_what_is_invisible_is_seen() {
        let text = shown("<script>\u{202e}\"'&").into_string();
        let expected = "<bdi>&quot;&lt;script&gt;\\u{202e}\\&quot;'&amp;&quot;</bdi>";
        assert_eq!(text, expected);
        let text = lines("<img>\nb\u{200b}").into_string();
        assert_eq!(text, "<bdi class=\"lines\">&lt;img&gt;\nb\\u{200b}</bdi>");
        let text = copy_button("\" onclick=\"x", "id").into_string();
        assert!(
            text.contains("data-copy=\"&quot; onclick=&quot;x\""),
            "{text}"
        );
    }

    #[test]
    fn a_time_names_its_zone() {
        let at = Timestamp::parse("2026-11-28 12:00:01.123456").unwrap();
        let text = time(at).into_string();
        let expected =
            "<time datetime=\"2026-11-28T12:00:01.123Z\">2026-11-28 12:00:01\u{a0}UTC</time>";
        assert_eq!(text, expected);
        for (seconds, expected) in [
            (5, "just now"),
            (60, "1 minute ago"),
            (7_300, "2 hours ago"),
            (86_400 * 400, "400 days ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn numbers_have_commas() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(pluralized(1, "flag"), "1 flag");
    }

    #[test]
    fn a_sentence_begins_with_a_capital_letter() {
        assert_eq!(capitalised("10 % of all"), "10 % of all");
        assert_eq!(capitalised("nothing changes"), "Nothing changes");
    }
}
