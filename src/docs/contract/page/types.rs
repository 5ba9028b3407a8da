//! Schemas in words: what a type is called, and what it is made of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{entry, list, paragraph, text};

/// The document's named types.
pub(super) struct Types<'a> {
    document: &'a Value,
    /// How often each is spoken of.
    used: BTreeMap<String, usize>,
    /// Those that a method answers, and those that it takes: never spoken of elsewhere.
    results: BTreeSet<&'a str>,
    params: BTreeSet<&'a str>,
}

impl<'a> Types<'a> {
    pub(super) fn new(document: &'a Value) -> Types<'a> {
        let mut used = BTreeMap::new();
        count(document, &mut used);
        let methods = list(&document["methods"]).iter();
        let results = methods.clone().map(|method| &method["result"]["schema"]);
        let results = results.filter(|schema| schema.get("$ref").is_some()).map(name_of).collect();
        let params = methods.map(|method| name_of(&method["x-params"])).collect();
        Types { document, used, results, params }
    }

    /// Whether it is the answer of one method and of nothing else.
    pub(super) fn is_used_once(&self, name: &str) -> bool {
        self.results.contains(name) && self.used.get(name) == Some(&1)
    }

    /// What a reference leads to.
    pub(super) fn resolve(&self, schema: &Value) -> &'a Value {
        let pointer = text(&schema["$ref"]).trim_start_matches('#');
        self.document.pointer(pointer).unwrap_or_else(|| panic!("{pointer} leads nowhere"))
    }

    /// Every type that no method documents by itself.
    pub(super) fn document_all(&self, page: &mut String) {
        let all = self.document["components"]["schemas"].as_object().into_iter().flatten();
        for (name, schema) in all {
            // The kinds of errors have a section of their own.
            let elsewhere = self.params.contains(name.as_str()) || name == "ErrorKind";
            if elsewhere || self.is_used_once(name) {
                continue;
            }
            paragraph(page, &format!("## {name}"));
            paragraph(page, text(&schema["description"]));
            match schema.get("oneOf") {
                Some(options) => self.options(page, list(options)),
                None => self.fields(page, schema, &[]),
            }
        }
    }

    /// One of several: names, or objects with a distinguishing name.
    fn options(&self, page: &mut String, options: &[Value]) {
        for option in options {
            let about = option.get("description").map(text).unwrap_or_default();
            if let Some(name) = option.get("const") {
                entry(page, text(name), "", about);
                continue;
            }
            let properties = option["properties"].as_object().into_iter().flatten();
            let mut tags =
                properties.filter_map(|(name, schema)| Some((name, schema.get("const")?)));
            let (tag, name) = tags.next().unwrap_or_else(|| panic!("no tag: {option}"));
            paragraph(page, &format!("With `{tag}` `{}`: {about}", text(name)));
            self.fields(page, option, &[tag]);
        }
    }

    /// The members of an object, those first that are always there.
    pub(super) fn fields(&self, page: &mut String, schema: &Value, without: &[&str]) {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return;
        };
        let required = required(schema);
        let mut names: Vec<&str> = properties.keys().map(String::as_str).collect();
        names.sort_by_key(|name| required.iter().position(|one| one == name).unwrap_or(usize::MAX));
        for name in names.into_iter().filter(|name| !without.contains(name)) {
            let schema = &properties[name];
            let optional = if required.contains(&name) { "" } else { ", optional" };
            let title = format!("{}{optional}", type_of(schema));
            entry(page, name, &title, text(&schema["description"]));
        }
    }
}

fn required(schema: &Value) -> Vec<&str> {
    schema.get("required").map(|names| list(names).iter().map(text).collect()).unwrap_or_default()
}

fn count(value: &Value, used: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(_)) = object.get("$ref") {
                *used.entry(name_of(value).to_owned()).or_default() += 1;
            }
            Map::values(object).for_each(|value| count(value, used));
        }
        Value::Array(values) => values.iter().for_each(|value| count(value, used)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The name of what a reference leads to.
pub(super) fn name_of(schema: &Value) -> &str {
    text(&schema["$ref"]).rsplit('/').next().unwrap_or_default()
}

/// What a value of this schema is called.
pub(super) fn type_of(schema: &Value) -> String {
    if schema.get("$ref").is_some() {
        return name_of(schema).to_owned();
    }
    if let Some(parts) = schema.get("allOf").or_else(|| schema.get("anyOf")) {
        let parts = list(parts).iter().filter(|part| part["type"] != "null");
        return parts.map(type_of).collect::<Vec<_>>().join(" or ");
    }
    let names: Vec<&str> = match schema["type"].as_array() {
        Some(names) => names.iter().map(text).collect(),
        None => vec![text(&schema["type"])],
    };
    let names = names.into_iter().filter(|name| *name != "null");
    let named = names.map(|name| match name {
        "array" => format!("list of {}", type_of(&schema["items"])),
        name => name.to_owned(),
    });
    named.collect::<Vec<_>>().join(" or ")
}
