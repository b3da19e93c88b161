//! The client as a provider for [OpenFeature](https://openfeature.dev).
//!
//! The flag key is the name of the flag, the targeting key is the instance id. Flags hold booleans and text: numbers and
//! structures are a type mismatch. The variant is the rollout group. The reason is `TARGETING_MATCH` for an override,
//! `SPLIT` for another treatment, `DEFAULT` for the control value, `CACHED` from the cache, and `STALE` when the service, or its store, could not be asked.
//! Without a value there is an error, and OpenFeature returns the caller's default.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use flag_client::AsyncFeatureFlagClient;
//! use flag_client::open_feature::Provider;
//! use open_feature::{EvaluationContext, OpenFeature};
//!
//! let client = AsyncFeatureFlagClient::new("csr-assistant");
//! # let fixed = flag_client::testing::FixedFlags::new();
//! # fixed.set("beta_search", true);
//! # let client = fixed.async_client();
//! let mut api = OpenFeature::singleton_mut().await;
//! api.set_provider(Provider::new(client)).await;
//!
//! let flags = api.create_client();
//! let ann = EvaluationContext::default().with_targeting_key("A12345");
//! let is_on = flags.get_bool_value("beta_search", Some(&ann), None).await;
//! assert!(is_on.unwrap_or(false));
//! # });
//! ```

use flag_model::{CONTROL_GROUP, Reason};
use open_feature::provider::{FeatureProvider, ProviderMetadata, ResolutionDetails};
use open_feature::{
    EvaluationContext, EvaluationError, EvaluationErrorCode, EvaluationReason, EvaluationResult,
    StructValue, async_trait,
};

use crate::async_client::AsyncFeatureFlagClient;
use crate::detail::{Detail, Freshness, Source};
use crate::failure::Failure;

/// A client that OpenFeature can use.
#[derive(Debug)]
pub struct Provider {
    client: AsyncFeatureFlagClient,
    metadata: ProviderMetadata,
}

impl Provider {
    /// A provider of this client's flags.
    pub fn new(client: AsyncFeatureFlagClient) -> Self {
        let metadata = ProviderMetadata::new(env!("CARGO_PKG_NAME"));
        Self { client, metadata }
    }
}

#[async_trait]
impl FeatureProvider for Provider {
    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(
        &self,
        flag_key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        let instance_id = targeting_key(context)?;
        let asked = self
            .client
            .get_flag_boolean_detail(flag_key, instance_id, false);
        resolution(asked.await)
    }

    async fn resolve_string_value(
        &self,
        flag_key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        let instance_id = targeting_key(context)?;
        let asked = self
            .client
            .get_flag_string_detail(flag_key, instance_id, "");
        resolution(asked.await)
    }

    async fn resolve_int_value(
        &self,
        _: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        Err(no_such_type("an integer"))
    }

    async fn resolve_float_value(
        &self,
        _: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        Err(no_such_type("a number"))
    }

    async fn resolve_struct_value(
        &self,
        _: &str,
        _: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<StructValue>> {
        Err(no_such_type("a structure"))
    }
}

fn targeting_key(context: &EvaluationContext) -> Result<&str, EvaluationError> {
    let missing = || {
        error(
            EvaluationErrorCode::TargetingKeyMissing,
            "no targeting key".to_owned(),
        )
    };
    let key = context.targeting_key.as_deref();
    key.filter(|key| !key.is_empty()).ok_or_else(missing)
}

fn no_such_type(wanted: &str) -> EvaluationError {
    let message = format!("found a boolean or text, expected {wanted}");
    error(EvaluationErrorCode::TypeMismatch, message)
}

fn resolution<T>(detail: Detail<T>) -> EvaluationResult<ResolutionDetails<T>> {
    let group = detail.rollout_group.as_deref();
    let reason = match detail.source {
        Source::Default(failure) => return Err(error(code(&failure), failure.to_string())),
        Source::LastKnown(_)
        | Source::Service(Freshness::LastKnownAtService)
        | Source::Cache(Freshness::LastKnownAtService) => {
            EvaluationReason::Other("STALE".to_owned())
        }
        Source::Cache(Freshness::Current) => EvaluationReason::Cached,
        Source::Service(Freshness::Current) => match detail.reason {
            Some(Reason::Rollout) => EvaluationReason::Split,
            Some(Reason::Control) => EvaluationReason::Default,
            // An older service does not say which rule decided.
            None if group == Some(CONTROL_GROUP) => EvaluationReason::Default,
            Some(Reason::Override | Reason::Delivered) | None => EvaluationReason::TargetingMatch,
        },
    };
    Ok(ResolutionDetails {
        value: detail.value,
        variant: group.map(str::to_owned),
        reason: Some(reason),
        flag_metadata: None,
    })
}

fn code(failure: &Failure) -> EvaluationErrorCode {
    match failure {
        Failure::FlagNotFound(_) => EvaluationErrorCode::FlagNotFound,
        Failure::FlagUnreadable(_) | Failure::BadAnswer(_) => EvaluationErrorCode::ParseError,
        Failure::InvalidRequest(_) => EvaluationErrorCode::InvalidContext,
        Failure::Closed | Failure::Misconfigured(_) => EvaluationErrorCode::ProviderNotReady,
        other => EvaluationErrorCode::General(other.to_string()),
    }
}

fn error(code: EvaluationErrorCode, message: String) -> EvaluationError {
    EvaluationError {
        code,
        message: Some(message),
    }
}
