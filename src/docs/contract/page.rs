//! The document as tetherd-rpc(7). Owns the order and the headings; knows the contract only
//! by the document.

mod types;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::man;
use types::{Types, name_of, type_of};

/// What an example's string is cut to, to stay within a line.
const SHOWN_CHARS_MAX: usize = 40;

/// The page's source.
pub(super) fn page(document: &Value) -> String {
    let page = man::page("tetherd-rpc.7", &markdown(document), |part| panic!("no part {part}"));
    assert!(page.is_ascii(), "a terminal may have nothing else");
    page
}

fn markdown(document: &Value) -> String {
    let mut page = String::from("# NAME\n\ntetherd-rpc - the control socket of tetherd\n\n");
    page += &format!("# DESCRIPTION\n\n{}\n\n", text(&document["info"]["description"]));
    let types = Types::new(document);
    methods(&mut page, document, &types);
    events(&mut page, document, &types);
    page += "# TYPES\n\n";
    types.document_all(&mut page);
    errors(&mut page, document);
    limits(&mut page, document);
    page += "# SEE ALSO\n\n`tetherctl`(1), `tetherd.toml`(5), `unix`(7), `tetherd`(8)\n\n\
             JSON-RPC 2.0: https://www.jsonrpc.org/specification\n\n\
             OpenRPC: https://spec.open-rpc.org\n";
    page
}

/// A name, its type in brackets, and what it is.
fn entry(page: &mut String, name: &str, kind: &str, about: &str) {
    let kind = if kind.is_empty() { String::new() } else { format!(" ({kind})") };
    let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
    *page += &format!("`{name}`{kind}\n: {about}\n\n");
}

fn paragraph(page: &mut String, text: &str) {
    *page += &format!("{}\n\n", text.trim());
}

/// A JSON-RPC message, on several lines.
fn code(page: &mut String, message: Value) {
    let message = serde_json::to_string_pretty(&shortened(message)).unwrap();
    *page += &format!("```\n{message}\n```\n\n");
}

fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > SHOWN_CHARS_MAX => {
            let kept: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            format!("{}...", kept.trim_end()).into()
        }
        Value::Array(values) => values.into_iter().map(shortened).collect(),
        Value::Object(object) => {
            object.into_iter().map(|(name, value)| (name, shortened(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

fn methods(page: &mut String, document: &Value, types: &Types<'_>) {
    *page += "# METHODS\n\n";
    let mut methods: Vec<&Value> = list(&document["methods"]).iter().collect();
    methods.sort_by_key(|method| text(&method["name"]));
    for documented in methods {
        method(page, document, types, documented);
    }
}

fn method(page: &mut String, document: &Value, types: &Types<'_>, documented: &Value) {
    paragraph(page, &format!("## {}", text(&documented["name"])));
    let more = documented.get("description").map(text).unwrap_or_default();
    paragraph(page, format!("{} {more}", text(&documented["summary"])).trim());
    let mut about = format!("Tier: `{}`.", text(&documented["x-tier"]));
    if let Some(alias) = documented.get("x-alias") {
        about += &format!(" Taken under the name of an older service too: `{}`.", text(alias));
    }
    paragraph(page, &about);
    if let Some(way) = documented.get("x-descriptors") {
        paragraph(page, text(way));
    }

    let params = list(&documented["params"]);
    if params.is_empty() {
        paragraph(page, "It takes no parameters.");
    } else {
        paragraph(page, text(&types.resolve(&documented["x-params"])["description"]));
    }
    for param in params {
        let optional = if param["required"] == true { "" } else { ", optional" };
        let title = format!("{}{optional}", type_of(&param["schema"]));
        entry(page, text(&param["name"]), &title, text(&param["description"]));
    }
    result(page, types, &documented["result"]);

    let common = of_place(document, "any");
    let errors = list(&documented["errors"]).iter().map(name_of);
    let own: Vec<String> =
        errors.filter(|name| !common.contains(name)).map(|name| format!("`{name}`")).collect();
    if !own.is_empty() {
        paragraph(page, &format!("Its own errors: {}.", own.join(", ")));
    }
    let shown = shown_by(document, documented);
    for shown_example in list(&documented["examples"]) {
        example(page, text(&documented["name"]), shown_example, shown);
    }
}

/// The method that shows this one's kind of result: the first that answers it.
fn shown_by<'a>(document: &'a Value, documented: &Value) -> Option<&'a str> {
    let methods = list(&document["methods"]).iter();
    let first = methods.map(|method| (text(&method["name"]), &method["result"]["schema"]));
    let first = first
        .filter(|(_, schema)| **schema == documented["result"]["schema"])
        .map(|(name, _)| name);
    first.take(1).find(|name| documented["name"] != **name)
}

fn result(page: &mut String, types: &Types<'_>, documented: &Value) {
    let schema = &documented["schema"];
    if schema.get("$ref").is_none() {
        return paragraph(page, &format!("Result: {}.", text(&schema["description"])));
    }
    let name = name_of(schema);
    if types.is_used_once(name) {
        let resolved = types.resolve(schema);
        paragraph(page, text(&resolved["description"]));
        types.fields(page, resolved, &[]);
    } else {
        paragraph(page, &format!("Result: {name}, see TYPES."));
    }
}

fn example(page: &mut String, method: &str, example: &Value, shown: Option<&str>) {
    let params = list(&example["params"]).iter();
    let params: Value = params.map(|p| (text(&p["name"]).to_owned(), p["value"].clone())).collect();
    let about = example.get("description").map(text).unwrap_or_default();
    paragraph(page, &format!("Example: {}. {about}", text(&example["name"])));
    code(page, json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
    match shown {
        Some(shown) => {
            paragraph(page, &format!("The result is one like that of `{shown}`."));
        }
        None => {
            code(page, json!({ "jsonrpc": "2.0", "id": 1, "result": example["result"]["value"] }));
        }
    }
}

fn events(page: &mut String, document: &Value, types: &Types<'_>) {
    let events = &document["x-events"];
    let all = list(&events["list"]);
    *page += "# EVENTS\n\n";
    paragraph(page, text(&events["description"]));
    paragraph(page, "Every event has these:");
    let first = &all[0]["schema"]["properties"];
    for name in ["event", "seq", "at"] {
        let title = type_of(&first[name]);
        let about = first[name].get("description").map_or("Which one.", text);
        entry(page, name, if name == "event" { "string" } else { &title }, about);
    }
    for event in all {
        paragraph(page, &format!("## {}", text(&event["name"])));
        paragraph(page, text(&event["description"]));
        types.fields(page, &event["schema"], &["event", "seq", "at"]);
        paragraph(page, "Example:");
        let (method, params) = (&events["method"], &event["example"]);
        code(page, json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }
}

/// The names of the errors that are answered there.
fn of_place<'a>(document: &'a Value, place: &str) -> BTreeSet<&'a str> {
    let errors = list(&document["x-errors"]).iter().filter(|error| error["place"] == place);
    errors.map(|error| text(&error["kind"])).collect()
}

fn errors(page: &mut String, document: &Value) {
    *page += "# ERRORS\n\n";
    let error = &document["x-error"]["example"];
    code(page, json!({ "jsonrpc": "2.0", "id": 1, "error": error }));
    for (place, heading) in [
        ("method", "Of single methods"),
        ("any", "Of any method"),
        ("connection", "Of the connection"),
    ] {
        paragraph(page, &format!("## {}", heading));
        for error in list(&document["x-errors"]).iter().filter(|error| error["place"] == place) {
            let mut about = text(&error["description"]).to_owned();
            if let Some(remedy) = error.get("remedy") {
                about += &format!(" Remedy: {}", text(remedy));
            }
            if error["retry_after_ms"] == true {
                about += " It may come with `retry_after_ms`.";
            }
            entry(page, text(&error["kind"]), &error["code"].to_string(), &about);
        }
    }
}

fn limits(page: &mut String, document: &Value) {
    *page += "# LIMITS\n\n";
    for limit in list(&document["x-limits"]) {
        let value = limit["value"].to_string();
        entry(page, text(&limit["name"]), &value, text(&limit["description"]));
    }
}
