//! The way to Google Cloud: TLS, credentials and tokens, on both of Bigtable's APIs.
//!
//! The emulator answers behind a TLS end that takes calls with a valid token only.

use std::time::{Duration, Instant};

use flag_tests::{
    Denial, Gives, GoogleCloud, Output, Reply, Service, flagctl_with, flagctl_with_hosts,
};
use tonic::Code;

/// Longer than whatever is waited for, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(40);

/// Every log line that there is.
const EVERYTHING: (&str, &str) = ("FLAG_LOG", "trace");

const FLAG: [&str; 3] = ["csr-assistant", "data", "llm_version"];

fn run(cloud: &GoogleCloud, arguments: &[&str]) -> Output {
    run_with(cloud, &cloud.variables(), arguments)
}

fn run_with(cloud: &GoogleCloud, variables: &[(&str, String)], arguments: &[&str]) -> Output {
    let output = flagctl_with(cloud.store(), variables, arguments);
    cloud.assert_tells_nothing(&format!("{}{}", output.stdout, output.stderr));
    output
}

/// Makes the tables and a flag.
fn prepare(cloud: &GoogleCloud) {
    let [project, kind, name] = FLAG;
    for arguments in [
        &["--store", "bigtable", "init"][..],
        &["add", project, kind, name, "--description", "x", "--yes"],
        &[
            "revise",
            project,
            kind,
            name,
            "--control",
            "4.1",
            "--comment",
            "x",
            "--yes",
        ],
    ] {
        let output = run(cloud, arguments);
        assert_eq!(output.code, 0, "{output:?}");
    }
}

fn start(cloud: &GoogleCloud, variables: &[(&str, &str)]) -> Service {
    let own = cloud.variables();
    let own = own.iter().map(|(name, value)| (*name, value.as_str()));
    let all: Vec<_> = own.chain(variables.iter().copied()).collect();
    Service::start_with(cloud.store(), &[], &all)
}

async fn ask(service: &Service, name: &str) -> Reply {
    service.ask("csr-assistant", "data", name, "A12345").await
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "never {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Stops a service and finds all its exposures written, and nothing secret in its log.
async fn check_end(cloud: &GoogleCloud, service: Service, exposures: usize) {
    let written = async || service.metric("flag_exposures_written_total").await;
    until("written", async || written().await >= exposures as u64).await;
    let scrape = service.scrape().await;
    assert!(scrape.text().contains("\nflag_exposures_dropped_total{"));
    assert_eq!(scrape.sum("flag_exposures_dropped_total", &[]), 0.0);
    cloud.assert_tells_nothing(&service.log());
    assert!(service.stop().success());
    let logged = cloud.store().logged("csr-assistant").await;
    assert_eq!(logged.len(), exposures);
}

mod on_bigtable {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_call_brings_a_token_over_tls() {
        let cloud = GoogleCloud::start().await;
        prepare(&cloud);
        for method in ["CreateTable", "ReadRows", "CheckAndMutateRow"] {
            assert!(cloud.calls(method) > 0, "{method}");
        }
        let service = start(&cloud, &[EVERYTHING]);
        until("read", async || {
            ask(&service, "llm_version").await.status == 200
        })
        .await;
        // Below, so that what must not be found was looked for where it would be.
        service.must_log("h2::");
        check_end(&cloud, service, 1).await;
        assert!(cloud.calls("MutateRows") > 0);
    }

    /// Tokens live 8 s here and are renewed after 4 s: a call without a valid one would be refused.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_is_renewed_before_it_ends() {
        let cloud = GoogleCloud::start().await;
        prepare(&cloud);
        cloud.tokens.give(Gives::Tokens(Duration::from_secs(8)));
        let service = start(&cloud, &[EVERYTHING]);
        until("read", async || {
            ask(&service, "llm_version").await.status == 200
        })
        .await;
        let before = cloud.tokens.given();
        let mut asked = 1;
        // Three connections' worth of tokens, each twice.
        while cloud.tokens.given() < before + 6 {
            assert_eq!(ask(&service, "llm_version").await.status, 200);
            // Never in memory, so that each of these is a read.
            assert_eq!(ask(&service, &format!("none-{asked}")).await.status, 404);
            asked += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        check_end(&cloud, service, asked).await;
    }

    async fn check_endpoint_that(gives: Gives) {
        let cloud = GoogleCloud::start().await;
        prepare(&cloud);
        cloud.tokens.give(Gives::Tokens(Duration::from_secs(6)));
        let service = start(&cloud, &[EVERYTHING]);
        until("read", async || {
            ask(&service, "llm_version").await.status == 200
        })
        .await;
        cloud.tokens.give(gives);
        let mut asked = 1;
        let mut unread = async || {
            asked += 1;
            assert_eq!(ask(&service, "llm_version").await.status, 200);
            ask(&service, &format!("none-{asked}")).await.status
        };
        // Until the last token has ended. The flag is found nowhere before.
        until("without a token", async || {
            let status = unread().await;
            assert!([404, 503, 504].contains(&status), "{status}");
            status != 404
        })
        .await;
        for _ in 0..5 {
            unread().await;
        }
        let hour = Duration::from_hours(1);
        cloud.tokens.give(Gives::Tokens(hour));
        until("with a token again", async || unread().await == 404).await;
        check_end(&cloud, service, asked).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_endpoint_that_is_down_costs_no_warm_answer_and_no_exposure() {
        check_endpoint_that(Gives::Nothing).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_endpoint_that_is_silent_costs_no_warm_answer_and_no_exposure() {
        check_endpoint_that(Gives::Silence).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_endpoint_that_refuses_costs_no_warm_answer_and_no_exposure() {
        check_endpoint_that(Gives::Refusals).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_that_is_revoked_is_replaced_and_no_exposure_is_lost() {
        let cloud = GoogleCloud::start().await;
        prepare(&cloud);
        let service = start(&cloud, &[EVERYTHING]);
        until("read", async || {
            ask(&service, "llm_version").await.status == 200
        })
        .await;
        cloud.tokens.revoke();
        let mut asked = 1;
        // A token that was refused when it was young is replaced some seconds later.
        until("with another token", async || {
            asked += 1;
            assert_eq!(ask(&service, "llm_version").await.status, 200);
            ask(&service, &format!("none-{asked}")).await.status == 404
        })
        .await;
        check_end(&cloud, service, asked).await;
    }

    /// An operator's mistake, which gets corrected.
    async fn check_denial(denial: Denial) {
        let cloud = GoogleCloud::start().await;
        prepare(&cloud);
        let service = start(&cloud, &[EVERYTHING]);
        until("read", async || {
            ask(&service, "llm_version").await.status == 200
        })
        .await;
        let written = async || service.metric("flag_exposures_written_total").await;
        until("written", async || written().await == 1).await;
        cloud.deny(Some(("MutateRows", denial)));
        let before = cloud.calls("MutateRows");
        assert_eq!(ask(&service, "llm_version").await.status, 200);
        until("denied twice", async || {
            cloud.calls("MutateRows") > before + 1
        })
        .await;
        service.must_log("exposures cannot be written until an operator corrects the store");
        cloud.deny(None);
        check_end(&cloud, service, 2).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_permission_that_is_missing_costs_no_exposure() {
        check_denial(Denial::Headers(Code::PermissionDenied)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_table_that_is_missing_costs_no_exposure() {
        check_denial(Denial::Trailers(Code::NotFound)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_proxy_that_denies_costs_no_exposure() {
        for status in [403, 404] {
            check_denial(Denial::Proxy(status)).await;
        }
    }

    /// A token that is refused in the trailers is replaced as well.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_that_is_refused_in_trailers_is_replaced() {
        let cloud = GoogleCloud::start().await;
        prepare(&cloud);
        let service = start(&cloud, &[]);
        until("read", async || {
            ask(&service, "llm_version").await.status == 200
        })
        .await;
        let before = cloud.tokens.given();
        cloud.deny(Some(("ReadRows", Denial::Trailers(Code::Unauthenticated))));
        let mut asked = 1;
        until("with another token", async || {
            asked += 1;
            ask(&service, &format!("none-{asked}")).await;
            cloud.tokens.given() > before
        })
        .await;
        cloud.deny(None);
        until("read again", async || {
            asked += 1;
            ask(&service, &format!("none-{asked}")).await.status == 404
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn missing_credentials_are_one_line_that_says_what_to_do() {
        const LINE: &str = "No Google credentials. Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS";
        let cloud = GoogleCloud::start().await;
        let mut variables = cloud.variables_without_key();
        // Where there is no gcloud.
        variables.push(("PATH", "/nowhere".to_owned()));
        let output = run_with(&cloud, &variables, &["--store", "bigtable", "init"]);
        assert_eq!(output.code, 6, "{output:?}");
        assert_eq!(output.stderr, format!("error: {LINE}\n"));
        let own = variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let own: Vec<_> = own.collect();
        let log = tempfile::NamedTempFile::new().unwrap();
        let service = Service::start_logging(cloud.store(), &[], &own, log.reopen().unwrap());
        let logged = || std::fs::read_to_string(log.path()).unwrap();
        until("told", async || logged().contains(&format!("{LINE}\""))).await;
        // Credentials may come later, so it goes on.
        assert_eq!(service.get("/livez", &[]).await.status, 200);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_key_file_that_is_broken_is_named_and_not_quoted() {
        let cloud = GoogleCloud::start().await;
        let file = cloud.path("key.json");
        let check = |says: &str| {
            let output = run(&cloud, &["--store", "bigtable", "list", "p"]);
            assert_eq!(output.code, 6, "{output:?}");
            let begins = format!("error: GOOGLE_APPLICATION_CREDENTIALS is {file:?}, which {says}");
            assert!(output.stderr.starts_with(&begins), "{}", output.stderr);
            assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
        };
        let key = std::fs::read_to_string(cloud.path("key.json")).unwrap();
        // A key on one line, as it gets lost in an environment variable.
        cloud.write_key(&key.replace('\n', ""));
        check("has no RSA key");
        std::fs::write(&file, serde_json::json!(key).to_string()).unwrap();
        check("is not a JSON object");
        std::fs::write(&file, key.replace(':', "")).unwrap();
        check("is not JSON (line 1, column ");
        std::fs::remove_file(&file).unwrap();
        check("cannot be read (No such file or directory (os error 2))");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_token_endpoint_that_gives_no_token_is_named() {
        let cloud = GoogleCloud::start().await;
        for (gives, says) in [
            (Gives::Refusals, "it refused"),
            (Gives::Nonsense, "its answer is not a token"),
            (Gives::Nothing, "HTTP request failed"),
            (Gives::Silence, "no answer within 10000 ms"),
        ] {
            cloud.tokens.give(gives);
            let output = run(&cloud, &["--store", "bigtable", "list", "p"]);
            let begins = format!(
                "error: no access token from {}, named by {}: {says}",
                cloud.tokens.url(),
                cloud.path("key.json")
            );
            assert!(output.stderr.starts_with(&begins), "{}", output.stderr);
            assert_eq!((output.code, output.stderr.lines().count()), (6, 1));
        }
    }

    /// The metadata server has a name and a port of its own, which takes root and a mount namespace: without them this
    /// fails, and `cargo xtask test` leaves it out.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_metadata_server_gives_tokens_to_a_machine() {
        let cloud = GoogleCloud::start().await;
        let address = format!("127.{}.{}.1", fastrand::u8(1..), fastrand::u8(..));
        let hosts = std::path::PathBuf::from(cloud.path("hosts"));
        let names = format!("127.0.0.1 localhost\n{address} metadata.google.internal\n");
        std::fs::write(&hosts, names).unwrap();
        let listening = cloud.tokens.also_at(&format!("{address}:80")).await;
        listening.expect("listening on port 80 takes root");
        let variables = cloud.variables_without_key();
        let run = |arguments: &[&str]| {
            let output = flagctl_with_hosts(&hosts, cloud.store(), &variables, arguments);
            let output = output.expect("a mount namespace takes root");
            cloud.assert_tells_nothing(&format!("{}{}", output.stdout, output.stderr));
            output
        };
        let init = ["--store", "bigtable", "init"];
        let output = run(&init);
        assert_eq!(output.code, 0, "{output:?}");
        assert!(cloud.calls("CreateTable") > 0 && cloud.tokens.given() > 0);
        cloud.tokens.give(Gives::Refusals);
        let output = run(&init);
        let says = "error: no access token from Google's metadata server: it refused;";
        assert!(output.stderr.starts_with(says), "{}", output.stderr);
        assert_eq!((output.code, output.stderr.lines().count()), (6, 1));
    }

    /// What the last line says of a certificate, for both APIs.
    #[track_caller]
    fn check_certificate(cloud: &GoogleCloud, variables: &[(&str, String)], says: &str) {
        for arguments in [["list", "p"], ["doctor", "p"]] {
            let output = run_with(cloud, variables, &arguments);
            let all = format!("{}{}", output.stdout, output.stderr);
            assert!(all.contains(says), "{all}");
            assert_ne!(output.code, 0);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_certificate_of_another_host_is_explained() {
        let cloud = GoogleCloud::with_certificate_of_another().await;
        let says = format!("{} has the certificate of another host", cloud.endpoint());
        check_certificate(&cloud, &cloud.variables(), &says);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_certificate_of_another_authority_is_explained() {
        let cloud = GoogleCloud::start().await;
        let file = cloud.path("other_ca.pem");
        let mut variables = cloud.variables();
        variables.push(("FLAG_BIGTABLE_CA_FILE", file.clone()));
        let host = cloud.endpoint();
        let says = format!("the certificate of {host} is not from an authority in {file}");
        check_certificate(&cloud, &variables, &says);
        // What the system trusts is not it either.
        variables.push(("FLAG_BIGTABLE_CA_FILE", String::new()));
        let says =
            format!("the certificate of {host} is not from an authority that this system trusts");
        check_certificate(&cloud, &variables, &says);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_of_authorities_that_is_broken_is_named() {
        let cloud = GoogleCloud::start().await;
        let file = cloud.path("ca.pem");
        for (text, says) in [
            (Some("no PEM"), "holds no certificate in PEM"),
            (
                None,
                "cannot be read (No such file or directory (os error 2))",
            ),
        ] {
            match text {
                Some(text) => std::fs::write(&file, text).unwrap(),
                None => std::fs::remove_file(&file).unwrap(),
            }
            let says = format!(
                "FLAG_BIGTABLE_CA_FILE is {file:?}, which {says}: name a file with certificates in PEM"
            );
            let output = run(&cloud, &["--store", "bigtable", "init"]);
            assert_eq!(output.stderr, format!("error: {says}\n"));
            assert_eq!(output.code, 2);
            let variables = cloud.variables();
            let own = variables
                .iter()
                .map(|(name, value)| (*name, value.as_str()));
            let own: Vec<_> = own.collect();
            let (status, stderr) = Service::fail(cloud.store(), &[], &own);
            assert!(!status.success());
            assert!(
                stderr.contains(&format!("flag-service: {says}\n")),
                "{stderr}"
            );
        }
    }
}
