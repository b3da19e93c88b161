//! A service whose log, greeting or snapshot nobody takes: it answers and ends all the same.

use std::fs::{File, OpenOptions};
use std::io::{PipeReader, PipeWriter, Write as _, pipe};
use std::time::Duration;

use flag_tests::{Service, TestStore};

/// As much as a pipe holds, unless somebody has set it otherwise.
const PIPE: usize = 64 << 10;

/// How long a machine with much else to do may take to write a line.
const BORNE: Duration = Duration::from_secs(20);

fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

fn pipe_without_reader() -> PipeWriter {
    pipe().unwrap().1
}

/// A pipe that is full, and its reader, who reads nothing.
fn stuck_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(&vec![b'x'; PIPE]).unwrap();
    (reader, writer)
}

/// Uses the service in ways that are logged and in others, and ends it.
async fn use_and_stop(service: Service) {
    for _ in 0..20 {
        let flag = |name| service.ask("csr-assistant", "data", name, "A12345");
        assert_eq!(flag("llm_version").await.status, 200);
        assert_eq!(flag("not_there").await.status, 404);
        assert_eq!(service.get("/livez", &[]).await.status, 200);
        assert_eq!(service.get("/readyz", &[]).await.status, 200);
    }
    assert_eq!(service.stop().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_costs_its_lines_alone() {
    for stderr in [
        full_disk().into(),
        std::os::fd::OwnedFd::from(pipe_without_reader()),
    ] {
        let stdout = full_disk();
        let store = TestStore::embedded();
        let service = Service::start_unheard(&store, &[], stdout, stderr).await;
        let lost = |scrape: &flag_tests::Scrape| {
            scrape.sum("flag_log_lines_lost_total", &[("reason", "failed")]) > 0.0
        };
        service.scrape_until(BORNE, lost).await;
        use_and_stop(service).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_holds_up_no_answer_and_no_end() {
    let (_reader, stderr) = stuck_pipe();
    let (_listener, stdout) = stuck_pipe();
    let store = TestStore::embedded();
    let service = Service::start_unheard(&store, &[], stdout, stderr).await;
    use_and_stop(service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_read_again_goes_on() {
    let (reader, stderr) = stuck_pipe();
    let store = TestStore::embedded();
    let service = Service::start_unheard(&store, &[], full_disk(), stderr).await;
    let said = std::thread::spawn(move || std::io::read_to_string(reader).unwrap());
    assert_eq!(service.stop().code(), Some(0));
    let said = said.join().unwrap();
    assert!(said.contains("\"stopped\""), "{said}");
}

#[test]
fn a_start_that_fails_ends_with_its_code_though_nobody_hears_why() {
    let store = TestStore::embedded();
    let wrong = [("FLAG_WORKERS", "none")];
    let file = tempfile::NamedTempFile::new().unwrap();
    let no_directory = [("FLAG_DATA_DIR", file.path().to_str().unwrap())];
    for (variables, code) in [(wrong, 2), (no_directory, 1)] {
        let (_reader, stuck) = stuck_pipe();
        for stderr in [full_disk().into(), std::os::fd::OwnedFd::from(stuck)] {
            let ended = Service::fail_unheard(&store, &variables, stderr);
            assert_eq!(ended.code(), Some(code));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_no_file_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for file in [pipe.to_str().unwrap(), "/dev/zero"] {
        let variables = [("FLAG_SNAPSHOT_FILE", file)];
        let service = Service::start_with(&TestStore::embedded(), &["--demo"], &variables);
        service.must_log("it is no regular file");
        drop(service);
    }
}
