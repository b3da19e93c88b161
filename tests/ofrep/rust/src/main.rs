//! OpenFeature in Rust with its OFREP provider: reads questions, one JSON object per line, and answers each with one.

use std::error::Error;
use std::io::stdin;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use open_feature::{
    EvaluationContext, EvaluationDetails, EvaluationErrorCode, EvaluationResult, FlagMetadata,
    FlagMetadataValue, OpenFeature,
};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use serde_json::{Value, json};

type Answer = Result<Value, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    for line in stdin().lines() {
        let question: Value = serde_json::from_str(&line?)?;
        let answer = match text(&question, "op") {
            "open" => open(&question).await?,
            _ => evaluate(&question).await,
        };
        println!("{answer}");
    }
    Ok(())
}

async fn open(question: &Value) -> Answer {
    let mut headers = HeaderMap::new();
    if let Some(key) = question["apiKey"].as_str() {
        headers.insert(AUTHORIZATION, format!("Bearer {key}").parse()?);
    }
    let options = OfrepOptions {
        base_url: text(question, "url").to_owned(),
        headers,
        ..OfrepOptions::default()
    };
    let provider = OfrepProvider::new(options).await?;
    let mut api = OpenFeature::singleton_mut().await;
    api.set_provider(provider).await;
    Ok(json!({}))
}

async fn evaluate(question: &Value) -> Value {
    let client = OpenFeature::singleton().await.create_client();
    let mut context = EvaluationContext::default().with_custom_field("plan", "premium");
    context.targeting_key = question["targetingKey"].as_str().map(str::to_owned);
    let (key, context) = (text(question, "key"), Some(&context));
    let default = &question["default"];
    match text(question, "type") {
        "boolean" => told(client.get_bool_details(key, context, None).await, default),
        _ => told(client.get_string_details(key, context, None).await, default),
    }
}

fn told<T: Into<Value>>(found: EvaluationResult<EvaluationDetails<T>>, default: &Value) -> Value {
    match found {
        Ok(found) => json!({
            "value": found.value.into(),
            "reason": found.reason.map(|reason| reason.to_string()),
            "variant": found.variant,
            "metadata": metadata(found.flag_metadata),
        }),
        Err(error) => {
            let code = match error.code {
                EvaluationErrorCode::General(_) => "GENERAL".to_owned(),
                code => code.to_string(),
            };
            json!({ "value": default, "errorCode": code, "errorMessage": error.message })
        }
    }
}

fn metadata(metadata: FlagMetadata) -> Value {
    let value = |value| match value {
        FlagMetadataValue::Bool(value) => json!(value),
        FlagMetadataValue::Int(value) => json!(value),
        FlagMetadataValue::Float(value) => json!(value),
        FlagMetadataValue::String(value) => json!(value),
    };
    let values = metadata.values.into_iter();
    values.map(|(name, it)| (name, value(it))).collect()
}

fn text<'a>(question: &'a Value, name: &str) -> &'a str {
    question[name].as_str().unwrap_or_default()
}
