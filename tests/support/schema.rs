//! Whether what a daemon says is what its OpenRPC document says: the part of JSON Schema
//! that the document uses, and nothing that it does not mention.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::{Map, Value};
use tetherd_api::{FeedId, OPENRPC, Time};

pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(OPENRPC).unwrap());

/// A method's entry, by its name or alias; none of the simulator's.
pub(crate) fn method(name: &str) -> Option<&'static Value> {
    let methods = DOCUMENT["methods"].as_array().unwrap();
    methods.iter().find(|method| method["name"] == name || method["x-alias"] == name)
}

/// A reply is one that the document tells of.
#[track_caller]
pub(crate) fn check_reply(name: &str, outcome: Result<&Value, &Value>) {
    let Some(method) = method(name) else { return };
    match outcome {
        Ok(result) => fits(&method["result"]["schema"], result, name),
        Err(error) => {
            fits(&DOCUMENT["x-error"]["schema"], error, name);
            let kind = error["data"]["kind"].as_str().unwrap();
            let told = &DOCUMENT["components"]["errors"][kind];
            assert_eq!(told["code"], error["code"], "{name}: {error}");
            let reference = format!("#/components/errors/{kind}");
            let own = method["errors"].as_array().unwrap();
            assert!(own.iter().any(|own| own["$ref"] == reference), "{name} answers {error}");
            let errors = DOCUMENT["x-errors"].as_array().unwrap();
            let told = errors.iter().find(|told| told["kind"] == kind).unwrap();
            let retry = told["retry_after_ms"] == true;
            assert!(retry || error["data"].get("retry_after_ms").is_none(), "{name}: {error}");
        }
    }
}

/// An event is one that the document tells of.
#[track_caller]
pub(crate) fn check_event(event: &Value) {
    let events = DOCUMENT["x-events"]["list"].as_array().unwrap();
    let told = events.iter().find(|told| told["name"] == event["event"]);
    let told = told.unwrap_or_else(|| panic!("an event that is not told of: {event}"));
    fits(&told["schema"], event, "an event");
}

/// The value fits the schema.
#[track_caller]
pub(crate) fn fits(schema: &Value, value: &Value, what: &str) {
    if let Some(why) = misfit(schema, value) {
        panic!("{what} is not what the document says: {why}\n{value:#}");
    }
}

/// Why the value does not fit the schema.
pub(crate) fn misfit(schema: &Value, value: &Value) -> Option<String> {
    closed(schema, value, "").err()
}

/// The value fits, and has no member that the schema does not name.
fn closed(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let mut named = Some(BTreeSet::new());
    applies(schema, value, at, &mut named)?;
    if let (Value::Object(members), Some(named)) = (value, named)
        && let Some(extra) = members.keys().find(|name| !named.contains(*name))
    {
        return Err(format!("{at}: the document has no `{extra}`"));
    }
    Ok(())
}

/// The members that a schema names; none: any may be there.
type Named = Option<BTreeSet<String>>;

fn applies(schema: &Value, value: &Value, at: &str, named: &mut Named) -> Result<(), String> {
    if *schema == true {
        *named = None;
        return Ok(());
    }
    let rules = schema.as_object().unwrap_or_else(|| panic!("no schema: {schema}"));
    assert!(rules.len() == 1 || !rules.contains_key("$ref"), "draft 7 ignores these: {schema}");
    for (keyword, rule) in rules {
        rule_applies(keyword, rule, rules, value, at, named)?;
    }
    Ok(())
}

fn rule_applies(
    keyword: &str,
    rule: &Value,
    rules: &Map<String, Value>,
    value: &Value,
    at: &str,
    named: &mut Named,
) -> Result<(), String> {
    let must = |holds: bool| {
        if holds { Ok(()) } else { Err(format!("{at}: {value} is not {keyword} {rule}")) }
    };
    match keyword {
        "description" | "default" => Ok(()),
        "$ref" => {
            let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
            applies(DOCUMENT.pointer(pointer).unwrap(), value, at, named)
        }
        "allOf" => list(rule).iter().try_for_each(|part| applies(part, value, at, named)),
        "oneOf" | "anyOf" => one_of(list(rule), keyword == "oneOf", value, at, named),
        "type" => must(match rule.as_array() {
            Some(types) => types.iter().any(|name| is(name, value)),
            None => is(rule, value),
        }),
        "const" => must(rule == value),
        "enum" => must(list(rule).contains(value)),
        "minimum" => must(value.as_f64() >= rule.as_f64()),
        "maximum" => must(value.as_f64() <= rule.as_f64()),
        "format" => must(rule == "date-time" && text(value).parse::<Time>().is_ok()),
        "pattern" => {
            let text = text(value);
            let digits = match rule.as_str().unwrap() {
                "^[0-9a-f]{16}$" => return must(text.parse::<FeedId>().is_ok()),
                "^m?[0-9]+$" => text.strip_prefix('m').unwrap_or(text),
                "^[mi][0-9]+$" => text.strip_prefix(['m', 'i']).unwrap_or_default(),
                other => panic!("{other}"),
            };
            must(!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        }
        "required" => {
            let missing = list(rule).iter().find(|name| value.get(text(name)).is_none());
            missing.map_or(Ok(()), |name| Err(format!("{at}: {name} is missing")))
        }
        "properties" => {
            for (name, schema) in rule.as_object().unwrap() {
                if let Some(named) = named {
                    named.insert(name.clone());
                }
                let Some(member) = value.get(name) else { continue };
                closed(schema, member, &format!("{at}/{name}"))?;
            }
            Ok(())
        }
        "additionalProperties" if *rule == true => {
            *named = None;
            Ok(())
        }
        "additionalProperties" => {
            assert_eq!(*rule, false);
            let known = rules.get("properties");
            let mut members = value.as_object().into_iter().flat_map(Map::keys);
            must(members.all(|name| known.is_some_and(|known| known.get(name).is_some())))
        }
        "items" => {
            let mut items = value.as_array().into_iter().flatten().enumerate();
            items.try_for_each(|(n, item)| closed(rule, item, &format!("{at}/{n}")))
        }
        unknown => panic!("the document uses {unknown}, which nobody checks"),
    }
}

fn one_of(
    options: &[Value],
    only_one: bool,
    value: &Value,
    at: &str,
    named: &mut Named,
) -> Result<(), String> {
    let (mut fitting, mut why) = (0, Vec::new());
    for option in options {
        let mut members = Some(BTreeSet::new());
        match applies(option, value, at, &mut members) {
            Ok(()) => {
                fitting += 1;
                *named = match (named.take(), members) {
                    (Some(named), Some(members)) => Some(&named | &members),
                    (_, _) => None,
                };
            }
            Err(reason) => why.push(reason),
        }
    }
    match fitting {
        0 => Err(format!("none fits: {}", why.join("; "))),
        1 => Ok(()),
        _ if only_one => Err(format!("{at}: {value} is {fitting} things at once")),
        _ => Ok(()),
    }
}

fn is(name: &Value, value: &Value) -> bool {
    match text(name) {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        unknown => panic!("the document uses the type {unknown}, which nobody checks"),
    }
}

fn list(rule: &Value) -> &[Value] {
    rule.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
