//! The document as tetherd-rpc(7). Owns the order and the headings; knows the contract only
//! by the document.

mod json;
mod sheet;
mod types;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use sheet::Sheet;
use types::{Types, name_of, type_of};

/// The page's source.
pub(super) fn page(document: &Value) -> String {
    let mut sheet = Sheet::default();
    sheet.section("NAME");
    sheet.paragraph("tetherd-rpc - the control socket of tetherd");
    sheet.section("DESCRIPTION");
    sheet.prose(text(&document["info"]["description"]));
    let types = Types::new(document);
    methods(&mut sheet, document, &types);
    events(&mut sheet, document, &types);
    sheet.section("TYPES");
    types.tell_all(&mut sheet);
    errors(&mut sheet, document);
    limits(&mut sheet, document);
    sheet.section("SEE ALSO");
    sheet.paragraph("`tetherctl`(1), `tetherd.toml`(5), `unix`(7), `tetherd`(8)");
    sheet.paragraph("JSON-RPC 2.0: https://www.jsonrpc.org/specification");
    sheet.paragraph("OpenRPC: https://spec.open-rpc.org");
    let page = sheet.render("tetherd-rpc.7");
    assert!(page.is_ascii(), "a terminal may have nothing else");
    page
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

fn methods(sheet: &mut Sheet, document: &Value, types: &Types<'_>) {
    sheet.section("METHODS");
    let mut methods: Vec<&Value> = list(&document["methods"]).iter().collect();
    methods.sort_by_key(|method| text(&method["name"]));
    for told in methods {
        method(sheet, document, types, told);
    }
}

fn method(sheet: &mut Sheet, document: &Value, types: &Types<'_>, told: &Value) {
    sheet.subsection(text(&told["name"]));
    let more = told.get("description").map(text).unwrap_or_default();
    sheet.prose(format!("{} {more}", text(&told["summary"])).trim());
    let mut about = format!("Tier: `{}`.", text(&told["x-tier"]));
    if let Some(alias) = told.get("x-alias") {
        about += &format!(" Taken under the name of an older service too: `{}`.", text(alias));
    }
    sheet.paragraph(&about);
    if let Some(way) = told.get("x-descriptors") {
        sheet.paragraph(text(way));
    }

    let params = list(&told["params"]);
    if params.is_empty() {
        sheet.paragraph("It takes no parameters.");
    } else {
        sheet.paragraph(text(&types.resolve(&told["x-params"])["description"]));
    }
    for param in params {
        let optional = if param["required"] == true { "" } else { ", optional" };
        let title = format!("{}{optional}", type_of(&param["schema"]));
        sheet.entry(text(&param["name"]), &title, text(&param["description"]));
    }
    result(sheet, types, &told["result"]);

    let common = of_place(document, "any");
    let errors = list(&told["errors"]).iter().map(name_of);
    let own: Vec<String> =
        errors.filter(|name| !common.contains(name)).map(|name| format!("`{name}`")).collect();
    if !own.is_empty() {
        sheet.paragraph(&format!("Its own errors: {}.", own.join(", ")));
    }
    let shown = shown_by(document, told);
    for example in list(&told["examples"]) {
        self::example(sheet, text(&told["name"]), example, shown);
    }
}

/// The method that shows this one's kind of result: the first that answers it.
fn shown_by<'a>(document: &'a Value, told: &Value) -> Option<&'a str> {
    let methods = list(&document["methods"]).iter();
    let first = methods.map(|method| (text(&method["name"]), &method["result"]["schema"]));
    let first =
        first.filter(|(_, schema)| **schema == told["result"]["schema"]).map(|(name, _)| name);
    first.take(1).find(|name| told["name"] != **name)
}

fn result(sheet: &mut Sheet, types: &Types<'_>, told: &Value) {
    let schema = &told["schema"];
    if schema.get("$ref").is_none() {
        return sheet.paragraph(&format!("Result: {}.", text(&schema["description"])));
    }
    let name = name_of(schema);
    if types.is_told_once(name) {
        let resolved = types.resolve(schema);
        sheet.paragraph(text(&resolved["description"]));
        types.fields(sheet, resolved, &[]);
    } else {
        sheet.paragraph(&format!("Result: {name}, see TYPES."));
    }
}

fn example(sheet: &mut Sheet, method: &str, example: &Value, shown: Option<&str>) {
    let params = list(&example["params"]).iter();
    let params: Value = params.map(|p| (text(&p["name"]).to_owned(), p["value"].clone())).collect();
    let about = example.get("description").map(text).unwrap_or_default();
    sheet.paragraph(format!("Example: {}. {about}", text(&example["name"])).trim());
    let version = json!("2.0");
    let (id, method) = (json!(1), json!(method));
    sheet.code(&json::members(&[
        ("jsonrpc", &version),
        ("id", &id),
        ("method", &method),
        ("params", &params),
    ]));
    if let Some(shown) = shown {
        return sheet.paragraph(&format!("The result is one like that of `{shown}`."));
    }
    let result = &example["result"]["value"];
    sheet.code(&json::members(&[("jsonrpc", &version), ("id", &id), ("result", result)]));
}

fn events(sheet: &mut Sheet, document: &Value, types: &Types<'_>) {
    let events = &document["x-events"];
    let all = list(&events["list"]);
    sheet.section("EVENTS");
    sheet.prose(text(&events["description"]));
    sheet.paragraph("Every event has these:");
    let first = &all[0]["schema"]["properties"];
    for name in ["event", "seq", "at"] {
        let title = type_of(&first[name]);
        let about = first[name].get("description").map_or("Which one.", text);
        sheet.entry(name, if name == "event" { "string" } else { &title }, about);
    }
    for event in all {
        sheet.subsection(text(&event["name"]));
        sheet.prose(text(&event["description"]));
        types.fields(sheet, &event["schema"], &["event", "seq", "at"]);
        sheet.paragraph("Example:");
        let (version, method) = (json!("2.0"), &events["method"]);
        sheet.code(&json::members(&[
            ("jsonrpc", &version),
            ("method", method),
            ("params", &event["example"]),
        ]));
    }
}

/// The names of the errors that are answered there.
fn of_place<'a>(document: &'a Value, place: &str) -> BTreeSet<&'a str> {
    let errors = list(&document["x-errors"]).iter().filter(|error| error["place"] == place);
    errors.map(|error| text(&error["kind"])).collect()
}

fn errors(sheet: &mut Sheet, document: &Value) {
    sheet.section("ERRORS");
    sheet.prose(
        "An error has a code, a sentence for people, and `data` for programs: the stable name \
         `kind`; where something helps, `remedy`, a sentence or a command made for the case; and \
         where trying again makes sense, `retry_after_ms`, in milliseconds from now. An error \
         that answers no request in particular has the id `null`.",
    );
    let (version, id) = (json!("2.0"), json!(1));
    let example = &document["x-error"]["example"];
    sheet.code(&json::members(&[("jsonrpc", &version), ("id", &id), ("error", example)]));
    for (place, heading) in [
        ("method", "Of single methods"),
        ("any", "Of any method"),
        ("connection", "Of the connection"),
    ] {
        sheet.subsection(heading);
        for error in list(&document["x-errors"]).iter().filter(|error| error["place"] == place) {
            let mut about = text(&error["description"]).to_owned();
            if let Some(remedy) = error.get("remedy") {
                about += &format!(" Remedy: {}", text(remedy));
            }
            if error["retry_after_ms"] == true {
                about += " It may come with `retry_after_ms`.";
            }
            sheet.entry(text(&error["kind"]), &error["code"].to_string(), &about);
        }
    }
}

fn limits(sheet: &mut Sheet, document: &Value) {
    sheet.section("LIMITS");
    for limit in list(&document["x-limits"]) {
        let value = limit["value"].to_string();
        sheet.entry(text(&limit["name"]), &value, text(&limit["description"]));
    }
}
