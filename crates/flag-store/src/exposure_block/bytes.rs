//! Numbers and texts as blocks keep them.

use uuid::Uuid;

use super::format::BlockError;

/// The bytes of a UUID.
const UUID: usize = 16;

/// Appends a number, seven bits per byte, the lowest first (LEB128).
pub(super) fn put_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Appends a signed number, small ones of either sign in few bytes: 0, -1, 1, -2, 2, … as 0, 1, 2, 3, 4, …
pub(super) fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put_number(bytes, (number << 1 ^ number >> 63).cast_unsigned());
}

/// Appends a text and its length.
pub(super) fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// Texts, their lengths first; a UUID in its usual spelling takes 16 bytes.
#[derive(Default)]
pub(super) struct Texts {
    lengths: Vec<u8>,
    bytes: Vec<u8>,
}

impl Texts {
    /// Appends a text.
    pub(super) fn push(&mut self, text: &str) {
        if let Some(uuid) = uuid(text) {
            self.lengths.push(0);
            self.bytes.extend_from_slice(uuid.as_bytes());
        } else {
            put_number(&mut self.lengths, text.len() as u64 + 1);
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    /// Appends them to a block.
    pub(super) fn put(&self, block: &mut Vec<u8>) {
        block.extend_from_slice(&self.lengths);
        block.extend_from_slice(&self.bytes);
    }
}

fn uuid(text: &str) -> Option<Uuid> {
    if text.len() != uuid::fmt::Hyphenated::LENGTH {
        return None;
    }
    let uuid = Uuid::try_parse(text).ok()?;
    let mut spelled = Uuid::encode_buffer();
    (uuid.hyphenated().encode_lower(&mut spelled) == text).then_some(uuid)
}

/// Bytes of a block that are still to be read.
pub(super) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// All of them.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn byte(&mut self) -> Result<u8, BlockError> {
        let byte = self.0.split_off_first().ok_or(BlockError::Truncated)?;
        Ok(*byte)
    }

    pub(super) fn number(&mut self) -> Result<u64, BlockError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(BlockError::Number)
    }

    pub(super) fn signed(&mut self) -> Result<i64, BlockError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// A number of things of which each takes a byte at least, so that no more memory is asked for than there are bytes.
    pub(super) fn count(&mut self) -> Result<usize, BlockError> {
        let count = usize::try_from(self.number()?).map_err(|_| BlockError::Number)?;
        if count > self.len() {
            return Err(BlockError::Truncated);
        }
        Ok(count)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, BlockError> {
        let length = self.count()?;
        self.text_of(length)
    }

    fn text_of(&mut self, length: usize) -> Result<&'a str, BlockError> {
        str::from_utf8(self.take(length)?).map_err(|_| BlockError::Text)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], BlockError> {
        self.0.split_off(..length).ok_or(BlockError::Truncated)
    }

    /// This many numbers, one after the other.
    pub(super) fn numbers(&mut self, count: usize) -> Result<Vec<u64>, BlockError> {
        (0..count).map(|_| self.number()).collect()
    }

    /// This many texts, as [`Texts`] writes them.
    pub(super) fn texts(&mut self, count: usize) -> Result<ReadTexts<'a>, BlockError> {
        let lengths = self.numbers(count)?;
        let bytes = lengths.iter().try_fold(0_usize, |sum, &length| {
            let length = match length {
                0 => UUID,
                length => usize::try_from(length - 1).ok()?,
            };
            sum.checked_add(length)
        });
        let bytes = bytes.ok_or(BlockError::Number)?;
        Ok(ReadTexts {
            lengths,
            bytes: Self(self.take(bytes)?),
        })
    }
}

/// Texts of a block, in their order.
pub(super) struct ReadTexts<'a> {
    lengths: Vec<u64>,
    bytes: Bytes<'a>,
}

impl ReadTexts<'_> {
    /// Appends the text with this index to a text; the indices must be asked for in their order.
    pub(super) fn append(&mut self, index: usize, text: &mut String) -> Result<(), BlockError> {
        match self.lengths.get(index) {
            None => Err(BlockError::Truncated),
            Some(0) => {
                let uuid = Uuid::from_slice(self.bytes.take(UUID)?);
                let uuid = uuid.map_err(|_| BlockError::Truncated)?;
                text.push_str(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
                Ok(())
            }
            Some(length) => {
                let length = usize::try_from(length - 1).map_err(|_| BlockError::Number)?;
                text.push_str(self.bytes.text_of(length)?);
                Ok(())
            }
        }
    }
}
