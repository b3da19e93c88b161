//! YAML with control characters and invisible characters escaped, as in JSON.
//!
//! The library escapes few of them. So each is marked before it sees the text: `U+FFFF`, the code in hexadecimal,
//! `U+FFFF`. The mark makes it write the text in double quotes, with the mark escaped, and there the code goes back in.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::escape::is_invisible;

const MARK: char = '\u{ffff}';

/// How the library writes a mark in double quotes.
const WRITTEN: &str = "\\uFFFF";

/// The value as YAML.
pub(super) fn yaml(value: &impl Serialize) -> io::Result<String> {
    // Row keys and statements stay on one line.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let yaml = serde_saphyr::to_string_with_options(&Marked(value), options);
    yaml.map(|yaml| unmarked(&yaml)).map_err(io::Error::other)
}

/// Text with its invisible characters marked; also where the text itself reads like a mark that was written.
fn marked(text: &str) -> String {
    let reads_like_mark = text.contains(WRITTEN);
    let mut marked = String::with_capacity(text.len());
    for character in text.chars() {
        if is_invisible(character) || character == MARK || (reads_like_mark && character == '\\') {
            let _ = write!(marked, "{MARK}{:x}{MARK}", u32::from(character));
        } else {
            marked.push(character);
        }
    }
    marked
}

/// Replaces marks by escapes of YAML.
fn unmarked(yaml: &str) -> String {
    let mut parts = yaml.split(WRITTEN);
    let mut unmarked = parts.next().unwrap_or_default().to_owned();
    while let (Some(code), Some(rest)) = (parts.next(), parts.next()) {
        let _ = write!(unmarked, "\\U{code:0>8}{rest}");
    }
    unmarked
}

/// A value whose texts are marked when they are written, or what writes it.
struct Marked<T>(T);

impl<T: Serialize> Serialize for Marked<&T>
where
    T: ?Sized,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Marked(serializer))
    }
}

macro_rules! as_it_is {
    ($($method:ident: $value:ty),+) => {
        $(fn $method(self, value: $value) -> Result<S::Ok, S::Error> {
            self.0.$method(value)
        })+
    };
}

impl<S: Serializer> Serializer for Marked<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Marked<S::SerializeSeq>;
    type SerializeTuple = Marked<S::SerializeTuple>;
    type SerializeTupleStruct = Marked<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Marked<S::SerializeTupleVariant>;
    type SerializeMap = Marked<S::SerializeMap>;
    type SerializeStruct = Marked<S::SerializeStruct>;
    type SerializeStructVariant = Marked<S::SerializeStructVariant>;

    as_it_is!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_u128: u128, serialize_f32: f32, serialize_f64: f64, serialize_bytes: &[u8],
        serialize_unit_struct: &'static str
    );

    fn serialize_char(self, value: char) -> Result<S::Ok, S::Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<S::Ok, S::Error> {
        self.0.serialize_str(&marked(value))
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.serialize_some(&Marked(value))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_struct(name, &Marked(value))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = &Marked(value);
        self.0
            .serialize_newtype_variant(name, index, variant, value)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.0.serialize_seq(length).map(Marked)
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.0.serialize_tuple(length).map(Marked)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.0.serialize_tuple_struct(name, length).map(Marked)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let variant = self.0.serialize_tuple_variant(name, index, variant, length);
        variant.map(Marked)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.0.serialize_map(length).map(Marked)
    }

    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.0.serialize_struct(name, length).map(Marked)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let variant = self
            .0
            .serialize_struct_variant(name, index, variant, length);
        variant.map(Marked)
    }
}

macro_rules! parts {
    ($($part:ident: $method:ident $(($key:ident))?),+) => {
        $(impl<S: $part> $part for Marked<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), S::Error> {
                self.0.$method($($key,)? &Marked(value))
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.0.end()
            }
        })+
    };
}

parts!(
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
    SerializeStruct: serialize_field(key),
    SerializeStructVariant: serialize_field(key)
);

impl<S: SerializeMap> SerializeMap for Marked<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.0.serialize_key(&Marked(key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.0.serialize_value(&Marked(value))
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn escaped_yaml_says_the_same() {
        for text in [
            "plain",
            "a\u{202e}b",
            "\u{ad}",
            "tag \u{e0041}\u{61c}\u{9b}",
            "two\nlines \u{200b}\n",
            "'single' \"double\" \u{200b}",
            "\\uFFFF202e\\uFFFF",
            "\\\\uFFFF202e\\uFFFF \u{202e}\\u{202e}",
            "\u{ffff}",
            "\u{ffff}202e\u{ffff}",
            "- x: \u{2060}#",
        ] {
            let map = BTreeMap::from([(text.to_owned(), vec![Some(text.to_owned())])]);
            let written = yaml(&map).unwrap();
            let read: BTreeMap<String, Vec<Option<String>>> =
                serde_saphyr::from_str(&written).unwrap();
            assert_eq!(read, map, "{written}");
            let hidden = |c: char| is_invisible(c) || (c.is_control() && c != '\n');
            assert!(!written.contains(hidden), "{written:?}");
        }
    }

    #[test]
    fn what_can_be_seen_stays_as_it_is() {
        assert_eq!(yaml(&["é 日 😀\u{a0}»"]).unwrap(), "- é 日 😀\u{a0}»\n");
        assert_eq!(yaml(&["a\u{202e}b"]).unwrap(), "- \"a\\U0000202eb\"\n");
    }
}
