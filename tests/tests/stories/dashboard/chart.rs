//! Served answers over time: by group, with the revisions, and whether their split fits.

use std::time::Duration;

use flag_model::{FlagKey, Reason, Timestamp};
use flag_store::{
    Clock as _, CountKey, CountsWriterId, Minute, MinuteCounts, RowOptions, SystemClock,
    encode_revision,
};
use flag_tests::{Service, TestStore};
use serde_json::json;

use super::browser::{FLAG, browser, check_no_complaint};
use super::pages::{ago, page, revision};

/// Answers of a revision in the minute of a time.
fn answers(flag: &FlagKey, at: Timestamp, made: Timestamp, [on, off]: [u64; 2]) -> MinuteCounts {
    let mut counts = MinuteCounts::new(flag.clone(), Minute::of(at));
    for (group, reason, count) in [
        ("treatment_1", Reason::Rollout, on),
        ("control", Reason::Control, off),
    ] {
        let count_key = CountKey::Group {
            revision: Some(made),
            rollout_group: group.to_owned(),
            reason: Some(reason),
        };
        counts.add(&count_key, count);
    }
    counts
}

async fn write(store: &TestStore, counts: &[MinuteCounts]) {
    let log = store.exposures().await;
    let writer = CountsWriterId(fastrand::u128(..));
    log.write_counts(writer, counts).await.unwrap();
    log.close().await;
}

async fn a_split_is_judged_by_the_revision_in_force(store: TestStore) {
    let [fits, skewed]: [FlagKey; 2] =
        ["p/feature/fits", "p/feature/skewed"].map(|flag| flag.parse().unwrap());
    let (first, second) = (ago(20), ago(10));
    for flag in [&fits, &skewed] {
        let rows = [(first, "10"), (second, "50")].map(|(made, percent)| {
            encode_revision(&revision(flag, made, percent), &RowOptions::default()).unwrap()
        });
        store.leave(&rows).await;
    }
    let counts = [
        // What the older revision served would not fit the newer one.
        answers(&fits, ago(15), first, [100, 900]),
        answers(&fits, ago(5), second, [503, 497]),
        answers(&skewed, ago(15), first, [100, 900]),
        answers(&skewed, ago(5), second, [620, 380]),
        answers(&fits, ago(20 * 24), ago(30 * 24), [7, 0]),
    ];
    write(&store, &counts).await;
    let service = Service::start(&store);
    let path = |name: &str| format!("/dashboard/flag?project=p&type=feature&name={name}");
    let text = page(&service, &path("fits")).await;
    for part in [
        "2,000 answers logged in this time",
        "it fits the percentages",
        "chi-square test of 1,000 answers",
        ">50.30 %</td>",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("sample ratio mismatch"), "{text}");
    // The names of the revisions stand in the picture, above their lines: 20 and 10 hours before its end, or a bit more.
    for (label, from, to) in [("r1", 12.0, 17.0), ("r2", 54.0, 59.0)] {
        let (before, _) = text.split_once(&format!(">{label}</text>")).unwrap();
        let (_, place) = before.rsplit_once("<text x=\"").unwrap();
        let place: f64 = place.split_once('%').unwrap().0.parse().unwrap();
        assert!((from..to).contains(&place), "{label} at {place}");
    }
    let text = page(&service, &path("skewed")).await;
    for part in [
        "a sample ratio mismatch: it does not fit the percentages",
        "p = 0.0000",
        ">62.00 %</td>",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains("it fits the percentages"), "{text}");
    let month = page(&service, &(path("fits") + "&span=30d")).await;
    assert!(
        month.contains("2,007 answers logged in this time"),
        "{month}"
    );
    assert!(
        month.contains("aria-current=\"true\">30 days</a>"),
        "{month}"
    );
}

flag_tests::on_both_stores!(a_split_is_judged_by_the_revision_in_force);

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_follows_the_counts_while_the_page_is_open() {
    let Some(mut browser) = browser("a chart that follows") else {
        return;
    };
    let store = TestStore::embedded();
    let service = Service::start_with(&store, &["--demo"], &[]);
    browser.goto(&format!("{}{FLAG}&span=1h", service.url()));
    browser.wait_until("document.getElementById('live-state').textContent === ' · live'");
    let served = "document.querySelector('section[aria-labelledby=served]').innerText";
    assert!(browser.text(served).contains("No answer was logged"));
    // Each minute, as replicas write their counts; a test does not wait for that long.
    let every = "document.querySelector('[data-every]').dataset.every";
    assert_eq!(browser.text(every), "60000");
    browser.eval(&format!(
        "window.isSame = true; {every} = 200; end(); begin()"
    ));
    browser.eval("document.getElementById('instance').focus()");
    browser.write("A12");
    let flag = "csr-assistant/feature/multi_step_api_router"
        .parse()
        .unwrap();
    let now = SystemClock.now().saturating_sub(Duration::from_mins(2));
    write(&store, &[answers(&flag, now, now, [3, 4])]).await;
    browser.wait_until(&format!("{served}.includes('7 answers logged')"));
    browser.write("345");
    assert_eq!(browser.text("document.activeElement.value"), "A12345");
    assert_eq!(browser.eval("window.isSame"), json!(true));
    // A page that nobody sees is not made again.
    browser.eval("end()");
    assert_eq!(browser.eval("counting"), json!(0));
    check_no_complaint(&browser);
}
