//! The Treatments column: JSON or a Python literal.

use std::borrow::Cow;

use flag_model::{
    BucketRange, DuplicateOverride, FlagType, FlagValue, FormatVersion, InstanceId, Invalid,
    InvalidPercent, Percent, Revision, Treatment, TreatmentName, quoted,
};

use super::carried::Carried;
use super::cell_format::Writer;
use super::revision::boolean;
use super::{MISSING, NOTHING, Reader, UnreadableRow};
use crate::literal::{self, Literal, Node};
use crate::options::CellFormat;

const COLUMN: &str = "Treatments";

/// The fields that a treatment has; the last two only in version 2.
const FIELDS: &[&str] = &["OverrideList", "PercentRollout", "Value", "Name", "Ranges"];

/// The fields that a treatment of this version has.
pub(super) fn fields(version: FormatVersion) -> &'static [&'static str] {
    match (version, FIELDS) {
        (FormatVersion::V1, [first @ .., _, _]) => first,
        _ => FIELDS,
    }
}

/// The cell of a revision's treatments.
pub(super) fn encode_treatments(
    revision: &Revision,
    cell_format: CellFormat,
    carried: &Carried<'_>,
) -> String {
    let version = revision.scheme.version();
    let mut writer = Writer::new(cell_format);
    let treatments = revision.treatments.iter().enumerate();
    writer.list(treatments, |writer, (at, treatment)| {
        writer.open_dict();
        encode_treatment(writer, treatment, version);
        for (field, value) in carried.fields(at) {
            writer.key(field);
            writer.literal(value);
        }
        writer.close_dict();
    });
    writer.finish()
}

/// Writes the fields in the order of their names.
fn encode_treatment(writer: &mut Writer, treatment: &Treatment, version: FormatVersion) {
    if let Some(name) = &treatment.name {
        writer.key("Name");
        writer.string(name.as_str());
    }
    writer.key("OverrideList");
    let ids = treatment.overrides.iter();
    writer.list(ids, |writer, id| writer.string(id.as_str()));
    writer.key("PercentRollout");
    writer.number(treatment.percent);
    if version == FormatVersion::V2 {
        writer.key("Ranges");
        writer.list(&treatment.ranges, |writer, range| {
            writer.list([range.from(), range.to()], Writer::number);
        });
    }
    writer.key("Value");
    match &treatment.value {
        FlagValue::Boolean(value) => writer.boolean(*value),
        FlagValue::Text(text) => writer.string(text),
    }
}

/// The cell as a list; a cell that is missing, empty or `None` is an empty one.
pub(super) fn parse_treatments<'a>(reader: &Reader<'a>) -> Result<Vec<Node<'a>>, UnreadableRow> {
    let cell = reader.optional(COLUMN)?;
    let none = |found: &str| {
        reader.odd(COLUMN, || (found.to_owned(), "no treatments".to_owned()));
        Ok(Vec::new())
    };
    let text = match cell {
        None => return none(MISSING),
        Some(text) if text.trim().is_empty() => return none("an empty cell"),
        Some(text) => text,
    };
    match literal::parse(text).map(|node| node.literal) {
        Ok(Literal::List(treatments)) => Ok(treatments),
        Ok(Literal::Null) => none(text.trim()),
        Ok(other) => {
            let invalid = Invalid::new(COLUMN, other.kind(), "a list of treatments");
            Err(reader.invalid(COLUMN, invalid))
        }
        Err(problem) => Err(UnreadableRow::Syntax {
            key: reader.row.key_text(),
            column: COLUMN.to_owned(),
            problem,
        }),
    }
}

/// Reads the cell; fields that the version doesn't know are left alone, as the Python framework does.
pub(super) fn decode_treatments(
    reader: &Reader<'_>,
    version: FormatVersion,
) -> Result<Vec<Treatment>, UnreadableRow> {
    let treatments = parse_treatments(reader)?;
    let decoded = treatments.iter().enumerate().map(|(at, treatment)| {
        let fields = Fields {
            reader,
            at,
            treatment,
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
    reader: &'a Reader<'a>,
    /// The position of the treatment, counted from zero.
    at: usize,
    treatment: &'a Literal<'a>,
    version: FormatVersion,
}

impl<'a> Fields<'a> {
    fn decode(&self) -> Result<Treatment, Problem> {
        if !matches!(self.treatment, Literal::Dict(_)) {
            return Err(Invalid::new("", self.treatment.kind(), "a treatment").into());
        }
        self.look_at_names();
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

    fn list(&self, field: &str, of: &str) -> Result<&'a [Node<'a>], Invalid> {
        match self.optional(field) {
            None => Ok(&[]),
            Some(Literal::List(items)) => Ok(items),
            Some(other) => Err(Invalid::new(field, other.kind(), format!("a list of {of}"))),
        }
    }

    /// The valid ids; a number or boolean is read as the text that Python's `str` makes of it.
    fn overrides(&self) -> Result<Vec<InstanceId<'static>>, Invalid> {
        if let Some(Literal::Text(text)) = self.optional("OverrideList")
            && text.is_empty()
        {
            self.odd("OverrideList", || ("\"\"".to_owned(), "no ids".to_owned()));
            return Ok(Vec::new());
        }
        let list = self.list("OverrideList", "instance ids")?;
        let mut ids = Vec::with_capacity(list.len());
        let (mut converted, mut skipped) = (FirstAndMore::default(), FirstAndMore::default());
        for item in list {
            let id = match &item.literal {
                Literal::Text(id) => Some(id.clone().into_owned()),
                other => python_text(other),
            };
            match id.map(InstanceId::new) {
                Some(Ok(id)) => {
                    if !matches!(item.literal, Literal::Text(_)) {
                        converted.add(item);
                    }
                    ids.push(id);
                }
                _ => skipped.add(item),
            }
        }
        if let Some(first) = converted.first {
            let text = || quoted(&python_text(first).unwrap_or_default());
            self.odd("OverrideList", || (converted.found(), text()));
        }
        if skipped.first.is_some() {
            self.odd("OverrideList", || {
                (skipped.found(), "nobody's id".to_owned())
            });
        }
        Ok(ids)
    }

    fn percent(&self) -> Result<Percent, Problem> {
        let literal = self.required("PercentRollout")?;
        let refused = || InvalidPercent {
            found: found(literal),
            version: self.version,
        };
        let text = match literal {
            Literal::Number(number) => number.as_str(),
            Literal::Text(text) => Cow::Borrowed(text.trim()),
            _ => return Err(Problem::Percent(refused())),
        };
        let is_number = matches!(literal, Literal::Number(_));
        if let (true, Ok(percent)) = (is_number, Percent::parse(&text, self.version)) {
            return Ok(percent);
        }
        // What is written as a fraction or as text may be a whole number all the same.
        let percent = Percent::parse(&text, FormatVersion::V2).ok();
        let percent = percent.filter(|p| self.version == FormatVersion::V2 || p.is_whole());
        let percent = percent.ok_or_else(|| Problem::Percent(refused()))?;
        self.odd("PercentRollout", || (found(literal), percent.to_string()));
        Ok(percent)
    }

    fn value(&self) -> Result<FlagValue, Invalid> {
        let literal = self.required("Value")?;
        let flag_type = self.reader.key.flag.flag_type;
        let read = match (flag_type, literal) {
            (FlagType::Feature, Literal::Boolean(value)) => return Ok(FlagValue::Boolean(*value)),
            (FlagType::Data, Literal::Text(text)) => return text_value(text),
            (FlagType::Feature, other) => boolean(other).map(FlagValue::Boolean),
            (FlagType::Data, other) => python_text(other)
                .map(|text| text_value(&text))
                .transpose()?,
        };
        let expected = match flag_type {
            FlagType::Feature => "true or false, as the flag is a feature",
            FlagType::Data => "text, as the flag is data",
        };
        let value = read.ok_or_else(|| Invalid::new("Value", found(literal), expected))?;
        self.odd("Value", || {
            let read_as = match &value {
                FlagValue::Boolean(value) => value.to_string(),
                FlagValue::Text(text) => quoted(text),
            };
            (found(literal), read_as)
        });
        Ok(value)
    }

    /// Notes unknown fields.
    fn look_at_names(&self) {
        let Literal::Dict(entries) = self.treatment else {
            return;
        };
        if self.reader.oddities.is_none() {
            return;
        }
        for (name, _) in entries {
            if !fields(self.version).contains(&&**name) {
                self.odd(name, || ("an unknown field".to_owned(), NOTHING.to_owned()));
            }
        }
    }

    fn odd(&self, field: &str, say: impl FnOnce() -> (String, String)) {
        let field = || format!("{COLUMN}[{}].{field}", self.at);
        self.reader.odd_field(COLUMN, field, say);
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
            let Literal::List(ends) = &range.literal else {
                return Err(refused());
            };
            let [from, to] = ends.as_slice() else {
                return Err(refused());
            };
            let (Literal::Number(from), Literal::Number(to)) = (&from.literal, &to.literal) else {
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

/// Some items of an override list.
#[derive(Default)]
struct FirstAndMore<'a> {
    first: Option<&'a Literal<'a>>,
    others: usize,
}

impl<'a> FirstAndMore<'a> {
    fn add(&mut self, item: &'a Literal<'a>) {
        match self.first {
            None => self.first = Some(item),
            Some(_) => self.others += 1,
        }
    }

    fn found(&self) -> String {
        let first = self.first.map(found).unwrap_or_default();
        first + &and_more(self.others)
    }
}

fn and_more(others: usize) -> String {
    match others {
        0 => String::new(),
        others => format!(" and {others} more"),
    }
}

impl Reader<'_> {
    /// Notes the ids of one treatment that are listed before.
    pub(super) fn odd_repeated(&self, repeated: &[DuplicateOverride]) {
        let Some(DuplicateOverride {
            treatment,
            instance,
        }) = repeated.first()
        else {
            return;
        };
        let found = || {
            let more = and_more(repeated.len() - 1);
            format!("{}{more} once more", quoted(instance.as_str()))
        };
        self.odd_field(
            COLUMN,
            || format!("{COLUMN}[{treatment}].OverrideList"),
            || (found(), "listed where it is first".to_owned()),
        );
    }
}

fn text_value(text: &str) -> Result<FlagValue, Invalid> {
    let field = "Value".to_owned();
    FlagValue::text(text).map_err(|invalid| Invalid { field, ..invalid })
}

/// What Python's `str` makes of a number or a boolean.
fn python_text(literal: &Literal<'_>) -> Option<String> {
    match literal {
        Literal::Boolean(value) => Some(CellFormat::Python.boolean(*value).to_owned()),
        Literal::Number(number) => Some(number.as_str().into_owned()),
        Literal::Null | Literal::Text(_) | Literal::List(_) | Literal::Dict(_) => None,
    }
}

/// What was found, as a message shows it: text in quotes, anything else as it is written.
fn found(literal: &Literal<'_>) -> String {
    match literal {
        Literal::Text(text) => quoted(text),
        Literal::List(_) | Literal::Dict(_) => literal.kind().to_owned(),
        other => other.to_string(),
    }
}
