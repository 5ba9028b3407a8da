//! The manual of the control socket: the OpenRPC document that `rpc.discover` answers, and
//! tetherd-rpc(7), both made from the contract's types. Tests only: what it makes is
//! committed, and a test says so when it no longer is what the code says.
//!
//! - [`words`]: doc comments as plain text. [`limits`]: the constants.
//! - [`schemas`]: the types. [`methods`], [`errors`], [`events`]: their documentation.
//! - [`document`]: all of it as one document. [`page`]: the document as a man page.
//!
//! The page is made from the document alone: what a person reads and what a program reads
//! cannot differ.

mod document;
mod errors;
mod events;
mod examples;
mod limits;
mod methods;
mod page;
mod schemas;
mod words;

use std::collections::BTreeSet;

use serde_json::Value;

use expect_test::expect_file;
use tetherd_api::frame::{Id, check_depth, encode_reply};
use tetherd_api::{FRAME_BYTES_MAX, Method, OPENRPC};

#[test]
fn the_openrpc_document_is_what_the_types_say() {
    expect_file!["../../api/openrpc.json"].assert_eq(&document::text());
}

#[test]
fn the_man_page_is_what_the_document_says() {
    let document: Value = serde_json::from_str(&document::text()).unwrap();
    expect_file!["../../../contrib/man/tetherd-rpc.7"].assert_eq(&page::page(&document));
}

#[test]
fn the_document_fits_into_a_reply() {
    let document: Value = serde_json::from_str(OPENRPC).unwrap();
    let line = encode_reply(&Id::Number(1.into()), Ok(&document)).unwrap();
    assert!(line.len() < FRAME_BYTES_MAX / 2, "{} bytes", line.len());
    check_depth(&line).unwrap();
}

#[test]
fn every_method_is_in_the_document_once_and_every_reference_leads_somewhere() {
    let document: Value = serde_json::from_str(&document::text()).unwrap();
    let methods = document["methods"].as_array().unwrap();
    let names: BTreeSet<&str> = methods.iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert_eq!(names, Method::ALL.iter().map(|method| method.name()).collect());
    assert_eq!(methods.len(), names.len());
    let mut used = BTreeSet::new();
    references(&document, &mut used);
    for reference in &used {
        let pointer = reference.strip_prefix('#').unwrap_or_default();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for (name, _) in document["components"]["schemas"].as_object().unwrap() {
        assert!(used.contains(&format!("#/components/schemas/{name}")), "nobody speaks of {name}");
    }
}

fn references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            into.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| references(value, into));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
