//! The schema of training files: it is what the types say, and every recipe follows it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use avocet_train::TrainConfig;
use serde_json::Value;

use crate::tidy::root;

const SCHEMA: &str = "assets/recipes/stage.schema.json";

/// All training files below `assets/recipes`.
fn recipes() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(root().join("assets/recipes"))? {
        let Ok(files) = std::fs::read_dir(folder?.path()) else {
            continue;
        };
        let files = files.flatten().map(|file| file.path());
        found.extend(files.filter(|path| path.extension().is_some_and(|end| end == "toml")));
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path)?;
    let table: toml::Table = text.parse().with_context(|| path.display().to_string())?;
    Ok(serde_json::to_value(table)?)
}

/// Checks `value` by `schema`, a part of `whole`. It knows the words of JSON Schema that ours uses
/// and no others, so that none is passed over in silence.
fn check(whole: &Value, schema: &Value, value: &Value, at: &str) -> Result<()> {
    let Value::Object(rules) = schema else {
        return Ok(());
    };
    for (rule, said) in rules {
        let fits = |kind: &Value| match kind.as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.is_u64() || value.is_i64(),
            Some("number") => value.is_number(),
            _ => value.is_null(),
        };
        let any = |choices: &[Value]| {
            let fitting = |choice| check(whole, choice, value, at).is_ok();
            choices.iter().any(fitting)
        };
        let right = match (rule.as_str(), said) {
            ("type", Value::Array(kinds)) => kinds.iter().any(fits),
            ("type", kind) => fits(kind),
            ("const", one) => value == one,
            ("enum", Value::Array(all)) => all.contains(value),
            ("anyOf" | "oneOf", Value::Array(choices)) => any(choices),
            ("minimum", least) => value.as_f64() >= least.as_f64(),
            ("maximum", most) => value.as_f64() <= most.as_f64(),
            ("required", Value::Array(names)) => {
                let has = |name: &Value| name.as_str().is_some_and(|n| value.get(n).is_some());
                names.iter().all(has)
            }
            ("$ref", Value::String(name)) => {
                let part = whole.pointer(name.trim_start_matches('#'));
                return check(whole, part.context("a part of the schema")?, value, at);
            }
            ("items", part) => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(whole, part, item, &format!("{at}[{index}]"))?;
                }
                true
            }
            ("properties", Value::Object(parts)) => {
                for (name, part) in parts {
                    if let Some(field) = value.get(name) {
                        check(whole, part, field, &format!("{at}.{name}"))?;
                    }
                }
                true
            }
            ("additionalProperties", part) => {
                let known = rules.get("properties");
                for (name, field) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| known.get(name).is_none()) {
                        let at = format!("{at}.{name}");
                        if *part == Value::Bool(false) {
                            bail!("{at} is not known");
                        }
                        check(whole, part, field, &at)?;
                    }
                }
                true
            }
            ("$schema" | "$defs" | "title" | "description" | "default" | "format", _) => true,
            _ => bail!("{rule} is no word that this check knows"),
        };
        if !right {
            bail!("{at} is {value}, against {rule} {said}");
        }
    }
    Ok(())
}

#[test]
fn the_schema_of_training_files_is_what_the_types_say() -> Result<()> {
    let written = std::fs::read_to_string(root().join(SCHEMA)).unwrap_or_default();
    let by_types = format!("{:#}\n", TrainConfig::schema());
    assert!(written == by_types, "run: avocet train --schema > {SCHEMA}");
    Ok(())
}

#[test]
fn every_recipe_follows_the_schema_and_a_slip_does_not() -> Result<()> {
    let schema = TrainConfig::schema();
    let recipes = recipes()?;
    assert!(recipes.len() > 10, "{recipes:?}");
    for path in &recipes {
        let text = std::fs::read_to_string(path)?;
        let named = text.starts_with("#:schema ../stage.schema.json\n");
        assert!(named, "{}: names no schema", path.display());
        check(&schema, &schema, &read(path)?, "").with_context(|| path.display().to_string())?;
    }
    let good = read(&recipes[0])?;
    for (place, wrong) in [
        ("/seed", Value::from("one")),
        ("/stage/0/kind", Value::from("sound")),
        ("/stage/0/data/0", serde_json::json!({"paths": "a"})),
        ("/stage/0/losses", serde_json::json!({"ctx": 0.5})),
        ("/stage/0/learning_rate", Value::Null),
    ] {
        let mut slip = good.clone();
        let stage = slip["stage"][0].as_object_mut().context("a stage")?;
        stage.entry("losses").or_insert(Value::Null);
        *slip.pointer_mut(place).context(place)? = wrong;
        assert!(check(&schema, &schema, &slip, "").is_err(), "{place}");
    }
    Ok(())
}
