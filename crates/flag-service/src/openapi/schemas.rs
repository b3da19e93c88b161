//! JSON schemas of the types of the wire.

use flag_api::{
    EventData, Explanation, ExposureEntry, FlagReply, LogReply, OfrepFailure, OfrepFlag,
    OfrepFlags, OfrepRequest, Problem,
};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::http::Details;

/// Returns the schemas by name, including referenced ones.
pub(super) fn schemas() -> Value {
    let mut schemas = Map::new();
    add::<FlagReply<'_>>(&mut schemas);
    add::<ExposureEntry<'_>>(&mut schemas);
    add::<LogReply<'_>>(&mut schemas);
    add::<OfrepRequest<'_>>(&mut schemas);
    add::<OfrepFlag<'_>>(&mut schemas);
    add::<OfrepFlags<'_>>(&mut schemas);
    add::<OfrepFailure<'_>>(&mut schemas);
    add::<EventData<'_>>(&mut schemas);
    add::<Explanation<'_>>(&mut schemas);
    add::<Details>(&mut schemas);
    add::<Problem<'_>>(&mut schemas);
    Value::Object(schemas)
}

/// Returns a reference to the schema of a type.
pub(super) fn reference<T: ToSchema>() -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
}

fn add<T: ToSchema>(schemas: &mut Map<String, Value>) {
    let mut used = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut used);
    let used = used.into_iter().map(|(name, schema)| (name, json!(schema)));
    schemas.extend(used);
}
