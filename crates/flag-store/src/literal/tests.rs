use super::*;

type Parse = fn(&str) -> Result<Node<'_>, LiteralError>;

/// Both readers, one after the other.
const EITHER: Parse = parse;
const PYTHON: Parse = parse_python;

/// Compares what was read, printed as in JSON, or the message.
#[track_caller]
fn check(read: Parse, text: &str, expected: &str) {
    let seen = match read(text) {
        Ok(literal) => literal.to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(seen, expected, "of {text:?}");
}

#[track_caller]
fn check_all(read: Parse, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        check(read, text, expected);
    }
}

/// Checks what goes between `line 1, column …: expected …` for texts of one line.
#[track_caller]
fn check_refused(read: Parse, cases: &[(&str, usize, &str)]) {
    for (text, column, mistake) in cases {
        check(read, text, &format!("line 1, column {column}: {mistake}"));
    }
}

#[test]
fn treatments_of_the_reference_are_read() {
    check(
        EITHER,
        "[{'OverrideList': ['A12345'], 'PercentRollout': 40, 'Value': True},]",
        r#"[{"OverrideList": ["A12345"], "PercentRollout": 40, "Value": true}]"#,
    );
}

#[test]
fn treatments_of_ours_are_read() {
    check(
        EITHER,
        r#"[{"OverrideList":["A12345"],"PercentRollout":33.5,"Value":"on\/\ud83d\ude00"},null]"#,
        r#"[{"OverrideList": ["A12345"], "PercentRollout": 33.5, "Value": "on/😀"}, null]"#,
    );
}

#[test]
fn parts_are_named_and_found_by_key() {
    let text = "{'a': [1], 'b': 'x', 'c': None, 'd': 1.5, 'e': False}";
    let dict = parse(text).unwrap();
    let kinds = ["a", "b", "c", "d", "e"].map(|key| dict.get(key).unwrap().kind());
    assert_eq!(kinds, ["a list", "text", "null", "a number", "a boolean"]);
    assert_eq!(dict.kind(), "a dict");
    assert_eq!(dict.get("f"), None);
    assert_eq!(Literal::Null.get("a"), None);
}

#[test]
fn integers_are_exact() {
    check_all(
        PYTHON,
        &[
            ("0", "0"),
            ("-0", "0"),
            ("00_0", "0"),
            ("1_000", "1000"),
            ("+40", "40"),
            ("- 3", "-3"),
            ("-(3)", "-3"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("0xFF", "255"),
            ("0X_ff", "255"),
            ("0o17", "15"),
            ("0B1_01", "5"),
            (
                "0x1000000000000000000000000",
                "79228162514264337593543950336",
            ),
        ],
    );
    check(
        EITHER,
        "[123456789012345678901234567890, -0]",
        "[123456789012345678901234567890, 0]",
    );
}

#[test]
fn floats_are_printed_as_python_prints_them() {
    check_all(
        PYTHON,
        &[
            ("1.", "1.0"),
            (".5", "0.5"),
            ("1e5", "100000.0"),
            ("01.50", "1.5"),
            ("1_0.0_1e1_0", "100100000000.0"),
            ("-0.0", "-0.0"),
            ("0e9", "0.0"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("9999999999999998.0", "9999999999999998.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("12.5e-300", "1.25e-299"),
            ("0.1000000000000000055511151231257827", "0.1"),
            ("812738723972882.25", "812738723972882.2"),
            ("5.684341886080802e-14", "5.684341886080802e-14"),
            ("5e-324", "5e-324"),
            ("1e-400", "0.0"),
            ("1e400", "inf"),
            ("-1e99999999999999999999", "-inf"),
        ],
    );
    check(EITHER, "[1e400, 1E-7, 33.333]", "[inf, 1e-07, 33.333]");
}

#[test]
fn a_number_knows_whether_it_is_an_integer() {
    let is_integer = |text| match parse(text).map(|node| node.literal) {
        Ok(Literal::Number(number)) => number.is_integer(),
        other => panic!("{other:?}"),
    };
    assert!(["40", "-3", "0x10"].into_iter().all(is_integer));
    assert!(!["1.0", "1e3", "1e400", "1e16"].into_iter().any(is_integer));
    assert_eq!(
        format!("{:?}", *parse("1e3").unwrap()),
        "Number(Number(1000.0))"
    );
}

#[test]
fn integers_are_bounded_as_in_python() {
    let digits = "7".repeat(4_300);
    check(EITHER, &digits, &digits);
    check(EITHER, &"0".repeat(5_000), "0");
    let mistake = "line 1, column 1: expected an integer of at most 4300 digits, found `77777777777777777777…`";
    check(EITHER, &format!("{digits}7"), mistake);
    let binary = format!("0b{}", "1".repeat(256));
    check(
        PYTHON,
        &binary,
        "115792089237316195423570985008687907853269984665640564039457584007913129639935",
    );
    let mistake = "line 1, column 1: expected a hexadecimal, octal or binary integer of at most 256 digits, found `0b111111111111111111…`";
    check(PYTHON, &format!("{binary}1"), mistake);
}

#[test]
fn numbers_that_python_refuses_are_refused() {
    check_refused(
        PYTHON,
        &[
            ("--1", 2, "expected a number after the sign, found `-`"),
            ("-(-1)", 3, "expected a number after the sign, found `-`"),
            ("-True", 2, "expected a number after the sign, found `True`"),
            ("1__0", 1, "expected a number, found `1__0`"),
            ("1_", 1, "expected a number, found `1_`"),
            ("0x", 1, "expected a number, found `0x`"),
            ("0b12", 1, "expected a number, found `0b12`"),
            ("1e", 1, "expected a number, found `1e`"),
            ("1._5", 1, "expected a number, found `1._5`"),
            ("1or", 1, "expected a number, found `1or`"),
            ("...", 1, "expected a number, found `...`"),
            (
                "010",
                1,
                "expected a number without leading zeros, found `010`",
            ),
            ("2j", 1, "expected a real number, found `2j`"),
            ("1+2j", 2, "expected a single real number, found `+`"),
        ],
    );
}

#[test]
fn texts_have_all_the_quotes_and_prefixes_of_python() {
    check_all(
        PYTHON,
        &[
            (r#"'a"b'"#, r#""a\"b""#),
            (r#""a'b""#, r#""a'b""#),
            ("'''a'b''c\nd'''", r#""a'b''c\nd""#),
            (r#""""a""b""""#, r#""a\"\"b""#),
            ("''", r#""""#),
            ("''''''", r#""""#),
            (r"r'a\n\'b'", r#""a\\n\\'b""#),
            ("'a\tb\x7f'", r#""a\tb\u{7f}""#),
            (r"U'\n'", r#""\n""#),
            ("u'a'R'b' \"c\"", r#""abc""#),
            ("('a'\n'b')", r#""ab""#),
            ("'''a\r\nb\rc'''", r#""a\nb\nc""#),
            ("r'''a\\\r\nb'''", r#""a\\\nb""#),
        ],
    );
}

#[test]
fn texts_have_all_the_escapes_of_python() {
    check_all(
        PYTHON,
        &[
            (r#"'\\\'\"'"#, r#""\\'\"""#),
            (r"'\a\b\f\n\r\t\v'", r#""\u{7}\u{8}\u{c}\n\r\t\u{b}""#),
            (r"'\0\12\1012\777\8'", r#""\0\nA2ǿ\\8""#),
            (r"'\x41\u20ac\U0001f600'", r#""A€😀""#),
            (r"'\q\é\/'", r#""\\q\\é\\/""#),
            ("'a\\\nb\\\r\nc\\\rd'", r#""abcd""#),
        ],
    );
    check_refused(
        PYTHON,
        &[
            (
                r"'\x4'",
                2,
                r"expected more hexadecimal digits in the escape, found `\x4`",
            ),
            (
                r"'\u20a'",
                2,
                r"expected more hexadecimal digits in the escape, found `\u20a`",
            ),
            (
                r"'\ud83d\ude00'",
                2,
                r"expected a character other than a surrogate, found `\ud83d`",
            ),
            (
                r"'\U00110000'",
                2,
                r"expected a character up to U+10FFFF, found `\U00110000`",
            ),
            (
                r"'\N{DASH}'",
                2,
                r"expected a character by its code, such as \u2014 for \N{EM DASH}, found `\N`",
            ),
        ],
    );
}

#[test]
fn texts_that_do_not_end_are_refused() {
    check_refused(
        PYTHON,
        &[
            ("'a", 3, "expected a closing `'`, found the end of the text"),
            (
                "'a\nb'",
                3,
                "expected a closing `'`, found the end of the line",
            ),
            (
                "'''a''",
                7,
                "expected a closing `'''`, found the end of the text",
            ),
            (
                "\"a\\",
                4,
                "expected a closing `\"`, found the end of the text",
            ),
            (
                r"r'\'",
                5,
                "expected a closing `'`, found the end of the text",
            ),
        ],
    );
}

#[test]
fn tuples_are_lists_and_parentheses_are_nothing() {
    check_all(
        PYTHON,
        &[
            ("()", "[]"),
            ("(1)", "1"),
            ("((1),)", "[1]"),
            ("(1, 2,)", "[1, 2]"),
            ("1,", "[1]"),
            ("1, 'a'", r#"[1, "a"]"#),
            ("[]", "[]"),
            ("{}", "{}"),
        ],
    );
}

#[test]
fn the_last_value_of_a_key_counts_at_its_first_place() {
    check(PYTHON, "{'a': 1, 'b': 2, 'a': 3}", r#"{"a": 3, "b": 2}"#);
    check(EITHER, r#"{"a": 1, "b": 2, "a": 3}"#, r#"{"a": 3, "b": 2}"#);
    let many: Vec<String> = (0..100).map(|at| format!("'{}': {at}", at % 10)).collect();
    let last: Vec<String> = (90..100)
        .map(|at| format!("\"{}\": {at}", at - 90))
        .collect();
    check(
        PYTHON,
        &format!("{{{}}}", many.join(", ")),
        &format!("{{{}}}", last.join(", ")),
    );
}

#[test]
fn what_is_no_plain_value_is_refused() {
    check_refused(
        PYTHON,
        &[
            ("", 1, "expected a value, found the end of the text"),
            (
                "{1, 2}",
                1,
                "expected a dict or a list, found a set, which has no order",
            ),
            ("{1: 2}", 2, "expected text as the key, found `1`"),
            ("{'a'; 1}", 5, "expected `:`, found `;`"),
            ("b'a'", 1, "expected text, found bytes"),
            ("'a' Rb'a'", 5, "expected text, found bytes"),
            ("f'{a}'", 1, "expected text, found an f-string"),
            ("Fr'{a}'", 1, "expected text, found an f-string"),
            ("rF'{a}'", 1, "expected text, found an f-string"),
            ("true", 1, "expected a value, found `true`"),
            ("set()", 1, "expected a value, found `set`"),
            ("[*a]", 2, "expected a value, found `*`"),
            ("[,]", 2, "expected a value, found `,`"),
            (r"[\1]", 2, r"expected a value, found `\1`"),
            ("[1 2]", 4, "expected `,` or `]`, found `2`"),
            ("[1}", 3, "expected `,` or `]`, found `}`"),
            ("(1", 3, "expected `,` or `)`, found the end of the text"),
            (
                "{'a': 1",
                8,
                "expected `,` or `}`, found the end of the text",
            ),
            ("1 2", 3, "expected the end of the text, found `2`"),
            ("1 'a' b", 3, "expected the end of the text, found `'a'`"),
            ("1 'a", 3, "expected the end of the text, found `'a`"),
            ("1 'a\nb'", 3, "expected the end of the text, found `'a`"),
            (
                "'é' 'a\"b' [",
                11,
                "expected the end of the text, found `[`",
            ),
            (
                "[\u{a0}]",
                2,
                "expected a value, found the character U+00A0",
            ),
            (
                "'a\0'",
                3,
                "expected source without NUL characters, found the character U+0000",
            ),
        ],
    );
}

#[test]
fn lines_are_those_of_python() {
    check_all(
        PYTHON,
        &[
            (" \t1 # one\n\n  # two\r\n", "1"),
            ("# one\n1", "1"),
            ("\x0c1\\\n\n", "1"),
            ("[ # one\r1,\x0c\n 2,\\\r\n 3]", "[1, 2, 3]"),
            ("1\n  # two", "1"),
            (
                "\n \\\n\x0c1",
                "line 3, column 2: expected a line without indentation, found `1`",
            ),
            (
                "1\n2",
                "line 2, column 1: expected the end of the text, found `2`",
            ),
            (
                "\n 1",
                "line 2, column 2: expected a line without indentation, found `1`",
            ),
            (
                "1\r\n ",
                "line 2, column 2: expected a line without indentation, found the end of the text",
            ),
            (
                "-\n1",
                "line 1, column 2: expected a number after the sign, found the end of the line",
            ),
            (
                "1 \\\n",
                "line 1, column 3: expected the end of the text, found `\\`",
            ),
            (
                "[1,\r\r\n\n?]",
                "line 4, column 1: expected a value, found `?`",
            ),
        ],
    );
}

#[test]
fn a_value_equals_the_same_value_elsewhere_and_no_other() {
    assert_eq!(parse("[1]"), parse(" [ 1]"));
    assert_ne!(parse("[1]"), parse("[2]"));
    assert_ne!(parse("1"), parse("2"));
}

#[test]
fn json_has_all_its_escapes() {
    check(
        EITHER,
        r#"[true, "\"\\\/\b\f\n\r\t\u20ac"]"#,
        r#"[true, "\"\\/\u{8}\u{c}\n\r\t€"]"#,
    );
}

#[test]
fn json_is_strict() {
    check_refused(
        EITHER,
        &[
            (
                r#"["\ud83d"]"#,
                3,
                r"expected a character other than a surrogate, found `\ud83d`",
            ),
            ("[true, nul]", 8, "expected a value, found `nul`"),
            (
                "[true, 01]",
                8,
                "expected a number without leading zeros, found `01`",
            ),
            ("[true, 1.]", 8, "expected a number, found `1.`"),
            ("[true, \"\t\"]", 9, "expected a closing `\"`, found a tab"),
            (
                r#"[true, "\q"]"#,
                9,
                r"expected an escape of JSON, found `\q`",
            ),
            (
                r#"[true, "\ud83d\u0041"]"#,
                9,
                r"expected a surrogate as half of a pair only, found `\ud83d`",
            ),
            (
                r#"[true, "\u00g0"]"#,
                9,
                r"expected four hexadecimal digits, found `\u00g0`",
            ),
            ("[true,]", 7, "expected a value, found `]`"),
            (
                "{\"a\": true,}",
                12,
                "expected a key in double quotes, found `}`",
            ),
            ("{\"a\" true}", 6, "expected `:`, found `true`"),
            ("[true", 6, "expected `,` or `]`, found the end of the text"),
            ("true true", 6, "expected the end of the text, found `true`"),
        ],
    );
}

#[test]
fn the_error_is_that_of_the_reader_that_came_further() {
    check_refused(
        EITHER,
        &[
            (
                "{'a': True, 'b': true}",
                18,
                "expected a value, found `true`",
            ),
            (
                "{\"a\": true, 'b': 1}",
                13,
                "expected a key in double quotes, found `'b'`",
            ),
            ("nonsense", 1, "expected a value, found `nonsense`"),
            (
                "[a_very_long_name_that_goes_on]",
                2,
                "expected a value, found `a_very_long_name_tha…`",
            ),
        ],
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mistake = "line 1, column 65: expected at most 64 nested brackets, found `[`";
    for read in [EITHER, PYTHON] {
        check(read, &nested(MAX_DEPTH), &nested(MAX_DEPTH));
        check(read, &nested(MAX_DEPTH + 1), mistake);
        check(read, &"[".repeat(100_000), mistake);
    }
    check(
        PYTHON,
        &format!("-{}1", "(".repeat(100_000)),
        &mistake.replace("65", "66").replace('[', "("),
    );
    check(
        EITHER,
        &format!("[{}]", "[], ".repeat(100)),
        &format!("[{}[]]", "[], ".repeat(99)),
    );
}

#[test]
fn the_deepest_texts_need_little_of_a_stack() {
    const STACK: usize = 512 * 1024;
    let deepest = [
        ("[", "]"),
        ("{'a': ", "}"),
        ("(", ",)"),
        ("[{\"a\":", "}]"),
        ("(", ")"),
    ];
    let texts = deepest.map(|(opening, closing)| {
        let times = MAX_DEPTH / opening.matches(['[', '{', '(']).count();
        format!("{}-1{}", opening.repeat(times), closing.repeat(times))
    });
    let signed = format!("-{}1{}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
    let texts = texts.into_iter().chain([signed]);
    let read = move || {
        for text in texts {
            for read in [EITHER, PYTHON] {
                let value = read(&text).unwrap();
                assert_eq!(value, value.clone());
                assert!(value.to_string().contains('1'));
            }
        }
        assert!(parse(&"{".repeat(MAX_DEPTH)).is_err());
    };
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(read);
    thread.unwrap().join().unwrap();
}

#[test]
fn size_is_bounded() {
    let longest = format!("'{}'", "a".repeat(MAX_BYTES - 2));
    assert!(parse(&longest).is_ok());
    check(
        EITHER,
        &format!("{longest} "),
        "line 1, column 1: expected a text of at most 8 MiB, found 8388609 bytes",
    );
}

#[test]
fn a_place_is_counted_in_characters() {
    let error = parse("[\n'é😀', ?]").unwrap_err();
    assert_eq!((error.line(), error.column()), (2, 7));
}

#[test]
fn many_values_are_refused() {
    let list = |values: usize| format!("[{}]", "0,".repeat(values - 2) + "0");
    assert!(parse(&list(super::MAX_VALUES)).is_ok());
    let refused = parse(&list(super::MAX_VALUES + 1)).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("expected at most 500,000 values"),
        "{refused}"
    );
}

#[test]
fn large_lists_and_dicts_are_whole() {
    let list = format!("[{}]", vec!["0"; 5_000].join(", "));
    let entries: Vec<String> = (0..5_000).map(|key| format!("\"{key}\": 1")).collect();
    let dict = format!("{{{}}}", entries.join(", "));
    let all = format!(r#"[{{"a": {list}, "b": {dict}}}, {list}, "c", {dict}, {list}]"#);
    check(EITHER, &all, &all);
    check(EITHER, &format!("{all},"), &format!("[{all}]"));
}

#[test]
fn many_lines_are_counted() {
    let text = format!("[{}?", "\r\n\n\r".repeat(400));
    check(
        EITHER,
        &text,
        "line 1201, column 1: expected a value, found `?`",
    );
}

#[test]
fn python_goes_on_where_json_ends() {
    check_all(
        EITHER,
        &[
            (
                r#"[{"a": [1, {"b": 'c'}]}, "d" "e"]"#,
                r#"[{"a": [1, {"b": "c"}]}, "de"]"#,
            ),
            (r#"{"a": 1, "a": (2), "b": 3,}"#, r#"{"a": 2, "b": 3}"#),
            (r#"[1, 0x10, """f"""]"#, r#"[1, 16, "f"]"#),
            (r#"[1], {"a": 2} # b"#, r#"[[1], {"a": 2}]"#),
            (r#"["\/", 'a']"#, r#"["\\/", "a"]"#),
            (r#"["\/"]"#, r#"["/"]"#),
            (r#"("\/")"#, r#""\\/""#),
        ],
    );
    check(
        EITHER,
        "\n [1, 'a']",
        "line 2, column 6: expected a value, found `'a'`",
    );
}
