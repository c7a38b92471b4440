//! The queries that were compiled into the service, with arguments that lead to somebody's rows.

use serde_json::Value;
use std::{collections::BTreeMap, path::Path};

/// Every query that was compiled into the service, with the types of its parameters.
pub(super) fn queries() -> Vec<(String, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let query: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            let types = query["describe"]["parameters"]["Left"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let types = types
                .iter()
                .map(|kind| kind.as_str().map_or_else(|| kind.to_string(), str::to_owned));
            (query["query"].as_str().unwrap().to_owned(), types.collect())
        })
        .collect()
}

/// The query with arguments that lead to the victim's rows, as far as its text tells which column one is compared with.
pub(super) fn fill(query: &str, types: &[String], values: &BTreeMap<&'static str, String>) -> String {
    let mut filled = query.to_owned();
    for (index, kind) in types.iter().enumerate().rev() {
        let parameter = format!("${}", index + 1);
        let value = argument(query, &parameter, kind, values);
        filled = filled.replace(&parameter, &value);
    }
    filled
}

fn argument(query: &str, parameter: &str, kind: &str, values: &BTreeMap<&'static str, String>) -> String {
    let column = column_of(query, parameter).or_else(|| inserted_column(query, parameter));
    let table = ["FROM ", "UPDATE ", "INTO "]
        .iter()
        .filter_map(|word| Some((query.find(word)?, word.len())))
        .min()
        .map(|(at, length)| {
            query[at + length..]
                .split([' ', '\n', '('])
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .unwrap_or_default();
    let own = column.as_ref().and_then(|column| {
        let plain = column.rsplit('.').next().unwrap_or_default();
        // `t.id` of a query that begins at `tenants`, `a.id` of one that joins `apps`.
        let owner = match column.split_once('.').map(|(alias, _)| alias) {
            Some("t") => "tenants",
            Some("a") => "apps",
            Some("o") => "operations",
            Some("c") => "cells",
            _ => table.as_str(),
        };
        values
            .get(format!("{owner}.{plain}").as_str())
            .or_else(|| values.get(plain))
    });
    let optional = query.contains(&format!("{parameter}::timestamptz IS NULL"))
        || (query.contains(&format!("{parameter}::text IS NULL")) && own.is_none());
    match kind {
        _ if optional => "NULL".to_owned(),
        "Text" | "Varchar" => own.map_or_else(|| "'x'".to_owned(), |value| format!("'{value}'")),
        "Int2" | "Int4" | "Int8"
            if column
                .as_deref()
                .is_some_and(|column| column.ends_with("fencing_token")) =>
        {
            "0".to_owned()
        }
        "Int2" | "Int4" | "Int8" => "1".to_owned(),
        "Timestamptz" => "'2099-01-01Z'::timestamptz".to_owned(),
        "Bool" => "true".to_owned(),
        "Jsonb" | "Json" => "'{}'::jsonb".to_owned(),
        "Bytea" => "'\\x00'::bytea".to_owned(),
        "TextArray" => "'{x}'::text[]".to_owned(),
        _ => "NULL".to_owned(),
    }
}

/// The column that a parameter is compared with or set as.
fn column_of(query: &str, parameter: &str) -> Option<String> {
    let bytes = query.as_bytes();
    query.match_indices(parameter).find_map(|(at, _)| {
        if bytes.get(at + parameter.len()).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let before = query[..at].trim_end();
        let before = before
            .strip_suffix('=')
            .or_else(|| before.strip_suffix("IS NOT DISTINCT FROM"))?;
        let name = before
            .trim_end()
            .rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
            .next()?;
        (!name.is_empty()).then(|| name.to_owned())
    })
}

/// The column that a parameter is inserted into.
fn inserted_column(query: &str, parameter: &str) -> Option<String> {
    let (_, rest) = query.strip_prefix("INSERT INTO ")?.split_once('(')?;
    let (columns, rest) = rest.split_once(')')?;
    let (values, _) = rest.split_once("VALUES (")?.1.split_once(')')?;
    let place = values.split(',').position(|value| value.trim() == parameter)?;
    Some(columns.split(',').nth(place)?.trim().to_owned())
}
