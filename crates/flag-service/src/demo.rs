//! Sample flags for an empty store.

use std::net::SocketAddr;

use flag_model::{
    BucketScheme, FlagKey, FlagName, FlagType, FlagValue, FormatVersion, HashAlgorithm, InstanceId,
    InvalidRevision, MetadataParts, OwnerId, Percent, ProjectName, RevisionParts, Salt, Treatment,
};
use flag_rollout::reweight;
use flag_store::{AppendError, Base, BoxFuture, FlagStore};
use tracing::info;

const PROJECT: &str = "csr-assistant";

struct Sample {
    flag_type: FlagType,
    name: &'static str,
    description: &'static str,
    control: &'static str,
    /// Value, percentage, override list.
    treatment: Option<(&'static str, &'static str, &'static [&'static str])>,
}

const SAMPLES: [Sample; 3] = [
    Sample {
        flag_type: FlagType::Feature,
        name: "multi_step_api_router",
        description: "Answers with the router that plans several API calls",
        control: "false",
        treatment: Some(("true", "40", &["A12345"])),
    },
    Sample {
        flag_type: FlagType::Data,
        name: "llm_provider",
        description: "Which provider answers",
        control: "openai",
        treatment: Some(("vertex", "10", &["A12345"])),
    },
    Sample {
        flag_type: FlagType::Data,
        name: "llm_version",
        description: "Which version of the model answers",
        control: "4.1",
        treatment: None,
    },
];

/// Adds the sample flags if the store is empty. Several services may do so at the same time.
pub(crate) fn fill(store: &FlagStore) -> BoxFuture<'_, Result<(), AppendError>> {
    Box::pin(async {
        if !store.is_empty().await? {
            return Ok(());
        }
        for sample in &SAMPLES {
            add(store, sample).await?;
        }
        info!(
            project = PROJECT,
            flags = SAMPLES.len(),
            "sample flags added"
        );
        Ok(())
    })
}

async fn add(store: &FlagStore, sample: &Sample) -> Result<(), AppendError> {
    let flag = FlagKey {
        project: ProjectName::new(PROJECT)?,
        flag_type: sample.flag_type,
        name: FlagName::new(sample.name)?,
    };
    let owner = Some(OwnerId::new("flag-service --demo")?);
    let metadata = MetadataParts {
        flag: flag.clone(),
        description: sample.description.to_owned(),
        owner: owner.clone(),
        ticket: None,
        tags: vec!["sample".to_owned()],
        expires_on: None,
        edited_by: None,
    };
    ignore_conflict(store.append_metadata(Base::Nothing, metadata).await)?;
    let revision = RevisionParts {
        control: FlagValue::parse(sample.flag_type, sample.control)?,
        treatments: treatments(sample)?,
        scheme: BucketScheme::V2 {
            algorithm: HashAlgorithm::Md5,
            salt: Salt::try_from(&flag.name)?,
        },
        flag,
        comment: "Sample".to_owned(),
        owner,
        rollback_of: None,
    };
    ignore_conflict(store.append_revision(Base::Nothing, revision).await)
}

/// Ignores a conflict: another service has added the flag.
fn ignore_conflict<T>(appended: Result<T, AppendError>) -> Result<(), AppendError> {
    match appended {
        Ok(_) | Err(AppendError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn treatments(sample: &Sample) -> Result<Vec<Treatment>, InvalidRevision> {
    let Some((value, percent, overrides)) = sample.treatment else {
        return Ok(Vec::new());
    };
    let percent = Percent::parse(percent, FormatVersion::V2)?;
    let treatment = Treatment {
        name: None,
        overrides: overrides
            .iter()
            .map(|id| InstanceId::new(*id))
            .collect::<Result<_, _>>()?,
        percent,
        value: FlagValue::parse(sample.flag_type, value)?,
        ranges: reweight(&[(&[], percent)]).concat(),
    };
    Ok(vec![treatment])
}

/// Returns a command that requests a sample flag.
pub(crate) fn curl(scheme: &str, address: SocketAddr) -> String {
    let reachable = if address.ip().is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], address.port()))
    } else {
        address
    };
    format!(
        "curl '{scheme}://{reachable}/get-feature-flag?project_name={PROJECT}&flag_type=feature&flag_name=multi_step_api_router&instance_id=A12345'"
    )
}
