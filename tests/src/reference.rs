//! The reader of the Python framework, re-created in Python, as a process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use flag_model::FlagKey;
use flag_store::Row;
use serde_json::{Value, json};

/// A process of the machine's `python3` that decides as the Python framework does: `tests/python/reference.py`.
#[derive(Debug)]
pub struct Reference {
    python: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Reference {
    /// Starts it.
    pub fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/reference.py");
        let mut command = Command::new("python3");
        let command = command.args(["-I", "-S", "-X", "utf8", script]);
        let mut python = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need python3 on the PATH");
        let input = python.stdin.take();
        let output = BufReader::new(python.stdout.take().unwrap());
        Self {
            python,
            input,
            output,
        }
    }

    /// What it serves of a flag to each instance from these rows: a value and a rollout group; or why it cannot.
    pub fn decide(
        &mut self,
        rows: &[&Row],
        flag: &FlagKey,
        instances: &[String],
    ) -> Result<Vec<(Value, String)>, String> {
        let asked = json!({
            "rows": rows.iter().map(|row| shown(row)).collect::<Vec<_>>(),
            "project_name": flag.project.as_str(),
            "flag_type": flag.flag_type.as_str(),
            "flag_name": flag.name.as_str(),
            "instance_ids": instances,
        });
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{asked}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        if let Some(error) = answer.get("error") {
            return Err(error.as_str().unwrap().to_owned());
        }
        Ok(serde_json::from_value(answer).unwrap())
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // At the end of its input it ends.
        drop(self.input.take());
        let _ = self.python.wait();
    }
}

fn shown(row: &Row) -> Value {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let cells = row.cells.iter();
    let cells: serde_json::Map<_, _> = cells
        .map(|(column, cell)| (text(column), Value::from(text(cell))))
        .collect();
    json!({ "key": text(&row.key), "cells": cells })
}
