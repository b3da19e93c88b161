//! A service whose store lies behind a network that can fail.

use flag_tests::{Emulator, Proxy, Reply, Service, TestStore, flagctl};

/// How the service is set up where a test says nothing else: flags are read again every second or so.
pub(super) const QUICK: &[(&str, &str)] = &[
    ("FEATURE_FLAG_CACHE_TTL_MINUTES", "0.02"),
    ("FLAG_STORE_DEADLINE_MS", "280"),
];

/// The sample flags in an emulator of its own, and a service that reads it through a network.
pub(super) struct World {
    pub(super) service: Service,
    pub(super) network: Proxy,
    pub(super) emulator: Emulator,
    /// The store as `flagctl` reaches it: past the network.
    pub(super) direct: TestStore,
}

impl World {
    /// With one flag, `llm_version`, read already.
    pub(super) async fn start(variables: &[(&str, &str)]) -> Self {
        let emulator = Emulator::start();
        let network = Proxy::to(emulator.address()).await;
        let seen = TestStore::at(network.address());
        let TestStore::Bigtable { instance, .. } = &seen else {
            panic!("another store")
        };
        let direct = TestStore::Bigtable {
            emulator: emulator.address().to_owned(),
            instance: instance.clone(),
        };
        let variables = [QUICK, variables].concat();
        let service = Service::start_with(&seen, &["--demo"], &variables);
        let world = Self {
            service,
            network,
            emulator,
            direct,
        };
        assert_eq!(world.ask("llm_version").await.status, 200);
        world
    }

    pub(super) async fn ask(&self, name: &str) -> Reply {
        let project = "csr-assistant";
        self.service.ask(project, "data", name, "A12345").await
    }

    /// Gives a flag another control value, past the network.
    pub(super) fn revise(&self, name: &str, control: &str) {
        let words = [
            "revise",
            "csr-assistant",
            "data",
            name,
            "--control",
            control,
            "--comment",
            "changed",
            "--yes",
            "--yes-i-mean",
            name,
        ];
        let output = flagctl(&self.direct, &words);
        assert_eq!(output.code, 0, "{output:?}");
    }
}

/// The path and query of a warm flag, for another instance each time.
pub(super) fn warm(number: u64) -> String {
    asking("llm_version", number)
}

/// The path and query of a flag of the sample project.
pub(super) fn asking(name: &str, number: u64) -> String {
    format!(
        "/get-feature-flag?project_name=csr-assistant&flag_type=data&flag_name={name}&instance_id=A{number}"
    )
}
