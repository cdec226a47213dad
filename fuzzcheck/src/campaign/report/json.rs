//! `report.json`: the campaign in machine-readable form, preceded by a summary, and its schema.

use anyhow::Result;
use schemars::JsonSchema;
use serde::Serialize;

use super::summary::Summary;
use crate::campaign::record::Campaign;

/// Version of the format. New fields do not change it; removed or redefined fields do.
pub(super) const VERSION: u32 = 2;

/// The report of one campaign of fuzzing.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Report of a campaign of Tandem")]
struct Report<'c> {
    /// Version of this format.
    version: u32,
    /// The summary of the campaign.
    summary: Summary,
    /// The whole record, as in `campaign.json`.
    campaign: &'c Campaign,
}

/// The document.
pub(super) fn render(campaign: &Campaign) -> Result<String> {
    let report = Report { version: VERSION, summary: Summary::of(campaign), campaign };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

/// Its JSON Schema (draft 2020-12), every field described.
pub(crate) fn schema() -> Result<String> {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Report<'static>>();
    schema.insert("x-version".to_owned(), VERSION.into());
    Ok(serde_json::to_string_pretty(&schema)?)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::campaign::report::made::campaign;

    /// Whether `value` is as `schema` says, and each field of it is described there; else where it is not.
    fn check(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.strip_prefix("#/$defs/").ok_or(format!("{at}: refers to {name}"))?;
            return check(value, &root["$defs"][name], root, at);
        }
        for several in ["anyOf", "oneOf"] {
            if let Some(choices) = schema[several].as_array() {
                let is_one = choices.iter().any(|choice| check(value, choice, root, at).is_ok());
                return if is_one { Ok(()) } else { Err(format!("{at}: {value} is none of {schema}")) };
            }
        }
        if let Some(only) = schema.get("const") {
            return if only == value { Ok(()) } else { Err(format!("{at}: {value}")) };
        }
        let name = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let has_type = |wanted: &Value| wanted == name || (wanted == "number" && name == "integer");
        let types = &schema["type"];
        if !types.as_array().map_or_else(|| has_type(types), |some| some.iter().any(has_type)) {
            return Err(format!("{at}: {name} where {types} is documented"));
        }
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| check(item, &schema["items"], root, at)),
            Value::Object(fields) => fields.iter().try_for_each(|(key, field)| {
                let at = format!("{at}.{key}");
                let Some(documented) = schema["properties"].get(key) else {
                    let values = schema.get("additionalProperties").ok_or(format!("{at}: not documented"))?;
                    return check(field, values, root, &at);
                };
                if documented["description"].as_str().unwrap_or_default().is_empty() {
                    return Err(format!("{at}: not described"));
                }
                check(field, documented, root, &at)
            }),
            _ => Ok(()),
        }
    }

    #[test]
    fn the_schema_documents_every_field_that_is_written() {
        let schema: Value = serde_json::from_str(&schema().unwrap()).unwrap();
        let report: Value = serde_json::from_str(&render(&campaign()).unwrap()).unwrap();
        assert_eq!((&report["version"], &schema["x-version"]), (&VERSION.into(), &VERSION.into()));
        assert_eq!(report["summary"]["verdict"], "new");
        check(&report, &schema, &schema, "report").unwrap();
    }

    #[test]
    fn what_the_schema_does_not_say_is_noticed() {
        let schema: Value = serde_json::from_str(&schema().unwrap()).unwrap();
        let report: Value = serde_json::from_str(&render(&campaign()).unwrap()).unwrap();
        let mut more = report.clone();
        more["campaign"]["jobs"][0]["surprise"] = 1.into();
        let message = check(&more, &schema, &schema, "report").unwrap_err();
        assert_eq!(message, "report.campaign.jobs.surprise: not documented");
        let mut other = report;
        other["campaign"]["findings"][0]["cases"] = "many".into();
        assert!(check(&other, &schema, &schema, "report").is_err());
    }
}
