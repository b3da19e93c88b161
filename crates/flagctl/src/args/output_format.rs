//! The format of a result, option `--output`.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser};
use clap::{Arg, Args, Command};

use crate::jsonpath::Template;

/// How the result is shown.
#[derive(Debug, Default, Args)]
pub(crate) struct OutputArgs {
    /// Format of the result on standard output; `name` prints a name per line, `jsonpath={.name}` what a template asks for
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORMAT",
        default_value = "table",
        value_parser = OutputFormatParser
    )]
    pub(crate) format: OutputFormat,
}

/// A format of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    #[default]
    Table,
    /// A table with everything that there is.
    Wide,
    Json,
    Yaml,
    Name,
    Csv,
    /// A template; an argument lives as long as the program.
    JsonPath(&'static Template),
}

/// Reads a format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputFormatParser;

const TEMPLATE: &str = "jsonpath=";

const NAMED: [(&str, OutputFormat); 6] = [
    ("table", OutputFormat::Table),
    ("wide", OutputFormat::Wide),
    ("json", OutputFormat::Json),
    ("yaml", OutputFormat::Yaml),
    ("name", OutputFormat::Name),
    ("csv", OutputFormat::Csv),
];

impl OutputFormat {
    /// Whether it is for people.
    pub(crate) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

impl TypedValueParser for OutputFormatParser {
    type Value = OutputFormat;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OutputFormat, clap::Error> {
        if value
            .to_str()
            .is_some_and(|text| text.starts_with(TEMPLATE))
        {
            let template = |text: String| {
                let template = Template::parse(text.strip_prefix(TEMPLATE).unwrap_or_default());
                template.map(|template| OutputFormat::JsonPath(Box::leak(Box::new(template))))
            };
            return StringValueParser::new()
                .try_map(template)
                .parse_ref(command, arg, value);
        }
        let names = self.possible_values().into_iter().flatten();
        let name = PossibleValuesParser::new(names).parse_ref(command, arg, value)?;
        let format = NAMED.iter().find(|(known, _)| *known == name);
        Ok(format.map_or(OutputFormat::Table, |(_, format)| *format))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = NAMED.iter().map(|(name, _)| *name);
        Some(Box::new(
            names.chain(["jsonpath=TEMPLATE"]).map(PossibleValue::new),
        ))
    }
}
