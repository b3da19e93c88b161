use std::fmt::Write as _;
use std::path::Path;

use super::*;

fn fixture(name: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/imports");
    std::fs::read_to_string(Path::new(path).join(name)).unwrap()
}

fn read_as(
    text: &str,
    from: Option<System>,
    environment: Option<&str>,
) -> Result<Export, ImportError> {
    read(text, from, &ProjectName::new("p").unwrap(), environment)
}

/// The flags, then what was left out, then the notes, one on a line.
fn told(export: &Export) -> String {
    let mut told = String::new();
    for FlagInFile {
        flag,
        revision,
        metadata,
        ..
    } in &export.flags
    {
        let revision = revision.as_ref().unwrap();
        let _ = write!(
            told,
            "{} {}: {}",
            flag.flag_type, flag.name, revision.control
        );
        for treatment in revision.treatments.iter().flatten() {
            let name = treatment.name.as_ref().map_or("?", |name| name.as_str());
            let _ = write!(told, "; {name} {} % {}", treatment.percent, treatment.value);
            for id in &treatment.overrides {
                let _ = write!(told, " +{}", id.as_str());
            }
        }
        let metadata = metadata.as_ref().unwrap();
        let owner = metadata
            .owner
            .as_ref()
            .map_or(String::new(), |owner| format!(", {owner}"));
        let tags = metadata.tags.iter().map(|tag| format!(" #{tag}"));
        let _ = writeln!(
            told,
            " ({}{owner}{})",
            metadata.description,
            tags.collect::<String>()
        );
    }
    for (sign, findings) in [('-', &export.left_out), ('*', &export.notes)] {
        for Finding { flag, text, .. } in findings {
            let _ = writeln!(told, "{sign} {}: {text}", flag.as_deref().unwrap_or("file"));
        }
    }
    told
}

#[track_caller]
fn check(file: &str, environment: Option<&str>, system: System, expected: &str) {
    let export = read_as(&fixture(file), None, environment).unwrap();
    assert_eq!(export.system, system);
    let told = told(&export);
    assert_eq!(told, expected, "found:\n{told}");
}

#[test]
fn launchdarkly() {
    check(
        "launchdarkly.json",
        Some("production"),
        System::LaunchDarkly,
        "\
feature beta_search: false; on 12.5 % true +A12345 +A12346; off 0 % false +B1 (The new search, ann@example.com #search #q3)
data greeting: Hello; loud 30 % Hello!; ? 10 % Hi +ann +bob (Greeting)
feature dark_mode: false; on 100 % true (Dark colours)
feature old_checkout: false (The old checkout)
- old_checkout: it is off; its lists, rules and percentages, which do not count then
- page_size: its values are numbers
- for_germany: a rule by the attribute `country`
- for_testers: a rule for the segment testers
- by_company: its percentages are by `organization.key`, ours by the id
- after_search: it has prerequisites, other flags that decide first
* file: only production was read; the file has also test
* beta_search: the same share, other ids: ids are hashed differently
* greeting: the same share, other ids: ids are hashed differently
",
    );
}

#[test]
fn unleash() {
    check(
        "unleash.json",
        None,
        System::Unleash,
        "\
feature beta_search: false; on 10 % true +A12345 +A12346 (The new search #search #team:discovery)
feature greeting: false; on 100 % true (How to greet)
data greeting: Hello; loud 30 % Hello! +ann (How to greet)
feature dark_mode: false; on 0 % true +ann +bob (Imported from Unleash)
feature old_checkout: false (The old checkout)
- old_checkout: it is off; its strategies, which do not count then
- for_germany: a strategy has a constraint on `country`
- for_testers: a strategy is for a segment
- by_session: a strategy: percentages by `sessionId`, ours are by the id
- after_search: it depends on another feature
* beta_search: the same share, other ids: ids are hashed differently
* greeting: the same share, other ids: ids are hashed differently
",
    );
}

#[test]
fn flagsmith() {
    check(
        "flagsmith.json",
        None,
        System::Flagsmith,
        "\
feature beta_search: false; on 100 % true (Imported from Flagsmith)
feature dark_mode: false (Imported from Flagsmith)
feature greeting: false; on 100 % true (Imported from Flagsmith)
data greeting: Hello; ? 12.5 % Hello!; Hi 20 % Hi (Imported from Flagsmith)
feature page_size: false; on 100 % true (Imported from Flagsmith)
- page_size: its value: the number 50
* file: an export of Flagsmith has no overrides of segments and identities; if you use some, look for them there
* greeting: the same share, other ids: ids are hashed differently
",
    );
}

#[test]
fn growthbook() {
    check(
        "growthbook.json",
        Some("production"),
        System::GrowthBook,
        "\
feature beta_search: false; on 10 % true +A12345 +A12346 (The new search, ann@example.com #search)
data greeting: Hello; ? 25 % Hello! (How to greet)
feature dark_mode: false (Imported from GrowthBook)
- page_size: its values are of the type `number`
- for_germany: a rule by the attribute `country`
- for_group: `savedGroupTargeting` has no counterpart
- by_company: its percentages are by `company`, ours by the id
* file: only production was read; the file has also dev
* beta_search: the same share, other ids: ids are hashed differently
* greeting: the same share, other ids: ids are hashed differently
",
    );
    check(
        "growthbook-sdk.json",
        None,
        System::GrowthBook,
        "\
feature beta_search: false; on 10 % true +A12345 (Imported from GrowthBook)
data greeting: Hello; ? 33.33 % Hello!; Hi 33.33 % Hi (Imported from GrowthBook)
- in_a_namespace: `namespace` has no counterpart
- page_size: its values are numbers
* beta_search: the same share, other ids: ids are hashed differently
* greeting: the same share, other ids: ids are hashed differently
",
    );
}

#[test]
fn flipt() {
    check(
        "flipt.yaml",
        None,
        System::Flipt,
        "\
feature beta_search: false; on 12.5 % true +A12345 +A12346 +ann (The new search)
data greeting: plain; loud 30 % loud +A12345 +A12346 +ann (Greeting)
feature dark_mode: false; on 100 % true (Dark mode)
- prices: its values have attachments, which are JSON
- for_germany: the segment germany is no list of ids
- without_default: 100 % of the ids get no value
* beta_search: the same share, other ids: ids are hashed differently
* greeting: the same share, other ids: ids are hashed differently
",
    );
}

#[test]
fn go_feature_flag() {
    check(
        "go-feature-flag.yaml",
        None,
        System::GoFeatureFlag,
        "\
feature beta_search: false; enabled 10 % true +A12345 +A12346 +ann (The new search)
data greeting: Hello; loud 33.333 % Hello!; short 33.333 % Hi (Imported from GO Feature Flag)
feature dark_mode: false; on 100 % true (Imported from GO Feature Flag)
- page_size: its values are numbers
- for_germany: a rule with the query country eq \"DE\"
- growing: `progressiveRollout` has no counterpart
- switched_off: it is disabled: callers use their own value
- by_company: `bucketingKey` has no counterpart
* beta_search: the same share, other ids: ids are hashed differently
* greeting: the same share, other ids: ids are hashed differently
",
    );
}

#[track_caller]
fn check_refused(text: &str, from: Option<System>, message: &str) {
    assert_eq!(read_as(text, from, None).unwrap_err().to_string(), message);
}

#[test]
fn a_file_that_no_system_writes_is_refused_with_its_place() {
    check_refused(
        "{\"a\": 1}",
        None,
        "this is an export of no system that is known; --from names the system: launchdarkly, unleash, flagsmith, \
         growthbook, flipt, go-feature-flag",
    );
    check_refused(
        "{\"a\": 1,\n}}",
        None,
        "line 2, column 2: misplaced bracket",
    );
    let own = "this is a file of `flagctl export`; `flagctl apply -f` reads it";
    check_refused("file_version: 1\nproject: p\nflags: []\n", None, own);
}

#[test]
fn every_mistake_in_a_file_is_reported_with_its_place() {
    let flags = "{\"items\": [\n\
        {\"key\": \"a\", \"variations\": [{\"value\": true}], \"environments\": {\"e\": {\"on\": \"yes\"}}},\n\
        {\"key\": 3, \"variations\": [], \"environments\": {}},\n\
        {\"key\": \"c\", \"variations\": [{\"value\": true}], \"environments\": {\"e\": {\"on\": true, \"fallthrough\": {\"variation\": 7}}}}\n]}";
    check_refused(
        flags,
        None,
        "line 2, column 76: items[0].environments.e.on: found \"yes\", expected true or false\n\
         line 3, column 9: items[1].key: found the number 3, expected text\n\
         line 4, column 111: items[2].environments.e.fallthrough.variation: found the number 7, expected the position of a value",
    );
    let flipt = "flags:\n- key: a\n  enabled: true\n  type: BOOLEAN_FLAG_TYPE\n  rollouts:\n  - threshold: {percentage: much}\n";
    check_refused(
        flipt,
        None,
        "line 6, column 29: flags[0].rollouts[0].threshold.percentage: found \"much\", expected a number",
    );
    check_refused(
        "[{\"name\": \"a\", \"default_enabled\": true, \"multivariate\": []}]",
        None,
        "line 1, column 2: [0].enabled: found nothing, expected a value",
    );
    check_refused(
        "[]",
        Some(System::Unleash),
        "line 1, column 1: features: found nothing, expected a value",
    );
}

#[test]
fn an_environment_is_named_where_there_are_several() {
    let text = fixture("launchdarkly.json");
    check_refused(
        &text,
        None,
        "the file has several environments; --environment names one: production, test",
    );
    let wrong = read_as(&text, None, Some("prod")).unwrap_err().to_string();
    assert_eq!(
        wrong,
        "the file has no environment prod, but production, test"
    );
    let none = read_as(&fixture("go-feature-flag.yaml"), None, Some("x"));
    let none = none.unwrap_err().to_string();
    assert_eq!(
        none,
        "the file has no environments; leave out --environment"
    );
}

#[track_caller]
fn check_flag(system: System, text: &str, expected: &str) {
    let export = read_as(text, Some(system), None).unwrap();
    assert_eq!(told(&export).trim_end(), expected);
}

#[test]
fn what_orders_of_rules_cannot_say_is_left_out() {
    let gb = |rules: &str| {
        format!("{{\"features\": {{\"f\": {{\"defaultValue\": false, \"rules\": [{rules}]}}}}}}")
    };
    let ids = "{\"condition\": {\"id\": \"a\"}, \"force\": true}";
    let some = "{\"force\": true, \"coverage\": 0.5}";
    let check = |rules: &[&str], expected| {
        check_flag(System::GrowthBook, &gb(&rules.join(", ")), expected);
    };
    check(
        &[some, ids],
        "- f: a list of ids comes after a percentage; ours come first",
    );
    check(
        &[some, some],
        "- f: several percentages apply one after the other",
    );
    let all = "{\"force\": true}";
    check(
        &[all, some, ids],
        "feature f: false; on 100 % true (Imported from GrowthBook)",
    );
    let opposite = "{\"condition\": {\"id\": {\"$in\": [\"a\", \"b\"]}}, \"force\": false}";
    check(
        &[ids, opposite, all],
        "feature f: false; on 100 % true +a; off 0 % false +b (Imported from GrowthBook)",
    );
    let mixed = "{\"condition\": {\"id\": \"a\", \"country\": \"DE\"}, \"force\": true}";
    check(&[mixed], "- f: a rule has several conditions");
    let negated = "{\"condition\": {\"id\": {\"$nin\": [\"a\"]}}, \"force\": true}";
    check(
        &[negated],
        "- f: a rule has a condition on the id that is no list",
    );
    let unknown = "{\"force\": true, \"someday\": [1]}";
    check(&[unknown], "- f: `someday` has no counterpart");
}

#[test]
fn weights_of_growthbook_that_do_not_add_up_to_one_are_left_out() {
    let gb = |values: &str, weights: &str, more: &str| {
        format!(
            "{{\"features\": {{\"f\": {{\"defaultValue\": \"x\", \"rules\": \
             [{{\"variations\": [{values}], \"weights\": [{weights}]{more}}}]}}}}}}"
        )
    };
    let check = |weights: &str, expected: &str| {
        let values = "\"a\", \"b\", \"c\"";
        check_flag(System::GrowthBook, &gb(values, weights, ""), expected);
    };
    let left_out = |sum: &str| {
        format!(
            "- f: the weights of an experiment add up to {sum} and not to 1: SDKs then use equal shares, or cut off the last"
        )
    };
    check("0.5, 0.2, 0.1", &left_out("0.8"));
    check("0.5, 0.49, 0", &left_out("0.99"));
    check("0.5, 0.5, 0.005", &left_out("1.005"));
    check("0, 0, 0", &left_out("0"));
    check(
        "0.3333, 0.3333, 0.3333",
        "data f: x; a 33.33 % a; b 33.33 % b; c 33.33 % c (Imported from GrowthBook)\n\
         * f: the same share, other ids: ids are hashed differently",
    );
    check_flag(
        System::GrowthBook,
        &gb("\"a\"", "1", ""),
        "- f: an experiment has fewer than two values, so it counts for nobody",
    );
    check_flag(
        System::GrowthBook,
        &gb(
            "\"a\", \"b\"",
            "0.5, 0.5",
            ", \"meta\": [{\"passthrough\": true}, {}]",
        ),
        "- f: an experiment passes instances on to the next rule (a holdout)",
    );
}

#[test]
fn weights_of_the_api_of_growthbook_have_four_decimals() {
    let file = "{\"features\": [{\"id\": \"f\", \"valueType\": \"string\", \"defaultValue\": \"x\", \
        \"environments\": {\"e\": {\"enabled\": true, \"rules\": [{\"type\": \"experiment\", \"value\": [\
        {\"value\": \"a\", \"weight\": 0.66666666}, {\"value\": \"b\", \"weight\": 0.33333333}]}]}}}]}";
    check_flag(
        System::GrowthBook,
        file,
        "data f: x; a 66.67 % a; b 33.33 % b (Imported from GrowthBook)\n\
         * f: the same share, other ids: ids are hashed differently",
    );
}

#[test]
fn shares_that_do_not_fit_are_rounded_or_left_out() {
    let goff = |percentage: &str| {
        format!("f: {{variations: {{a: x, b: y}}, defaultRule: {{percentage: {percentage}}}}}")
    };
    let check = |percentage: &str, expected| {
        check_flag(System::GoFeatureFlag, &goff(percentage), expected);
    };
    check(
        "{a: 33.33333, b: 66.66667}",
        "data f: y; a 33.333 % x (Imported from GO Feature Flag)\n\
         * f: the same share, other ids: ids are hashed differently\n\
         * f: shares are rounded to a thousandth of a percent",
    );
    check("{a: 40, b: 50}", "- f: 10 % of the ids get no value");
    check("{a: 40, b: 70}", "- f: its shares are more than 100 %");
    check("{a: 140}", "- f: a share is more than 100 %");
}

#[test]
fn several_strategies_of_unleash_are_joined() {
    let unleash = |strategies: &str| {
        format!(
            "{{\"features\": [{{\"name\": \"f\"}}], \"featureEnvironments\": [{{\"featureName\": \"f\", \"environment\": \"e\", \
             \"enabled\": true}}], \"featureStrategies\": [{strategies}]}}"
        )
    };
    let rollout = |percent: u8| {
        format!(
            "{{\"featureName\": \"f\", \"name\": \"flexibleRollout\", \"parameters\": {{\"rollout\": \"{percent}\", \"stickiness\": \"userId\"}}}}"
        )
    };
    let off = "{\"featureName\": \"f\", \"name\": \"default\", \"disabled\": true}".to_owned();
    let check = |strategies: &[String], expected| {
        check_flag(System::Unleash, &unleash(&strategies.join(", ")), expected);
    };
    let on = "feature f: false; on 100 % true (Imported from Unleash)";
    check(&[], on);
    check(&[rollout(10), rollout(100)], on);
    check(
        &[rollout(10), rollout(20)],
        "- f: several strategies have a percentage",
    );
    check(&[off], "- f: all its strategies are disabled");
}

#[test]
fn an_archived_feature_of_unleash_is_left_out_with_its_texts() {
    check_flag(
        System::Unleash,
        "{\"features\": [{\"name\": \"f\", \"archived\": true}], \"featureEnvironments\": [{\"featureName\": \"f\", \
         \"environment\": \"e\", \"enabled\": true, \"variants\": [{\"name\": \"a\", \"weight\": 1000}]}], \
         \"featureStrategies\": []}",
        "- f: it is archived",
    );
}

#[test]
fn a_name_that_is_no_text_leaves_its_flag_out() {
    let good = "g: {variations: {a: x}, defaultRule: {variation: a}}";
    let carried = "data g: x (Imported from GO Feature Flag)\n";
    for (flag, expected) in [
        (
            "f: {variations: {1: x}, defaultRule: {variation: 1}}",
            "- f: a name is the number 1, not text",
        ),
        (
            "f: {variations: {true: x}, defaultRule: {variation: true}}",
            "- f: a name is true, not text",
        ),
        (
            "f: {variations: {a: x}, defaultRule: {percentage: {1: 100}}}",
            "- f: a name is the number 1, not text",
        ),
        (
            "1: {variations: {a: x}, defaultRule: {variation: a}}",
            "- file: a name is the number 1, not text",
        ),
    ] {
        let told = told(&read_as(&format!("{flag}\n{good}\n"), None, None).unwrap());
        assert_eq!(told, format!("{carried}{expected}\n"));
    }
    check_flag(
        System::GrowthBook,
        "features: {1: {defaultValue: false}, g: {defaultValue: true}}",
        "feature g: false; on 100 % true (Imported from GrowthBook)\n- file: a name is the number 1, not text",
    );
}

#[test]
fn texts_of_several_strategies_of_unleash_are_left_out() {
    let strategy = |variants: &str| {
        format!("{{\"featureName\": \"f\", \"name\": \"default\", \"variants\": [{variants}]}}")
    };
    let check = |strategies: &[String], expected: &str| {
        let strategies = strategies.join(", ");
        let file = format!(
            "{{\"features\": [{{\"name\": \"f\"}}], \"featureEnvironments\": [{{\"featureName\": \"f\", \"environment\": \"e\", \
             \"enabled\": true, \"variants\": [{{\"name\": \"of all\", \"weight\": 1000}}]}}], \"featureStrategies\": [{strategies}]}}"
        );
        check_flag(System::Unleash, &file, expected);
    };
    let on = "feature f: false; on 100 % true (Imported from Unleash)";
    let one = strategy("{\"name\": \"a\", \"weight\": 1000}");
    let none = strategy("");
    check(
        std::slice::from_ref(&one),
        &format!("{on}\ndata f: a (Imported from Unleash)"),
    );
    let several = format!(
        "{on}\n- f: its texts: it has several strategies, and the first that takes an instance chooses among texts of its own"
    );
    check(&[one.clone(), none.clone()], &several);
    check(&[none.clone(), one], &several);
    check(
        &[none.clone(), none],
        &format!("{on}\ndata f: of all (Imported from Unleash)"),
    );
    let half = "{\"name\": \"a\", \"weight\": 500}, {\"name\": \"b\", \"weight\": 250}";
    check(
        &[strategy(half)],
        &format!(
            "{on}\n- f: its texts: their weights add up to 750 and not to 1000, of which Unleash makes other shares"
        ),
    );
}
