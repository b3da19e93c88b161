//! The `OpenAPI` description of the service, made from routes, codes of problems and types of the wire.
//!
//! A route or a code without a description does not compile.
mod document;
mod operation;
mod schemas;

use std::sync::LazyLock;

use actix_web::web::Bytes;

pub(crate) use self::operation::statuses;

/// Returns the document as it travels; the same for the life of the process.
pub(crate) fn document() -> Bytes {
    static DOCUMENT: LazyLock<Bytes> =
        LazyLock::new(|| Bytes::from(document::document().to_string().into_bytes()));

    DOCUMENT.clone()
}
