//! Flags that are changed on the dashboard: what is shown, what is written, and what is refused.

use std::time::{Duration, Instant};

use flag_tests::{Method, Service, TestStore, flagctl};

use super::access::{Keys, NOTICED, Page, form, get, send, sign_in};

const NAME: &str = "multi_step_api_router";
const FLAG: &str = "project=csr-assistant&type=feature&name=multi_step_api_router";

/// Somebody who has signed in to a dashboard that allows changes.
pub(super) struct Ann {
    pub(super) keys: Keys,
    pub(super) key: String,
    pub(super) service: Service,
    pub(super) session: String,
}

impl Ann {
    async fn on(store: TestStore) -> Self {
        Self::with(store, &["read", "admin"], &["--dashboard-writes=on"], &[]).await
    }

    pub(super) async fn with(
        store: TestStore,
        scopes: &[&str],
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let keys = Keys::of(store);
        let key = keys.create_for(scopes, "csr-assistant", "Ann");
        let path = keys.path();
        let options = [&["--demo", "--api-keys-file", &path][..], options].concat();
        let service = Service::start_with(&keys.store, &options, variables);
        let session = sign_in(&service, &key).await;
        Self {
            keys,
            key,
            service,
            session,
        }
    }

    async fn get(&self, path: &str) -> Page {
        get(&self.service, path, Some(&self.session)).await
    }

    /// The page that shows what a change does.
    async fn effect(&self, wanted: &str) -> String {
        let (status, _, page) = self
            .get(&format!("/dashboard/change?{FLAG}&{wanted}"))
            .await;
        assert_eq!(status, 200, "{page}");
        page
    }

    /// Sends the form of a page with this comment.
    async fn confirm(&self, page: &str, comment: &str) -> Page {
        self.send(&format!("{}&comment={comment}", fields(page)))
            .await
    }

    async fn send(&self, fields: &str) -> Page {
        let request = form(&self.service, "/dashboard/change", fields);
        send(request.header("cookie", &self.session)).await
    }

    /// The comments and makers of the flag's revisions, as `flagctl` tells them, the newest first.
    fn history(&self) -> Vec<(String, String)> {
        let words = ["history", "csr-assistant", "feature", NAME, "-ojson"];
        let told = flagctl(&self.keys.store, &words);
        assert_eq!(told.code, 0, "{told:?}");
        let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let revisions = told["revisions"].as_array().unwrap().iter();
        revisions
            .map(|revision| (text(&revision["comment"]), text(&revision["owner"])))
            .collect()
    }

    fn revise(&self, percent: &str) {
        let percent = format!("--percent={percent}");
        let words = ["revise", "csr-assistant", "feature", NAME, &percent];
        let comment = ["--comment=Bob was faster", "--yes"];
        let revised = flagctl(&self.keys.store, &[&words[..], &comment].concat());
        assert_eq!(revised.code, 0, "{revised:?}");
    }

    fn id(&self) -> &str {
        self.key.split('_').nth(1).unwrap()
    }
}

/// The hidden fields of the form by which a page is confirmed, as a browser sends them.
pub(super) fn fields(page: &str) -> String {
    let (_, form) = page
        .split_once("<form class=\"change\" method=\"post\"")
        .unwrap();
    let (form, _) = form.split_once("</form>").unwrap();
    let inputs = form.split("<input type=\"hidden\" name=\"").skip(1);
    let fields = inputs.map(|input| {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        let (value, _) = rest.split_once('"').unwrap();
        format!(
            "{name}={}",
            value.replace(' ', "+").replace("&quot;", "%22")
        )
    });
    fields.collect::<Vec<_>>().join("&")
}

#[track_caller]
fn must_say(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part} is not in {page}");
    }
}

async fn a_change_shows_what_it_does_and_is_made_by_the_signed_in_name(store: TestStore) {
    let ann = Ann::on(store).await;
    // So that the replica has the flag in memory.
    let before = ask(&ann, "B2").await;
    let (_, _, flag) = ann.get(&format!("/dashboard/flag?{FLAG}")).await;
    must_say(&flag, &["Set a percentage…", "Switch off…"]);
    let percent = "do=percent&group=treatment_1&percent=100";
    let began = Instant::now();
    // Exposures are logged in the background.
    let counted =
        "Of 1 instance seen in the last 7 days, 1 receives another value and 0 keep theirs.";
    while !ann.effect(percent).await.contains(counted) {
        assert!(began.elapsed() < NOTICED, "the answer is not counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let page = ann.effect(percent).await;
    let by = format!("Ann (key {})", ann.id());
    must_say(
        &page,
        &[
            "60 % of all instances receive another value",
            "40 % get true, 1 by name, others false",
            "100 % get true, 1 by name",
            "Careful: nobody keeps the control value.",
            &by,
        ],
    );
    assert_eq!(ann.history().len(), 1);
    let confirmed = format!("To all, says <Ann>&confirm={NAME}");
    let (status, headers, text) = ann.confirm(&page, &confirmed).await;
    assert_eq!(status, 303, "{text}");
    let location = headers["location"].to_str().unwrap();
    let (_, _, flag) = ann.get(location).await;
    must_say(
        &flag,
        &[
            "r2 is in force: <bdi>100 % get true, 1 by name",
            "To all, says &lt;Ann&gt;",
            &by,
        ],
    );
    assert_eq!(ann.history()[0], ("To all, says <Ann>".to_owned(), by));
    // The replica serves it at once.
    let after = ask(&ann, "B2").await;
    assert_eq!((before.as_str(), after.as_str()), ("false", "true"));
    let list = "/dashboard/flags?project=csr-assistant";
    must_say(&ann.get(list).await.2, &["100 % get true, 1 by name"]);
    // The form was sent twice, as by a double click.
    let (status, headers, text) = ann.confirm(&page, &confirmed).await;
    assert_eq!(status, 303, "{text}");
    assert_eq!(headers["location"], location);
    assert_eq!(ann.history().len(), 2);
    ann.service.must_log("flag changed on the dashboard");
}

/// An instance that the first 40 % leave out.
async fn ask(ann: &Ann, instance: &str) -> String {
    let key = ann.keys.create_for(&["evaluate"], "csr-assistant", "");
    let path = format!(
        "/get-feature-flag?project_name=csr-assistant&flag_type=feature&flag_name={NAME}&instance_id={instance}"
    );
    let began = Instant::now();
    loop {
        let request = ann.service.request(Method::GET, &path).bearer_auth(&key);
        let (status, _, text) = send(request).await;
        if status == 200 {
            let reply: serde_json::Value = serde_json::from_str(&text).unwrap();
            return reply["flag_value"].to_string();
        }
        // The file of keys is looked at every two seconds.
        assert!(began.elapsed() < NOTICED, "{status} {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn a_change_in_between_is_shown_and_not_overwritten(store: TestStore) {
    let ann = Ann::on(store).await;
    ann.revise("55");
    let (_, _, choice) = ann
        .get(&format!("/dashboard/change?{FLAG}&do=rollback"))
        .await;
    must_say(&choice, &["Back to r1", "40 % get true"]);
    let (_, to) = choice.split_once("&amp;to=").unwrap();
    let (to, _) = to.split_once('"').unwrap();
    let revision = format!("/dashboard/revision?{FLAG}&at={to}");
    must_say(
        &ann.get(&revision).await.2,
        &["Show what rolling back to it does"],
    );
    let page = ann.effect(&format!("do=rollback&to={to}")).await;
    must_say(
        &page,
        &["Roll back to r1", "made on r2", "15 % of all instances"],
    );
    ann.revise("70");
    let (status, _, page) = ann.confirm(&page, "Too+many").await;
    assert_eq!(status, 409, "{page}");
    must_say(
        &page,
        &[
            "The flag has changed meanwhile",
            "Nothing of yours was written",
            "Bob was faster",
            "by <bdi>John Smith",
            "70 % get true",
            ">Too many</textarea>",
            "made on r3",
            "30 % of all instances",
        ],
    );
    assert_eq!(ann.history().len(), 3);
    let (status, _, text) = ann.confirm(&page, "Too+many").await;
    assert_eq!(status, 303, "{text}");
    assert_eq!(ann.history()[0].0, "Too many");
    let shown = flagctl(
        &ann.keys.store,
        &["latest", "csr-assistant", "feature", NAME],
    );
    assert!(shown.stdout.contains("rollback of  r1"), "{shown:?}");
}

async fn switching_off_keeps_those_by_name_unless_asked(store: TestStore) {
    let ann = Ann::on(store).await;
    let page = ann.effect("do=off").await;
    must_say(
        &page,
        &[
            "40 % of all instances receive another value",
            "1 instance in override lists: nothing changes for them.",
            "1 by name gets true, others false",
        ],
    );
    assert_eq!(ann.confirm(&page, "Stop").await.0, 303);
    let again = ann.effect("do=off").await;
    must_say(
        &again,
        &["Everybody gets the control value already, but 1 by name."],
    );
    let page = ann.effect("do=off&overrides=yes").await;
    must_say(&page, &["1 instance in an override list", "all get false"]);
    assert_eq!(ann.confirm(&page, "Stop+all").await.0, 303);
    assert_eq!(ann.history().len(), 3);
}

flag_tests::on_both_stores!(
    a_change_shows_what_it_does_and_is_made_by_the_signed_in_name,
    a_change_in_between_is_shown_and_not_overwritten,
    switching_off_keeps_those_by_name_unless_asked,
);

#[tokio::test(flavor = "multi_thread")]
async fn in_production_a_comment_and_the_name_of_the_flag_are_wanted() {
    let options = &["--dashboard-writes=on"];
    let production = [("ENVIRONMENT", "hcb-prod")];
    let ann = Ann::with(
        TestStore::embedded(),
        &["read", "admin"],
        options,
        &production,
    )
    .await;
    let page = ann.effect("do=percent&group=treatment_1&percent=50").await;
    must_say(&page, &["Name of the flag", "10 % of all instances"]);
    for (sent, says) in [
        (format!("+%0A&confirm={NAME}"), "the comment is missing"),
        ("More".to_owned(), "This is not the name of the flag"),
        (
            "More&confirm=multi_step".to_owned(),
            "This is not the name of the flag",
        ),
    ] {
        let (status, _, page) = ann.confirm(&page, &sent).await;
        assert_eq!(status, 400, "{page}");
        must_say(
            &page,
            &[says, "Nothing was changed", "10 % of all instances"],
        );
    }
    for wrong in ["101", "-1", "lots", "1.5555"] {
        let page = ann
            .effect(&format!("do=percent&group=treatment_1&percent={wrong}"))
            .await;
        must_say(&page, &["class=\"problem\"", "Show what it does"]);
    }
    // Looking at it changes nothing, whatever the address has.
    let fields = fields(&page);
    let (status, _, _) = ann
        .get(&format!(
            "/dashboard/change?{fields}&comment=a&confirm={NAME}"
        ))
        .await;
    assert_eq!(status, 200);
    assert_eq!(ann.history().len(), 1);
    let (status, _, text) = ann.confirm(&page, &format!("More&confirm={NAME}")).await;
    assert_eq!(status, 303, "{text}");
    assert_eq!(ann.history()[0].0, "More");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_session_or_site_is_refused() {
    let ann = Ann::on(TestStore::embedded()).await;
    let page = ann.effect("do=off").await;
    let good = format!("{}&comment=Off", fields(&page));
    let (_, token) = good.split_once("&token=").unwrap();
    let (token, _) = token.split_once('&').unwrap();
    let other = sign_in(&ann.service, &ann.key).await;
    let others = get(
        &ann.service,
        &format!("/dashboard/change?{FLAG}&do=off"),
        Some(&other),
    )
    .await;
    let others = format!("{}&comment=Off", fields(&others.2));
    assert!(!others.contains(token), "{others}");
    for sent in [
        &good.replace(token, ""),
        &good.replace("&token=", "&tok="),
        &others,
    ] {
        let (status, _, page) = ann.send(sent).await;
        assert_eq!(status, 403, "{page}");
        must_say(
            &page,
            &[
                "does not belong to your session",
                "Open the form again",
                "/dashboard/change?",
            ],
        );
    }
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let request = form(&ann.service, "/dashboard/change", &good);
        let request = request.header("cookie", &ann.session).header(name, value);
        let (status, _, page) = send(request).await;
        assert_eq!(status, 403, "{name}: {value}: {page}");
        must_say(&page, &["came from another site"]);
    }
    // Nor does the token of one form open another one.
    let percent = ann.effect("do=percent&group=treatment_1&percent=50").await;
    let percent = format!("{}&comment=More", fields(&percent));
    for (sent, from, to) in [
        (&good, "do=off", "do=off&overrides=yes"),
        (&good, "do=off", "do=rollback&to=2026-01-01T00:00:00.000000"),
        (&good, "do=off", "do=percent&group=treatment_1&percent=50"),
        (
            &good,
            "name=multi_step_api_router",
            "name=csr_assistant_enabled",
        ),
        (&good, "&base=", "&base=2026-01-01T00:00:00.000000&base="),
        (&percent, "percent=50", "percent=100"),
    ] {
        assert!(sent.contains(from), "{sent}");
        let (status, _, page) = ann.send(&sent.replacen(from, to, 1)).await;
        assert_eq!(status, 403, "{to}: {page}");
        must_say(&page, &["does not belong to your session"]);
    }
    assert_eq!(ann.history().len(), 1);
    assert_eq!(ann.send(&good).await.0, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_may_not_change_a_flag_sees_what_a_change_would_do_and_is_refused() {
    for (scopes, options, reason, refusal) in [
        (
            &["read"][..],
            &["--dashboard-writes=on"][..],
            "takes a key with the scope <code>admin</code>",
            "lacks the scope admin",
        ),
        (
            &["read", "admin"],
            &[],
            "This dashboard only reads; <code>FLAG_DASHBOARD_WRITES=on</code>",
            "This dashboard only reads",
        ),
    ] {
        let ann = Ann::with(TestStore::embedded(), scopes, options, &[]).await;
        let (_, _, flag) = ann.get(&format!("/dashboard/flag?{FLAG}")).await;
        must_say(&flag, &["Each only shows what it would do.", reason]);
        for (wanted, says) in [
            (
                "do=off",
                &["40 % of all instances", "flagctl kill --comment"][..],
            ),
            (
                "do=percent&group=treatment_1&percent=100",
                &["Careful: nobody keeps", "flagctl revise --percent 100"],
            ),
            ("do=percent", &["Show what it does"]),
        ] {
            let page = ann.effect(wanted).await;
            must_say(&page, says);
            let is_effect = wanted != "do=percent";
            assert_eq!(page.contains(reason), is_effect, "{page}");
            for absent in [
                "name=\"comment\"",
                "name=\"token\"",
                "method=\"post\" action=\"/dashboard/change",
            ] {
                assert!(!page.contains(absent), "{absent} is in {page}");
            }
        }
        let sent = format!("{FLAG}&do=off&base=2026-01-01&comment=Off");
        let (status, _, page) = ann.send(&sent).await;
        assert_eq!(status, 403, "{page}");
        must_say(&page, &[refusal]);
        assert_eq!(ann.history().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_revoked_in_between_changes_nothing() {
    let ann = Ann::on(TestStore::embedded()).await;
    let page = ann.effect("do=off").await;
    ann.keys.revoke(&ann.key);
    let began = Instant::now();
    // A form without a comment writes nothing; it shows whether the key still counts.
    let refused = loop {
        let (status, _, page) = ann.confirm(&page, "").await;
        if status == 401 {
            break page;
        }
        assert_eq!(status, 400, "{page}");
        assert!(began.elapsed() < NOTICED, "still signed in");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    must_say(
        &refused,
        &["Sign in first", "revoked", "/dashboard/sign-in?next="],
    );
    assert_eq!(ann.confirm(&page, "Off").await.0, 401);
    assert_eq!(ann.history().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_outlives_a_session_that_ends_before_its_form_is_sent() {
    let ann = Ann::on(TestStore::embedded()).await;
    let page = ann.effect("do=off").await;
    let sent = format!("{}&comment=Errors+%3Cb%3E%22%26%0AINC-7", fields(&page));
    let request = form(&ann.service, "/dashboard/change", &sent);
    let (status, _, refused) = send(request).await;
    assert_eq!(status, 401, "{refused}");
    must_say(&refused, &["Your comment", "Errors &lt;b&gt;&quot;&amp;"]);
    assert!(!refused.contains("<b>"), "{refused}");
    let link = |page: &str, text: &str| {
        let (before, _) = page.split_once(&format!("\">{text}</a>")).unwrap();
        let (_, link) = before.rsplit_once("href=\"").unwrap();
        link.replace("&amp;", "&")
    };
    let in_form = ">Errors &lt;b&gt;&quot;&amp;\nINC-7</textarea>";
    // Signing in again leads to the form with the comment.
    let to_sign_in = link(&refused, "Sign in");
    let (_, next) = to_sign_in.split_once("next=").unwrap();
    let fields = format!("key={}&next={next}", ann.key);
    let (status, headers, text) = send(form(&ann.service, "/dashboard/sign-in", &fields)).await;
    assert_eq!(status, 303, "{text}");
    let session = headers["set-cookie"].to_str().unwrap();
    let session = session.split_once(';').unwrap().0;
    let location = headers["location"].to_str().unwrap();
    let (status, _, again) = get(&ann.service, location, Some(session)).await;
    assert_eq!(status, 200, "{again}");
    must_say(&again, &[in_form, "name=\"token\""]);
    // So does a form of the session before.
    let request = form(&ann.service, "/dashboard/change", &sent);
    let (status, _, refused) = send(request.header("cookie", session)).await;
    assert_eq!(status, 403, "{refused}");
    let again = link(&refused, "Open the form again");
    let (_, _, again) = get(&ann.service, &again, Some(session)).await;
    must_say(&again, &[in_form]);
    assert_eq!(ann.history().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_a_key_is_not_for_has_no_flag_to_change() {
    let ann = Ann::on(TestStore::embedded()).await;
    let other = "project=other&type=feature&name=f&do=off";
    let (status, _, page) = ann.get(&format!("/dashboard/change?{other}")).await;
    assert_eq!(status, 404, "{page}");
    assert_eq!(ann.send(&format!("{other}&comment=a")).await.0, 404);
}
