//! What the HTML standard says of event streams, and what it leaves open.

use super::*;

fn event(data: &str, id: &str) -> Event {
    Event {
        name: String::new(),
        data: data.to_owned(),
        id: id.to_owned(),
    }
}

#[track_caller]
fn check(text: &str, expected: &[Event]) {
    let whole = Parser::default().read(text.as_bytes()).unwrap();
    assert_eq!(whole, expected, "at once");
    let mut parser = Parser::default();
    let bytes = text.as_bytes().iter();
    let split = bytes.flat_map(|byte| parser.read(&[*byte]).unwrap());
    assert_eq!(split.collect::<Vec<_>>(), expected, "byte by byte");
}

#[test]
fn an_event_ends_with_an_empty_line() {
    check("data: a\n\ndata: b\n", &[event("a", "")]);
    check("data: a\n\ndata: b\n\n", &[event("a", ""), event("b", "")]);
}

#[test]
fn a_line_ends_with_any_of_three_ends() {
    let both = [event("a\nb", ""), event("c", "")];
    for end in ["\n", "\r", "\r\n"] {
        check(&"data: a|data: b||data: c||".replace('|', end), &both);
    }
    check(
        "data: a\r\n\rdata: c\n\n",
        &[event("a", ""), event("c", "")],
    );
}

#[test]
fn lines_of_data_are_joined() {
    check("data\n\n", &[event("", "")]);
    check("data\ndata\n\n", &[event("\n", "")]);
    check("data:a\ndata:  b\n\n", &[event("a\n b", "")]);
}

#[test]
fn comments_and_unknown_fields_are_ignored() {
    check(
        ": heartbeat\n\n:\nnonsense: 1\ndata: a\n:x\n\n",
        &[event("a", "")],
    );
    check(" data: a\n\n", &[]);
}

#[test]
fn without_data_there_is_no_event_but_its_id_counts() {
    check("id: 1\n\ndata: a\n\n", &[event("a", "1")]);
    check("event: x\n\ndata: a\n\n", &[event("a", "")]);
}

#[test]
fn an_id_lasts_until_the_next_one() {
    check(
        "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
        &[event("a", "1"), event("b", "1"), event("c", "")],
    );
}

#[test]
fn an_id_with_a_null_is_ignored() {
    check("id: 1\nid: 2\0\ndata: a\n\n", &[event("a", "1")]);
}

#[test]
fn the_name_belongs_to_one_event() {
    let named = Event {
        name: "x".to_owned(),
        ..event("a", "")
    };
    check("event: x\ndata: a\n\ndata: b\n\n", &[named, event("b", "")]);
}

#[test]
fn one_byte_order_mark_is_skipped() {
    check("\u{feff}data: a\n\n", &[event("a", "")]);
    check("\u{feff}\u{feff}data: a\n\n", &[]);
    check("data: a\n\n\u{feff}data: b\n\n", &[event("a", "")]);
}

#[test]
fn what_is_not_utf_8_is_replaced() {
    let events = Parser::default().read(b"data: \xff\n\n").unwrap();
    assert_eq!(events, [event("\u{fffd}", "")]);
}

#[test]
fn the_time_to_wait_is_a_number_of_milliseconds() {
    let mut parser = Parser::default();
    let mut retry = |text: &str| {
        parser.read(text.as_bytes()).unwrap();
        parser.retry().map(|retry| retry.as_millis())
    };
    assert_eq!(retry("data: a\n\n"), None);
    assert_eq!(retry("retry: 2500\n"), Some(2500));
    for wrong in [
        "retry: soon\n",
        "retry:\n",
        "retry: -1\n",
        "retry: 99999999999999999999\n",
    ] {
        assert_eq!(retry(wrong), Some(2500), "{wrong}");
    }
}

#[test]
fn memory_is_bounded() {
    let longest = "x".repeat(LONGEST);
    let mut parser = Parser::default();
    assert_eq!(parser.read(longest.as_bytes()), Ok(Vec::new()));
    assert_eq!(parser.read(b"x"), Err(TooLong));

    let half = format!("data: {}\n", "x".repeat(LONGEST / 2));
    let mut parser = Parser::default();
    assert_eq!(parser.read(half.as_bytes()), Ok(Vec::new()));
    assert_eq!(parser.read(half.as_bytes()), Err(TooLong));
}
