//! The Treatments column: JSON when written, JSON or a Python literal when read.

use flag_model::{
    BucketRange, FlagType, FlagValue, FormatVersion, InstanceId, Invalid, InvalidPercent, Percent,
    Revision, Treatment, TreatmentName, quoted,
};
use serde_json::{Map, Value};

use super::{Reader, UnreadableRow};
use crate::literal::{self, Arena, Literal};

const COLUMN: &str = "Treatments";

/// The cell of a revision's treatments.
pub(super) fn encode_treatments(revision: &Revision) -> String {
    let version = revision.format.version();
    let treatments = revision.treatments.iter();
    let cell: Value = treatments
        .map(|treatment| encode_treatment(treatment, version))
        .collect();
    cell.to_string()
}

fn encode_treatment(treatment: &Treatment, version: FormatVersion) -> Value {
    let mut fields = Map::new();
    let ids = treatment.overrides.iter().map(InstanceId::as_str);
    fields.insert("OverrideList".to_owned(), ids.collect());
    fields.insert(
        "PercentRollout".to_owned(),
        encode_percent(treatment.percent),
    );
    fields.insert(
        "Value".to_owned(),
        match &treatment.value {
            FlagValue::Boolean(value) => Value::from(*value),
            FlagValue::Text(text) => Value::from(&**text),
        },
    );
    if version == FormatVersion::V2 {
        if let Some(name) = &treatment.name {
            fields.insert("Name".to_owned(), Value::from(name.as_str()));
        }
        let ranges = treatment
            .ranges
            .iter()
            .map(|range| Value::from(vec![range.from(), range.to()]));
        fields.insert("Ranges".to_owned(), ranges.collect());
    }
    Value::Object(fields)
}

/// A whole number where it is one, else a number with up to three decimals.
fn encode_percent(percent: Percent) -> Value {
    if percent.is_whole() {
        Value::from(percent.buckets() / 1_000)
    } else {
        // Three decimals of a number up to 100 survive the way through a double, whose shortest text they are.
        Value::from(f64::from(percent.buckets()) / 1_000.0)
    }
}

/// Reads the cell; fields that the version doesn't know are left alone, as the reference does.
pub(super) fn decode_treatments(
    reader: &Reader<'_>,
    version: FormatVersion,
) -> Result<Vec<Treatment>, UnreadableRow> {
    let arena = Arena::new();
    let literal = literal::parse(reader.required(COLUMN)?, &arena)
        .map_err(|error| reader.problem(COLUMN, error.to_string()))?;
    let Literal::List(treatments) = literal else {
        let invalid = Invalid::new(COLUMN, literal.kind(), "a list of treatments");
        return Err(reader.invalid(COLUMN, invalid));
    };
    let decoded = treatments.iter().enumerate().map(|(at, &treatment)| {
        let fields = Fields {
            treatment,
            flag_type: reader.key.flag.flag_type,
            version,
        };
        fields.decode().map_err(|problem| match problem {
            Problem::Percent(invalid) => reader.percent(invalid),
            Problem::Field(invalid) if invalid.field.is_empty() => reader.invalid(
                COLUMN,
                Invalid {
                    field: format!("{COLUMN}[{at}]"),
                    ..invalid
                },
            ),
            Problem::Field(invalid) => {
                reader.invalid(COLUMN, invalid.within(&format!("{COLUMN}[{at}]")))
            }
        })
    });
    decoded.collect()
}

/// What is wrong with a treatment; the field is empty if it is the treatment itself.
enum Problem {
    Percent(InvalidPercent),
    Field(Invalid),
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::Field(invalid)
    }
}

struct Fields<'a> {
    treatment: Literal<'a>,
    flag_type: FlagType,
    version: FormatVersion,
}

impl<'a> Fields<'a> {
    fn decode(&self) -> Result<Treatment, Problem> {
        if !matches!(self.treatment, Literal::Dict(_)) {
            return Err(Invalid::new("", self.treatment.kind(), "a treatment").into());
        }
        let percent = self.percent()?;
        let (name, ranges) = match self.version {
            FormatVersion::V1 => (None, Vec::new()),
            FormatVersion::V2 => (self.name()?, self.ranges()?),
        };
        Ok(Treatment {
            name,
            overrides: self.overrides()?,
            percent,
            value: self.value()?,
            ranges,
        })
    }

    fn required(&self, field: &str) -> Result<&'a Literal<'a>, Invalid> {
        self.treatment
            .get(field)
            .ok_or_else(|| Invalid::new(field, "no such field", "one"))
    }

    /// A field that may be missing or null.
    fn optional(&self, field: &str) -> Option<&'a Literal<'a>> {
        self.treatment
            .get(field)
            .filter(|literal| **literal != Literal::Null)
    }

    fn list(&self, field: &str, of: &str) -> Result<&'a [Literal<'a>], Invalid> {
        match self.optional(field) {
            None => Ok(&[]),
            Some(Literal::List(items)) => Ok(items),
            Some(other) => Err(Invalid::new(field, other.kind(), format!("a list of {of}"))),
        }
    }

    fn overrides(&self) -> Result<Vec<InstanceId<'static>>, Invalid> {
        let ids = self
            .list("OverrideList", "instance ids")?
            .iter()
            .enumerate();
        let ids = ids.map(|(at, id)| {
            let field = || format!("OverrideList[{at}]");
            match id {
                Literal::Text(id) => InstanceId::new((*id).to_owned()).map_err(|invalid| Invalid {
                    field: field(),
                    ..invalid
                }),
                other => Err(Invalid::new(
                    field(),
                    found(other),
                    "an instance id as text",
                )),
            }
        });
        ids.collect()
    }

    fn percent(&self) -> Result<Percent, Problem> {
        let literal = self.required("PercentRollout")?;
        let text = match literal {
            Literal::Number(number) => number.as_str().into_owned(),
            other => {
                return Err(Problem::Percent(InvalidPercent {
                    found: found(other),
                    version: self.version,
                }));
            }
        };
        Percent::parse(&text, self.version).map_err(Problem::Percent)
    }

    fn value(&self) -> Result<FlagValue, Invalid> {
        match (self.flag_type, self.required("Value")?) {
            (FlagType::Feature, Literal::Boolean(value)) => Ok(FlagValue::Boolean(*value)),
            (FlagType::Data, Literal::Text(text)) => {
                FlagValue::text(text).map_err(|invalid| Invalid {
                    field: "Value".to_owned(),
                    ..invalid
                })
            }
            (FlagType::Feature, other) => Err(Invalid::new(
                "Value",
                found(other),
                "true or false, as the flag is a feature",
            )),
            (FlagType::Data, other) => Err(Invalid::new(
                "Value",
                found(other),
                "text, as the flag is data",
            )),
        }
    }

    fn name(&self) -> Result<Option<TreatmentName>, Invalid> {
        match self.optional("Name") {
            None => Ok(None),
            Some(Literal::Text(name)) => {
                TreatmentName::new(name)
                    .map(Some)
                    .map_err(|invalid| Invalid {
                        field: "Name".to_owned(),
                        ..invalid
                    })
            }
            Some(other) => Err(Invalid::new("Name", found(other), "text")),
        }
    }

    fn ranges(&self) -> Result<Vec<BucketRange>, Invalid> {
        let ranges = self.list("Ranges", "ranges")?.iter().enumerate();
        let ranges = ranges.map(|(at, range)| {
            let field = format!("Ranges[{at}]");
            let refused = || Invalid::new(field.clone(), found(range), "[from, to] in buckets");
            let Literal::List(ends) = range else {
                return Err(refused());
            };
            let [Literal::Number(from), Literal::Number(to)] = ends else {
                return Err(refused());
            };
            let (Ok(from), Ok(to)) = (from.as_str().parse(), to.as_str().parse()) else {
                return Err(refused());
            };
            BucketRange::new(from, to).map_err(|invalid| Invalid { field, ..invalid })
        });
        ranges.collect()
    }
}

/// What was found, as a message shows it: text in quotes, anything else by its spelling.
fn found(literal: &Literal<'_>) -> String {
    match literal {
        Literal::Text(text) => quoted(text),
        Literal::List(_) | Literal::Dict(_) => literal.kind().to_owned(),
        other => other.to_string(),
    }
}
