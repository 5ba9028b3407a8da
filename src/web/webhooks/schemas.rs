//! `schemas.json`, the schemas of what is answered about webhooks, is made from the types.

use expect_test::expect_file;
use schemars::generate::SchemaSettings;

use super::Standing;

#[test]
fn the_schemas_are_those_of_the_types() {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.for_serialize().into_generator();
    generator.subschema_for::<Standing>();
    let mut schemas = generator.take_definitions(true);
    // In the contract's document.
    schemas.remove("Time").unwrap();
    let text = serde_json::to_string_pretty(&schemas).unwrap() + "\n";
    expect_file!["schemas.json"].assert_eq(&text);
}
